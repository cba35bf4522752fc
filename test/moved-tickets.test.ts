import assert from 'node:assert/strict';
import { pollMoved, type Moved } from '../src/core/moved-tickets.ts';
import { fakeClock } from './fakes/clock.ts';

const MINUTE = 60_000;
const NEVER = new AbortController().signal;

describe('a poll of tickets that moved', () => {
  const clock = fakeClock();
  let moved: Moved[];
  let looked: string[];
  let refused: Set<string>;
  /** What a look was told to look behind. */
  let behind: unknown[];
  const poll = () =>
    pollMoved(clock, {
      movedSince: async () => moved,
      async look({ id }, what) {
        looked.push(id);
        behind.push(what);
        const items = [{ body: Buffer.from(id) }];
        return refused.has(id) ? { items } : { items, known: 'k' };
      },
      again: (ticket) => ticket,
    });
  beforeEach(() => {
    [moved, looked, behind, refused] = [[], [], [], new Set()];
  });

  it('gets past those that stay listed though they moved long ago, however many they are', async () => {
    const { cursor } = await poll()(undefined, NEVER);
    // Listed for something else than what they say of themselves.
    const old = Array.from({ length: 120 }, (_, i) => ({
      id: `old-${i}`,
      at: clock.now() - 30 * MINUTE,
      isOurs: true,
    }));
    moved = [...old, { id: 'new', at: clock.now() + MINUTE, isOurs: true }];
    let at = cursor;
    for (let i = 0; i < 4; i++) at = (await poll()(at, NEVER)).cursor;
    assert.ok(looked.includes('new'));
    assert.equal(looked.filter((id) => id === 'old-0').length, 1);
  });

  it('looks again into what was refused, as far back as the first time, and says once that it was', async () => {
    let { cursor } = await poll()(undefined, NEVER);
    const begun = clock.now();
    moved = [{ id: 'a', at: begun, isOurs: true }];
    refused.add('a');
    const all: number[] = [];
    const next = async () => {
      const found = await poll()(cursor, NEVER);
      cursor = found.cursor;
      all.push(found.items.length);
    };
    await next();
    moved = [{ id: 'b', at: begun + 9 * MINUTE, isOurs: true }];
    clock.jump(10 * MINUTE);
    await next();
    clock.jump(5 * MINUTE);
    await next();
    refused.clear();
    clock.jump(5 * MINUTE);
    await next();
    clock.jump(60 * MINUTE);
    await next();
    assert.deepEqual(
      [all, looked],
      [
        [1, 1, 0, 1, 0],
        ['a', 'b', 'a', 'a'],
      ],
    );
    assert.deepEqual(behind.at(-1), { known: undefined, unread: begun - MINUTE });
  });

  it('looks once into what was refused and moves again', async () => {
    let { cursor } = await poll()(undefined, NEVER);
    refused.add('a');
    for (const minutes of [0, 10]) {
      moved = [{ id: 'a', at: clock.now() + minutes, isOurs: true }];
      cursor = (await poll()(cursor, NEVER)).cursor;
      clock.jump(10 * MINUTE);
    }
    assert.deepEqual(looked, ['a', 'a']);
  });

  it('looks into what stays refused for a day, less and less often', async () => {
    let { cursor } = await poll()(undefined, NEVER);
    const begun = clock.now();
    moved = [{ id: 'a', at: begun, isOurs: true }];
    refused.add('a');
    const times: number[] = [];
    for (let minute = 0; minute < 30 * 60; minute++) {
      const before = looked.length;
      cursor = (await poll()(cursor, NEVER)).cursor;
      if (looked.length > before) times.push(minute);
      moved = [];
      clock.jump(MINUTE);
    }
    assert.deepEqual(times.slice(0, 9), [0, 1, 2, 4, 8, 16, 32, 64, 124]);
    assert.deepEqual([times.length, times.at(-1)], [31, 1444]);
    moved = [{ id: 'b', at: clock.now(), isOurs: true }];
    cursor = (await poll()(cursor, NEVER)).cursor;
    assert.ok(!cursor.includes('"a"'));
  });

  it('keeps no more of what was refused than it can look into', async () => {
    let { cursor } = await poll()(undefined, NEVER);
    for (let i = 0; i < 500; i++) {
      clock.jump(1);
      const id = `r-${i}`;
      refused.add(id);
      moved = [{ id, at: clock.now() + i * MINUTE, isOurs: true }];
      cursor = (await poll()(cursor, NEVER)).cursor;
    }
    const { seen } = JSON.parse(cursor) as { seen: object };
    assert.equal(Object.keys(seen).length, 200);
    assert.ok('r-499' in seen && !('r-299' in seen));
  });
});
