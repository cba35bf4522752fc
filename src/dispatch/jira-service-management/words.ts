import type { Delivery } from '../../core/destination.ts';
import { markOf } from '../../core/mark.ts';
import { isInternal, type Ticket } from '../../core/ticket.ts';
import { toPlainText } from '../../core/words.ts';
import { toDocument } from './adf.ts';

/** What is written into requests there, as documents, and for whose eyes. */

/** A text takes 32,767 characters; some are left for the nodes around it. */
const TEXT_BYTES = 30_000;
const SUMMARY_LENGTH = 255;

/** Files that don't go along: id of the attachment → why. */
export type Unsent = ReadonlyMap<string, string>;

/** It is shown to the customer: nothing but the link where the message is internal. */
export function toDescription(publicUrl: string, delivery: Delivery, unsent: Unsent): object {
  if (isInternal(delivery.message)) return toDocument('', publicUrl, linkOf(publicUrl, delivery));
  return toWords(publicUrl, opening(delivery), unsent);
}

/** What the description leaves out, for colleagues. */
export function toInternal(publicUrl: string, delivery: Delivery, unsent: Unsent): object | undefined {
  if (!isInternal(delivery.message)) return undefined;
  return toComment(publicUrl, opening(delivery), unsent, { internal: true });
}

export function toComment(
  publicUrl: string,
  delivery: Delivery,
  unsent: Unsent,
  value: { readonly internal: boolean },
): object {
  return { body: toWords(publicUrl, delivery, unsent), properties: [{ key: 'sd.public.comment', value }] };
}

/** A subject that is cut there stands whole in the words. */
function opening(delivery: Delivery): Delivery {
  const { ticket } = delivery;
  return { ...delivery, ticket: { ...ticket, subject: summaryOf(ticket) } };
}

function toWords(publicUrl: string, delivery: Delivery, unsent: Unsent): object {
  const { message } = delivery;
  const text = toPlainText(delivery, { publicUrl, max: TEXT_BYTES, unsent });
  const sent = message.attachments.filter(({ id, state }) => state === 'stored' && !unsent.has(id));
  const files = sent.length > 0 ? `\n\nAttached: ${sent.map(({ name }) => name).join(', ')}`.slice(0, 1000) : '';
  return toDocument(`${text}${files}`, publicUrl, linkOf(publicUrl, delivery));
}

function linkOf(publicUrl: string, { ticket, message }: Delivery) {
  return { text: `#${ticket.number}`, href: `${publicUrl}/t/${ticket.id}#${markOf(message)}` };
}

export function summaryOf({ subject, number }: Ticket): string {
  const line = subject.replaceAll(/\s+/g, ' ').trim() || `#${number}`;
  return cut(line, SUMMARY_LENGTH);
}

export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}
