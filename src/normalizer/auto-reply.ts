import { autoReplyText } from '../core/auto-reply.ts';
import type { Envelope } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { TicketRow } from '../core/rows.ts';
import { statusUrlOf } from '../core/status-page.ts';
import type { Transaction } from '../core/store.ts';
import type { Source } from './accept.ts';
import type { Announcer } from './announce.ts';
import { insertOutgoing } from './answer.ts';
import { cleanLine, cleanText } from './canonical.ts';
import type { Recognised } from './identity.ts';

const DAY = 24 * 3_600_000;
const LONGEST_NAME = 60;

/**
 * Answers a new ticket with the text of its channel, in the transaction that files it. Only what a person wrote just
 * now is answered, and each customer once a day: machines that don't say what they are must not talk to us for ever,
 * and nobody can have others flooded in their name.
 */
export async function replyAutomatically(
  tx: Transaction,
  announcer: Announcer,
  source: Pick<Source, 'endpointId' | 'receivedAt' | 'autoReply'>,
  filed: { readonly envelope: Envelope; readonly ticket: TicketRow; readonly who: Recognised | undefined },
  { newId }: { readonly newId: NewId },
): Promise<void> {
  const { envelope, ticket, who } = filed;
  const { endpointId, receivedAt, autoReply } = source;
  const since = receivedAt - DAY;
  if (autoReply === undefined || !isAnswerable(envelope) || envelope.occurredAt < since) return;
  if (await tx.wasAutoReplied(ticket.customerId, since)) return;
  // Who could be somebody else must not have words of his choice sent to that person.
  const name = who?.verified ? nameOf(envelope.sender.name) : undefined;
  const statusUrl = statusUrlOf(autoReply.statusPages, ticket.id);
  const { language, number } = ticket;
  const message = {
    kind: 'message',
    direction: 'outbound',
    text: cleanText(autoReplyText(autoReply.texts, { language, number, name, statusUrl })),
    html: undefined,
    endpointId,
    delivery: { state: 'waiting' },
    thread: envelope.thread.externalId,
    automatic: 'auto_reply',
  } as const;
  const { id: messageId, version } = await insertOutgoing(tx, ticket, message, `channel:${endpointId}`, {
    newId,
    now: receivedAt,
  });
  await announcer.task({ kind: 'reply', type: 'reply', endpointId, ticketId: ticket.id, messageId });
  await announcer.change(
    { type: 'ticket.updated', version, ticketId: ticket.id, messageId },
    { ticket, kind: 'message' },
  );
}

/** A person's message or form: calls and reviews are answered by people, machines by nobody, and a group hears none. */
function isAnswerable({ kind, direction, automatic, thread, sender }: Envelope): boolean {
  if (direction !== 'inbound' || automatic !== undefined || thread.shared) return false;
  // A form asks for the address and has its guards; a message that only names somebody may be to his harm.
  return kind === 'form' || (kind === 'message' && sender.identifiers.some(({ trust }) => trust !== 'claimed'));
}

/** A name as a person has one; whatever looks like an address or an advertisement is none. */
function nameOf(name: string | undefined): string | undefined {
  const line = cleanLine(name ?? '');
  return line === '' || line.length > LONGEST_NAME || /[/@:]|\.\p{L}/u.test(line) ? undefined : line;
}
