import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ConflictError, PermanentError } from '../../src/core/errors.ts';
import type { Store } from '../../src/core/store.ts';
import { fill } from '../fakes/database.ts';
import { storeTools, type OpenStore } from './store-tools.ts';

/** The part of the store's contract that is about people: joins, splits and their undoing. */
export function describePeople(open: OpenStore): void {
  describe('its customers', () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());
    const { clock, newId, make } = storeTools(() => store);

    const PEOPLE = ['a', 'b', 'c', 'd'];
    const values = (id: string) => [`${id}1`, `${id}2`];

    /** Four people with two identifiers, claims (one that all share), a ticket and a message by each identifier. */
    async function people(): Promise<void> {
      await store.write([], async (tx) => {
        const rows = fill({ tx, clock, newId });
        for (const id of PEOPLE) {
          await tx.insertCustomer({ id, name: id, locale: null, at: 1 });
          await tx.saveClaim(id, 'email', 'shared@example.com', 1);
          await tx.saveClaim(id, 'email', `${id}@example.com`, 1);
          for (const value of values(id)) {
            await tx.saveIdentifier({ kind: 'chat', value, trust: 'verified', customerId: id }, 1);
            const ticket = await rows.ticket(id, { subject: value });
            const author = { identifiers: [{ kind: 'chat', value, trust: 'verified' as const }] };
            await rows.message(ticket, { customerId: id, author });
          }
        }
      });
    }

    /** Everything that anybody owns. */
    async function owners(ids: readonly string[]) {
      const all = [];
      for (const id of ids) {
        const customer = (await store.read.customer(id))!;
        const timeline = await store.read.timeline(id, { limit: 200 });
        const tickets = await store.read.tickets({ customer: id }, { limit: 200 });
        all.push({
          id,
          mergedInto: customer.mergedInto,
          identifiers: customer.identifiers.map(({ kind, value, trust }) => `${kind} ${value} ${trust}`).toSorted(),
          tickets: tickets.data.map((each) => each.subject).toSorted(),
          messages: timeline.data.map((each) => each.id).toSorted(),
        });
      }
      return all;
    }

    const join = (from: string, to: string, mergeId: string) =>
      store.write([], (tx) => tx.moveCustomer(from, to, 'test', mergeId, clock.now()));
    const undo = (mergeId: string) => store.write([], (tx) => tx.undoMerge(mergeId, clock.now()));

    it('that were joined have everything in one place', async () => {
      await people();
      await join('a', 'b', 'mrg_1');
      const [a, b] = await owners(['a', 'b']);
      assert.deepEqual([a!.mergedInto, a!.tickets, a!.messages], ['b', [], []]);
      assert.deepEqual(b!.tickets, ['a1', 'a2', 'b1', 'b2']);
      assert.deepEqual(
        b!.identifiers.filter((each) => each.startsWith('chat')),
        ['chat a1 verified', 'chat a2 verified', 'chat b1 verified', 'chat b2 verified'],
      );
    });

    it('are two again after a join was undone, once, with what each had', async () => {
      await people();
      const before = await owners(PEOPLE);
      await join('a', 'b', 'mrg_1');
      assert.deepEqual(await undo('mrg_1'), { winner: 'b', loser: 'a' });
      assert.deepEqual(await owners(PEOPLE), before);
      assert.equal(await undo('mrg_1'), undefined);
      assert.equal(await undo('mrg_nothing'), undefined);
    });

    it('keep what came after the join where it came', async () => {
      await people();
      await join('a', 'b', 'mrg_1');
      await make((rows) => rows.ticket('b', { subject: 'later' }));
      await undo('mrg_1');
      const [a, b] = await owners(['a', 'b']);
      assert.deepEqual(
        [a!.tickets, b!.tickets],
        [
          ['a1', 'a2'],
          ['b1', 'b2', 'later'],
        ],
      );
    });

    it('are not taken apart in the middle: the join that came later is undone first', async () => {
      await people();
      const before = await owners(PEOPLE);
      await join('a', 'b', 'mrg_1');
      await join('b', 'c', 'mrg_2');
      const between = await owners(PEOPLE);
      await assert.rejects(undo('mrg_1'), ConflictError);
      assert.deepEqual(await owners(PEOPLE), between);
      await undo('mrg_2');
      await undo('mrg_1');
      assert.deepEqual(await owners(PEOPLE), before);
    });

    it('leave with exactly what came by the identifier that is split off', async () => {
      await people();
      await join('a', 'b', 'mrg_1');
      await store.write([], async (tx) => {
        await tx.insertCustomer({ id: 'n', name: null, locale: null, at: 1 });
        // The same letters, written in another way: somebody else.
        const rows = fill({ tx, clock, newId });
        const author = { identifiers: [{ kind: 'chat', value: 'A1', trust: 'verified' as const }] };
        await rows.message(await rows.ticket('b', { subject: 'A1' }), { customerId: 'b', author });
        await tx.splitCustomer('b', 'n', [{ kind: 'chat', value: 'a1' }], 'mrg_2', 1);
      });
      const [n, b] = await owners(['n', 'b']);
      assert.deepEqual([n!.identifiers, n!.tickets, n!.messages.length], [['chat a1 verified'], ['a1'], 1]);
      assert.deepEqual(b!.tickets, ['A1', 'a2', 'b1', 'b2']);
      await assert.rejects(
        store.write([], (tx) => tx.splitCustomer('b', 'n', [{ kind: 'chat', value: 'nobody' }], 'mrg_3', 1)),
        PermanentError,
      );
    });

    it('are as they were after any joins and splits are undone in turn', async () => {
      const step = fc.record({ split: fc.boolean(), from: fc.nat(9), to: fc.nat(9), pick: fc.nat(9) });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
          await close();
          ({ store, close } = await open());
          await people();
          const all = [...PEOPLE];
          const history: { id: string; before: unknown; known: string[] }[] = [];
          for (const [index, { split, from, to, pick }] of steps.entries()) {
            const before = await owners(all);
            const known = [...all];
            const live = before.filter((each) => each.mergedInto === null);
            const one = live[from % live.length]!;
            const other = live[to % live.length]!;
            const id = `mrg_${index}`;
            if (split) {
              const texts = one.identifiers.filter((each) => each.startsWith('chat '));
              if (texts.length === 0) continue;
              const value = texts[pick % texts.length]!.split(' ')[1]!;
              const made = `n${index}`;
              await store.write([], async (tx) => {
                await tx.insertCustomer({ id: made, name: null, locale: null, at: 1 });
                await tx.splitCustomer(one.id, made, [{ kind: 'chat', value }], id, 1);
              });
              all.push(made);
            } else {
              if (one === other) continue;
              await join(one.id, other.id, id);
            }
            history.push({ id, before, known });
          }
          for (const { id, before, known } of history.toReversed()) {
            assert.ok(await undo(id));
            assert.deepEqual(await owners(known), before);
          }
        }),
        { numRuns: 25 },
      );
    });
  });
}
