import { NotFoundError } from '../../src/core/errors.ts';
import type { Desk } from '../../src/core/gateway.ts';
import type { Customer } from '../../src/core/ticket.ts';

const NOTHING = { identifiers: [], claims: [], tickets: [], messages: [] };

/** What the fake gateway does about customers; nothing of theirs moves. */
export function fakePeople(customers: Map<string, Customer>) {
  const customerOf = (id: string): Customer => {
    const customer = customers.get(id);
    if (!customer) throw new NotFoundError('There is no such customer');
    return customer;
  };
  return {
    async mergeCustomers(from, into) {
      customers.set(from, { ...customerOf(from), mergedInto: customerOf(into).id });
      return { mergeId: 'mrg_1' };
    },
    async undoMerge(mergeId) {
      if (mergeId !== 'mrg_1') throw new NotFoundError('There is no such merge');
    },
    async splitCustomer(customerId) {
      const id = `cus_${customers.size + 1}`;
      customers.set(id, { ...customerOf(customerId), id });
      return { customerId: id };
    },
    tellApart: async (customerId, other) => {
      for (const id of [customerId, other]) customerOf(id);
      return { mergeId: 'mrg_1' };
    },
    previewMerge: async () => NOTHING,
    previewUndo: async () => NOTHING,
    previewSplit: async () => NOTHING,
  } satisfies Partial<Desk>;
}
