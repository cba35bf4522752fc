import assert from 'node:assert/strict';
import { pollMoved, type Moved } from '../src/core/moved-tickets.ts';
import { fakeClock } from './fakes/clock.ts';

const MINUTE = 60_000;
const NEVER = new AbortController().signal;

describe('a poll of tickets that moved', () => {
  const clock = fakeClock();
  let moved: Moved[];
  let looked: string[];
  const poll = () =>
    pollMoved(clock, {
      movedSince: async () => moved,
      async look({ id }) {
        looked.push(id);
        return { items: [{ body: Buffer.from(id) }], known: 'k' };
      },
    });
  beforeEach(() => {
    [moved, looked] = [[], []];
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
});
