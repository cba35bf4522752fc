import type { Envelope } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { MessageContent, MessageRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { ChangeType, TicketStatus } from '../core/ticket.ts';
import type { Accepted, Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { fileAttachments } from './attach.ts';
import { follow, tell } from './follow.ts';

/** A message that is there already: the same again, a newer revision, or the same id with other words. */
export async function acceptAgain(
  tx: Transaction,
  announcer: Announcer,
  known: MessageRow,
  envelope: Envelope,
  source: Source & { readonly newId: NewId },
): Promise<Accepted> {
  const result = { ...about(envelope, known), ticketNumber: (await tx.ticket(known.ticketId))?.number };
  const content = contentOf(envelope);
  if (content.revision > known.revision && sameContent(known, content) && (await hasFiles(tx, known, envelope))) {
    // A help desk finds a message of unknown outcome by its revision: that stays while it is on its way.
    const deliveries = await tx.deliveriesOf(known.id);
    const isOnItsWay = deliveries.some(({ state }) => state === 'waiting' || state === 'delivering');
    if (!isOnItsWay) await tx.raiseRevision(known.id, content.revision);
    return { ...result, outcome: 'duplicate', reason: 'received before' };
  }
  if (content.revision > known.revision) {
    await tx.reviseMessage(known, content, source.receivedAt);
    const { endpointId, payloadId, newId } = source;
    const files = {
      id: known.id,
      ticketId: known.ticketId,
      endpointId,
      payloadId,
      newId,
      known: await tx.attachmentIds(known.id),
    };
    await fileAttachments(tx, announcer, envelope, files);
    const changeSeq = await tell(tx, announcer, 'message.updated', known, source);
    await follow(tx, announcer, known, { changeSeq });
    if (known.kind === 'review') await wakeTicket(tx, announcer, known.ticketId, source);
    return { ...result, outcome: 'revised', reason: `revision ${content.revision}` };
  }
  if (sameContent(known, content)) return { ...result, outcome: 'duplicate', reason: 'received before' };
  // Never overwritten: an edit grows its revision, so this is a late one, or another message under the same id.
  await tx.saveRevision(known.id, content, source.receivedAt);
  const late = content.revision < known.revision;
  return {
    ...result,
    outcome: 'duplicate',
    reason: late ? 'an older revision, kept as history' : 'the same id with other content, kept as history',
  };
}

/** Nothing came along that the message hasn't got already. */
async function hasFiles(tx: Transaction, { id }: MessageRow, { attachments }: Envelope): Promise<boolean> {
  if (attachments.length === 0) return true;
  const known = new Set(await tx.attachmentIds(id));
  return attachments.every((attachment) => known.has(attachment.id));
}

/** Who rewrites his review answers by that, and has no other way: it opens a closed or waiting ticket again. */
async function wakeTicket(
  tx: Transaction,
  announcer: Announcer,
  ticketId: string,
  { receivedAt, origin }: Pick<Source, 'receivedAt' | 'origin'>,
): Promise<void> {
  const ticket = await tx.ticket(ticketId);
  const from = ticket?.status;
  if (!ticket || (from !== 'pending' && from !== 'solved' && from !== 'closed')) return;
  const to: TicketStatus = 'open';
  const version = await tx.updateTicket(ticketId, { status: to, closedAt: null }, receivedAt);
  await announcer.change(
    { type: 'ticket.status_changed', version, ticketId, extra: { from, to } },
    { ticket: { ...ticket, status: to }, kind: 'review', origin },
  );
}

function about(envelope: Envelope, known: MessageRow) {
  return {
    externalId: envelope.externalId,
    ticketId: known.ticketId,
    messageId: known.id,
    firstPayload: known.payloadId ?? undefined,
  };
}

/** Whether it is another message, whose id was taken by `known`: its author, time or subject is another one. */
export function isAnother(known: MessageRow, { sender, subject, occurredAt }: Envelope): boolean {
  const authors = new Set(known.author.identifiers.map(({ kind, value }) => `${kind} ${value}`));
  const isAuthor = sender.identifiers.some(({ kind, value }) => authors.has(`${kind} ${value}`));
  return !isAuthor || (known.subject ?? '') !== (subject ?? '') || known.occurredAt !== occurredAt;
}

/** What of an envelope a revision may change. */
export function contentOf(envelope: Envelope): MessageContent {
  return {
    revision: envelope.revision,
    occurredAt: envelope.occurredAt,
    subject: envelope.subject,
    text: envelope.text,
    textFull: envelope.textFull,
    html: envelope.html,
    fields: envelope.fields,
    automatic: envelope.automatic,
    review: envelope.kind === 'review' ? envelope.review : undefined,
  };
}

/** Times are left out: some vendors stamp each delivery anew. */
export function sameContent(known: MessageContent, content: MessageContent): boolean {
  const words = (each: MessageContent) =>
    JSON.stringify([each.subject, each.text, each.textFull, each.html, Object.entries(each.fields), each.review]);
  return words(known) === words(content);
}

/** The event that a new envelope is, outward. */
export function changeTypeOf(envelope: Envelope): ChangeType {
  if (envelope.kind === 'review') return 'review.received';
  return envelope.direction === 'outbound' ? 'message.sent' : 'message.received';
}
