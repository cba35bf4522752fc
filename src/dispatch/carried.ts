import type { Carried } from '../core/field-mapping.ts';
import type { Store } from '../core/store.ts';

/** A message with the ticket that it is in now, and whose that is; undefined when one of them is gone. */
export async function readCarried({ read }: Pick<Store, 'read'>, messageId: string): Promise<Carried | undefined> {
  const message = await read.message(messageId);
  const ticket = message && (await read.ticket(message.ticketId ?? ''));
  const customer = ticket && (await read.customer(ticket.customer.id));
  return customer && { ticket, customer, message };
}
