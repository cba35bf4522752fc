import { textOf } from '../core/errors.ts';
import type { ChangeRow, EndpointState, Task, TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';

/** As the worker hands it over. */
interface Ending {
  readonly task: Task;
  readonly state: 'waiting' | 'delivered' | 'dead' | 'needs_check' | 'delivering';
  readonly error: unknown;
  readonly before: EndpointState;
  readonly after: Partial<EndpointState>;
}

type Announce = (
  row: Omit<ChangeRow, 'at'>,
  about?: { ticket: TicketRow; kind?: string; origin?: string },
) => Promise<void>;

/** What others must know of how a try ended: an answer sent or failed, a file that can't be had, a delivery given up. */
export async function announceEnding(tx: Transaction, announce: Announce, ending: Ending): Promise<void> {
  await announceHealth(announce, ending);
  const { task, state } = ending;
  if (state === 'waiting' || state === 'delivering') return;
  if (task.kind === 'reply') await replyEnded(tx, announce, ending);
  if (task.kind === 'download') return downloadEnded(tx, announce, ending);
  // A destination that refuses this news too must not hear of that again, and again.
  if (state === 'delivered' || task.type === 'delivery.exhausted') return;
  await announce({
    type: 'delivery.exhausted',
    version: 0,
    extra: { delivery: task.id, destination: task.endpointId, state, error: textOf(ending.error) },
  });
}

async function announceHealth(announce: Announce, { task, before, after }: Ending): Promise<void> {
  const needsReauth = after.needsReauth ?? before.needsReauth;
  if (needsReauth === before.needsReauth && (after.disabledAt ?? before.disabledAt) === before.disabledAt) return;
  const health = after.disabledAt ? 'disabled' : needsReauth ? 'needs_reauth' : 'healthy';
  await announce({ type: 'channel.health_changed', version: 0, extra: { endpoint: task.endpointId, health } });
}

async function downloadEnded(tx: Transaction, announce: Announce, { task, state }: Ending): Promise<void> {
  if (state !== 'delivered' && task.attachmentId !== null) {
    await tx.updateAttachment(task.attachmentId, { state: 'failed' });
  }
  if (task.messageId !== null) await messageChanged(tx, announce, task.messageId, 'message.updated');
}

async function replyEnded(tx: Transaction, announce: Announce, ending: Ending): Promise<void> {
  const { messageId } = ending.task;
  if (messageId === null) return;
  if (ending.state !== 'delivered') {
    await tx.setDelivery(messageId, { state: 'failed', error: textOf(ending.error).slice(0, 1000) });
    return messageChanged(tx, announce, messageId, 'message.failed');
  }
  const delivery = (await tx.message(messageId))?.delivery;
  // A receipt may have come before this: it knows better.
  if (delivery && delivery.state !== 'waiting' && delivery.state !== 'failed') return;
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
  await announce({ type, version, ticketId: ticket.id, messageId }, { ticket, kind: message.kind });
}
