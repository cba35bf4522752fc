import { textOf } from '../core/errors.ts';
import type { ChangeRow, EndpointState, MessageRow, Task, TaskRefRow, TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';

/** As the worker hands it over. */
export interface Ending {
  readonly task: Task;
  readonly state: 'waiting' | 'delivered' | 'dead' | 'needs_check' | 'delivering';
  readonly error: unknown;
  readonly before: EndpointState;
  readonly after: Partial<EndpointState>;
  readonly at: number;
}

type Announce = (
  row: Omit<ChangeRow, 'at'>,
  about?: { ticket: TicketRow; kind?: string; origin?: string },
) => Promise<unknown>;

/** What this transaction tells others. */
export interface Announcer {
  readonly change: Announce;
  task(
    row: Pick<Task, 'kind' | 'type' | 'endpointId'> & { [K in 'messageId' | 'attachmentId']: string } & {
      readonly ticketId?: string;
    },
  ): Promise<void>;
  readonly due: TaskRefRow[];
}

/** What others must know of how a try ended: an answer sent or failed, a file that can't be had, a delivery given up. */
export async function announceEnding(tx: Transaction, announcer: Announcer, ending: Ending): Promise<void> {
  const announce = announcer.change;
  await announceHealth(announce, ending);
  const { task, state } = ending;
  if (state === 'waiting' || state === 'delivering') return waitsOn(tx, announcer, ending);
  if (task.kind === 'reply') await replyEnded(tx, announce, ending);
  if (task.kind === 'download') return downloadEnded(tx, announcer, ending);
  // A destination that refuses this news too must not hear of that again, and again.
  if (state === 'delivered' || task.type === 'delivery.exhausted') return;
  await announce({
    type: 'delivery.exhausted',
    version: 0,
    extra: { delivery: task.id, destination: task.endpointId, state, error: textOf(ending.error) },
  });
}

/** The files that it went to wait for may have come while it was deciding to. */
async function waitsOn(tx: Transaction, announcer: Announcer, { task, error, at }: Ending): Promise<void> {
  const { kind, ticketId, messageId } = task;
  if ((kind !== 'deliver' && kind !== 'reply') || error !== undefined || ticketId === null || messageId === null)
    return;
  announcer.due.push(...(await tx.wakeDeliveries(ticketId, messageId, at)));
}

async function announceHealth(announce: Announce, { task, before, after }: Ending): Promise<void> {
  const needsReauth = after.needsReauth ?? before.needsReauth;
  if (needsReauth === before.needsReauth && (after.disabledAt ?? before.disabledAt) === before.disabledAt) return;
  const health = after.disabledAt ? 'disabled' : needsReauth ? 'needs_reauth' : 'healthy';
  await announce({ type: 'channel.health_changed', version: 0, extra: { endpoint: task.endpointId, health } });
}

/** A file is there, or can't be had: its message says so, and deliveries that wait for it go on. */
async function downloadEnded(tx: Transaction, announcer: Announcer, { task, state, error, at }: Ending): Promise<void> {
  const { attachmentId, messageId } = task;
  const attachment = attachmentId === null ? undefined : await tx.attachment(attachmentId);
  const message = messageId === null ? undefined : await tx.message(messageId);
  // Taken back by its sender meanwhile.
  if (!attachment) return;
  const { rowId } = attachment;
  if (state !== 'delivered') {
    await tx.updateAttachment(rowId, { state: 'failed', error: textOf(error).slice(0, 1000) });
  } else if (attachment.error !== undefined) {
    await tx.updateAttachment(rowId, { state: 'stored', error: null });
    if (message) await sendAfterAll(tx, announcer, message, rowId);
  }
  // A call in no ticket: nothing waits for its recording.
  if (!message) return;
  await messageChanged(tx, announcer.change, message.id, 'message.updated');
  announcer.due.push(...(await tx.releaseFile(rowId, message.ticketId, at)));
  announcer.due.push(...(await tx.wakeDeliveries(message.ticketId, message.id, at)));
}

/** Whoever was told that the file can't be had gets it now. */
async function sendAfterAll(
  tx: Transaction,
  announcer: Announcer,
  { id: messageId, ticketId }: MessageRow,
  attachmentId: string,
): Promise<void> {
  for (const { endpointId, state } of await tx.deliveriesOf(messageId)) {
    if (state !== 'delivered' || (await tx.isToFollow(attachmentId, endpointId))) continue;
    await announcer.task({ kind: 'deliver', type: 'message.updated', endpointId, ticketId, messageId, attachmentId });
  }
}

/** What an answer may have been before it was sent. */
const UNSENT: ReadonlySet<string> = new Set(['waiting', 'failed']);

async function replyEnded(tx: Transaction, announce: Announce, ending: Ending): Promise<void> {
  const { messageId } = ending.task;
  if (messageId === null) return;
  if (ending.state !== 'delivered') {
    await tx.setDelivery(messageId, { state: 'failed', error: textOf(ending.error).slice(0, 1000) });
    return messageChanged(tx, announce, messageId, 'message.failed');
  }
  const delivery = (await tx.message(messageId))?.delivery;
  // A receipt may have come before this: it knows better.
  if (delivery && !UNSENT.has(delivery.state)) return;
  await tx.setDelivery(messageId, { state: 'sent' });
  await messageChanged(tx, announce, messageId, 'message.sent');
}

async function messageChanged(
  tx: Transaction,
  announce: Announce,
  messageId: string,
  type: 'message.sent' | 'message.failed' | 'message.updated',
): Promise<void> {
  const message = await tx.message(messageId);
  const ticket = message && (await tx.ticket(message.ticketId));
  if (!ticket) return;
  const version = await tx.updateTicket(ticket.id, {}, ticket.updatedAt);
  // Where an agent wrote it, it stands already; that it failed, he must hear.
  const origin = type === 'message.failed' ? undefined : await tx.originOf(messageId);
  await announce({ type, version, ticketId: ticket.id, messageId }, { ticket, kind: message.kind, origin });
}
