import type { Envelope } from '../core/envelope.ts';
import type { Transaction } from '../core/store.ts';
import type { Accepted, AcceptDeps, Source } from './accept.ts';
import { knownCustomer } from './identity.ts';
import { isAnother } from './revise.ts';
import { resolveTicket } from './thread.ts';

/** What becomes of a new message that is not to be filed; undefined for all others. */
export async function passedOver(
  tx: Transaction,
  envelope: Envelope,
  source: Source,
  deps: AcceptDeps,
): Promise<Accepted | undefined> {
  return (
    (await echo(tx, envelope, source)) ??
    (await twin(tx, envelope)) ??
    (envelope.quiet ? await unwanted(tx, envelope, source, deps) : undefined)
  );
}

/** Only what goes out can be an echo of an answer of ours. */
async function echo(tx: Transaction, envelope: Envelope, { endpointId }: Source): Promise<Accepted | undefined> {
  const { direction, externalId } = envelope;
  const answer = direction === 'outbound' ? await tx.messageOfPart(endpointId, externalId) : undefined;
  if (!answer) return undefined;
  const { id: messageId, ticketId } = answer;
  return { outcome: 'duplicate', reason: 'an answer that we sent ourselves', externalId, ticketId, messageId };
}

/** The same message came through a sibling of its channel. */
async function twin(tx: Transaction, envelope: Envelope): Promise<Accepted | undefined> {
  const { externalId, thread } = envelope;
  for (const sibling of thread.siblings ?? []) {
    const other = await tx.findMessage(sibling, externalId);
    if (!other || isAnother(other, envelope)) continue;
    const { id: messageId, ticketId } = other;
    return { outcome: 'duplicate', reason: `came through ${sibling} as well`, externalId, ticketId, messageId };
  }
  return undefined;
}

/** It belongs to no ticket, and nobody becomes a customer by it. */
async function unwanted(
  tx: Transaction,
  envelope: Envelope,
  { endpointId, threads, receivedAt: now }: Source,
  deps: AcceptDeps,
): Promise<Accepted | undefined> {
  const customerId = await knownCustomer(tx, envelope.sender);
  const { ticket, evidence } = await resolveTicket(tx, { endpointId, envelope, customerId, threads, now }, deps);
  if (ticket) return undefined;
  const { externalId, automatic = 'quiet' } = envelope;
  return { outcome: 'ignored', reason: `${automatic}: it opens no ticket (${evidence})`, externalId };
}
