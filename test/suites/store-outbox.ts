import assert from 'node:assert/strict';
import type { TaskResult } from '../../src/core/rows.ts';
import type { Store } from '../../src/core/store.ts';
import { DEAD, DELIVERED, HOUR, MINUTE, storeTools, type OpenStore } from './store-tools.ts';

/** The part of the store's contract that the queue hangs on: lines, leases, replays. */
export function describeOutbox(open: OpenStore): void {
  describe('its outbox', () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());
    const { clock, newId, make, task, taskOf, lease, finish, due } = storeTools(() => store);

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

      it('keeps that order also where another process adds to it, whose clock is behind', async () => {
        const add = async (id: string, createdAt: number) => {
          await task({ ...line, id, createdAt });
          return id;
        };
        const now = clock.now();
        const ids = [await add('tsk_2', now), await add('tsk_3', now - MINUTE), await add('tsk_1', now - HOUR)];
        for (const [index, id] of ids.entries()) {
          assert.deepEqual(await due(), [id]);
          assert.equal((await finish((await lease(id))!)).next?.id, ids[index + 1]);
        }
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

      it('does not overtake one of its ticket that is to be tried again either', async () => {
        const [dead, active] = [await task(line), await task(line)];
        await finish((await lease(dead))!, DEAD);
        const held = (await lease(active))!;
        await replay(dead);
        const again: TaskResult = { state: 'waiting', dueAt: clock.now(), countsAttempt: true, uncertain: true };
        assert.equal((await finish(held, again)).next, undefined);
        assert.equal(await lease(dead), undefined);
        assert.deepEqual(await due(), [active]);
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
  });
}
