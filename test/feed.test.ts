import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change } from '../src/core/ticket.ts';
import { createFeed } from '../src/feed.ts';
import { openStore } from '../src/store/open.ts';
import { fakeLog, type FakeLog } from './fakes/context.ts';
import { until } from './fakes/until.ts';

/** A feed that is read as slowly as a test wants. */
function slowSource() {
  const all: number[] = [];
  const asked: string[] = [];
  const open: (() => void)[] = [];
  const later = <T>(value: T) => new Promise<T>((resolve) => open.push(() => resolve(value)));
  return {
    asked,
    commit: () => all.push(all.length + 1),
    /** Lets the questions asked so far be answered. */
    async step(): Promise<void> {
      for (const next of open.splice(0)) next();
      await new Promise(setImmediate);
    },
    /** Lets every question be answered, with what was true when it was asked. */
    async answer(): Promise<void> {
      for (let i = 0; i < 20; i++) {
        for (const next of open.splice(0)) next();
        await new Promise(setImmediate);
      }
    },
    read: {
      lastChange: () => {
        asked.push('last');
        return later(all.length);
      },
      changes: (after: number, limit: number) => {
        asked.push(`after ${after}`);
        return later(
          all
            .filter((seq) => seq > after)
            .slice(0, limit)
            .map(toChange),
        );
      },
    },
  };
}

const toChange = (seq: number): Change => ({
  seq,
  type: 'test.ping',
  timestamp: '2026-11-22T10:00:00Z',
  data: { version: 1 },
});

describe('the feed', () => {
  let source: ReturnType<typeof slowSource>;
  let feed: ReturnType<typeof createFeed>;
  let log: FakeLog;
  beforeEach(() => {
    source = slowSource();
    log = fakeLog();
    feed = createFeed({ read: source.read, log });
  });

  const commit = () => {
    source.commit();
    feed.poke();
  };
  function follow(): { readonly seen: number[]; readonly end: () => void } {
    const seen: number[] = [];
    return { seen, end: feed.listen(({ seq }) => void seen.push(seq)) };
  }

  it('tells in order, each change once, whatever comes while it is read', async () => {
    const { seen } = follow();
    for (let i = 0; i < 10; i++) commit();
    await source.answer();
    commit();
    commit();
    await source.answer();
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('misses nothing that is committed while it looks whether there is more', async () => {
    const { seen } = follow();
    await source.answer();
    commit();
    await source.step();
    // It has asked what comes after the first one, and the answer will be: nothing.
    assert.equal(source.asked.at(-1), 'after 1');
    commit();
    await source.answer();
    assert.deepEqual(seen, [1, 2]);
  });

  it('goes on over more than a page', async () => {
    const { seen } = follow();
    for (let i = 0; i < 450; i++) source.commit();
    feed.poke();
    await source.answer();
    assert.equal(seen.length, 450);
  });

  it('tells what is committed from the moment on that somebody listens, and nothing before', async () => {
    for (let i = 0; i < 3; i++) commit();
    const { seen } = follow();
    commit();
    await source.answer();
    assert.deepEqual(seen, [4]);
  });

  it('reads nothing while nobody listens', async () => {
    for (let i = 0; i < 5; i++) commit();
    await source.answer();
    assert.deepEqual(source.asked, []);
    const { end } = follow();
    await source.answer();
    end();
    source.asked.length = 0;
    for (let i = 0; i < 5; i++) commit();
    await source.answer();
    assert.deepEqual(source.asked, []);
  });

  it('leaves out what happened while nobody listened', async () => {
    const first = follow();
    commit();
    await source.answer();
    first.end();
    for (let i = 0; i < 1000; i++) commit();
    const second = follow();
    commit();
    await source.answer();
    assert.deepEqual([first.seen, second.seen], [[1], [1002]]);
  });

  it('misses nothing when one leaves and another comes while it is read', async () => {
    const first = follow();
    await source.answer();
    commit();
    first.end();
    const second = follow();
    commit();
    await source.answer();
    commit();
    await source.answer();
    assert.deepEqual(second.seen.slice(-2), [2, 3]);
    assert.deepEqual(second.seen, [...new Set(second.seen)]);
  });

  it('tells everybody, also when one of them fails', async () => {
    feed.listen(() => {
      throw new Error('a bug of a listener');
    });
    const { seen } = follow();
    commit();
    commit();
    await source.answer();
    assert.deepEqual(seen, [1, 2]);
    assert.ok(log.entries.length >= 1);
  });

  it('goes on when the store could not be read for a while', async () => {
    let failing = true;
    const read = {
      lastChange: () => (failing ? Promise.reject(new Error('no')) : source.read.lastChange()),
      changes: (after: number, limit: number) =>
        failing ? Promise.reject(new Error('no')) : source.read.changes(after, limit),
    };
    feed = createFeed({ read, log });
    const { seen } = follow();
    await source.answer();
    assert.match(log.entries[0]!.text, /could not be read/);
    failing = false;
    feed.poke();
    await source.answer();
    commit();
    await source.answer();
    failing = true;
    commit();
    await source.answer();
    failing = false;
    commit();
    await source.answer();
    assert.deepEqual(seen, [1, 2, 3]);
  });

  it('tells also what shows only a while after its commit', async () => {
    let shows = 0;
    const read = {
      lastChange: async () => 0,
      changes: async (after: number) => (after < shows ? [toChange(shows)] : []),
    };
    feed = createFeed({ read, log, lookAgainMs: 5 });
    const { seen, end } = follow();
    feed.poke();
    await new Promise(setImmediate);
    assert.deepEqual(seen, []);
    shows = 1;
    await until(() => seen.length === 1);
    end();
  });

  it('of a real store agrees with what is written there, whoever writes at the same moment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tributary-feed-'));
    const store = await openStore({ folder, log, typeOf: (id) => id });
    try {
      feed = createFeed({ read: store.read, log });
      const write = async () => {
        const seq = await store.write([], (tx) => tx.insertChange({ type: 'test.ping', at: 1, version: 1 }));
        feed.poke();
        return seq;
      };
      await write();
      const { seen } = follow();
      const written = await Promise.all(Array.from({ length: 300 }, write));
      for (let i = 0; i < 200 && seen.length < written.length; i++) await new Promise(setImmediate);
      assert.deepEqual(
        seen,
        written.toSorted((a, b) => a - b),
      );
    } finally {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
