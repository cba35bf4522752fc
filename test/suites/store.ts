import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createIds } from '../../src/core/id.ts';
import { ConflictError, PermanentError } from '../../src/core/errors.ts';
import type { AttemptRow, Lease, Task, TaskResult } from '../../src/core/rows.ts';
import type { Store } from '../../src/core/store.ts';
import { fakeClock } from '../fakes/clock.ts';
import { fill } from '../fakes/database.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const DELIVERED: TaskResult = { state: 'delivered' };
const DEAD: TaskResult = { state: 'dead' };

/** The contract of a store as tests: every store passes them, whatever it runs on. `open` makes an empty one. */
export function describeStore(name: string, open: () => Promise<{ store: Store; close(): Promise<void> }>): void {
  describe(`a store on ${name}`, () => {
    const clock = fakeClock();
    const newId = createIds(clock);
    let store: Store;
    let close: () => Promise<void>;

    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());

    type Work<T> = (rows: ReturnType<typeof fill>) => Promise<T>;
    /** Writes rows with everything left out that a test doesn't care about. */
    const make = <T>(work: Work<T>) => store.write([], (tx) => work(fill({ tx, clock, newId })));
    const task = (given: Partial<Task> = {}, dueAt?: number) => make((rows) => rows.task(given, dueAt));
    const taskOf = (id: string) => store.write([], (tx) => tx.task(id));
    const lease = (id: string, token = 'mine', now = clock.now(), until = now + 5 * MINUTE) =>
      store.write([`task ${id}`], (tx) => tx.lease(id, token, now, until));
    const finish = (held: Lease, result: TaskResult = DELIVERED, given: Partial<AttemptRow> = {}) =>
      store.write([`task ${held.task.id}`], (tx) => tx.finish(held, result, attempt(given), clock.now()));
    const attempt = (given: Partial<AttemptRow> = {}): AttemptRow => ({
      startedAt: clock.now(),
      endedAt: clock.now(),
      outcome: 'delivered',
      error: null,
      hint: null,
      request: null,
      response: null,
      ...given,
    });
    const due = async (perEndpoint = 100, now = clock.now()) =>
      (await store.read.dueTasks(now, perEndpoint)).map(({ id }) => id);
    const changesAfter = async (after: number) => (await store.read.changes(after, 1000)).map(({ seq }) => seq);

    describe('writing', () => {
      it('is seen by readers once it is done', async () => {
        const id = await make((rows) => rows.customer('Олена'));
        assert.equal((await store.read.customer(id))!.name, 'Олена');
      });

      it('hands on what the work returned or threw', async () => {
        assert.equal(await store.write(['a'], async () => 'value'), 'value');
        const thrown = new PermanentError('no');
        await assert.rejects(
          store.write(['a'], async () => {
            throw thrown;
          }),
          (error) => error === thrown,
        );
      });

      it('takes back what failed, alone, while others that came at the same moment stay', async () => {
        const ids = Array.from({ length: 30 }, (_, index) => `cus_${index}`);
        const results = await Promise.allSettled(
          ids.map((id, index) =>
            store.write([id], async (tx) => {
              await tx.insertCustomer({ id, name: id, locale: null, at: 1 });
              if (index % 3 === 0) throw new Error(`not ${id}`);
            }),
          ),
        );
        for (const [index, id] of ids.entries()) {
          const failed = index % 3 === 0;
          assert.equal(results[index]!.status, failed ? 'rejected' : 'fulfilled', id);
          assert.equal((await store.read.customer(id)) === undefined, failed, id);
        }
      });

      it('takes back a statement that is refused, and the ones before it', async () => {
        await make((rows) => rows.customer('taken'));
        await assert.rejects(
          store.write([], async (tx) => {
            await tx.saveToken('first', 10);
            await tx.saveToken('first', 10);
          }),
        );
        assert.equal(await store.write([], (tx) => tx.takeToken('first', 1)), false);
        await store.write([], (tx) => tx.saveToken('second', 10));
      });

      it('runs those that share a lock one after the other, also when they wait within', async () => {
        const ticket = await make(async (rows) => rows.ticket(await rows.customer()));
        const seqs = await Promise.all(
          Array.from({ length: 40 }, () =>
            store.write([`ticket ${ticket}`], async (tx) => {
              const before = (await tx.ticket(ticket))!.lastSeq;
              await new Promise(setImmediate);
              const { seq } = await tx.nextSeq(ticket, 1, 'inbound');
              assert.equal(seq, before + 1);
              return seq;
            }),
          ),
        );
        assert.deepEqual(
          seqs.toSorted((a, b) => a - b),
          Array.from({ length: 40 }, (_, index) => index + 1),
        );
      });

      it('gives every ticket another number, whoever asks at the same moment', async () => {
        const ids = await Promise.all(
          Array.from({ length: 20 }, () => make(async (rows) => rows.ticket(await rows.customer()))),
        );
        const numbers = await Promise.all(ids.map(async (id) => (await store.read.ticket(id))!.number));
        assert.equal(new Set(numbers).size, 20);
      });
    });

    describe('the change feed', () => {
      it('numbers changes in the order of their commits, and leaves out what was taken back', async () => {
        const seqs: number[] = [];
        await Promise.allSettled(
          Array.from({ length: 30 }, (_, index) =>
            store
              .write([], async (tx) => {
                const seq = await tx.insertChange({ type: 'test.ping', at: 1, version: 1 });
                if (index % 4 === 0) throw new Error('taken back');
                return seq;
              })
              .then((seq) => seqs.push(seq)),
          ),
        );
        assert.equal(seqs.length, 22);
        assert.deepEqual(await changesAfter(0), seqs);
        assert.deepEqual(
          seqs,
          seqs.toSorted((a, b) => a - b),
        );
        assert.equal(await store.read.lastChange(), seqs.at(-1));
      });

      it('shows each change once to whoever reads on behind the last one', async () => {
        const seen: number[] = [];
        let writing = true;
        const reading = (async () => {
          for (let more = true; more;) {
            more = writing;
            const page = await store.read.changes(seen.at(-1) ?? 0, 7);
            seen.push(...page.map(({ seq }) => seq));
            if (page.length > 0) more = true;
            await new Promise(setImmediate);
          }
        })();
        for (let i = 0; i < 20; i++)
          await Promise.all([make((rows) => rows.customer()), make((rows) => rows.customer())]);
        writing = false;
        await reading;
        assert.deepEqual(seen, await changesAfter(0));
        assert.equal(seen.length, 40);
      });
    });

    describe('a line of tasks', () => {
      const line = { endpointId: 'crm', ticketId: 'tkt_1' };

      it('has one task due at a time, in the order in which they were added', async () => {
        const ids = [await task(line), await task(line), await task(line)];
        for (const [index, id] of ids.entries()) {
          assert.deepEqual(await due(), [id]);
          for (const other of ids) if (other !== id) assert.equal(await lease(other), undefined);
          const { held, next } = await finish((await lease(id))!);
          assert.equal(held, true);
          assert.equal(next?.id, ids[index + 1]);
        }
        assert.deepEqual(await due(), []);
      });

      for (const result of [DELIVERED, DEAD, { state: 'needs_check' }] satisfies TaskResult[]) {
        it(`goes on when its head ends as ${result.state}`, async () => {
          const [head, next] = [await task(line), await task(line)];
          assert.equal((await finish((await lease(head))!, result)).next?.id, next);
          assert.deepEqual(await due(), [next]);
        });
      }

      it('waits for its head while that is tried again later', async () => {
        const [head, next] = [await task(line), await task(line)];
        const later = clock.now() + HOUR;
        const again: TaskResult = { state: 'waiting', dueAt: later, countsAttempt: true, uncertain: false };
        assert.equal((await finish((await lease(head))!, again)).next, undefined);
        assert.deepEqual(await due(), []);
        assert.equal(await lease(next), undefined);
        assert.equal(await lease(head), undefined, 'not before its time');
        assert.deepEqual(await due(100, later), [head]);
      });

      it('knows nothing of other tickets and other endpoints', async () => {
        const ids = [
          await task(line),
          await task({ ...line, ticketId: 'tkt_2' }),
          await task({ ...line, endpointId: 'desk' }),
        ];
        assert.deepEqual((await due()).toSorted(), ids.toSorted());
      });

      it('is none for tasks without a ticket: they are all due', async () => {
        const ids = [await task({ endpointId: 'crm' }), await task({ endpointId: 'crm' })];
        assert.deepEqual(await due(), ids);
        for (const id of ids) assert.ok(await lease(id, id));
      });

      it('says at once which new task may start', async () => {
        const add = (dueAt: number) =>
          store.write([], (tx) => {
            const id = newId('tsk');
            const row = {
              id,
              kind: 'deliver',
              type: 'x',
              messageId: null,
              changeSeq: null,
              attachmentId: null,
            } as const;
            return tx.insertTask({ ...row, ...line, createdAt: 1000 }, dueAt);
          });
        assert.equal((await add(1000)).due, true);
        assert.equal((await add(1000)).due, false, 'behind another one');
      });

      it('has nothing due before its time', async () => {
        const later = clock.now() + HOUR;
        const id = await task(line, later);
        assert.deepEqual([await due(), await lease(id)], [[], undefined]);
        assert.deepEqual(await due(100, later), [id]);
        assert.ok(await lease(id, 'mine', later));
      });
    });

    describe('a lease', () => {
      it('is given to one of many who ask at the same moment', async () => {
        const id = await task();
        const leases = await Promise.all(Array.from({ length: 25 }, (_, index) => lease(id, `worker-${index}`)));
        assert.equal(leases.filter(Boolean).length, 1);
        assert.deepEqual(await due(), []);
      });

      it('counts the try before it begins', async () => {
        const id = await task();
        const held = (await lease(id))!;
        assert.deepEqual([held.task.state, held.task.attempts, held.attempt], ['delivering', 1, 1]);
        assert.equal((await taskOf(id))!.attempts, 1);
      });

      it('is not given while the endpoint is paused or disabled', async () => {
        const id = await task();
        const set = (patch: object) => store.write([], (tx) => tx.updateEndpointState('crm', patch));
        const until = clock.now() + MINUTE;
        await set({ pausedUntil: until });
        assert.equal(await lease(id), undefined);
        assert.deepEqual(await due(), []);
        assert.deepEqual(await due(100, until), [id], 'the pause ends by itself');
        await set({ pausedUntil: null, disabledAt: 1 });
        assert.equal(await lease(id), undefined);
        assert.deepEqual(await due(100, until), []);
        await set({ disabledAt: null });
        assert.ok(await lease(id));
      });

      it('can be taken over once it has run out, and says that the outcome is unknown', async () => {
        const id = await task();
        const until = clock.now() + MINUTE;
        await lease(id, 'first', clock.now(), until);
        assert.equal(await lease(id, 'second', until - 1), undefined);
        assert.deepEqual(await due(100, until), [id]);
        const second = (await lease(id, 'second', until))!;
        assert.deepEqual([second.task.uncertain, second.task.interruptions], [true, 1]);
        const third = (await lease(id, 'third', until + 10 * MINUTE))!;
        assert.equal(third.task.interruptions, 2);
        const { log } = (await store.read.delivery(id))!;
        assert.deepEqual(
          log.map(({ number, outcome }) => [number, outcome]),
          [
            [1, 'interrupted'],
            [2, 'interrupted'],
            [3, 'delivering'],
          ],
        );
      });

      it('of a worker that was taken to be dead changes nothing any more', async () => {
        const id = await task({ ticketId: 'tkt_1' });
        const next = await task({ ticketId: 'tkt_1' });
        const first = (await lease(id, 'first', clock.now(), clock.now()))!;
        const second = (await lease(id, 'second'))!;
        assert.deepEqual(await finish(first, DEAD, { error: 'late' }), { held: false });
        assert.equal((await taskOf(id))!.state, 'delivering');
        assert.equal(await lease(next), undefined, 'the line does not go on either');
        assert.equal((await finish(second)).held, true);
        assert.deepEqual(await finish(first, DEAD), { held: false });
        assert.deepEqual(await finish(second, DEAD), { held: false }, 'once is enough');
        assert.equal((await taskOf(id))!.state, 'delivered');
        const { log } = (await store.read.delivery(id))!;
        assert.ok(log.every(({ error }) => error !== 'late'));
      });

      it('ends with a line in the log of attempts, whatever came of it', async () => {
        const id = await task();
        const again: TaskResult = { state: 'waiting', dueAt: clock.now(), countsAttempt: true, uncertain: true };
        const answer = {
          outcome: 'RetryableError',
          error: 'it broke',
          hint: 'wait',
          request: 'POST',
          response: '500 no',
        };
        await finish((await lease(id))!, again, answer);
        const held = (await lease(id))!;
        assert.equal(held.task.uncertain, true);
        await finish(held, DELIVERED, { response: '200' });
        const { log, state, attempts } = (await store.read.delivery(id))!;
        assert.deepEqual([state, attempts], ['delivered', 2]);
        assert.deepEqual(
          log.map(({ startedAt: _a, endedAt: _b, ...rest }) => rest),
          [
            { number: 1, ...answer },
            { number: 2, outcome: 'delivered', error: null, hint: null, request: null, response: '200' },
          ],
        );
      });

      it('does not spend a try that does not count, but keeps it in the log', async () => {
        const id = await task();
        const free: TaskResult = { state: 'waiting', dueAt: clock.now(), countsAttempt: false, uncertain: false };
        for (let i = 0; i < 3; i++) await finish((await lease(id))!, free);
        assert.equal((await taskOf(id))!.attempts, 0);
        assert.equal((await store.read.delivery(id))!.log.length, 3);
      });
    });

    describe('a replayed task', () => {
      const line = { endpointId: 'crm', ticketId: 'tkt_1' };
      const replay = (id: string) => store.write([], (tx) => tx.replayTask(id, clock.now()));

      it('starts anew, due at once', async () => {
        const id = await task(line);
        await finish((await lease(id))!, DEAD);
        assert.deepEqual(await replay(id), { id, endpointId: 'crm', due: true });
        const { state, attempts, interruptions } = (await taskOf(id))!;
        assert.deepEqual([state, attempts, interruptions], ['waiting', 0, 0]);
        assert.ok(await lease(id));
      });

      it('does not overtake the one of its ticket that is on its way', async () => {
        const [dead, active, last] = [await task(line), await task(line), await task(line)];
        await finish((await lease(dead))!, DEAD);
        const held = (await lease(active))!;
        assert.equal((await replay(dead))!.due, false);
        assert.equal(await lease(dead), undefined);
        assert.equal((await finish(held)).next?.id, dead, 'it comes before those that were added later');
        assert.equal((await finish((await lease(dead))!)).next?.id, last);
      });

      it('is one that has ended, and nothing else', async () => {
        const id = await task(line);
        assert.equal(await replay(id), undefined);
        await lease(id);
        assert.equal(await replay(id), undefined);
        assert.equal(await replay('tsk_nobody'), undefined);
      });
    });

    describe('tasks that are due', () => {
      const many = (endpointId: string, count: number) =>
        make(async (rows) => {
          for (let i = 0; i < count; i++) await rows.task({ endpointId });
        });
      const counts = async (perEndpoint: number) => {
        const sums: Record<string, number> = {};
        for (const { endpointId } of await store.read.dueTasks(clock.now(), perEndpoint)) {
          sums[endpointId] = (sums[endpointId] ?? 0) + 1;
        }
        return sums;
      };

      it('are so many of each endpoint, so that one with a backlog starves nobody', async () => {
        await many('crm', 30);
        await many('desk', 3);
        assert.deepEqual(await counts(5), { crm: 5, desk: 3 });
      });

      it('are one of an endpoint that failed ten times in a row, and none of one that is paused', async () => {
        await many('crm', 5);
        await many('desk', 5);
        await store.write([], async (tx) => {
          await tx.updateEndpointState('crm', { failures: 10 });
          await tx.updateEndpointState('desk', { pausedUntil: clock.now() + 1 });
        });
        assert.deepEqual(await counts(5), { crm: 1 });
      });
    });

    it('keeps what is known of an endpoint when a part of it changes', async () => {
      await store.write([], async (tx) => {
        await tx.updateEndpointState('crm', { failures: 3, lastError: 'no', needsReauth: true });
        await tx.saveCursor('crm', 'page 2');
        await tx.updateEndpointState('crm', { failures: 4 });
      });
      const state = await store.write([], (tx) => tx.endpointState('crm'));
      assert.deepEqual([state.failures, state.lastError, state.needsReauth], [4, 'no', true]);
      assert.equal(await store.read.cursor('crm'), 'page 2');
    });

    it('links a ticket of the far side with one of ours only', async () => {
      const save = (ticket: string, externalId: string, destination = 'desk') =>
        store.write([], (tx) =>
          tx.saveLink(destination, ticket, { externalId, url: `https://x.test/${externalId}` }, 1),
        );
      await save('tkt_1', '7');
      await save('tkt_1', '7');
      await assert.rejects(save('tkt_2', '7'), PermanentError);
      await save('tkt_2', '7', 'other-desk');
      await save('tkt_1', '8');
      await store.write([], async (tx) => {
        assert.equal(await tx.ticketOfLink('desk', '8'), 'tkt_1');
        assert.equal(await tx.ticketOfLink('desk', '7'), undefined);
        assert.equal((await tx.link('desk', 'tkt_1'))!.externalId, '8');
        assert.equal(await tx.link('desk', 'tkt_2'), undefined);
      });
    });

    it('takes a one-time token once, and only while it is valid', async () => {
      const take = (now: number) => store.write([], (tx) => tx.takeToken('hash', now));
      await store.write([], (tx) => tx.saveToken('hash', 100));
      assert.equal(await take(100), false);
      const taken = await Promise.all([take(99), take(99), take(99)]);
      assert.equal(taken.filter(Boolean).length, 1);
    });

    it('files a message of a channel once, and other channels have their own ids', async () => {
      const ticket = await make(async (rows) => rows.ticket(await rows.customer()));
      const file = (endpointId: string) => make((rows) => rows.message(ticket, { endpointId, externalId: 'm-1' }));
      await file('chat');
      await assert.rejects(file('chat'));
      await file('mail');
      assert.equal((await store.read.messages(ticket, { limit: 9 })).data.length, 2);
    });

    it('remembers the answer to a request under its key', async () => {
      const row = { key: 'k', request: 'r', status: 201, body: '{}', at: 5 };
      await store.write([], (tx) => tx.saveIdempotent(row));
      assert.deepEqual(await store.read.idempotent('k'), row);
      assert.equal(await store.read.idempotent('other'), undefined);
    });

    describe('retention', () => {
      const sweep = async (before: number, batch = 100) => {
        const limits = { payloadsBefore: before, tasksBefore: before, idempotentBefore: before, batch };
        return store.write(['retention'], (tx) => tx.sweepRetention(limits));
      };

      it('lets the bytes go and keeps dedupe keys, events and the balance', async () => {
        const from = clock.now();
        const { payload, ticket } = await make(async (rows) => {
          const payload = await rows.payload();
          await rows.event(payload);
          const ticket = await rows.ticket(await rows.customer());
          await rows.message(ticket, { externalId: 'm-1', payloadId: payload });
          return { payload, ticket };
        });
        const to = clock.now() + HOUR;
        const balance = await store.read.balance(from, to);
        assert.equal(balance.balanced, true);
        assert.ok((await store.read.payload(payload))!.body);
        assert.equal(await sweep(to), 1);
        assert.equal((await store.read.payload(payload))!.body, undefined);
        assert.deepEqual(await store.read.balance(from, to), balance);
        assert.ok(await store.write([], (tx) => tx.findMessage('contact', 'm-1')));
        assert.equal((await store.read.messages(ticket, { limit: 5 })).data.length, 1);
        assert.equal(await sweep(to), 0);
      });

      it('deletes deliveries that are done with their log, and none that wait or were set aside', async () => {
        const ids = [await task(), await task(), await task(), await task()];
        await finish((await lease(ids[0]!))!);
        await finish((await lease(ids[1]!))!, DEAD);
        await finish((await lease(ids[2]!))!, { state: 'needs_check' });
        assert.equal(await sweep(clock.now()), 0, 'not yet');
        assert.equal(await sweep(clock.now() + 1), 1);
        const left = await Promise.all(ids.map(async (id) => (await store.read.delivery(id)) !== undefined));
        assert.deepEqual(left, [false, true, true, true]);
      });

      it('goes a batch at a time', async () => {
        await make(async (rows) => {
          for (let i = 0; i < 7; i++) await rows.payload();
        });
        const counts = [];
        for (let i = 0; i < 4; i++) counts.push(await sweep(clock.now() + 1, 3));
        assert.deepEqual(counts, [3, 3, 1, 0]);
      });
    });

    describe('customers', () => {
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
      }).timeout(120_000);
    });
  });
}
