import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { createIds } from '../src/core/id.ts';
import type { Queue } from '../src/core/queue.ts';
import type { Task } from '../src/core/rows.ts';
import type { Store } from '../src/core/store.ts';
import { createEmbeddedQueue } from '../src/queue/embedded.ts';
import { createWorker, type CarryOut, type Ending } from '../src/queue/worker.ts';
import { openStore } from '../src/store/open.ts';
import { fakeClock, type FakeClock } from './fakes/clock.ts';
import { fakeLog, type FakeLog } from './fakes/context.ts';
import { fill } from './fakes/database.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('a worker', () => {
  let folder: string;
  let clock: FakeClock;
  let log: FakeLog;
  let store: Store;
  let newId: ReturnType<typeof createIds>;
  let endings: Ending[];
  let stops: (() => Promise<void>)[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-worker-'));
    clock = fakeClock();
    log = fakeLog();
    newId = createIds(clock);
    store = await openStore({ folder, log, typeOf: (id) => id });
    endings = [];
    stops = [];
  });
  afterEach(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A worker that carries everything out in one way. */
  function start(
    carryOut: CarryOut,
    { queue = createEmbeddedQueue({ perEndpoint: 4 }), on = store }: { queue?: Queue; on?: Store } = {},
  ) {
    const worker = createWorker({
      store: on,
      queue,
      clock,
      log,
      processId: () => 'this',
      random: () => 0.5,
      carryOut: {
        deliver: carryOut,
        update: carryOut,
        notify: carryOut,
        reply: carryOut,
        download: carryOut,
        profile: carryOut,
        hang_up: carryOut,
        transcribe: carryOut,
      },
      settled: async (_tx, ending) => {
        endings.push(ending);
        return [];
      },
      announced: (due) => queue.push(due),
    });
    worker.start();
    stops.push(() => worker.stop());
    return worker;
  }

  /** Lets what was started get to its end: the store answers within a few turns of the event loop. */
  async function turns(count = 40): Promise<void> {
    for (let i = 0; i < count; i++) await new Promise(setImmediate);
  }
  async function pass(ms: number, step = SECOND): Promise<void> {
    for (let left = ms; left > 0; left -= step) {
      clock.jump(Math.min(step, left) - Math.min(SECOND, left));
      await clock.advance(Math.min(SECOND, left));
      await turns(12);
    }
  }
  /** Adds tasks; ones of a ticket make a line. */
  async function add(count: number, ticketId: string | null = null, endpointId = 'crm'): Promise<string[]> {
    return store.write([], async (tx) => {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) {
        ids.push(await fill({ tx, clock: { ...clock, jump: () => undefined }, newId }).task({ ticketId, endpointId }));
      }
      return ids;
    });
  }
  const delivery = async (id: string) => (await store.read.delivery(id))!;
  const states = (ids: readonly string[]) => Promise.all(ids.map(async (id) => (await delivery(id)).state));

  it('carries out what is due, a line in its order', async () => {
    const done: string[] = [];
    const ids = [...(await add(3, 'tkt_1')), ...(await add(3, 'tkt_2'))];
    start(async (task) => void done.push(task.id));
    await pass(SECOND);
    assert.deepEqual(new Set(done), new Set(ids));
    for (const line of [ids.slice(0, 3), ids.slice(3)]) {
      assert.deepEqual(
        done.filter((id) => line.includes(id)),
        line,
      );
    }
    assert.ok((await states(ids)).every((state) => state === 'delivered'));
  });

  it('loses nothing, doubles nothing and keeps the order over a queue that loses, repeats and shuffles', async () => {
    let seed = 7;
    const random = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
    const inner = createEmbeddedQueue({ perEndpoint: 4 });
    const queue: Queue = {
      ...inner,
      push(refs) {
        const kept = refs.filter(() => random() < 0.4).toSorted(() => random() - 0.5);
        for (const ref of kept) inner.push([ref, ref]);
        if (random() < 0.5) inner.push(kept);
      },
    };
    const done: string[] = [];
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(...(await add(5, `tkt_${i}`)));
    start(async (task) => void done.push(task.id), { queue });
    await pass(2 * MINUTE);
    assert.deepEqual(done.toSorted(), ids.toSorted());
    for (let i = 0; i < 12; i++) {
      const line: string[] = ids.slice(i * 5, i * 5 + 5);
      assert.deepEqual(
        done.filter((id) => line.includes(id)),
        line,
      );
    }
  });

  it('tries again on the schedule, and the log of attempts says everything', async () => {
    const [id] = await add(1);
    let calls = 0;
    const answer = { status: 500, text: 'oops' };
    start(async () => {
      if (++calls === 1) throw new RetryableError('it broke', { hint: 'Wait.', response: answer });
      if (calls === 2) throw new Error('a bug');
      return { request: 'POST', response: '200' };
    });
    await pass(3 * SECOND);
    assert.equal(calls, 1);
    await pass(3 * SECOND);
    assert.equal(calls, 2);
    await pass(32 * SECOND);
    const { state, log: tries } = await delivery(id!);
    assert.equal(state, 'delivered');
    assert.deepEqual(
      tries.map(({ number, outcome, error, hint, request, response }) => [
        number,
        outcome,
        error,
        hint,
        request,
        response,
      ]),
      [
        [1, 'RetryableError', 'it broke', 'Wait.', null, '500 oops'],
        [2, 'Error', 'a bug', null, null, null],
        [3, 'delivered', null, null, 'POST', '200'],
      ],
    );
  });

  it('treats a failure without a reason as a failure', async () => {
    const [id] = await add(1);
    start(() => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- a vendor's package may do so
      throw undefined;
    });
    await pass(SECOND);
    assert.equal((await delivery(id!)).state, 'waiting');
  });

  it('sets aside what took the process down ten times, says so, and goes on with the next', async () => {
    const [poison, next] = await add(2, 'tkt_1');
    // Each lease that runs out is a process that ended in the middle.
    for (let i = 0; i < 10; i++) {
      await store.write([], (tx) => tx.lease(poison!, `process-${i}`, clock.now(), clock.now()));
    }
    const carried: string[] = [];
    start(async (task) => void carried.push(task.id));
    await pass(SECOND);
    assert.deepEqual(carried, [next]);
    const { state, error, log: tries } = await delivery(poison!);
    assert.equal(state, 'dead');
    assert.match(error!, /ended 10 times/);
    assert.match(tries.at(-1)!.hint!, /log/);
    assert.equal(endings[0]!.state, 'dead');
  });

  it('still tries what took the process down nine times', async () => {
    const [id] = await add(1);
    for (let i = 0; i < 9; i++) await store.write([], (tx) => tx.lease(id!, `p-${i}`, clock.now(), clock.now()));
    let seen: Task | undefined;
    start(async (task) => void (seen = task));
    await pass(SECOND);
    assert.deepEqual([seen!.interruptions, seen!.uncertain], [9, true]);
    assert.equal((await delivery(id!)).state, 'delivered');
  });

  it('that stalls and wakes up after another one has done its work changes nothing', async () => {
    const [id, next] = await add(2, 'tkt_1');
    let wake: (error: Error) => void = () => undefined;
    let stalled = 0;
    start(() => {
      stalled++;
      return new Promise((_resolve, reject) => (wake = reject));
    });
    await pass(SECOND);
    clock.jump(6 * MINUTE);
    const done: Task[] = [];
    start(async (task) => void done.push(task));
    await pass(2 * SECOND);
    assert.equal(stalled, 1, 'the stalled one does not take its own task over');
    assert.deepEqual(
      done.map((task) => task.id),
      [id, next],
    );
    assert.equal(done[0]!.uncertain, true, 'the second one knows that the first may have got through');
    const before = [await delivery(id!), await store.write([], (tx) => tx.endpointState('crm')), endings.length];
    wake(new PermanentError('late', { gone: true }));
    await turns();
    const after = [await delivery(id!), await store.write([], (tx) => tx.endpointState('crm')), endings.length];
    assert.deepEqual(after, before);
  });

  it('loses and doubles nothing when the clock jumps', async () => {
    const ids = [...(await add(5, 'tkt_1')), ...(await add(5))];
    const done: string[] = [];
    const open: (() => void)[] = [];
    start(async (task) => {
      done.push(task.id);
      await new Promise<void>((resolve) => open.push(resolve));
    });
    for (const jump of [HOUR, -2 * HOUR, 24 * HOUR, -HOUR, 6 * MINUTE, HOUR, HOUR, HOUR]) {
      await pass(SECOND);
      clock.jump(jump);
      // Tries are in flight while it jumps, and the sweep runs over them.
      await pass(3 * SECOND);
      for (const end of open.splice(0)) end();
      await turns();
    }
    for (let i = 0; i < 20; i++) {
      await pass(SECOND);
      for (const end of open.splice(0)) end();
      await turns();
    }
    assert.deepEqual(done.toSorted(), ids.toSorted());
    assert.ok((await states(ids)).every((state) => state === 'delivered'));
  });

  it('stops when what it does is done, and begins nothing any more', async () => {
    const ids = await add(6);
    let end: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const worker = start(() => gate.then(() => undefined));
    await pass(SECOND);
    let stopped = 'not yet';
    const stop = worker.stop().then(() => (stopped = 'yes'));
    await turns();
    assert.equal(stopped, 'not yet');
    end();
    await stop;
    const after = await states(ids);
    assert.equal(after.filter((state) => state === 'delivered').length, 4, 'as many as ran');
    await pass(5 * SECOND);
    assert.deepEqual(await states(ids), after);
  });

  it('stops within ten seconds, whatever hangs, and the next one takes over what was left', async () => {
    const [id] = await add(1);
    let wake: () => void = () => undefined;
    const hanging = start(() => new Promise<undefined>((resolve) => (wake = () => resolve(undefined))));
    await pass(SECOND);
    let stopped = 'not yet';
    const stop = hanging.stop().then(() => (stopped = 'yes'));
    await pass(9 * SECOND);
    assert.equal(stopped, 'not yet');
    await pass(2 * SECOND);
    assert.equal(stopped, 'yes');
    await stop;
    assert.ok(log.entries.some(({ level, fields }) => level === 'warn' && JSON.stringify(fields).includes(id!)));
    stops = [];
    await store.close();
    wake();
    await turns();
    store = await openStore({ folder, log, typeOf: (each) => each });
    let seen: Task | undefined;
    start(async (task) => void (seen = task));
    await pass(SECOND);
    assert.deepEqual([seen?.id, seen?.uncertain, seen?.interruptions], [id, true, 1]);
    assert.equal((await delivery(id!)).state, 'delivered');
  });

  it('writes down what a try came to when the store is back, and repeats nothing', async () => {
    const [id] = await add(1);
    let failing = 'no';
    const broken: Store = {
      ...store,
      write: (locks, work) =>
        failing === 'yes' ? Promise.reject(new RetryableError('the disk is full')) : store.write(locks, work),
      read: {
        ...store.read,
        dueTasks: (now, limit) =>
          failing === 'yes' ? Promise.reject(new Error('no read either')) : store.read.dueTasks(now, limit),
      },
    };
    const seen: boolean[] = [];
    start(
      async (task) => {
        seen.push(task.uncertain);
        if (seen.length === 1) failing = 'yes';
      },
      { on: broken },
    );
    await pass(3 * SECOND);
    assert.equal((await delivery(id!)).state, 'delivering');
    failing = 'no';
    await pass(3 * SECOND);
    assert.deepEqual(seen, [false]);
    assert.equal((await delivery(id!)).state, 'delivered');
    assert.ok(log.entries.some(({ text }) => /sweep failed/.test(text)));
  });

  it('goes on when the store failed for longer than its lease, and knows that an outcome is unknown', async () => {
    const [id] = await add(1);
    let failing = 'no';
    const broken: Store = {
      ...store,
      write: (locks, work) =>
        failing === 'yes' ? Promise.reject(new RetryableError('the disk is full')) : store.write(locks, work),
      read: {
        ...store.read,
        dueTasks: (now, limit) =>
          failing === 'yes' ? Promise.reject(new Error('no read either')) : store.read.dueTasks(now, limit),
      },
    };
    const seen: boolean[] = [];
    start(
      async (task) => {
        seen.push(task.uncertain);
        if (seen.length === 1) failing = 'yes';
      },
      { on: broken },
    );
    await pass(6 * MINUTE, 30 * SECOND);
    assert.equal((await delivery(id!)).state, 'delivering');
    failing = 'no';
    await pass(6 * MINUTE, 30 * SECOND);
    assert.deepEqual(seen, [false, true]);
    assert.equal((await delivery(id!)).state, 'delivered');
    assert.ok(log.entries.some(({ text }) => /could not be worked on/.test(text)));
    assert.ok(log.entries.some(({ text }) => /sweep failed/.test(text)));
  });

  it('leaves an endpoint in peace once it has asked for a pause', async () => {
    await add(5, null, 'crm');
    const others = await add(5, null, 'desk');
    let calls = 0;
    const queue = createEmbeddedQueue({ perEndpoint: 1 });
    const carryOut: CarryOut = async (task) => {
      if (task.endpointId === 'desk') return undefined;
      calls++;
      throw new RateLimitedError('slowly', MINUTE);
    };
    start(carryOut, { queue });
    await pass(SECOND);
    await pass(55 * SECOND, 5 * SECOND);
    assert.equal(calls, 1);
    assert.ok((await states(others)).every((state) => state === 'delivered'));
    await pass(10 * SECOND);
    assert.equal(calls, 2);
  });

  it('asks an endpoint that is down with one task at a time, spends no tries, and catches up when it is back', async () => {
    const ids = await add(30);
    let down = 'yes';
    let calls = 0;
    start(async () => {
      calls++;
      if (down === 'yes') throw new RetryableError('no connection');
      return undefined;
    });
    await pass(10 * MINUTE, 5 * SECOND);
    const before = calls;
    const attempts = await Promise.all(ids.map(async (id) => (await delivery(id)).attempts));
    await pass(HOUR, 30 * SECOND);
    assert.ok(calls - before <= 8, `${calls - before} calls in an hour`);
    assert.ok(calls - before >= 4, 'it is asked again by itself');
    assert.deepEqual(await Promise.all(ids.map(async (id) => (await delivery(id)).attempts)), attempts);
    down = 'no';
    await pass(15 * MINUTE, 5 * SECOND);
    assert.ok((await states(ids)).every((state) => state === 'delivered'));
  });
});
