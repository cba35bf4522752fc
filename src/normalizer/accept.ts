import type { AutoReply } from '../core/auto-reply.ts';
import type { Envelope, Item } from '../core/envelope.ts';
import { isEnvelope } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { MessageRow, TicketRow } from '../core/rows.ts';
import type { StatusPages } from '../core/status-page.ts';
import type { Transaction } from '../core/store.ts';
import type { Outcome, TicketStatus } from '../core/ticket.ts';
import type { Announcer } from './announce.ts';
import { replyAutomatically } from './auto-reply.ts';
import { acceptPart, beginAlbum } from './album.ts';
import { fileAttachments } from './attach.ts';
import { acceptCall } from './call.ts';
import { askProfile } from './profile.ts';
import { settleEarly, settleItem } from './early.ts';
import { replaceOthers } from './replaced.ts';
import { acceptAgain, changeTypeOf, contentOf, isAnother } from './revise.ts';
import { resolveCustomer, type Recognised } from './identity.ts';
import { createTicket } from './open-ticket.ts';
import { passedOver } from './passed.ts';
import { resolveTicket, type Answer, type ThreadPolicy } from './thread.ts';

export interface AcceptDeps {
  readonly newId: NewId;
  readonly policy: ThreadPolicy;
  readonly proofKey: Buffer;
}

/** Where an item comes from. */
export interface Source {
  readonly endpointId: string;
  readonly threads: 'person' | 'topic';
  readonly payloadId: string;
  readonly receivedAt: number;
  /** The destination that it came back from, which must not hear it again. */
  readonly origin?: string;
  /** What its channel answers by itself, and what that takes. */
  readonly autoReply?: { readonly texts: AutoReply; readonly statusPages: StatusPages };
  /** It can be asked who somebody is. */
  readonly knowsPeople?: boolean;
}

export interface Accepted {
  readonly outcome: Outcome;
  readonly reason?: string;
  readonly externalId?: string;
  readonly ticketId?: string;
  readonly messageId?: string;
  readonly ticketNumber?: number;
  /** Payload that the message came with first, for a duplicate. */
  readonly firstPayload?: string;
}

/** Files one item: every item ends in exactly one outcome. */
export async function accept(
  tx: Transaction,
  announcer: Announcer,
  item: Item,
  source: Source,
  deps: AcceptDeps,
): Promise<Accepted> {
  if (isEnvelope(item)) return acceptEnvelope(tx, announcer, item, source, deps);
  switch (item.kind) {
    case 'receipt':
    case 'deletion':
    case 'reaction':
      return settleItem(tx, announcer, item, source);
    case 'moved':
      return moveThread(tx, item, source);
    case 'ignored':
      return { outcome: 'ignored', reason: `${item.name}: ${item.reason}` };
    case 'rejected':
      return { outcome: 'rejected', reason: item.reason, externalId: item.envelope?.externalId };
    case 'wake':
      return { outcome: 'ignored', reason: 'a notification without content' };
    case 'broken':
      return { outcome: 'quarantined', reason: `${item.at}: ${item.error}` };
  }
}

/** The vendor renames a thread: what comes under the new name belongs to the same ticket. */
async function moveThread(
  tx: Transaction,
  { from, to }: Extract<Item, { kind: 'moved' }>,
  { endpointId }: Source,
): Promise<Accepted> {
  const ticket = await tx.ticketOfThread(endpointId, from);
  if (!ticket) return { outcome: 'ignored', reason: `thread ${from} goes on as ${to}, and we know neither` };
  // Both ends of a move may be told, and what was said since must not change its ticket again.
  if (!(await tx.ticketOfThread(endpointId, to))) await tx.saveThread(endpointId, to, ticket.id);
  return { outcome: 'revised', reason: `thread ${from} goes on as ${to}`, ticketId: ticket.id };
}

/** What comes in the same thread after this belongs to the same ticket. */
async function keepThread(
  tx: Transaction,
  endpointId: string,
  { externalId, shared }: Envelope['thread'],
  { rule }: Answer,
  ticketId: string,
): Promise<void> {
  if (externalId === undefined || rule === 'thread') return;
  await tx.saveThread(endpointId, externalId, ticketId, shared ? 'shared' : undefined);
}

async function acceptEnvelope(
  tx: Transaction,
  announcer: Announcer,
  envelope: Envelope,
  source: Source,
  deps: AcceptDeps,
): Promise<Accepted> {
  if (envelope.kind === 'call') return acceptCall(tx, announcer, envelope, source, deps);
  // Parts of albums are edited too, some without a word about their album.
  const isPart = envelope.group !== undefined || envelope.revision > 0;
  const part = isPart ? await acceptPart(tx, announcer, envelope, { ...source, newId: deps.newId }) : undefined;
  if (part) {
    await settleEarly(tx, announcer, source, envelope.externalId);
    return part;
  }
  const known = await tx.findMessage(source.endpointId, envelope.externalId);
  const externalId = known && isAnother(known, envelope) ? envelope.variant : undefined;
  if (externalId !== undefined) {
    return acceptEnvelope(tx, announcer, { ...envelope, externalId, variant: undefined }, source, deps);
  }
  if (known) return acceptAgain(tx, announcer, known, envelope, { ...source, newId: deps.newId });
  const passed = await passedOver(tx, envelope, source, deps);
  if (passed) return passed;

  const who =
    envelope.direction === 'inbound'
      ? await resolveCustomer(tx, announcer, envelope.sender, { newId: deps.newId, now: source.receivedAt })
      : undefined;
  const where = await resolveTicket(
    tx,
    {
      endpointId: source.endpointId,
      envelope,
      customerId: who?.customerId,
      threads: source.threads,
      now: source.receivedAt,
    },
    deps,
  );
  return file(tx, announcer, envelope, source, deps, who, where);
}

/** Files a new message, in the ticket found or in a new one. */
async function file(
  tx: Transaction,
  announcer: Announcer,
  envelope: Envelope,
  source: Source,
  deps: AcceptDeps,
  who: Recognised | undefined,
  where: Answer,
): Promise<Accepted> {
  const { receivedAt, endpointId } = source;
  const created = !where.ticket;
  // Undefined without a customer: an answer given elsewhere begins no ticket.
  const ticket = where.ticket ?? (who && (await createTicket(tx, envelope, source, deps, who.customerId)));
  if (!ticket) {
    return {
      outcome: 'ignored',
      externalId: envelope.externalId,
      reason: 'an answer given elsewhere, in a conversation that we do not know',
    };
  }
  const { externalId } = envelope.thread;
  await keepThread(tx, endpointId, envelope.thread, where, ticket.id);

  const { seq, version } = await tx.nextSeq(ticket.id, receivedAt, envelope.direction);
  const messageId = deps.newId('msg');
  const row = {
    id: messageId,
    ticketId: ticket.id,
    seq,
    endpointId,
    externalId: envelope.externalId,
    customerId: who?.customerId ?? ticket.customerId,
    kind: envelope.kind,
    direction: envelope.direction,
    author: { name: envelope.sender.name, identifiers: envelope.sender.identifiers },
    verified: who?.verified ?? true,
    receivedAt,
    deletedAt: null,
    rule: where.rule,
    evidence: where.evidence,
    delivery: deliveryOf(envelope),
    payloadId: source.payloadId,
    thread: externalId,
  } as const;
  await tx.insertMessage(row, contentOf(envelope));
  const { payloadId } = source;
  const attach = { id: messageId, endpointId, payloadId, newId: deps.newId, known: [] };
  const files = await fileAttachments(tx, announcer, envelope, attach);
  await beginAlbum(tx, envelope, messageId, source, files);
  await askProfile(tx, announcer, envelope, { messageId, source, customerId: who?.customerId });

  const about = { ticket, kind: envelope.kind, fields: envelope.fields, origin: source.origin };
  const ticketId = ticket.id;
  if (created) await announcer.change({ type: 'ticket.created', version, ticketId, messageId }, about);
  const change = { type: changeTypeOf(envelope), version, ticketId, messageId };
  await announcer.change(change, { ...about, dueAt: completeAt(envelope, source) });
  // A ticket that was just made is new: it sleeps neither way.
  await wakeTicket(tx, announcer, ticket, envelope, where, about, receivedAt);
  await settleWhatHangsOn(tx, announcer, envelope, messageId, source);
  if (created) await replyAutomatically(tx, announcer, source, { envelope, ticket, who }, deps);
  return {
    outcome: created ? 'ticket_created' : 'appended',
    reason: `${where.rule}: ${where.evidence}`,
    externalId: envelope.externalId,
    ticketId: ticket.id,
    messageId,
    ticketNumber: ticket.number,
  };
}

/** What came before it, and the answers whose place it took. */
async function settleWhatHangsOn(
  tx: Transaction,
  announcer: Announcer,
  { externalId, replaces }: Envelope,
  messageId: string,
  source: Source,
): Promise<void> {
  await settleEarly(tx, announcer, source, externalId);
  if (replaces) await replaceOthers(tx, announcer, messageId, source);
}

/** An album is passed on when all of it should be here. */
function completeAt({ group }: Envelope, { receivedAt }: Source): number | undefined {
  return group && receivedAt + group.waitMs;
}

/** What agents wrote elsewhere has gone out there. */
function deliveryOf({ direction }: Envelope): MessageRow['delivery'] {
  return direction === 'outbound' ? { state: 'sent' } : null;
}

/** A customer's message opens a closed or waiting ticket again. */
async function wakeTicket(
  tx: Transaction,
  announcer: Announcer,
  ticket: TicketRow,
  envelope: Envelope,
  where: Answer,
  about: { ticket: TicketRow; kind: string; origin: string | undefined },
  at: number,
): Promise<void> {
  const asleep = where.reopens || ticket.status === 'pending';
  if (!asleep || envelope.quiet || envelope.direction !== 'inbound') return;
  const to: TicketStatus = 'open';
  const version = await tx.updateTicket(ticket.id, { status: to, closedAt: null }, at);
  await announcer.change(
    { type: 'ticket.status_changed', version, ticketId: ticket.id, extra: { from: ticket.status, to } },
    { ...about, ticket: { ...ticket, status: to } },
  );
}
