import type { Envelope } from '../core/envelope.ts';
import type { TicketPatch, TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { AcceptDeps, Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { awaitsCall, isMissed, type CallState } from './call-state.ts';
import { createTicket } from './open-ticket.ts';
import { resolveTicket, type Answer, type ThreadPolicy } from './thread.ts';

/** The tag of a ticket whose customer waits to be called back. */
const CALL_BACK = 'callback';

export interface Place {
  readonly ticket: TicketRow;
  readonly rule: Answer['rule'];
  readonly evidence: string;
  readonly created: boolean;
}

/**
 * The ticket that a call comes into: its customer's open one when it begins, and one of its own when it is to open one.
 * Undefined: none.
 */
export async function openFor(
  tx: Transaction,
  envelope: Envelope,
  customerId: string,
  source: Source,
  deps: AcceptDeps,
  before?: CallState,
): Promise<Place | undefined> {
  const opens = envelope.kind === 'call' && opensTicket(envelope, deps.policy.calls);
  if (before && !opens) return undefined;
  const { endpointId, threads, receivedAt: now } = source;
  const { ticket, rule, evidence, reopens } = await resolveTicket(
    tx,
    { endpointId, envelope, customerId, threads, now },
    deps,
  );
  if (ticket && (opens || !reopens)) return { ticket, rule, evidence, created: false };
  if (!opens) return undefined;
  return { ticket: await createTicket(tx, envelope, source, deps, customerId), rule, evidence, created: true };
}

function opensTicket({ call }: Extract<Envelope, { kind: 'call' }>, rule: ThreadPolicy['calls']): boolean {
  const { outcome = 'ringing', direction = 'inbound', from = '', to = '' } = call;
  if (isMissed({ outcome, direction, from, to })) return true;
  if (outcome === 'ringing' || rule === 'missed') return false;
  return rule === 'all' || direction === 'inbound';
}

/** A missed call is urgent to somebody: its ticket is open, and of high priority at least. Returns it as it is then. */
export async function wakeFor(
  tx: Transaction,
  announcer: Announcer,
  ticket: TicketRow,
  { at, origin, place }: { at: number; origin: string | undefined; place: { readonly created: boolean } | undefined },
): Promise<TicketRow> {
  const isNew = place?.created === true;
  const asleep = !isNew && ticket.status !== 'new' && ticket.status !== 'open';
  const rises = ticket.priority === 'low' || ticket.priority === 'normal';
  if (!asleep && !rises) return ticket;
  const patch: TicketPatch = {
    ...(asleep && { status: 'open', closedAt: null }),
    ...(rises && { priority: 'high' }),
  };
  const version = await tx.updateTicket(ticket.id, patch, at);
  const woken = { ...ticket, ...patch, version };
  if (isNew) return woken;
  const about = { ticket: woken, kind: 'call', ...(origin !== undefined && { origin }) };
  const type = asleep ? 'ticket.status_changed' : 'ticket.updated';
  await announcer.change({ type, version, ticketId: ticket.id, extra: risenFrom(ticket, { asleep, rises }) }, about);
  return woken;
}

/** What the announcement of a woken ticket says of its change. */
function risenFrom({ status, priority }: TicketRow, { asleep, rises }: { asleep: boolean; rises: boolean }) {
  const woke = { from: status, to: 'open' };
  const rose = { from: priority, to: 'high' };
  return { ...(asleep && woke), changes: { ...(asleep && { status: woke }), ...(rises && { priority: rose }) } };
}

/**
 * Keeps the to-do up to date when a call becomes missed or turns out not to be, and when its customer is reached. In
 * between it is the agents', who may take it away.
 */
export async function settleCallBack(
  tx: Transaction,
  announcer: Announcer,
  progress: {
    readonly row: { readonly customerId: string | null; readonly ticketId: string | null };
    readonly state: CallState;
    readonly before: CallState | undefined;
    readonly at: number;
  },
): Promise<void> {
  const { row, state, before, at } = progress;
  const reached = isReached(state) && !isReached(before);
  const turned = wasMissed(state) !== wasMissed(before);
  if (row.customerId === null || !(turned || reached)) return;
  const calls = await tx.callsWith(row.customerId);
  for (const id of new Set(reached ? calls.map(({ ticketId }) => ticketId) : [row.ticketId])) {
    const ticket = id === null ? undefined : await tx.ticket(id);
    if (!ticket) continue;
    const awaits = awaitsCall(ticket.id, calls);
    // Reaching him only takes it away.
    if (!awaits || !reached) await tagFor(tx, announcer, ticket, awaits ? CALL_BACK : '', at);
  }
}

/** Gives a ticket the tag, or takes it away. */
async function tagFor(
  tx: Transaction,
  announcer: Announcer,
  ticket: TicketRow,
  tag: string,
  at: number,
): Promise<void> {
  if (ticket.tags.includes(CALL_BACK) === (tag !== '')) return;
  const others = ticket.tags.filter((each) => each !== CALL_BACK);
  const tags = tag === '' ? others : [...others, tag];
  const version = await tx.updateTicket(ticket.id, { tags }, at);
  const change = { type: 'ticket.updated', version, ticketId: ticket.id } as const;
  await announcer.change(change, { ticket: { ...ticket, tags }, kind: 'call' });
}

const wasMissed = (state: CallState | undefined) => state !== undefined && isMissed(state.content.call);

function isReached(state: CallState | undefined): boolean {
  return state?.direction === 'outbound' && state.content.call.outcome === 'answered';
}
