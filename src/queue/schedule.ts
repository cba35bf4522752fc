const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const FIRST_WAIT = 5 * SECOND;
/** Waits between tries, one schedule for everything: 5 s … 2 h, then every 4 h until 72 h have passed. */
const WAITS = [
  FIRST_WAIT,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  ...Array<number>(18).fill(4 * HOUR),
];

/** Milliseconds until the next try after `attempts` of them, spread by ±20 %; undefined when it was the last. */
export function retryAfter(attempts: number, random: () => number): number | undefined {
  const wait = WAITS[attempts - 1];
  return wait === undefined ? undefined : spread(wait, random);
}

/** Failures in a row after which an endpoint is taken to be down: its tasks stop spending their tries. */
export const DOWN_AFTER = 10;

const LONGEST_REST = 10 * MINUTE;

/** How long an endpoint that is down rests before one task asks again, milliseconds: at most ten minutes. */
export function restAfter(failures: number, random: () => number): number {
  return spread(Math.min(WAITS[failures - DOWN_AFTER] ?? LONGEST_REST, LONGEST_REST), random);
}

/** What a vendor asks for in whole milliseconds, kept within reason: at least the first wait, at most a day. */
export function clampRetryAfter(asked: number | undefined): number {
  const wait = asked === undefined || Number.isNaN(asked) ? 30 * SECOND : Math.round(asked);
  return Math.min(Math.max(wait, FIRST_WAIT), 24 * HOUR);
}

function spread(wait: number, random: () => number): number {
  return Math.round(wait * (0.8 + random() * 0.4));
}
