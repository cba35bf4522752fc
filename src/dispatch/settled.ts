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
  const { task, before, after } = ending;
  const needsReauth = after.needsReauth ?? before.needsReauth;
  if (needsReauth !== before.needsReauth || (after.disabledAt ?? before.disabledAt) !== before.disabledAt) {
    const health = after.disabledAt ? 'disabled' : needsReauth ? 'needs_reauth' : 'healthy';
    await announce({ type: 'channel.health_changed', version: 0, extra: { endpoint: task.endpointId, health } });
  }
  if (ending.state === 'waiting' || ending.state === 'delivering') return;
  const done = ending.state === 'delivered';
  if (task.kind === 'reply') await replyEnded(tx, announce, ending, done);
  if (task.kind === 'download') {
    if (!done && task.attachmentId !== null) await tx.updateAttachment(task.attachmentId, { state: 'failed' });
    if (task.messageId !== null) await messageChanged(tx, announce, task.messageId, 'message.updated');
  }
  if (!done && task.kind !== 'download') {
    await announce(
      {
        type: 'delivery.exhausted',
        version: 0,
        extra: { delivery: task.id, destination: task.endpointId, state: ending.state, error: textOf(ending.error) },
      },
      undefined,
    );
  }
}

async function replyEnded(tx: Transaction, announce: Announce, ending: Ending, done: boolean): Promise<void> {
  const messageId = ending.task.messageId!;
  const message = await tx.message(messageId);
  // A receipt may have come before this: it knows better.
  const further = message?.delivery && message.delivery.state !== 'waiting' && message.delivery.state !== 'failed';
  if (done && further) return;
  await tx.setDelivery(
    messageId,
    done ? { state: 'sent' } : { state: 'failed', error: textOf(ending.error).slice(0, 1000) },
  );
  await messageChanged(tx, announce, messageId, done ? 'message.sent' : 'message.failed');
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
