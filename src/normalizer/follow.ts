import type { MessageRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { ChangeType } from '../core/ticket.ts';
import type { Source } from './accept.ts';
import type { Announcer } from './announce.ts';

/** What comes to a message after it was filed: a file, or a change of its words, by the change that tells of it. */
type News = { readonly attachmentId: string } | { readonly changeSeq: number };

/** Says of a message that is there already what became of it. Resolves with the place of that in the feed. */
export async function tell(
  tx: Transaction,
  announcer: Announcer,
  type: ChangeType,
  { id: messageId, ticketId, kind }: Pick<MessageRow, 'id' | 'ticketId' | 'kind'>,
  { receivedAt, origin }: Pick<Source, 'receivedAt' | 'origin'>,
): Promise<number> {
  const ticket = await tx.ticket(ticketId);
  const version = await tx.updateTicket(ticketId, {}, receivedAt);
  return announcer.change({ type, version, ticketId, messageId }, ticket && { ticket, kind, origin });
}

/** Carries it to every help desk that has the message already. */
export async function follow(
  tx: Transaction,
  announcer: Announcer,
  { id: messageId, ticketId }: { readonly id: string; readonly ticketId: string },
  news: News,
): Promise<void> {
  const deliveries = await tx.deliveriesOf(messageId);
  // One that has yet to begin will find the message as it is then; one of unknown outcome may be there already.
  const begun = deliveries.filter(
    ({ state, uncertain }) => state === 'delivered' || state === 'delivering' || uncertain === 1,
  );
  for (const endpointId of new Set(begun.map((each) => each.endpointId))) {
    // A file takes its place in the line of the ticket once it is there.
    const when = 'attachmentId' in news ? { dueAt: null } : { ticketId };
    await announcer.task({ kind: 'deliver', type: 'message.updated', endpointId, messageId, ...news, ...when });
  }
}
