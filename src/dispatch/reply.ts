import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { PermanentError } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { Task } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import { openChannel } from './channel.ts';

/** Carries an agent's answer to the customer, through the channel that was chosen for it. */
export function createReply(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly openAttachment: (id: string) => Promise<Readable>;
  /** Applies a receipt that came before the part it is about was stored. */
  readonly settleEarly: (tx: Transaction, endpointId: string, externalId: string) => Promise<void>;
}) {
  const { store } = deps;
  return async (task: Task) => {
    const { channel, type } = openChannel(deps.endpointOf, task.endpointId);
    if (!channel.reply) throw new PermanentError(`a channel of type ${type} has no way back`);
    const messageId = task.messageId ?? '';
    const { row, sent, last } = await store.write([`reply ${messageId}`], async (tx) => {
      const message = await tx.message(messageId);
      return {
        row: message,
        sent: await tx.parts(messageId),
        last: message && (await tx.lastInbound(message.ticketId, task.endpointId, message.thread)),
      };
    });
    const message = await store.read.message(messageId);
    const ticket = row && (await store.read.ticket(row.ticketId));
    if (!ticket || !message) throw new PermanentError('the ticket or the answer is gone');
    let parts = sent.length;
    await channel.reply({
      id: task.id,
      ticket,
      message,
      thread: row.thread,
      inReplyTo: last?.externalId,
      sent,
      async partSent(externalId) {
        await store.write([`reply ${messageId}`], async (tx) => {
          await tx.savePart(messageId, task.endpointId, externalId, deps.clock.now());
          await deps.settleEarly(tx, task.endpointId, externalId);
        });
        parts++;
      },
      open: deps.openAttachment,
    });
    return { request: `answered in ${parts} ${parts === 1 ? 'part' : 'parts'}` };
  };
}
