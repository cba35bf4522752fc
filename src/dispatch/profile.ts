import type { Clock } from '../core/clock.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { ChangeRow, Task, TicketRow } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import { openChannel } from './channel.ts';

const LONGEST_NAME = 1000;
const LONGEST_LOCALE = 35;

/** Asks a channel who the author of a message is, and names the customer who has no name yet. */
export function createProfile(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  /** Puts a name into canonical form. */
  readonly cleanName: (name: string) => string;
  /** Tells others in a transaction. */
  readonly announce: (
    tx: Transaction,
  ) => (row: Omit<ChangeRow, 'at'>, about: { readonly ticket: TicketRow }) => Promise<unknown>;
}) {
  const { store, clock } = deps;

  /** The message, while its author (whoever he was joined with since) has no name. */
  async function ofNameless(tx: Transaction, messageId: string) {
    const message = await tx.message(messageId);
    const customer = message && (await tx.customer(message.customerId ?? ''));
    return message && customer?.name === null ? { ...message, customerId: customer.id } : undefined;
  }

  return async (task: Task) => {
    const messageId = task.messageId ?? '';
    const asked = await store.write([], (tx) => ofNameless(tx, messageId));
    const identifier = asked?.author.identifiers.find(({ trust }) => trust === 'verified');
    if (!identifier) return { request: 'has a name' };
    const request = `${identifier.kind} ${identifier.value}`;
    const { channel } = openChannel(deps.endpointOf, task.endpointId);
    const profile = await channel.profile?.(identifier);
    const name = deps.cleanName(profile?.name ?? '').slice(0, LONGEST_NAME);
    if (name === '') return { request, response: 'the channel knows no name' };
    const locale = profile?.locale?.slice(0, LONGEST_LOCALE);
    const response = await store.write([`message ${messageId}`], async (tx) => {
      const message = await ofNameless(tx, messageId);
      // The customer himself or an agent was quicker.
      if (!message) return 'has a name';
      await tx.completeCustomer(message.customerId, { name, locale }, clock.now());
      const ticket = await tx.ticket(message.ticketId);
      if (ticket) {
        const version = await tx.updateTicket(ticket.id, {}, ticket.updatedAt);
        await deps.announce(tx)({ type: 'ticket.updated', version, ticketId: ticket.id }, { ticket });
      }
      return 'named';
    });
    return { request, response };
  };
}
