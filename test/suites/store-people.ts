import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ConflictError, PermanentError } from '../../src/core/errors.ts';
import type { Moved } from '../../src/core/rows.ts';
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
      assert.deepEqual(await undo('mrg_1'), { kind: 'merge', winner: 'b', loser: 'a' });
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
        await tx.splitCustomer('b', 'n', [{ kind: 'chat', value: 'a1' }], 'test', 'mrg_2', 1);
      });
      const [n, b] = await owners(['n', 'b']);
      assert.deepEqual([n!.identifiers, n!.tickets, n!.messages.length], [['chat a1 verified'], ['a1'], 1]);
      assert.deepEqual(b!.tickets, ['A1', 'a2', 'b1', 'b2']);
      await assert.rejects(
        store.write([], (tx) => tx.splitCustomer('b', 'n', [{ kind: 'chat', value: 'nobody' }], 'test', 'mrg_3', 1)),
        PermanentError,
      );
    });

    it('take along what was answered in a ticket that leaves whole, and leave what others take part in', async () => {
      await people();
      const [answer, own, other, others] = await store.write([], async (tx) => {
        const rows = fill({ tx, clock, newId });
        const by = (value: string) => ({ identifiers: [{ kind: 'chat', value, trust: 'verified' as const }] });
        const agent = { direction: 'outbound' as const, author: { name: 'user:usr_1', identifiers: [] } };
        const whole = await rows.ticket('a', { subject: 'whole' });
        const first = await rows.message(whole, { customerId: 'a', author: by('a1') });
        const said = await rows.message(whole, { customerId: 'a', ...agent });
        const mixed = await rows.ticket('a', { subject: 'mixed' });
        await rows.message(mixed, { customerId: 'a', author: by('a2') });
        const second = await rows.message(mixed, { customerId: 'a', author: by('a1') });
        const stays = await rows.message(mixed, { customerId: 'a', ...agent });
        await tx.insertCustomer({ id: 'n', name: null, locale: null, at: 1 });
        return [said, first, second, stays] as const;
      });
      const wanted = [{ kind: 'chat', value: 'a1' }];
      const would = await store.read.wouldSplit('a', wanted);
      const before = await owners(['a', 'n']);
      await store.write([], (tx) => tx.splitCustomer('a', 'n', wanted, 'test', 'mrg_1', 1));
      const [n] = await owners(['n']);
      assert.deepEqual(n!.tickets, ['a1', 'whole']);
      for (const id of [answer, own, other]) assert.ok(n!.messages.includes(id), id);
      assert.ok(!n!.messages.includes(others));
      assert.deepEqual(would.messages.toSorted(), n!.messages);
      assert.equal(would.tickets.length, 2);
      assert.deepEqual(would.identifiers, wanted);
      const back = await store.read.wouldUndo('mrg_1');
      assert.deepEqual(back, would);
      await undo('mrg_1');
      const [a, empty] = await owners(['a', 'n']);
      assert.deepEqual(a, before[0]);
      assert.equal(empty!.mergedInto, 'a', 'nobody is left');
    });

    it('stay two where somebody has written since, though the split is undone', async () => {
      await people();
      await store.write([], async (tx) => {
        await tx.insertCustomer({ id: 'n', name: null, locale: null, at: 1 });
        await tx.splitCustomer('a', 'n', [{ kind: 'chat', value: 'a1' }], 'test', 'mrg_1', 1);
        await fill({ tx, clock, newId }).ticket('n', { subject: 'later' });
      });
      await undo('mrg_1');
      const [n] = await owners(['n']);
      assert.deepEqual([n!.mergedInto, n!.tickets], [null, ['later']]);
    });

    it('are said to move exactly as they then do', async () => {
      await people();
      const would = await store.read.wouldMove('a', 'b');
      const [a, b] = await owners(['a', 'b']);
      assert.deepEqual(would.messages.toSorted(), a!.messages);
      assert.equal(would.tickets.length, 2);
      assert.deepEqual(
        [...would.identifiers, ...would.claims].map(({ value }) => value),
        ['a1', 'a2', 'a@example.com'],
      );
      assert.deepEqual(await owners(['a', 'b']), [a, b], 'something moved');
      await join('a', 'b', 'mrg_1');
      await make((rows) => rows.ticket('b', { subject: 'later' }));
      assert.deepEqual(await store.read.wouldUndo('mrg_1'), would);
      await store.write([], async (tx) => {
        await tx.insertCustomer({ id: 'n', name: null, locale: null, at: 1 });
        await tx.splitCustomer('b', 'n', [{ kind: 'chat', value: 'a1' }], 'test', 'mrg_2', 1);
      });
      const left = await store.read.wouldUndo('mrg_1');
      assert.deepEqual(
        left!.identifiers.map(({ value }) => value),
        ['a2'],
        'what has gone on to somebody else comes back too',
      );
      assert.deepEqual([left!.tickets.length, left!.messages.length], [1, 1]);
      await join('b', 'c', 'mrg_3');
      await assert.rejects(store.read.wouldUndo('mrg_1'), ConflictError);
      assert.equal(await store.read.wouldUndo('mrg_none'), undefined);
    });

    it('are said to move exactly as they then do, whatever was joined and split before', async () => {
      const step = fc.record({
        what: fc.constantFrom('join', 'join', 'split', 'undo'),
        from: fc.nat(9),
        to: fc.nat(9),
        pick: fc.nat(9),
      });
      /** What a customer owns, as a plan names it. */
      async function owned(id: string) {
        const [customer, tickets, timeline] = await Promise.all([
          store.read.customer(id),
          store.read.tickets({ customer: id }, { limit: 200 }),
          store.read.timeline(id, { limit: 200 }),
        ]);
        const identities = (customer?.identifiers ?? []).map(
          ({ kind, value, trust }) => `${trust === 'claimed' ? 'claim' : 'identifier'} ${kind} ${value}`,
        );
        return new Set([
          ...identities,
          ...tickets.data.map((each) => each.id),
          ...timeline.data.map((each) => each.id),
        ]);
      }
      const named = ({ identifiers, claims, tickets, messages }: Moved) =>
        [
          ...identifiers.map(({ kind, value }) => `identifier ${kind} ${value}`),
          ...claims.map(({ kind, value }) => `claim ${kind} ${value}`),
          ...tickets,
          ...messages,
        ].toSorted();
      /** Does it, and sees that `to` has got what was said, and that nothing else has changed hands. */
      async function sees(would: Moved | undefined, to: string, act: () => Promise<unknown>): Promise<void> {
        const before = await owned(to);
        await act();
        const got = [...(await owned(to))].filter((each) => !before.has(each));
        assert.deepEqual(got.toSorted(), named(would!));
      }
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), async (steps) => {
          await close();
          ({ store, close } = await open());
          await people();
          const live = new Set(PEOPLE);
          const merges: { id: string; winner: string; loser: string }[] = [];
          for (const [index, { what, from, to, pick }] of steps.entries()) {
            const all = [...live];
            const [one, other] = [all[from % all.length]!, all[to % all.length]!];
            const id = `mrg_${index}`;
            await make((rows) => rows.ticket(one, { subject: `later ${index}` }));
            if (what === 'join' && one !== other) {
              await sees(await store.read.wouldMove(one, other), other, () => join(one, other, id));
              live.delete(one);
              merges.push({ id, winner: other, loser: one });
            }
            const own = (await store.read.customer(one))!.identifiers;
            if (what === 'split' && own.length > 0) {
              const { kind, value } = own[pick % own.length]!;
              const [made, wanted] = [`n${index}`, [{ kind, value }]];
              const would = await store.read.wouldSplit(one, wanted);
              await sees(would, made, () =>
                store.write([], async (tx) => {
                  await tx.insertCustomer({ id: made, name: null, locale: null, at: 1 });
                  await tx.splitCustomer(one, made, wanted, 'test', id, 1);
                }),
              );
              live.add(made);
              merges.push({ id, winner: made, loser: one });
            }
            const last = what === 'undo' ? merges.pop() : undefined;
            if (last) {
              await sees(await store.read.wouldUndo(last.id), last.loser, () => undo(last.id));
              live.add(last.loser);
              if ((await store.read.customer(last.winner))!.mergedInto !== null) live.delete(last.winner);
            }
          }
        }),
        { numRuns: 15 },
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
                await tx.splitCustomer(one.id, made, [{ kind: 'chat', value }], 'test', id, 1);
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
