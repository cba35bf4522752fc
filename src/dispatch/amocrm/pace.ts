import type { Clock } from '../../core/clock.ts';

/** Seven calls a second: https://developers.kommo.com/docs/limitations */
const CALLS = 7;
/** A little longer than that second, since calls don't take the same time to get there. */
const WINDOW_MS = 1100;

/** Lets calls go out one after the other, no more of them at once than amoCRM takes. */
export function createPace(clock: Clock): (signal: AbortSignal | undefined) => Promise<void> {
  const began: number[] = [];
  let last: Promise<unknown> = Promise.resolve();
  return (signal) => {
    const mine = last.then(async () => {
      const oldest = began.length < CALLS ? undefined : began.shift();
      // A clock that was set back makes nobody wait for longer than that.
      const wait = oldest === undefined ? 0 : Math.min(WINDOW_MS, oldest + WINDOW_MS - clock.now());
      if (wait > 0) await clock.sleep(wait, signal);
      began.push(clock.now());
    });
    last = mine.catch(() => undefined);
    return mine;
  };
}
