import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { PermanentError, RateLimitedError } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { Task } from '../core/rows.ts';
import type { Store } from '../core/store.ts';

/** Carries an agent's answer to the customer, through the channel that was chosen for it. */
export function createReply(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly openAttachment: (id: string) => Promise<Readable>;
}) {
  const { store } = deps;
  return async (task: Task) => {
    const endpoint = deps.endpointOf(task.endpointId);
    if (!endpoint) throw new PermanentError(`the channel ${task.endpointId} was removed`);
    if (!endpoint.channel)
      throw new RateLimitedError(`${task.endpointId} is closed: ${endpoint.problem ?? 'disabled'}`, 60_000);
    if (!endpoint.channel.reply) throw new PermanentError(`a channel of type ${endpoint.type} has no way back`);
    const messageId = task.messageId ?? '';
    const ticket = await store.read.ticket(task.ticketId ?? '');
    const message = await store.read.message(messageId);
    if (!ticket || !message) throw new PermanentError('the ticket or the answer is gone');
    const last = await lastInbound(store, ticket.id, task.endpointId);
    const [thread, sent] = await store.write([`reply ${messageId}`], async (tx) => [
      await tx.threadOf(task.endpointId, ticket.id),
      await tx.parts(messageId),
    ]);
    let parts = sent.length;
    await endpoint.channel.reply({
      id: task.id,
      ticket,
      message,
      thread,
      inReplyTo: last,
      sent,
      async partSent(externalId) {
        await store.write([`reply ${messageId}`], (tx) =>
          tx.savePart(messageId, task.endpointId, externalId, deps.clock.now()),
        );
        parts++;
      },
      open: deps.openAttachment,
    });
    return { request: `answered in ${parts} ${parts === 1 ? 'part' : 'parts'}` };
  };
}

/** External id of the customer's last message on a channel: what an answer quotes. */
async function lastInbound(store: Store, ticketId: string, channelId: string): Promise<string | undefined> {
  let last: string | undefined;
  let cursor: string | undefined;
  do {
    const page = await store.read.messages(ticketId, { limit: 200, cursor });
    for (const message of page.data) {
      if (message.direction === 'inbound' && message.channel?.id === channelId) last = message.externalId ?? last;
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return last;
}
