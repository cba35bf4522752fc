import type { Envelope } from '../core/envelope.ts';
import type { CallRow, MessageRow, TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Accepted, AcceptDeps, Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { fileAttachments } from './attach.ts';
import { callerOf, learnCaller } from './caller.ts';
import { callOf, isMissed, saidIn, type CallState, type Said } from './call-state.ts';
import { openFor, settleCallBack, wakeFor } from './call-ticket.ts';
import { settleEarly } from './early.ts';

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
  const at = place && (await tx.nextSeq(place.ticket.id, receivedAt, state.direction));
  const row = {
    id,
    ticketId: place?.ticket.id ?? null,
    seq: at?.seq ?? 0,
    endpointId,
    externalId,
    customerId: who.customerId,
    kind: 'call',
    direction: state.direction,
    author: state.sender,
    verified: who.verified,
    receivedAt,
    deletedAt: null,
    rule: place?.rule ?? 'new',
    evidence: place?.evidence ?? 'it opens no ticket',
    delivery: null,
    payloadId,
  } as const;
  await tx.insertMessage(row, state.content);
  await tx.saveRevision(id, text, receivedAt);
  await fileAttachments(tx, announcer, envelope, { id, endpointId, payloadId, newId: deps.newId, known: [] });
  if (state.content.call.outcome === 'ringing' && !state.ended) {
    const dueAt = receivedAt + ENDS_WITHIN_MS;
    await announcer.task({ kind: 'hang_up', type: 'hang_up', endpointId, messageId: id, dueAt });
  }
  await announce(tx, announcer, { row, state, before: undefined, place, source });
  await settleEarly(tx, announcer, source, externalId);
  return {
    outcome: place?.created ? 'ticket_created' : 'appended',
    reason: place ? `${place.rule}: ${place.evidence}` : "on the customer's timeline: it opens no ticket",
    externalId,
    ticketId: place?.ticket.id,
    ticketNumber: place?.ticket.number,
    messageId: id,
  };
}

async function goOn(
  tx: Transaction,
  announcer: Announcer,
  known: CallRow,
  { text, envelope }: News,
  source: Source,
  deps: AcceptDeps,
): Promise<Accepted> {
  const externalId = known.externalId ?? '';
  const texts = await tx.saidOf(known.id);
  const before = callOf(texts);
  const now = callOf([...texts, JSON.stringify(text)]);
  const ids = { externalId, messageId: known.id, firstPayload: known.payloadId ?? undefined };
  await tx.saveRevision(known.id, text, source.receivedAt);
  const files = envelope && (await newFiles(tx, announcer, known, envelope, source, deps));
  if (JSON.stringify(before) === JSON.stringify(now) && !files) {
    const reason = text.revision < now.content.revision ? 'an older revision, kept as history' : 'received before';
    const ticket = known.ticketId === null ? undefined : await tx.ticket(known.ticketId);
    return { ...ids, outcome: 'duplicate', reason, ticketId: ticket?.id, ticketNumber: ticket?.number };
  }
  const row = { ...known, ...(await learnCaller(tx, announcer, known, before.sender, now.sender, source, deps)) };
  const place =
    known.ticketId === null && row.customerId !== null
      ? await openFor(tx, whole(envelope, now), row.customerId, source, deps, before)
      : undefined;
  const at = place && (await tx.nextSeq(place.ticket.id, source.receivedAt, now.direction));
  const { direction, sender: author, content } = now;
  await tx.updateCall(
    known.id,
    { content, author, direction, verified: row.verified, customerId: row.customerId },
    place && at && { ticketId: place.ticket.id, seq: at.seq, rule: place.rule, evidence: place.evidence },
  );
  const ticketId = place?.ticket.id ?? known.ticketId;
  const ticket = await announce(tx, announcer, { row: { ...row, ticketId }, state: now, before, place, source });
  const outcome = place?.created ? 'ticket_created' : 'revised';
  return { ...ids, outcome, reason: `revision ${text.revision}`, ticketId: ticket?.id, ticketNumber: ticket?.number };
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
  readonly place: { readonly ticket: TicketRow; readonly created: boolean } | undefined;
  readonly source: Source;
}

/** Tells what has become of it: that it is over, once, and that it was missed, once. */
async function announce(
  tx: Transaction,
  announcer: Announcer,
  { row, state, before, place, source }: Progress,
): Promise<TicketRow | undefined> {
  const { receivedAt: at, origin } = source;
  const missed = isMissed(state.content.call);
  const isOver = state.ended && (!before?.ended || place !== undefined);
  const type = isOver ? (missed ? 'call.missed' : 'call.ended') : before ? 'message.updated' : started(state);
  const found = row.ticketId === null ? undefined : await tx.ticket(row.ticketId);
  // What a missed call makes of its ticket comes first: whoever hears of it sees the ticket as it is.
  const becameMissed = missed && !(before && isMissed(before.content.call));
  const ticket = found && becameMissed ? await wakeFor(tx, announcer, found, { at, origin, place }) : found;
  const about = ticket && { ticket, kind: 'call', ...(origin !== undefined && { origin }) };
  if (ticket && place?.created) {
    await announcer.change({ type: 'ticket.created', version: ticket.version, ticketId: ticket.id }, about);
  }
  const version = ticket ? await tx.updateTicket(ticket.id, {}, at) : 0;
  const ticketId = ticket?.id;
  const customerId = row.customerId ?? undefined;
  await announcer.change({ type, version, ticketId, messageId: row.id, ...(!ticket && { customerId }) }, about);
  await settleCallBack(tx, announcer, { row, state, before, at });
  return ticket;
}

function started({ direction }: CallState): 'message.received' | 'message.sent' {
  return direction === 'inbound' ? 'message.received' : 'message.sent';
}
