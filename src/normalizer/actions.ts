import type { Action } from '../core/action.ts';
import type { CanReply } from '../core/connector.ts';
import type { NewId } from '../core/id.ts';
import type { TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Accepted, Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { firstAnswer, insertOutgoing } from './answer.ts';
import { fileAttachments } from './attach.ts';
import { closedAt } from './status.ts';

/** What changes something here. */
export type AgentAction = Extract<Action, { at: number }> & { readonly mailed?: Mailed };

/** Of what came by mail instead of from the destination itself. */
export interface Mailed {
  /** The destination that asked for it. */
  readonly destination: string;
  readonly ticketId: string;
  /** No other help desk hears of it: whoever wrote it may be anybody, or a machine. */
  readonly inside?: true;
}

type Said = Extract<Action, { text: string }> & { readonly mailed?: Mailed };

/** Through which channel an answer goes, and whether it can. */
export type Way = Pick<CanReply, 'allowed' | 'reason'> & { readonly channel: string };

/** By the id of the action: channels are asked before the transaction, since they may have to look. */
export type Ways = ReadonlyMap<string, Way>;

export function isAgentAction(item: { readonly kind: string }): item is AgentAction {
  return item.kind === 'reply' || item.kind === 'note' || item.kind === 'status';
}

/** Our ticket that an action is about, by the name that it has in its destination; the one that it was merged into. */
export async function ticketOf(
  tx: Transaction,
  { mailed, ticket: name }: Pick<AgentAction, 'mailed' | 'ticket'>,
  endpointId: string,
): Promise<TicketRow | undefined> {
  let id: string | null | undefined = mailed ? mailed.ticketId : await tx.ticketOfLink(endpointId, name);
  let ticket: TicketRow | undefined;
  for (; id; id = ticket?.mergedInto) ticket = await tx.ticket(id);
  return ticket;
}

/** Files what an agent did in a help desk. The destination that he did it in doesn't hear of it again. */
export async function acceptAction(
  tx: Transaction,
  announcer: Announcer,
  action: AgentAction,
  source: Source,
  deps: { readonly newId: NewId; readonly ways: Ways },
): Promise<Accepted> {
  const ticket = await ticketOf(tx, action, source.endpointId);
  if (!ticket)
    return { outcome: 'ignored', externalId: action.id, reason: `no ticket of ours is ${action.ticket} there` };
  const about = { externalId: action.id, ticketId: ticket.id, ticketNumber: ticket.number };
  const messageId = action.kind === 'status' ? null : deps.newId('msg');
  const { origin } = hearersOf(action, source);
  if (!(await tx.saveAction(origin, action.id, messageId, source.receivedAt))) {
    return { ...about, outcome: 'duplicate', reason: `${action.kind} ${action.id} was done before` };
  }
  if (action.kind === 'status') return { ...about, ...(await setStatus(tx, announcer, action, ticket, source)) };
  await say(tx, announcer, { action, ticket, id: messageId ?? '' }, source, deps);
  return { ...about, outcome: 'appended', reason: `${action.kind} by ${action.agent}`, messageId: messageId ?? '' };
}

/** `origin`: the destination that it was done in, or that asked for it, and has it. */
function hearersOf({ mailed }: Pick<AgentAction, 'mailed'>, { endpointId }: Source) {
  return mailed ? { origin: mailed.destination, inside: mailed.inside } : { origin: endpointId };
}

/** How far the clocks of a help desk and ours may be apart, milliseconds. */
const CLOCKS_MS = 60_000;

/**
 * The last writer wins. Where one that we wrote there and the agent's may have crossed, nobody knows which of them
 * stands there: it is told what holds, after what is still on its way.
 */
async function setStatus(
  tx: Transaction,
  announcer: Announcer,
  { status, at, agent }: Extract<AgentAction, { kind: 'status' }>,
  ticket: TicketRow,
  { endpointId, receivedAt }: Source,
): Promise<Pick<Accepted, 'outcome' | 'reason'>> {
  // A clock that is ahead there must not win over whoever comes next.
  const patch = { status, closedAt: closedAt(status, receivedAt), setAt: Math.min(at, receivedAt) };
  const version = await tx.setStatus(ticket.id, patch, receivedAt);
  const crossed = version === undefined || (await tx.wroteStatus(ticket.id, endpointId, at - CLOCKS_MS));
  if (crossed) await announcer.task({ kind: 'update', type: 'ticket.status_changed', endpointId, ticketId: ticket.id });
  if (version === undefined) return { outcome: 'ignored', reason: `${status} is older than ${ticket.status}` };
  const { status: from } = ticket;
  if (from === status) return { outcome: 'ignored', reason: `the ticket is ${status} already` };
  await announcer.change(
    { type: 'ticket.status_changed', version, ticketId: ticket.id, extra: { from, to: status } },
    { ticket: { ...ticket, status }, origin: endpointId },
  );
  return { outcome: 'revised', reason: `${from} became ${status} by ${agent}` };
}

/** An answer goes to the customer, a note nowhere. One that can't go is filed too, and everybody is told. */
async function say(
  tx: Transaction,
  announcer: Announcer,
  { action, ticket, id }: { readonly action: Said; readonly ticket: TicketRow; readonly id: string },
  source: Source,
  deps: { readonly newId: NewId; readonly ways: Ways },
): Promise<void> {
  const { endpointId, payloadId, receivedAt: now } = source;
  const { origin, inside } = hearersOf(action, source);
  const ticketId = ticket.id;
  const way = action.kind === 'reply' ? (deps.ways.get(action.id) ?? nowhere(ticket)) : undefined;
  const message = {
    id,
    kind: way ? 'message' : 'note',
    direction: 'outbound',
    text: action.text,
    html: action.html,
    endpointId: way?.channel ?? null,
    delivery: way ? deliveryOf(way) : null,
    thread: way && ((await tx.lastInbound(ticketId, way.channel))?.thread ?? undefined),
    payloadId,
    occurredAt: action.at,
  } as const;
  const { version } = await insertOutgoing(tx, ticket, message, action.agent, { newId: deps.newId, now });
  await fileAttachments(tx, announcer, action, { id, endpointId, payloadId, newId: deps.newId, known: [] });
  const about = { ticket, kind: message.kind };
  if (!way) {
    await announcer.change({ type: 'note.created', version, ticketId, messageId: id }, { ...about, origin, inside });
    return;
  }
  if (way.allowed) {
    await announcer.task({ kind: 'reply', type: 'reply', endpointId: way.channel, ticketId, messageId: id });
    await announcer.change({ type: 'ticket.updated', version, ticketId, messageId: id }, { ...about, origin });
  } else {
    // His help desk too: else the agent believes that the customer has it.
    await announcer.change({ type: 'message.failed', version, ticketId, messageId: id }, about);
  }
  await firstAnswer(tx, announcer, ticket, { now, at: action.at, origin });
}

const nowhere = (ticket: TicketRow): Way => ({
  channel: ticket.channelId,
  allowed: false,
  reason: 'no channel was found for it',
});

function deliveryOf({ allowed, reason }: Way) {
  return allowed ? ({ state: 'waiting' } as const) : ({ state: 'failed', error: reason ?? 'not now' } as const);
}
