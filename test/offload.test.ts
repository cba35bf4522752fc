import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { BadPayloadError, RetryableError } from '../src/core/errors.ts';
import { createOffload } from '../src/offload.ts';
import type { Offload } from '../src/offload.ts';
import { fakeLog } from './fakes/context.ts';
import type { FakeLog } from './fakes/context.ts';
import type { Sample } from './fakes/offload-worker.ts';
import { until } from './fakes/until.ts';

const worker = new URL('./fakes/offload-worker.ts', import.meta.url);
/** Generous for work that ends, and short for work that must be ended. */
const LONG = 20_000;
const SHORT = 300;

describe('work that is done in a process of its own', () => {
  let log: FakeLog;
  let offload: Offload;
  let folder: string;
  const run = <T = unknown>(input: Sample, deadlineMs = LONG, lane?: string) =>
    offload.run<T>({ worker, input, deadlineMs }, lane);

  beforeEach(() => {
    log = fakeLog();
    offload = createOffload({ log, size: 2 });
    folder = mkdtempSync(join(tmpdir(), 'offload-'));
  });
  afterEach(async () => {
    await offload.close();
    rmSync(folder, { recursive: true });
  });

  it('gets a copy of its input and gives back a copy of its result', async () => {
    const value = { bytes: new Uint8Array([1, 2, 3]), names: new Map([['a', 1]]), when: new Date(0) };
    const result = await run({ does: 'answer', value });
    assert.deepEqual(result, value);
    assert.notEqual(result, value);
  });

  it('is ended at its deadline and tried once more, then the payload is to blame', async () => {
    const tries = join(folder, 'tries');
    await assert.rejects(run({ does: 'hang', tries }, SHORT), (error: Error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.match(error.message, /took longer than 300 ms, twice/);
      return true;
    });
    assert.equal(triesIn(tries).length, 2);
    await until(() => !triesIn(tries).some(isRunning), 'both processes are gone');
  });

  it('succeeds in the second try when only the first one hangs', async () => {
    const tries = join(folder, 'tries');
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

  it('is ended when it takes too much memory', async () => {
    const tries = join(folder, 'tries');
    await assert.rejects(run({ does: 'hoard', tries }), (error: Error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.match(error.message, /ran out of memory \(256 MB\), twice/);
      return true;
    });
    assert.equal(triesIn(tries).length, 2);
  });

  it('may end its process or throw where nobody catches: others go on', async () => {
    const bad = [run({ does: 'exit' }), run({ does: 'throw later' })];
    const good = [1, 2, 3, 4].map((value) => run({ does: 'answer', value }));
    const reasons = (await Promise.allSettled(bad)).map((each) => String(each.status === 'rejected' && each.reason));
    assert.deepEqual(await Promise.all(good), [1, 2, 3, 4]);
    assert.match(reasons[0]!, /BadPayloadError: .*ended its process \(code 3\)/);
    assert.match(reasons[1]!, /BadPayloadError: .*out of the blue/);
  });

  it('hands on the errors that it throws, ours as ours with their hint, and is not repeated', async () => {
    const tries = join(folder, 'tries');
    await assert.rejects(run({ does: 'throw', tries }), { name: 'Error', message: 'nothing of the kind' });
    await assert.rejects(run({ does: 'refuse', tries }), (error: Error) => {
      assert.ok(error instanceof BadPayloadError);
      assert.deepEqual([error.message, error.hint], ['not a mail', 'Send a mail.']);
      return true;
    });
    assert.equal(triesIn(tries).length, 2);
    assert.deepEqual(log.entries, []);
  });

  it('may lose its process after it was done, and nobody notices', async () => {
    for (const value of [1, 2, 3]) assert.equal(await run({ does: 'throw afterwards', value }), value);
    await wait(200);
    assert.equal(await run({ does: 'answer', value: 4 }), 4);
  });

  it('fails alone when its input can be no copy', async () => {
    await assert.rejects(run({ does: 'answer', value: () => 1 }), /could not be cloned/);
    assert.equal(await run({ does: 'answer', value: 'still there' }), 'still there');
  });

  it('does not count the time before a process is free', async () => {
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

  it('finds none of our environment in its process', async () => {
    assert.deepEqual(await run({ does: 'environment' }), []);
  });

  it('does not end at signals that are meant for the gateway', async () => {
    assert.equal(await run({ does: 'terminate', value: 'went on' }), 'went on');
    assert.deepEqual(log.entries, []);
  });

  it('ends with the gateway, even where it hangs and the gateway was killed', async () => {
    const tries = join(folder, 'tries');
    const gateway = fork(new URL('./fakes/offload-gateway.ts', import.meta.url), [tries], {
      execArgv: ['--import', 'tsx'],
    });
    await until(() => existsSync(tries) && triesIn(tries).length === 1, 'it begins');
    const pid = triesIn(tries)[0]!;
    assert.ok(isRunning(pid));
    gateway.kill('SIGKILL');
    await once(gateway, 'exit');
    await until(() => !isRunning(pid), 'the process ends');
  });

  it('is nobody’s fault when the gateway shuts down: running or waiting, it may be tried again', async () => {
    const all = [1, 2, 3, 4].map(() => run({ does: 'hang' }));
    const settled = Promise.allSettled(all);
    // Two of them run by then.
    await wait(200);
    await offload.close();
    for (const each of await settled) assert.ok(each.status === 'rejected' && each.reason instanceof RetryableError);
    await assert.rejects(run({ does: 'answer' }), RetryableError);
    assert.deepEqual(log.entries, []);
  });
});

const triesIn = (file: string) => readFileSync(file, 'utf8').trim().split('\n').map(Number);

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
