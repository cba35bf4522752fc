import type { Delivery } from '../../core/destination.ts';
import { markOf } from '../../core/mark.ts';
import type { Files } from '../../core/sendable.ts';
import { isInternal, type Ticket } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';

/** What is written into cases there, and for whose eyes. */

/** A description holds 32,000 characters. */
const DESCRIPTION_BYTES = 31_000;
/** A comment holds 4,000 bytes; lines may come to end with two. */
const COMMENT_BYTES = 3800;
const SUBJECT_LENGTH = 255;
const OURS = /^\S{1,2500}\/t\/tkt_\w{1,60}#([a-z]{3}_[\w.-]{1,200})$/;

/** Shown to the customer in portals: where the message is internal, it is what was said before it, or only a link. */
export function toDescription(publicUrl: string, delivery: Delivery, { unsent }: Files): string {
  const { ticket, message, transcript } = delivery;
  const said = { ...delivery, ticket: { ...ticket, subject: subjectOf(ticket) } };
  if (!isInternal(message)) return toPlainText(said, { publicUrl, max: DESCRIPTION_BYTES, unsent });
  const last = transcript.at(-1);
  if (!last) return `#${ticket.number}: ${publicUrl}/t/${ticket.id}`;
  const before = { ...said, message: last, transcript: transcript.slice(0, -1) };
  const came = new Map(last.attachments.map(({ id }) => [id, 'it came before'] as const));
  return toPlainText(before, { publicUrl, max: DESCRIPTION_BYTES, unsent: came });
}

/** The words of a message, signed with its mark. */
export function toComment(publicUrl: string, delivery: Delivery, { unsent }: Files): string {
  const { ticket, message } = delivery;
  const signature = `\n\n${publicUrl}/t/${ticket.id}#${markOf(message)}`;
  const max = COMMENT_BYTES - Buffer.byteLength(signature);
  return toPlainText(delivery, { publicUrl, max, unsent }) + signature;
}

/** The mark that a comment ends with. What an agent quotes above his own words is none. */
export function markIn(text: string): string | undefined {
  const plain = text.trimEnd();
  const last = plain.slice(Math.max(plain.lastIndexOf('\n'), plain.length - 3000) + 1).trim();
  return OURS.exec(last)?.[1];
}

export function subjectOf({ subject, number }: Ticket): string {
  const line = subject.replaceAll(/\s+/g, ' ').trim();
  return cut(line === '' ? `#${number}` : line, SUBJECT_LENGTH);
}

export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}
