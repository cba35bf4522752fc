import assert from 'node:assert/strict';
import type { Store } from '../src/core/store.ts';
import { enterProcesses, LOOK_MS, type Processes } from '../src/processes.ts';
import { fakeLog, type FakeLog } from './fakes/context.ts';
import { openFiling, type Filing } from './fakes/filing.ts';

describe('processes on one store', () => {
  let filing: Filing;
  let log: FakeLog;
  let entered: Processes[];
  let writes: number;
  beforeEach(async () => {
    [log, entered, writes] = [fakeLog(), [], 0];
    filing = await openFiling();
  });
  afterEach(async () => {
    for (const each of entered) await each.stop();
    await filing.close();
  });

  /** Closed while a process is asleep: nothing of it reaches the store. */
  function createGate() {
    let wake: (() => void)[] = [];
    const gate = {
      closed: false,
      pass: () => (gate.closed ? new Promise<void>((resolve) => wake.push(resolve)) : Promise.resolve()),
      open() {
        gate.closed = false;
        for (const go of wake) go();
        wake = [];
      },
    };
    return gate;
  }

  async function enter({
    gate = createGate(),
    onLook = () => Promise.resolve(),
  }: { gate?: ReturnType<typeof createGate>; onLook?: () => Promise<void> } = {}): Promise<Processes> {
    const store: Pick<Store, 'read' | 'write'> = {
      read: { ...filing.store.read, processes: () => gate.pass().then(() => filing.store.read.processes()) },
      async write(locks, work) {
        await gate.pass();
        writes++;
        return filing.store.write(locks, work);
      },
    };
    const process = await enterProcesses({ store, clock: filing.clock, log, onLook });
    entered.push(process);
    return process;
  }
  /** So many looks, each of which has ended before the next one begins. */
  async function looks(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await filing.clock.advance(LOOK_MS);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const ids = async () => (await filing.store.read.processes()).map(({ id }) => id);

  it('let those live that show that they are alive, whatever their clocks say', async () => {
    const [one, two] = [await enter(), await enter()];
    for (let i = 0; i < 3; i++) {
      await looks(10);
      filing.clock.jump(i === 1 ? -86_400_000 : 86_400_000);
    }
    assert.deepEqual((await ids()).sort(), [one.id(), two.id()].sort());
  });

  it('give up one that stands still, but not at once, and it begins anew when it wakes up', async () => {
    const gate = createGate();
    const [one, sleeper] = [await enter(), await enter({ gate })];
    const before = sleeper.id();
    await looks(2);
    gate.closed = true;
    await looks(5);
    assert.deepEqual((await ids()).sort(), [one.id(), before].sort());
    await looks(3);
    assert.deepEqual(await ids(), [one.id()]);
    gate.open();
    await looks(2);
    assert.deepEqual((await ids()).sort(), [one.id(), sleeper.id()].sort());
    assert.notEqual(sleeper.id(), before);
    assert.deepEqual(
      log.entries.map(({ text }) => text.split(':')[0]),
      ['another process is gone', 'the other processes gave this one up'],
    );
  });

  it('do not blame others for what they slept through themselves', async () => {
    const gate = createGate();
    const [one, sleeper] = [await enter(), await enter({ gate })];
    await looks(2);
    gate.closed = true;
    await looks(4);
    gate.open();
    await looks(10);
    assert.deepEqual((await ids()).sort(), [one.id(), sleeper.id()].sort());
    assert.deepEqual(log.entries, []);
  });

  it('write nothing while there is only one', async () => {
    await enter();
    const before = writes;
    await looks(20);
    assert.equal(writes, before);
  });

  it('are gone at once when they stop', async () => {
    const [one] = [await enter(), await enter()];
    await entered.pop()!.stop();
    assert.deepEqual(await ids(), [one.id()]);
  });

  it('show that they are alive also while something that they look at hangs', async () => {
    let release = (): void => undefined;
    const hangs = new Promise<void>((resolve) => {
      release = resolve;
    });
    const both = [await enter(), await enter({ onLook: () => hangs })];
    await looks(30);
    assert.deepEqual((await ids()).sort(), both.map((each) => each.id()).sort());
    release();
  });
});
