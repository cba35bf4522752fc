import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import { RetryableError } from '../../core/errors.ts';
import { momentOf } from '../../core/local-time.ts';
import { PAGE } from './api.ts';
import type { Row, UisApi } from './api.ts';

const HOUR_MS = 3_600_000;
/** A call is found by when it began, and only once it is over: one that went on may lie before what was asked for last time. */
const LONGEST_MS = 4 * HOUR_MS;
/**
 * By whose clocks a period is meant isn't documented, and clocks are at most 14 hours before UTC and 12 behind it: so more
 * is asked for on both sides, and the time of each call decides.
 */
const ZONES_MS = 26 * HOUR_MS;
const WEEK_MS = 7 * 24 * HOUR_MS;
/** How far into a list the vendor goes. */
const FURTHEST = 100_000;

/** What the report has since a time, the oldest first. */
export async function* reconcile(
  deps: { readonly api: UisApi; readonly clock: Clock; readonly timeZone: string },
  since: number,
  signal: AbortSignal,
): AsyncIterable<Raw> {
  const now = deps.clock.now();
  for (let from = since - LONGEST_MS; from < now; from += WEEK_MS) {
    const to = Math.min(from + WEEK_MS, now);
    for await (const row of whole(deps.api, { from: from - ZONES_MS, to: to + ZONES_MS }, signal)) {
      if (!isWithin(momentOf(String(row['start_time']), deps.timeZone), from, to)) continue;
      yield { body: Buffer.from(JSON.stringify(row)), headers: { 'content-type': 'application/json' } };
    }
  }
}

async function* whole(
  api: UisApi,
  period: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): AsyncIterable<Row> {
  for (let skip = 0; skip <= FURTHEST; skip += PAGE) {
    const page = await api.calls({ ...period, skip }, signal);
    yield* page;
    if (page.length < PAGE) return;
  }
  throw new RetryableError(`get.calls_report: more than ${FURTHEST} calls in nine days`);
}

/** A time that can't be read is no reason to leave a call out. */
function isWithin(moment: number | undefined, from: number, to: number): boolean {
  return moment === undefined || (moment >= from && moment < to);
}
