import { createVerify, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Webhook } from '../../../core/connector.ts';
import { BadPayloadError } from '../../../core/errors.ts';
import type { WebhookRequest } from '../../../core/payload.ts';
import { assemble, delivered, type Envelope, type Header } from './assemble.ts';
import { bytesOfBase64 } from './base64.ts';
import { createBasic } from './basic.ts';
import { toPublicKey, type SendGrid } from './config.ts';
import { bytesIn, filesIn, jsonIn, readForm, type Form } from './form.ts';

/** SendGrid's Inbound Parse: taken apart, or whole where "send raw" is on. */

export function createSendGrid({ publicKey, user, password }: SendGrid): Pick<Webhook, 'verify'> {
  if (publicKey !== undefined) {
    const key = toPublicKey(publicKey);
    return {
      verify(request) {
        verifySignature(key, request);
      },
    };
  }
  if (user === undefined || !password)
    throw new Error('neither publicKey nor password, which the settings don’t allow');
  return createBasic({ user, password });
}

/** No bound on its time: a post is repeated for three days, and the same one again is the same mail. */
function verifySignature(key: KeyObject, { headers, body }: WebhookRequest): void {
  const signature = headers['x-twilio-email-event-webhook-signature'];
  const timestamp = headers['x-twilio-email-event-webhook-timestamp'];
  if (!signature || !timestamp) {
    throw new BadPayloadError('not signed: X-Twilio-Email-Event-Webhook-Signature or -Timestamp is missing', {
      hint: 'Attach the security policy to the parse setting, or use user and password instead of publicKey.',
    });
  }
  // Where the time ends and the body begins must be plain: what is signed has nothing in between.
  const bytes = /^\d{1,11}$/.test(timestamp) ? bytesOfBase64(signature) : undefined;
  if (bytes && createVerify('sha256').update(timestamp).update(body).verify(key, bytes)) return;
  throw new BadPayloadError('the signature does not match the body', {
    hint: 'publicKey is the one of the security policy that is attached to this parse setting.',
  });
}

/** The mail that was posted. Throws `BadPayloadError` where it can't be read. */
export async function mailFromSendGrid(body: Buffer, contentType: string): Promise<Buffer> {
  const form = await readForm(body, contentType);
  const envelope = envelopeIn(form);
  const whole = bytesIn(form, 'email');
  if (whole) return delivered(whole, envelope);
  if (!form.fields.has('from') && !form.fields.has('headers')) {
    throw new BadPayloadError('no mail from Inbound Parse: email, headers and from are missing');
  }
  const charsets = ByName.safeParse(jsonIn(form, 'charsets')).data ?? {};
  const bodyIn = (name: string) => {
    const bytes = bytesIn(form, name);
    return bytes && { bytes, charset: charsets[name] ?? 'utf-8' };
  };
  const mail = assemble({
    headers: headersIn(form),
    text: bodyIn('text'),
    html: bodyIn('html'),
    files: namedFilesIn(form),
  });
  return delivered(mail, envelope);
}

const ByName = z.record(z.string(), z.string());
const Addresses = z.union([z.string(), z.array(z.string())]);
const SmtpEnvelope = z.object({ to: Addresses.optional(), from: Addresses.optional() });

function envelopeIn(form: Form): Envelope {
  const { to = [], from } = SmtpEnvelope.safeParse(jsonIn(form, 'envelope')).data ?? {};
  return { from: from === undefined ? undefined : ([from].flat()[0] ?? ''), to: [to].flat() };
}

/** Also where the block of headers is missing, as in old settings. */
const NEEDED = ['From', 'To', 'Cc', 'Subject'];

function headersIn(form: Form): Header[] {
  const block = (bytesIn(form, 'headers') ?? Buffer.alloc(0)).toString('latin1').replace(/\r?\n[ \t]+/g, ' ');
  const listed = block.split(/\r?\n/).flatMap((line): Header[] => {
    const colon = line.indexOf(':');
    return colon > 0 ? [[line.slice(0, colon).trim(), line.slice(colon + 1)]] : [];
  });
  const known = new Set(listed.map(([name]) => name.toLowerCase()));
  const missing = NEEDED.filter((name) => !known.has(name.toLowerCase())).flatMap((name): Header[] => {
    const value = bytesIn(form, name.toLowerCase());
    return value ? [[name, value.toString('latin1')]] : [];
  });
  return [...listed, ...missing];
}

const Infos = z.record(
  z.string(),
  z.object({ filename: z.string().optional(), type: z.string().optional(), 'content-id': z.string().optional() }),
);

function namedFilesIn(form: Form) {
  const infos = Infos.safeParse(jsonIn(form, 'attachment-info')).data ?? {};
  return filesIn(form, 'attachments').map(({ field, name, mediaType, bytes }) => {
    const info = infos[field];
    return {
      name: info?.filename ?? name,
      mediaType: info?.type ?? mediaType,
      cid: info?.['content-id'] ?? '',
      bytes,
    };
  });
}
