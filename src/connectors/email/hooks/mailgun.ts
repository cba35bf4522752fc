import { z } from 'zod';
import type { Context, Webhook } from '../../../core/connector.ts';
import { BadPayloadError } from '../../../core/errors.ts';
import { hmac, matchesSignature, TOLERANCE_MS } from '../../../core/signature.ts';
import { assemble, binary, delivered, type Header } from './assemble.ts';
import type { Mailgun } from './config.ts';
import { bytesIn, filesIn, jsonIn, readForm, textIn, type Form } from './form.ts';

/** Mailgun's routes: `forward("https://…")`, taken apart, or whole where the address ends with `mime`. */

const HOUR_MS = 3_600_000;
/** A failed post is repeated for eight hours, and nothing says that it is signed anew then. */
const OLDEST_MS = 12 * HOUR_MS;

/** The signature stands in the form, over a time and a token: it proves who posts, not what. */
export function createMailgun({ signingKey }: Mailgun, { clock }: Pick<Context, 'clock'>): Pick<Webhook, 'verify'> {
  return {
    async verify({ body, headers }) {
      const form = await readForm(body, headers['content-type'] ?? '');
      const [timestamp, token, signature] = ['timestamp', 'token', 'signature'].map((name) => textIn(form, name) ?? '');
      if (!timestamp || !token || !signature) {
        throw new BadPayloadError('not signed: timestamp, token or signature is missing');
      }
      if (!/^\d{1,11}$/.test(timestamp) || !/^[\w-]{1,100}$/.test(token)) {
        throw new BadPayloadError('timestamp or token is not as Mailgun makes them');
      }
      const age = clock.now() - Number(timestamp) * 1000;
      if (age > OLDEST_MS || age < -TOLERANCE_MS) {
        throw new BadPayloadError('it was signed more than twelve hours ago, or will be', {
          hint: 'Compare the clock of this machine (`tributary doctor` shows it).',
        });
      }
      const expected = hmac('sha256', signingKey.reveal(), timestamp, token);
      if (matchesSignature(expected, signature, 'hex')) return;
      throw new BadPayloadError('the signature is of another key', {
        hint: 'signingKey is the HTTP webhook signing key of the account, not an API key.',
      });
    },
  };
}

/** The mail that was posted. Throws `BadPayloadError` where it can't be read. */
export async function mailFromMailgun(body: Buffer, contentType: string): Promise<Buffer> {
  const form = await readForm(body, contentType);
  const envelope = { from: textIn(form, 'sender'), to: recipientsIn(form) };
  const whole = bytesIn(form, 'body-mime');
  if (whole) return delivered(whole, envelope);
  if (!form.fields.has('from') && !form.fields.has('message-headers')) {
    throw new BadPayloadError('no mail from a route: body-mime, from and message-headers are missing', {
      hint: 'In Mailgun this address belongs into a route, as forward(…), not among the webhooks for events.',
    });
  }
  const text = bytesIn(form, 'body-plain');
  const html = Buffer.concat(form.fields.get('body-html') ?? []);
  const mail = assemble({
    headers: headersIn(form),
    text: text && { bytes: text, charset: 'utf-8' },
    html: { bytes: html, charset: 'utf-8' },
    files: namedFilesIn(form),
  });
  return delivered(mail, envelope);
}

function recipientsIn(form: Form): string[] {
  return (textIn(form, 'recipient') ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
}

/** What a conversation needs, also where the list of all headers is missing. */
const NEEDED = ['From', 'To', 'Cc', 'Reply-To', 'Subject', 'Date', 'Message-Id', 'In-Reply-To', 'References'];
const Headers = z.array(z.tuple([z.string(), z.string()]).rest(z.unknown()));

function headersIn(form: Form): Header[] {
  const listed = Headers.safeParse(jsonIn(form, 'message-headers')).data ?? [];
  const known = new Set(listed.map(([name]) => name.toLowerCase()));
  const missing = NEEDED.filter((name) => !known.has(name.toLowerCase())).flatMap((name): Header[] => {
    const value = bytesIn(form, name) ?? bytesIn(form, name.toLowerCase());
    return value ? [[name, value.toString('latin1')]] : [];
  });
  return [...listed.map(([name, value]): Header => [name, binary(value)]), ...missing];
}

const ContentIds = z.record(z.string(), z.string());

function namedFilesIn(form: Form) {
  const ids = ContentIds.safeParse(jsonIn(form, 'content-id-map')).data ?? {};
  const cids = new Map(Object.entries(ids).map(([cid, field]) => [field, cid]));
  return filesIn(form, 'attachment-count').map((file) => ({ ...file, cid: cids.get(file.field) ?? '' }));
}
