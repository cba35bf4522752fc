import assert from 'node:assert/strict';
import { BadPayloadError, RetryableError } from '../src/core/errors.ts';
import { createOffload } from '../src/offload.ts';
import type { Offload } from '../src/offload.ts';
import { fakeLog } from './fakes/context.ts';
import type { FakeLog } from './fakes/context.ts';
import type { Sample } from './fakes/offload-worker.ts';

const worker = new URL('./fakes/offload-worker.ts', import.meta.url);
/** Generous for work that ends, and short for work that must be ended. */
const LONG = 20_000;
const SHORT = 300;

describe('work that is done in a thread', () => {
  let log: FakeLog;
  let offload: Offload;
  const run = <T = unknown>(input: Sample, deadlineMs = LONG, lane?: string) =>
    offload.run<T>({ worker, input, deadlineMs }, lane);
  const counter = () => new Int32Array(new SharedArrayBuffer(4));

  beforeEach(() => {
    log = fakeLog();
    offload = createOffload({ log, size: 2 });
  });
  afterEach(() => offload.close());

  it('gets a copy of its input and gives back a copy of its result', async () => {
    const value = { bytes: new Uint8Array([1, 2, 3]), names: new Map([['a', 1]]), when: new Date(0) };
    const result = await run({ does: 'answer', value });
    assert.deepEqual(result, value);
    assert.notEqual(result, value);
  });

  it('is ended at its deadline and tried once more, then the payload is to blame', async () => {
    const tries = counter();
    await assert.rejects(run({ does: 'hang', tries }, SHORT), (error: Error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.match(error.message, /took longer than 300 ms, twice/);
      return true;
    });
    assert.equal(tries[0], 2);
  });

  it('succeeds in the second try when only the first one hangs', async () => {
    const tries = counter();
    assert.equal(await run({ does: 'hang', tries, once: true, value: 'fine' }, SHORT), 'fine');
    assert.equal(log.entries.length, 1);
  });

  it('leaves the event loop of the gateway alone while it hangs', async () => {
    let turns = 0;
    const turning = setInterval(() => turns++, 10);
    await assert.rejects(run({ does: 'hang' }, SHORT));
    clearInterval(turning);
    assert.ok(turns > 5, `${turns} turns in at least ${2 * SHORT} ms`);
  });

  // Node 24 takes no notice of a thread's limits: docs/hardening.md names it as not covered.
  const isLimited = Number(process.versions.node.split('.')[0]) < 24;
  (isLimited ? it : () => undefined)('is ended when it takes too much memory', async () => {
    const tries = counter();
    await assert.rejects(run({ does: 'hoard', tries }), (error: Error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.match(error.message, /ran out of memory \(256 MB\), twice/);
      return true;
    });
    assert.equal(tries[0], 2);
  });

  it('may end its thread or throw where nobody catches: others go on', async () => {
    const bad = [run({ does: 'exit' }), run({ does: 'throw later' })];
    const good = [1, 2, 3, 4].map((value) => run({ does: 'answer', value }));
    const reasons = (await Promise.allSettled(bad)).map((each) => String(each.status === 'rejected' && each.reason));
    assert.deepEqual(await Promise.all(good), [1, 2, 3, 4]);
    assert.match(reasons[0]!, /BadPayloadError: .*ended its thread \(code 3\)/);
    assert.match(reasons[1]!, /BadPayloadError: .*out of the blue/);
  });

  it('hands on the errors that it throws, ours as ours with their hint, and is not repeated', async () => {
    const tries = counter();
    await assert.rejects(run({ does: 'throw', tries }), { name: 'Error', message: 'nothing of the kind' });
    await assert.rejects(run({ does: 'refuse', tries }), (error: Error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.deepEqual([error.message, error.hint], ['not a mail', 'Send a mail.']);
      return true;
    });
    assert.equal(tries[0], 2);
    assert.deepEqual(log.entries, []);
  });

  it('may lose its thread after it was done, and nobody notices', async () => {
    for (const value of [1, 2, 3]) assert.equal(await run({ does: 'throw afterwards', value }), value);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(await run({ does: 'answer', value: 4 }), 4);
  });

  it('fails alone when its input can be no copy', async () => {
    await assert.rejects(run({ does: 'answer', value: () => 1 }), /could not be cloned/);
    assert.equal(await run({ does: 'answer', value: 'still there' }), 'still there');
  });

  it('does not count the time before a thread is free', async () => {
    const waits = [1, 2, 3, 4, 5, 6].map(() => run({ does: 'wait', value: 150 }, 1000));
    assert.deepEqual(new Set(await Promise.all(waits)), new Set(['waited']));
  });

  it('takes turns between those who ask for it', async () => {
    const done: string[] = [];
    const ask = (lane: string) => run({ does: 'wait', value: 20 }, LONG, lane).then(() => done.push(lane));
    const crowd = Array.from({ length: 20 }, () => ask('crowd'));
    await ask('alone');
    assert.ok(done.length < 6, `alone had to wait for ${done.length} of the crowd`);
    await Promise.all(crowd);
  });

  it('is refused for now when a thousand wait already', async () => {
    const all = Array.from({ length: 1003 }, () => run({ does: 'answer' }));
    const refused = (await Promise.allSettled(all)).filter((each) => each.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.ok(refused[0]?.reason instanceof RetryableError);
  });

  it('finds none of our environment in its thread', async () => {
    assert.deepEqual(await run({ does: 'environment' }), []);
  });

  it('is nobody’s fault when the gateway shuts down: running or waiting, it may be tried again', async () => {
    const all = [1, 2, 3, 4].map(() => run({ does: 'hang' }));
    const settled = Promise.allSettled(all);
    // Two of them run by then.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await offload.close();
    for (const each of await settled) assert.ok(each.status === 'rejected' && each.reason instanceof RetryableError);
    await assert.rejects(run({ does: 'answer' }), RetryableError);
    assert.deepEqual(log.entries, []);
  });
});
