import { z } from 'zod';
import { BadPayloadError } from '../../../core/errors.ts';
import { parseJson } from '../../../core/json.ts';
import { assemble, binary, delivered, type Header } from './assemble.ts';

/** Postmark's inbound streams: JSON, with the whole mail in it where that is switched on. */

const text = z.string().nullish();
const Person = z.object({ Email: text, Name: text });

const Posted = z.object({
  FromFull: Person.nullish(),
  From: text,
  ToFull: z.array(Person).nullish(),
  CcFull: z.array(Person).nullish(),
  ReplyTo: text,
  OriginalRecipient: text,
  Subject: text,
  Date: text,
  TextBody: text,
  HtmlBody: text,
  RawEmail: text,
  Headers: z.array(z.object({ Name: z.string(), Value: z.string() })).nullish(),
  Attachments: z.array(z.object({ Name: text, Content: text, ContentType: text, ContentID: text })).nullish(),
});
type Posted = z.output<typeof Posted>;

/** The mail that was posted. Throws `BadPayloadError` where it can't be read. */
export function mailFromPostmark(body: Buffer): Buffer {
  const json = parseJson(body);
  const { data: posted } = Posted.safeParse(json);
  if (!posted || !isMail(json)) {
    throw new BadPayloadError('no mail of an inbound stream', {
      hint: 'In Postmark this address belongs into the inbound stream, not among the webhooks for events.',
    });
  }
  const to = posted.OriginalRecipient ? [posted.OriginalRecipient] : [];
  const envelope = { from: undefined, to };
  if (posted.RawEmail) return delivered(Buffer.from(posted.RawEmail, 'utf8'), envelope);
  const bodyOf = (content: string | null | undefined) => ({ bytes: Buffer.from(content ?? ''), charset: 'utf-8' });
  const files = (posted.Attachments ?? []).map(({ Name, Content, ContentType, ContentID }) => ({
    name: Name ?? '',
    mediaType: ContentType ?? '',
    cid: ContentID ?? '',
    bytes: Buffer.from(Content ?? '', 'base64'),
  }));
  const mail = assemble({
    headers: headersOf(posted),
    text: bodyOf(posted.TextBody),
    html: bodyOf(posted.HtmlBody),
    files,
  });
  return delivered(mail, envelope);
}

/** An event of an outbound stream has neither. */
function isMail(json: unknown): boolean {
  return typeof json === 'object' && json !== null && ('FromFull' in json || 'RawEmail' in json);
}

/** The people, the subject and the date stand beside the list of headers. */
function headersOf({ FromFull, From, ToFull, CcFull, ReplyTo, Subject, Date: date, Headers }: Posted): Header[] {
  const listed = (Headers ?? []).map(({ Name, Value }) => [Name, Value] as const);
  const known = new Set(listed.map(([name]) => name.toLowerCase()));
  const beside = [
    ['From', FromFull ? mailboxOf(FromFull) : (From ?? '')],
    ['To', (ToFull ?? []).map(mailboxOf).join(', ')],
    ['Cc', (CcFull ?? []).map(mailboxOf).join(', ')],
    ['Reply-To', ReplyTo ?? ''],
    ['Subject', Subject ?? ''],
    ['Date', date ?? ''],
  ] as const;
  const missing = beside.filter(([name, value]) => value !== '' && !known.has(name.toLowerCase()));
  return [...listed, ...missing].map(([name, value]) => [name, binary(value)]);
}

function mailboxOf({ Email, Name }: z.output<typeof Person>): string {
  const address = `<${(Email ?? '').replace(/[<>]/g, '')}>`;
  return Name ? `"${Name.replace(/["\\]/g, '\\$&')}" ${address}` : address;
}
