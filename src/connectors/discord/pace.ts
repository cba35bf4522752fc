import type { Clock } from '../../core/clock.ts';
import { RateLimitedError } from '../../core/errors.ts';

/** Longer than that nobody waits within a call: the host rests instead. */
const LONGEST_MS = 10_000;

/**
 * Waits where Discord's headers say that a limit is used up, rather than being refused: who is refused too often is shut
 * out. https://discord.com/developers/docs/topics/rate-limits
 */
export interface Pace {
  /** Until a call may go out; throws `RateLimitedError` where that is long. */
  turn(route: string, signal: AbortSignal | undefined): Promise<void>;
  /** What an answer says of the next calls to the same place. */
  note(route: string, headers: Readonly<Record<string, string>>): void;
}

export function createPace(clock: Clock): Pace {
  /** When places may be called again that are used up, milliseconds since the epoch. */
  const until = new Map<string, number>();
  return {
    async turn(route, signal) {
      const wait = (until.get(route) ?? 0) - clock.now();
      if (wait > LONGEST_MS) throw new RateLimitedError(`Discord takes no more of ${route} for a while`, wait);
      if (wait > 0) await clock.sleep(wait, signal);
    },
    note(route, headers) {
      const after = Number(headers['x-ratelimit-reset-after']);
      const now = clock.now();
      for (const [name, end] of until) if (end <= now) until.delete(name);
      if (headers['x-ratelimit-remaining'] === '0' && after > 0) until.set(route, now + Math.ceil(after * 1000));
    },
  };
}

/** Limits count by what a call does, and by the channel or server that it is about: further ids don't matter. */
export function routeOf(method: string, path: string): string {
  const [place = ''] = path.split('?');
  const [, top = '', id = '', ...rest] = place.split('/');
  return [method, top, id, ...rest.map((step) => (/^\d+$/.test(step) ? ':id' : step))].join(' ');
}
