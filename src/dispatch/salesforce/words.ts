import type { Delivery } from '../../core/destination.ts';
import { markOf } from '../../core/mark.ts';
import type { Files } from '../../core/sendable.ts';
import { isInternal, type Message, type Ticket } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';

/** What is written into cases there, and for whose eyes. */

/** A description holds 32,000 characters. */
const DESCRIPTION_BYTES = 31_000;
/** A comment holds 4,000 bytes; lines may come to end with two. */
const COMMENT_BYTES = 3800;
const SUBJECT_LENGTH = 255;
const OURS = /^\S{1,2500}\/t\/tkt_\w{1,60}#([a-z]{3}_[\w.-]{1,200})$/;

/** What a customer may see of a delivery and what only colleagues may, each as a delivery of its own with what came before. */
export function partsOf(delivery: Delivery): {
  readonly open: Delivery | undefined;
  readonly inside: Delivery | undefined;
} {
  const all = [...delivery.transcript, delivery.message];
  const of = (messages: readonly Message[]) => {
    const message = messages.at(-1);
    return message && { ...delivery, message, transcript: messages.slice(0, -1) };
  };
  return { open: of(all.filter((each) => !isInternal(each))), inside: of(all.filter(isInternal)) };
}

/** Shown to the customer in portals: where there is nothing for him, it is only a link. */
export function toDescription(publicUrl: string, delivery: Delivery, files: Files): string {
  const { open } = partsOf(delivery);
  const { ticket } = delivery;
  if (!open) return `#${ticket.number}: ${publicUrl}/t/${ticket.id}`;
  const said = { ...open, ticket: { ...ticket, subject: subjectOf(ticket) } };
  return toPlainText(said, { publicUrl, max: DESCRIPTION_BYTES, unsent: unsentOf(open, delivery, files) });
}

/** The words of one part, signed with the mark of its message. */
export function toComment(publicUrl: string, part: Delivery, delivery: Delivery, files: Files): string {
  const { ticket, message } = part;
  const signature = `\n\n${publicUrl}/t/${ticket.id}#${markOf(message)}`;
  const max = COMMENT_BYTES - Buffer.byteLength(signature);
  return toPlainText(part, { publicUrl, max, unsent: unsentOf(part, delivery, files) }) + signature;
}

/** The mark that a comment ends with. What an agent quotes above his own words is none. */
export function markIn(text: string): string | undefined {
  const plain = text.trimEnd();
  const last = plain.slice(Math.max(plain.lastIndexOf('\n'), plain.length - 3000) + 1).trim();
  return OURS.exec(last)?.[1];
}

/** Files of an earlier message don't go along with a later one. */
function unsentOf({ message }: Delivery, delivery: Delivery, { unsent }: Files): ReadonlyMap<string, string> {
  if (message.id === delivery.message.id) return unsent;
  return new Map(message.attachments.map(({ id }) => [id, 'it came before'] as const));
}

export function subjectOf({ subject, number }: Ticket): string {
  const line = subject.replaceAll(/\s+/g, ' ').trim();
  return cut(line === '' ? `#${number}` : line, SUBJECT_LENGTH);
}

export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}
