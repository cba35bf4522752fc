import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import type { Delivery, Destination, DestinationType, TicketRef } from '../core/destination.ts';
import { PermanentError, RetryableError, UncertainError } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { NewId } from '../core/id.ts';
import type { Task } from '../core/rows.ts';
import type { Store } from '../core/store.ts';
import type { Change, Message, Priority, Ticket, TicketStatus } from '../core/ticket.ts';
import { readCarried } from './carried.ts';
import { parked } from './channel.ts';
import { waitsForFiles } from './files.ts';

export interface DeliverDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly destinationTypeOf: (type: string) => DestinationType | undefined;
  readonly openAttachment: (id: string) => Promise<Readable>;
  readonly newId: NewId;
}

/** How long after its arrival a message waits for its files, milliseconds; then it goes, and they follow it. */
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
    const to = target(deps, task);
    // It may have been moved to another ticket since the task was made.
    const carried = await readCarried(deps.store, task.messageId ?? '');
    if (!carried) throw new PermanentError('the ticket, the customer or the message is gone');
    const { ticket, message } = carried;
    const link = linkOf(ticket, task.endpointId);
    const about = { ...carried, id: task.id, open: deps.openAttachment };
    if (task.type === 'message.updated') {
      const news = link && (await newsOf(deps.store, task, message));
      if (!news) return { request: 'goes with its message, or with what came after it' };
      return append(deps, to, link, { ...about, message: news, transcript: [] });
    }
    const complete = Date.parse(message.receivedAt) + FILES_WAIT_MS;
    if (waitsForFiles(message) && deps.clock.now() < complete) return { later: complete };
    const said = await withoutLater(deps, task, message);
    const transcript = await deps.store.read.undelivered(task.endpointId, ticket.id, message.id);
    return carry(deps, to, task, { delivery: { ...about, message: said, transcript }, link });
  };
}

function linkOf({ links }: Ticket, destinationId: string): TicketRef | undefined {
  const found = links.find((each) => each.destination === destinationId);
  return found && { externalId: found.externalId, url: found.url ?? undefined };
}

function target(deps: DeliverDeps, task: Task): Target {
  const { destination, type } = open(deps, task);
  const isIdempotent = type.capabilities.idempotent;
  return { destination, id: task.endpointId, isIdempotent, asks: task.uncertain && !isIdempotent };
}

/** A destination, and whether the far side must be asked before anything is repeated there. */
interface Target {
  readonly destination: Destination;
  readonly id: string;
  readonly isIdempotent: boolean;
  readonly asks: boolean;
}

async function carry(
  deps: DeliverDeps,
  to: Target,
  task: Task,
  { delivery, link }: { readonly delivery: Delivery; readonly link: TicketRef | undefined },
) {
  const goesAlone = link && delivery.transcript.length === 0;
  const isInDoubt = !goesAlone && (await awaitsCheck(deps.store, to, task));
  if (!link) return create(deps, to, delivery, isInDoubt ? 'in doubt' : 'new');
  return append(deps, to, link, isInDoubt ? await withoutKnown(to, link, delivery) : delivery);
}

async function append(deps: DeliverDeps, { destination, id, asks }: Target, ref: TicketRef, delivery: Delivery) {
  if (asks && (await has(destination, ref, delivery.message))) return { request: `already in ${ref.externalId}` };
  if (!destination.addMessage) throw new PermanentError(`${id} can't append to tickets`);
  const next = await destination.addMessage(ref, delivery);
  if (!next) return { request: `appended to ${ref.externalId}` };
  await saveLink(deps, id, delivery.ticket.id, next);
  return { request: `goes on as ${next.externalId}` };
}

/** Whether a person has yet to look what became of a message before this one, which may be there. */
async function awaitsCheck(store: Store, { isIdempotent }: Target, { id, endpointId, ticketId }: Task) {
  if (isIdempotent || ticketId === null) return false;
  const which = { destination: endpointId, ticket: ticketId, state: 'needs_check' } as const;
  const { data } = await store.read.deliveries(which, { limit: 100 });
  // Who replays the first one has looked.
  return data.some((each) => each.id < id);
}

/** `in doubt`: another message may have made the ticket, and this one isn't in it. */
async function create(deps: DeliverDeps, to: Target, delivery: Delivery, state: 'new' | 'in doubt') {
  const { destination, id, asks } = to;
  const found = asks || state === 'in doubt' ? await find(destination, delivery.ticket) : undefined;
  if (!destination.createTicket) throw new PermanentError(`${id} can't create tickets`);
  const ref = found ?? (await destination.createTicket(delivery));
  await saveLink(deps, id, delivery.ticket.id, ref);
  if (found && state === 'in doubt') return append(deps, to, ref, await withoutKnown(to, ref, delivery));
  return { request: `${found ? 'found' : 'created'} as ${ref.externalId}` };
}

/** Without what of the transcript is there, by the last message of it that is: that one took along all before it. */
async function withoutKnown({ destination }: Target, ref: TicketRef, delivery: Delivery): Promise<Delivery> {
  for (const [index, message] of [...delivery.transcript.entries()].reverse()) {
    if (await hasOrNot(destination, ref, message)) {
      return { ...delivery, transcript: delivery.transcript.slice(index + 1) };
    }
  }
  return delivery;
}

/** Where nobody can say, it is rather said twice than not at all. */
async function hasOrNot(destination: Destination, ref: TicketRef, message: Message): Promise<boolean> {
  try {
    return (await destination.hasMessage?.(ref, message)) ?? false;
  } catch (error) {
    if (error instanceof UncertainError) return false;
    throw error;
  }
}

/** Mirrors a ticket's status, priority or assignee. */
export function createUpdate(deps: DeliverDeps) {
  return async (task: Task) => {
    const { destination } = open(deps, task);
    const ticket = await deps.store.read.ticket(task.ticketId ?? '');
    const ref = ticket && linkOf(ticket, task.endpointId);
    if (!ticket || !ref || !destination.update) return { request: 'nothing to update there' };
    const told = await toldBy(deps.store, task, ticket);
    if (!told) return { request: 'a later status was told already' };
    await destination.update(ref, { id: task.id, ticket, ...told, assignee: ticket.assignee });
    return { request: `updated ${ref.externalId}` };
  };
}

/**
 * Status and priority only where they changed: another change must not undo what an agent did there meanwhile.
 * Undefined where nothing is left to tell.
 */
async function toldBy(
  store: Store,
  task: Task,
  ticket: Ticket,
): Promise<{ status?: TicketStatus; priority?: Priority } | undefined> {
  if (task.changeSeq === null) return { status: ticket.status };
  const change = await store.read.change(task.changeSeq);
  const priority = hasChanged(change, 'priority') && { priority: ticket.priority };
  const status = statusIn(change);
  if (!status) return { ...priority };
  if (await store.write([], (tx) => tx.toldLaterStatus(task))) return priority || undefined;
  return { status, ...priority };
}

/** What the status became by a change. */
function statusIn(change: Change | undefined): TicketStatus | undefined {
  return change?.type === 'ticket.status_changed' ? (change.data['to'] as TicketStatus) : undefined;
}

function hasChanged(change: Change | undefined, name: keyof Ticket): boolean {
  return Object.hasOwn(change?.data['changes'] ?? {}, name);
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
  const what = `whether ticket #${ticket.number} was created already`;
  if (!destination.findTicket) throw uncertain(what);
  return destination.findTicket(ticket).catch((error: unknown) => {
    if (!(error instanceof PermanentError) || error.gone) throw error;
    // Who refuses to tell leaves it as unknown as it was.
    throw uncertain(`${what}: ${error.message}`, error);
  });
}

function uncertain(what: string, cause?: PermanentError): UncertainError {
  return new UncertainError(`nobody can say ${what}`, {
    hint: cause?.hint ?? 'Look in the destination; replay the delivery if it is not there.',
    cause,
  });
}

/**
 * The message as it goes now. Whatever file isn't there yet is shown as waiting and follows in a delivery of its own,
 * decided and written down before anything is sent: no later try sends it twice, and none forgets it.
 */
async function withoutLater(deps: DeliverDeps, task: Task, message: Message): Promise<Message> {
  const { store, clock, newId } = deps;
  const known = message.attachments.map(({ id }) => id);
  if (known.length === 0) return message;
  const { endpointId } = task;
  const later = await store.write([`message ${message.id}`], async (tx) => {
    const ids: string[] = [];
    for (const attachmentId of known) {
      const follows = await tx.isToFollow(attachmentId, endpointId);
      if (!follows && (await tx.attachment(attachmentId))?.state !== 'waiting') continue;
      ids.push(attachmentId);
      if (follows) continue;
      const own = { id: newId('tsk'), kind: 'deliver', type: 'message.updated', createdAt: clock.now() } as const;
      const about = { endpointId, ticketId: null, messageId: message.id, changeSeq: null, attachmentId };
      await tx.insertTask({ ...own, ...about }, null);
    }
    return ids;
  });
  const { attachments, ...rest } = (await store.read.message(message.id)) ?? message;
  const shown = attachments.filter(({ id }) => known.includes(id));
  return {
    ...rest,
    attachments: shown.map((each) => (later.includes(each.id) ? { ...each, state: 'waiting' } : each)),
  };
}

/**
 * What follows a message that is there already, as a message of its own: a file, or the words as they are now.
 * Undefined where it goes with that one after all, or is gone, or something newer follows.
 */
async function newsOf(store: Store, task: Task, message: Message): Promise<Message | undefined> {
  const { endpointId, attachmentId, changeSeq } = task;
  const [deliveries, isOutdated] = await store.write([], async (tx) => [
    await tx.deliveriesOf(message.id),
    changeSeq !== null && (await tx.hasLaterNews(task)),
  ]);
  const mine = deliveries.filter((each) => each.endpointId === endpointId);
  if (isOutdated || (mine.length > 0 && !mine.some(({ state }) => state === 'delivered'))) return undefined;
  if (attachmentId !== null) return fileOf(attachmentId, message);
  // The same over all tries, whatever becomes of the message meanwhile: it is found by that.
  return { ...message, id: `${message.id}-${changeSeq}`, revision: 1, attachments: [] };
}

function fileOf(attachmentId: string, message: Message): Message | undefined {
  const attachment = message.attachments.find(({ id }) => id === attachmentId);
  if (!attachment) return undefined;
  const nothing = { externalId: null, subject: null, text: '', textFull: null, html: null, call: null, review: null };
  return { ...message, ...nothing, id: attachment.id, fields: {}, reactions: [], attachments: [attachment] };
}
