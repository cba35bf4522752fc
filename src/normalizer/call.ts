import type { Envelope } from '../core/envelope.ts';
import type { CallRow, MessageRow, TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { ChangeType } from '../core/ticket.ts';
import type { Accepted, AcceptDeps, Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { fileAttachments } from './attach.ts';
import { callerOf, learnCaller } from './caller.ts';
import { callOf, isMissed, saidIn, type CallState, type Said } from './call-state.ts';
import { openFor, settleCallBack, wakeFor, type Place } from './call-ticket.ts';
import { settleEarly } from './early.ts';
import { follow } from './follow.ts';

type CallEnvelope = Extract<Envelope, { kind: 'call' }>;

/** A call that nobody says the end of is taken for missed after this time, milliseconds. */
const ENDS_WITHIN_MS = 15 * 60_000;

/**
 * Files what one item says of a call. The call is made anew of everything that was said of it, in whatever order that
 * came. It joins its customer's open ticket; a missed one opens a ticket where there is none; any other stands on the
 * customer's timeline alone.
 */
export async function acceptCall(
  tx: Transaction,
  announcer: Announcer,
  envelope: CallEnvelope,
  source: Source,
  deps: AcceptDeps,
): Promise<Accepted> {
  const { endpointId } = source;
  const known =
    ((await tx.findMessage(endpointId, envelope.externalId)) as CallRow | undefined) ??
    (await tx.looseCall(endpointId, envelope.externalId));
  const said = { text: saidIn(envelope), envelope };
  return known ? goOn(tx, announcer, known, said, source, deps) : begin(tx, announcer, said, source, deps);
}

/** What is taken for said when nobody says how a call ended. */
export async function endCall(
  tx: Transaction,
  announcer: Announcer,
  known: CallRow,
  said: Said,
  source: Source,
  deps: AcceptDeps,
): Promise<void> {
  await goOn(tx, announcer, known, { text: said }, source, deps);
}

interface News {
  readonly text: Said;
  /** Undefined for what nobody said. */
  readonly envelope?: CallEnvelope;
}

async function begin(
  tx: Transaction,
  announcer: Announcer,
  { text, envelope }: News & { readonly envelope: CallEnvelope },
  source: Source,
  deps: AcceptDeps,
): Promise<Accepted> {
  const { endpointId, receivedAt, payloadId } = source;
  const { externalId } = envelope;
  const state = callOf([JSON.stringify(text)]);
  const who = await callerOf(tx, announcer, state.sender, { ...source, externalId, newId: deps.newId });
  const place = await openFor(tx, whole(envelope, state), who.customerId, source, deps);
  const id = deps.newId('msg');
  const row = {
    id,
    ...(await seatIn(tx, place, state, receivedAt)),
    endpointId,
    externalId,
    customerId: who.customerId,
    kind: 'call',
    direction: state.direction,
    author: state.sender,
    verified: who.verified,
    receivedAt,
    deletedAt: null,
    delivery: null,
    payloadId,
  } as const;
  await tx.insertMessage(row, state.content);
  await tx.saveRevision(id, text, receivedAt);
  await fileAttachments(tx, announcer, envelope, { id, endpointId, payloadId, newId: deps.newId, known: [] });
  if (isOpen(state)) {
    const dueAt = receivedAt + ENDS_WITHIN_MS;
    await announcer.task({ kind: 'hang_up', type: 'hang_up', endpointId, messageId: id, dueAt });
  }
  const ticket = await announce(tx, announcer, { row, state, before: undefined, place, source });
  await settleEarly(tx, announcer, source, externalId);
  const outcome = place?.created ? 'ticket_created' : 'appended';
  return { outcome, reason: `${row.rule}: ${row.evidence}`, externalId, messageId: id, ...named(ticket) };
}

/** Where a call stands: in a ticket, at its end, or in none. */
async function seatIn(tx: Transaction, place: Place | undefined, { direction }: CallState, at: number) {
  if (!place) return { ticketId: null, seq: 0, rule: 'new', evidence: "the customer's timeline, no ticket" } as const;
  const { ticket, rule, evidence } = place;
  return { ticketId: ticket.id, seq: (await tx.nextSeq(ticket.id, at, direction)).seq, rule, evidence };
}

const named = (ticket: TicketRow | undefined) => ({ ticketId: ticket?.id, ticketNumber: ticket?.number });

async function goOn(
  tx: Transaction,
  announcer: Announcer,
  known: CallRow,
  { text, envelope }: News,
  source: Source,
  deps: AcceptDeps,
): Promise<Accepted> {
  const texts = await tx.saidOf(known.id);
  const before = callOf(texts);
  const now = callOf([...texts, JSON.stringify(text)]);
  const ids = {
    externalId: known.externalId ?? undefined,
    messageId: known.id,
    firstPayload: known.payloadId ?? undefined,
  };
  await tx.saveRevision(known.id, text, source.receivedAt);
  const files = envelope && (await newFiles(tx, announcer, known, envelope, source, deps));
  if (JSON.stringify(before) === JSON.stringify(now) && !files) {
    const reason = text.revision < now.content.revision ? 'an older revision, kept as history' : 'received before';
    return { ...ids, outcome: 'duplicate', reason, ...named(await ticketOf(tx, known)) };
  }
  const row = { ...known, ...(await learnCaller(tx, announcer, known, before.sender, now.sender, source, deps)) };
  const place = await placeFor(tx, row, whole(envelope, now), { source, deps, before });
  const { direction, sender: author, content } = now;
  const seat = await seatIn(tx, place, now, source.receivedAt);
  const { verified, customerId } = row;
  await tx.updateCall(
    known.id,
    { content, author, direction, verified, customerId },
    seat.ticketId === null ? undefined : seat,
  );
  const ticketId = seat.ticketId ?? known.ticketId;
  const ticket = await announce(tx, announcer, { row: { ...row, ticketId }, state: now, before, place, source });
  const outcome = place?.created ? 'ticket_created' : 'revised';
  return { ...ids, outcome, reason: `revision ${text.revision}`, ...named(ticket) };
}

/** A ticket for a call that is in none yet. */
async function placeFor(
  tx: Transaction,
  { ticketId, customerId }: Pick<CallRow, 'ticketId' | 'customerId'>,
  envelope: Envelope,
  { source, deps, before }: { readonly source: Source; readonly deps: AcceptDeps; readonly before: CallState },
): Promise<Place | undefined> {
  if (ticketId !== null || customerId === null) return undefined;
  // Until somebody says who called, nobody could know whose ticket it belongs to.
  const isLearned = before.sender.identifiers.length === 0 && envelope.sender.identifiers.length > 0;
  return openFor(tx, envelope, customerId, source, deps, isLearned ? undefined : before);
}

async function ticketOf(tx: Transaction, { ticketId }: { readonly ticketId: string | null }) {
  return ticketId === null ? undefined : tx.ticket(ticketId);
}

/** Nobody has answered, and nobody has hung up. */
function isOpen({ content, ended }: CallState): boolean {
  return content.call.outcome === 'ringing' && !ended;
}

/** Files what is new; false without any. */
async function newFiles(
  tx: Transaction,
  announcer: Announcer,
  { id, ticketId }: CallRow,
  envelope: CallEnvelope,
  { endpointId, payloadId }: Source,
  { newId }: AcceptDeps,
): Promise<boolean> {
  const known = await tx.attachmentIds(id);
  const message = { id, ...(ticketId !== null && { ticketId }), endpointId, payloadId, newId, known };
  return (await fileAttachments(tx, announcer, envelope, message)).length > 0;
}

/** The call as it is known, for the rules about tickets. */
function whole(envelope: CallEnvelope | undefined, { content, sender, direction }: CallState): Envelope {
  const thread = envelope?.thread ?? { references: [] };
  const { call, ...words } = content;
  return { kind: 'call', externalId: '', ...words, call, sender, direction, thread, attachments: [] };
}

interface Progress {
  readonly row: Pick<MessageRow, 'id' | 'customerId'> & { readonly ticketId: string | null };
  readonly state: CallState;
  readonly before: CallState | undefined;
  /** The ticket that it has just come into. */
  readonly place: Place | undefined;
  readonly source: Source;
}

/** Tells what has become of it: that it is over, once, and that it was missed, once. */
async function announce(
  tx: Transaction,
  announcer: Announcer,
  { row, state, before, place, source }: Progress,
): Promise<TicketRow | undefined> {
  const { receivedAt: at, origin } = source;
  const found = await ticketOf(tx, row);
  const becameMissed = isMissed(state.content.call) && !(before && isMissed(before.content.call));
  // What a missed call makes of its ticket comes first: whoever hears of it sees the ticket as it is.
  const ticket = found && becameMissed ? await wakeFor(tx, announcer, found, { at, origin, place }) : found;
  const messageId = row.id;
  const change = { type: typeOf(state, before, place), messageId };
  if (ticket) {
    const about = { ticket, kind: 'call', origin };
    const ticketId = ticket.id;
    const created = { type: 'ticket.created', version: ticket.version, ticketId, messageId } as const;
    if (place?.created) await announcer.change(created, about);
    const version = await tx.updateTicket(ticketId, {}, at);
    const changeSeq = await announcer.change({ ...change, version, ticketId }, about);
    // Help desks hear of a call when it is over; what was said in it is often written down after that.
    if (change.type === 'message.updated' && isWrittenDown(state, before))
      await follow(tx, announcer, { id: messageId, ticketId }, { changeSeq });
  } else {
    await announcer.change({ ...change, version: 0, customerId: row.customerId ?? undefined });
  }
  await settleCallBack(tx, announcer, { row, state, before, at });
  return ticket;
}

function isWrittenDown(state: CallState, before: CallState | undefined): boolean {
  return state.content.call.transcript !== before?.content.call.transcript;
}

/** That it is over is told once, and when it comes into a ticket after that. */
function typeOf(state: CallState, before: CallState | undefined, place: Place | undefined): ChangeType {
  if (state.ended && (!before?.ended || place !== undefined)) {
    return isMissed(state.content.call) ? 'call.missed' : 'call.ended';
  }
  if (before) return 'message.updated';
  return state.direction === 'inbound' ? 'message.received' : 'message.sent';
}
