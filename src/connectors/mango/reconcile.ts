import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import { PAGE } from './api.ts';
import type { Line, MangoApi } from './api.ts';

const HOUR_MS = 3_600_000;
/** A call is found by when it began: one that went on when it was asked for last time may lie before that. */
const LONGEST_MS = 4 * HOUR_MS;
/**
 * Periods are told by clocks, and by whose isn't documented: Moscow's, as far as others have seen. Russia's other clocks
 * are at most nine hours before them, so more is asked for on both sides, and the time of each call decides.
 */
const ZONES_MS = 10 * HOUR_MS;
/** With the zones less than a month, which is the most that may be asked for at once. */
const PERIOD_MS = 27 * 24 * HOUR_MS;

/** What the statistics have since a time, the oldest first. Mango sends no notification twice. */
export async function* reconcile(api: MangoApi, clock: Clock, since: number, signal: AbortSignal): AsyncIterable<Raw> {
  const now = clock.now();
  for (let from = since - LONGEST_MS; from < now; from += PERIOD_MS) {
    const to = Math.min(from + PERIOD_MS, now);
    const lines = await whole(api, { from: from - ZONES_MS, to: to + ZONES_MS }, signal);
    const within = lines.filter((line) => isWithin(startOf(line), from, to));
    for (const line of within.toSorted((a, b) => (startOf(a) ?? 0) - (startOf(b) ?? 0))) {
      yield { body: Buffer.from(JSON.stringify(line)), headers: { 'content-type': 'application/json' } };
    }
  }
}

async function whole(
  api: MangoApi,
  period: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<Line[]> {
  const lines: Line[] = [];
  for (;;) {
    const page = await api.calls({ ...period, skip: lines.length }, signal);
    lines.push(...page);
    if (page.length < PAGE) return lines;
  }
}

/** A time that can't be read is no reason to leave a call out. */
function isWithin(moment: number | undefined, from: number, to: number): boolean {
  return moment === undefined || (moment >= from && moment < to);
}

function startOf({ context_start_time: second }: Line): number | undefined {
  return /^\d{10}$/.test(String(second)) ? Number(second) * 1000 : undefined;
}
