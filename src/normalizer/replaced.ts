import type { Transaction } from '../core/store.ts';
import type { Announcer } from './announce.ts';

/** The vendor keeps one answer of a thread, and now it is this one: the others are marked, and stay as history. */
export async function replaceOthers(
  tx: Transaction,
  announcer: Announcer,
  messageId: string,
  { receivedAt, origin }: { readonly receivedAt: number; readonly origin?: string },
): Promise<void> {
  const message = await tx.message(messageId);
  const ticket = message && (await tx.ticket(message.ticketId));
  if (!ticket) return;
  for (const id of await tx.replaceAnswers(message)) {
    const version = await tx.updateTicket(ticket.id, {}, receivedAt);
    const change = { type: 'message.updated', version, ticketId: ticket.id, messageId: id } as const;
    await announcer.change(change, { ticket, kind: 'message', origin });
  }
}
