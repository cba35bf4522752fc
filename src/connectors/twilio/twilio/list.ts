import { z } from 'zod';
import type { Account } from '../account.ts';
import type { Fields } from '../form.ts';

/** A message as Twilio lists it: https://www.twilio.com/docs/messaging/api/message-resource */
export const Listed = z.looseObject({
  sid: z.string().min(1),
  direction: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  body: z.string().nullish(),
  status: z.string(),
  num_media: z.string().nullish(),
  error_code: z.number().nullish(),
  error_message: z.string().nullish(),
  /** RFC 2822. */
  date_created: z.string().nullish(),
  messaging_service_sid: z.string().nullish(),
});
export type Listed = z.output<typeof Listed>;

export const ListedMedia = z.looseObject({ content_type: z.string().nullish(), uri: z.string() });
export type ListedMedia = z.output<typeof ListedMedia>;

/** Messages of the account, newest first. */
export function messages(
  account: Account,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncIterable<Listed> {
  return account.list('/Messages.json', query, { key: 'messages', item: Listed }, signal);
}

const MediaPage = z.object({ media_list: z.array(ListedMedia) });

export async function mediaOf(account: Account, { sid }: Listed, signal: AbortSignal): Promise<readonly ListedMedia[]> {
  const path = `/Messages/${encodeURIComponent(sid)}/Media.json`;
  return (await account.get(MediaPage, path, signal)).media_list;
}

/** What `reconcile` hands over: a message as listed, with its files, whose addresses are listed apart. */
const Kept = z.object({ message: Listed, media: z.array(ListedMedia) });

/** The same under the names that it is pushed with, so that it means the same; and when it was. */
export function readListed(value: unknown): { readonly fields: Fields; readonly at: number | undefined } {
  const { message, media } = Kept.parse(value);
  const created = Date.parse(message.date_created ?? '');
  const fields: Record<string, string | null | undefined> = {
    MessageSid: message.sid,
    MessageStatus: message.status,
    From: message.from,
    To: message.to,
    MessagingServiceSid: message.messaging_service_sid,
    Body: message.body,
    ErrorCode: message.error_code?.toString(),
    ErrorMessage: message.error_message,
  };
  for (const [index, { uri, content_type }] of media.entries()) {
    fields[`MediaUrl${index}`] = `https://api.twilio.com${uri.replace(/\.json$/, '')}`;
    fields[`MediaContentType${index}`] = content_type;
  }
  const said = Object.entries(fields).filter((entry): entry is [string, string] => (entry[1] ?? '') !== '');
  return { fields: Object.fromEntries(said), at: Number.isNaN(created) ? undefined : created };
}
