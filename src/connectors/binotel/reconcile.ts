import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import type { BinotelApi, Listed } from './api.ts';

const DAY_MS = 86_400_000;
/** A call is found by when it began: one that went on when it was asked for last time may lie before that. */
const LONGEST_MS = 4 * 3_600_000;
/** A method may be called five times a minute. */
const PACE_MS = 13_000;

/** What Binotel has since a time, the oldest first; it answers for 24 hours at once. */
export async function* reconcile(
  api: BinotelApi,
  clock: Clock,
  since: number,
  signal: AbortSignal,
): AsyncIterable<Raw> {
  const now = clock.now();
  for (let from = since - LONGEST_MS; from < now; from += DAY_MS) {
    if (from > since - LONGEST_MS) await clock.sleep(PACE_MS, signal);
    // Both ends belong to it, and seconds are whole.
    const calls = await api.calls(from, Math.min(from + DAY_MS - 1000, now), signal);
    for (const call of calls.toSorted((a, b) => startOf(a) - startOf(b))) {
      yield { body: Buffer.from(JSON.stringify(call)), headers: { 'content-type': 'application/json' } };
    }
  }
}

function startOf({ startTime }: Listed): number {
  return Number(startTime) || 0;
}
