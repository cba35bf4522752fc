import { setTimeout as wait } from 'node:timers/promises';

/** What time it is. */
export interface Now {
  /** Milliseconds since the epoch. May jump in both directions, as machines' clocks do. */
  now(): number;
}

/**
 * The only source of time. Everything that reads the time or waits takes one, so that three days
 * of retries can be tested in milliseconds.
 */
export interface Clock extends Now {
  /** Resolves after `ms`, never early; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longest delay a Node timer can hold (2^31 - 1 ms); longer ones would fire at once. */
const LONGEST = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    // Measured on the monotonic clock: a timer may fire a millisecond early, and the wall clock may jump.
    const end = performance.now() + ms;
    for (let left = ms; left > 0; left = end - performance.now()) {
      await wait(Math.min(Math.ceil(left), LONGEST), undefined, signal ? { signal } : {});
    }
  },
};
