import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../src/core/clock.ts';

export interface FakeClock extends Clock {
  /** Lets time pass: wakes sleepers in the order of their time, and lets each one run before the next. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock forward or back, as machines' clocks do; sleepers don't notice. */
  jump(ms: number): void;
  /** How many are asleep. */
  readonly sleepers: number;
}

interface Sleeper {
  readonly due: number;
  wake(): void;
}

/** A clock that stands still until it is advanced; `start` in milliseconds since the epoch or RFC 3339. */
export function fakeClock(start: number | string = '2026-11-22T10:00:00Z'): FakeClock {
  const sleepers = new Set<Sleeper>();
  // Sleepers count elapsed time, not the time of day, so that a jump doesn't wake them.
  let elapsed = 0;
  let origin = typeof start === 'number' ? start : Date.parse(start);
  const nextDue = () => [...sleepers].reduce<Sleeper | undefined>((a, b) => (a && a.due <= b.due ? a : b), undefined);

  return {
    now: () => origin + elapsed,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        if (ms <= 0) return resolve();
        const end = (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', abort);
        };
        const abort = (): void => {
          end();
          reject(signal?.reason as Error);
        };
        const sleeper: Sleeper = {
          due: elapsed + ms,
          wake() {
            end();
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', abort, { once: true });
      });
    },
    async advance(ms) {
      await nextTurn();
      const end = elapsed + ms;
      for (let next = nextDue(); next && next.due <= end; next = nextDue()) {
        elapsed = next.due;
        next.wake();
        // Whoever woke up may go to sleep again within the time that is still to pass.
        await nextTurn();
      }
      elapsed = end;
    },
    jump(ms) {
      origin += ms;
    },
    get sleepers() {
      return sleepers.size;
    },
  };
}
