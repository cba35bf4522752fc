import assert from 'node:assert/strict';
import type { Store, Transaction } from '../../src/core/store.ts';
import { storeTools, type OpenStore } from './store-tools.ts';

/**
 * What was just read or written is as the tables have it, whatever happened in between: a store that
 * remembers rows must forget them in time.
 */
export function describeRecent(open: OpenStore): void {
  describe('what its writer has seen before', () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());
    const { make } = storeTools(() => store);
    const write = <T>(work: (tx: Transaction) => Promise<T>) => store.write([], work);

    /** A customer with an identifier, a ticket and a thread, all of them read once. */
    async function person(id: string) {
      const ticketId = await make(async (rows) => rows.ticket(id));
      await write(async (tx) => {
        await tx.insertCustomer({ id, name: null, locale: null, at: 1 });
        await tx.saveIdentifier({ kind: 'chat', value: id, trust: 'observed', customerId: id }, 1);
        await tx.saveThread('contact', `thread ${id}`, ticketId);
      });
      await write((tx) => Promise.all([tx.identifier('chat', id), tx.ticketOfThread('contact', `thread ${id}`)]));
      return ticketId;
    }

    it('is not what was taken back', async () => {
      const ticketId = await person('a');
      // All three share a commit, so they run again, one behind the other.
      const before = write((tx) => tx.nextSeq(ticketId, 4, 'inbound'));
      const broken = write(async (tx) => {
        await tx.saveIdentifier({ kind: 'chat', value: 'new', trust: 'verified', customerId: 'a' }, 1);
        await tx.identifier('chat', 'new');
        await tx.nextSeq(ticketId, 5, 'inbound');
        await tx.completeCustomer('a', { name: 'Олена' }, 5);
        throw new Error('no');
      });
      const behind = write((tx) => tx.nextSeq(ticketId, 6, 'inbound'));
      await assert.rejects(broken, /^Error: no$/);
      assert.deepEqual([(await before).seq, (await behind).seq], [1, 2]);
      assert.equal(await write((tx) => tx.identifier('chat', 'new')), undefined);
      assert.equal((await write((tx) => tx.ticket(ticketId)))?.lastSeq, 2);
      await write((tx) => tx.completeCustomer('a', { name: 'Олена' }, 7));
      assert.equal((await store.read.customer('a'))?.name, 'Олена');
    });

    it('is a new ticket, thread and identifier as the tables have them', async () => {
      await person('a');
      const [remembered, owner] = await write(async (tx) => [
        await tx.ticketOfThread('contact', 'thread a'),
        await tx.identifier('chat', 'a'),
      ]);
      assert.ok(remembered);
      assert.deepEqual(await write((tx) => tx.ticketByNumber(remembered.number)), remembered);
      assert.deepEqual(owner, { kind: 'chat', value: 'a', trust: 'observed', customerId: 'a' });
      assert.deepEqual(
        (await store.read.customer('a'))?.identifiers.map(({ value, trust }) => [value, trust]),
        [['a', 'observed']],
      );
    });

    it('follows a join of customers and its undoing', async () => {
      const ticketId = await person('a');
      await person('b');
      const owners = () =>
        write(async (tx) => [
          (await tx.identifier('chat', 'a'))?.customerId,
          (await tx.ticketOfThread('contact', 'thread a'))?.customerId,
          (await tx.ticket(ticketId))?.customerId,
        ]);
      await write((tx) => tx.moveCustomer('a', 'b', 'test', 'mrg_1', 1));
      assert.deepEqual(await owners(), ['b', 'b', 'b']);
      await write((tx) => tx.undoMerge('mrg_1', 2));
      assert.deepEqual(await owners(), ['a', 'a', 'a']);
    });

    it('follows changes of a ticket, of its messages and of its threads', async () => {
      const [from, into] = [await person('a'), await person('b')];
      const message = await make((rows) => rows.message(from, { customerId: 'a' }));
      await write((tx) => tx.updateTicket(from, { status: 'pending' }, 9));
      const patched = await write((tx) => tx.ticket(from));
      assert.deepEqual([patched?.status, patched?.version, patched?.updatedAt], ['pending', 2, 9]);
      await write((tx) => tx.moveMessages([message], into, 10));
      const both = await write((tx) => Promise.all([tx.ticket(from), tx.ticket(into)]));
      assert.deepEqual(
        both.map((each) => [each?.version, each?.lastSeq]),
        [
          [3, 1],
          [1, 1],
        ],
      );
      assert.equal((await write((tx) => tx.ticketOfThread('contact', 'thread a')))?.id, from);
      await write((tx) => tx.repointThreads(from, into));
      assert.equal((await write((tx) => tx.ticketOfThread('contact', 'thread a')))?.id, into);
      await write((tx) => tx.saveThread('contact', 'thread a', from));
      assert.equal((await write((tx) => tx.ticketOfThread('contact', 'thread a')))?.id, from);
    });

    it('counts on like the table, message after message', async () => {
      const ticketId = await person('a');
      for (const [at, direction] of [
        [20, 'inbound'],
        [30, 'outbound'],
        [40, 'note'],
      ] as const) {
        await write((tx) => tx.nextSeq(ticketId, at, direction));
      }
      const remembered = await write((tx) => tx.ticket(ticketId));
      await write((tx) => tx.repointThreads('nobody', ticketId)); // Makes it look again.
      assert.deepEqual(await write((tx) => tx.ticket(ticketId)), remembered);
      assert.deepEqual([remembered?.lastSeq, remembered?.lastInboundAt, remembered?.updatedAt], [3, 20, 40]);
    });

    it('takes a stronger identifier over a weaker one', async () => {
      await person('a');
      await write((tx) => tx.saveIdentifier({ kind: 'chat', value: 'a', trust: 'verified', customerId: 'a' }, 2));
      assert.equal((await write((tx) => tx.identifier('chat', 'a')))?.trust, 'verified');
    });
  });
}
