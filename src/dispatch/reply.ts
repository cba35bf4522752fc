import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { PermanentError, RetryableError, UncertainError } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { Task } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import { openChannel } from './channel.ts';
import { waitsForFiles } from './files.ts';

/** How long an answer from a help desk waits for its files, milliseconds: without them it isn't what the agent wrote. */
const FILES_WAIT_MS = 10 * 60_000;

/** Carries an agent's answer to the customer, through the channel that was chosen for it. */
export function createReply(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly openAttachment: (id: string) => Promise<Readable>;
  readonly proofOf: (ticketNumber: number) => string;
  /** See `ConnectorCapabilities.idempotent`. */
  readonly isIdempotent: (type: string) => boolean;
  /** Applies a receipt that came before the part it is about was stored. */
  readonly settleEarly: (tx: Transaction, endpointId: string, externalId: string) => Promise<void>;
  /** Marks the answers whose place this one took. */
  readonly replaceOthers: (tx: Transaction, messageId: string) => Promise<void>;
}) {
  const { store } = deps;
  return async (task: Task) => {
    const { channel, type } = openChannel(deps.endpointOf, task.endpointId);
    if (!channel.reply) throw new PermanentError(`a channel of type ${type} has no way back`);
    // A try that ended in the middle may have reached the customer, and nobody can be asked.
    if (task.uncertain && !deps.isIdempotent(type)) {
      throw new UncertainError('nobody can say whether this answer went out already', {
        hint: 'Look into the conversation; replay the delivery if the answer is not there.',
      });
    }
    const messageId = task.messageId ?? '';
    const said = await store.write([`reply ${messageId}`], (tx) => conversationOf(tx, messageId, task.endpointId));
    const message = await store.read.message(messageId);
    const ticket = said && (await store.read.ticket(said.row.ticketId));
    if (!ticket || !message) throw new PermanentError('the ticket or the answer is gone');
    const complete = Date.parse(message.receivedAt) + FILES_WAIT_MS;
    if (waitsForFiles(message) && deps.clock.now() < complete) return { later: complete };
    const { row, sent, last, references } = said;
    let parts = sent.length;
    const notePart = async (tx: Transaction, externalId: string, replaces: boolean) => {
      await tx.savePart(messageId, task.endpointId, externalId, deps.clock.now());
      await deps.settleEarly(tx, task.endpointId, externalId);
      if (replaces) await deps.replaceOthers(tx, messageId);
    };
    await channel.reply({
      id: task.id,
      ticket,
      message,
      thread: row.thread,
      answers: last && (await store.read.message(last.id)),
      references,
      proof: deps.proofOf(ticket.number),
      sent,
      async partSent(externalId, { replaces } = { replaces: false }) {
        // A receipt for it may be on its way in, which finds no part yet.
        const locks = [`reply ${messageId}`, `message ${externalId}`];
        await store.write(locks, (tx) => notePart(tx, externalId, replaces)).catch(outAlready);
        parts++;
      },
      open: deps.openAttachment,
    });
    return { request: `answered in ${parts} ${parts === 1 ? 'part' : 'parts'}` };
  };
}

/** The customer has it: a store that can't note that must not lead to a second one. */
function outAlready(cause: unknown): never {
  if (!(cause instanceof RetryableError)) throw cause;
  throw new RetryableError(`a part that went out could not be noted: ${cause.message}`, {
    cause,
    outcomeUnknown: true,
  });
}

/** What was said on the channel before an answer: that stays the same over all its tries, whoever writes meanwhile. */
async function conversationOf(tx: Transaction, messageId: string, endpointId: string) {
  const row = await tx.message(messageId);
  if (!row) return undefined;
  const { ticketId, seq: beforeSeq, thread } = row;
  const where = { thread, beforeSeq };
  return {
    row,
    sent: await tx.parts(messageId),
    last: await tx.lastInbound(ticketId, endpointId, where),
    references: await tx.externalIds(ticketId, endpointId, where),
  };
}
