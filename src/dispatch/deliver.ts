import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import type { Delivery, Destination, DestinationType, TicketRef } from '../core/destination.ts';
import { PermanentError, RetryableError, UncertainError } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { Task } from '../core/rows.ts';
import type { Store } from '../core/store.ts';
import type { Message, Ticket, TicketStatus } from '../core/ticket.ts';
import { parked } from './channel.ts';

export interface DeliverDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly destinationTypeOf: (type: string) => DestinationType | undefined;
  readonly openAttachment: (id: string) => Promise<Readable>;
}

/** How long a delivery waits for the files of its message, milliseconds; then it goes without them. */
const FILES_WAIT_MS = 20_000;

/** Tells an event to a destination that carries events. */
export function createNotify(deps: DeliverDeps) {
  return async (task: Task) => {
    const { destination } = open(deps, task);
    if (!destination.notify) throw new PermanentError(`${task.endpointId} takes no events`);
    const change = await deps.store.read.change(task.changeSeq ?? -1);
    if (!change) throw new PermanentError('the change is gone: the retention has passed');
    await destination.notify({ id: task.id, change });
    return { request: `${change.type} #${change.seq}` };
  };
}

/**
 * Carries a message to a destination that keeps tickets: created or appended, decided now, by whether a
 * link exists. After a try of unknown outcome the far side is asked before anything is repeated.
 */
export function createDeliver(deps: DeliverDeps) {
  return async (task: Task) => {
    const { destination, type } = open(deps, task);
    const { store } = deps;
    const message = await messageWithFiles(deps, task.messageId ?? '');
    // It may have been moved to another ticket since the task was made.
    const ticket = message && (await store.read.ticket(message.ticketId));
    if (!ticket || !message) throw new PermanentError('the ticket or the message is gone');
    const asks = task.uncertain && !type.capabilities.idempotent;
    const delivery = {
      id: task.id,
      ticket,
      message,
      transcript: await store.read.undelivered(task.endpointId, ticket.id, message.id),
      open: deps.openAttachment,
    };
    const to = { destination, id: task.endpointId, asks };
    const link = ticket.links.find((each) => each.destination === task.endpointId);
    if (link) return append(to, { externalId: link.externalId, url: link.url ?? undefined }, delivery);
    const { ref, how } = await create(to, delivery);
    await saveLink(deps, task.endpointId, ticket.id, ref);
    return { request: `${how} ${ref.externalId}` };
  };
}

/** A destination, and whether the far side must be asked before anything is repeated there. */
interface Target {
  readonly destination: Destination;
  readonly id: string;
  readonly asks: boolean;
}

async function append({ destination, id, asks }: Target, ref: TicketRef, delivery: Delivery) {
  if (asks && (await has(destination, ref, delivery.message))) return { request: `already in ${ref.externalId}` };
  if (!destination.addMessage) throw new PermanentError(`${id} can't append to tickets`);
  await destination.addMessage(ref, delivery);
  return { request: `appended to ${ref.externalId}` };
}

async function create({ destination, id, asks }: Target, delivery: Delivery) {
  const found = asks ? await find(destination, delivery.ticket) : undefined;
  if (!destination.createTicket) throw new PermanentError(`${id} can't create tickets`);
  if (found) return { ref: found, how: 'found as' };
  return { ref: await destination.createTicket(delivery), how: 'created as' };
}

/** Mirrors a ticket's status, priority or assignee. */
export function createUpdate(deps: DeliverDeps) {
  return async (task: Task) => {
    const { destination } = open(deps, task);
    const ticket = await deps.store.read.ticket(task.ticketId ?? '');
    const link = ticket?.links.find((each) => each.destination === task.endpointId);
    if (!ticket || !link || !destination.update) return { request: 'nothing to update there' };
    const change = await deps.store.read.change(task.changeSeq ?? -1);
    const status =
      change?.type === 'ticket.status_changed' ? (change.data['to'] as TicketStatus | undefined) : undefined;
    const ref = { externalId: link.externalId, url: link.url ?? undefined };
    const { priority, assignee } = ticket;
    await destination.update(ref, { id: task.id, ticket, status: status ?? ticket.status, priority, assignee });
    return { request: `updated ${ref.externalId}` };
  };
}

function open(deps: DeliverDeps, task: Task): { destination: Destination; type: DestinationType } {
  const endpoint = deps.endpointOf(task.endpointId);
  const type = endpoint && deps.destinationTypeOf(endpoint.type);
  if (!endpoint || !type) {
    throw new PermanentError(`the destination ${task.endpointId} was removed`, {
      hint: 'Define it again under the same id, then replay this delivery.',
    });
  }
  if (!endpoint.destination) throw parked(endpoint);
  return { destination: endpoint.destination, type };
}

/** The ticket is there already: a store that can't note it must not lead to a second one. */
async function saveLink(deps: DeliverDeps, destinationId: string, ticketId: string, ref: TicketRef): Promise<void> {
  try {
    await deps.store.write([`link ${ticketId}`], (tx) => tx.saveLink(destinationId, ticketId, ref, deps.clock.now()));
  } catch (cause) {
    if (!(cause instanceof RetryableError)) throw cause;
    throw new RetryableError(`${ref.externalId} could not be noted: ${cause.message}`, { cause, outcomeUnknown: true });
  }
}

async function has(destination: Destination, ref: TicketRef, message: Message): Promise<boolean> {
  if (destination.hasMessage) return destination.hasMessage(ref, message);
  throw uncertain(`whether this message is in ${ref.externalId} already`);
}

async function find(destination: Destination, ticket: Ticket): Promise<TicketRef | undefined> {
  if (destination.findTicket) return destination.findTicket(ticket);
  throw uncertain(`whether ticket #${ticket.number} was created already`);
}

function uncertain(what: string): UncertainError {
  return new UncertainError(`nobody can say ${what}`, {
    hint: 'Look in the destination; replay the delivery if it is not there.',
  });
}

async function messageWithFiles(deps: DeliverDeps, id: string): Promise<Message | undefined> {
  const until = deps.clock.now() + FILES_WAIT_MS;
  for (;;) {
    const message = await deps.store.read.message(id);
    const waits = message?.attachments.some((attachment) => attachment.state === 'waiting') ?? false;
    if (!waits || deps.clock.now() >= until) return message;
    await deps.clock.sleep(250);
  }
}
