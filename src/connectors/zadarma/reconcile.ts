import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import { wordsOf } from '../../core/local-time.ts';
import { PAGE } from './api.ts';
import type { Line, ZadarmaApi } from './api.ts';

/** More is not answered at once: the vendor would cut it without a word. */
const PERIOD_MS = 30 * 86_400_000;
/** A call is found by when it began: one that went on when it was asked for last time may lie before that. */
const LONGEST_MS = 4 * 3_600_000;
/** Statistics may be asked for three times a minute. */
const PACE_MS = 21_000;

/** What the statistics have since a time, the oldest first. */
export async function* reconcile(
  api: ZadarmaApi,
  { clock, timeZone }: { readonly clock: Clock; readonly timeZone: string },
  since: number,
  signal: AbortSignal,
): AsyncIterable<Raw> {
  const now = clock.now();
  for (let from = since - LONGEST_MS; from < now; from += PERIOD_MS) {
    if (from > since - LONGEST_MS) await clock.sleep(PACE_MS, signal);
    const end = wordsOf(Math.min(from + PERIOD_MS - 1000, now), timeZone);
    const lines = await whole(api, clock, { start: wordsOf(from, timeZone), end }, signal);
    // Texts of one form and one zone: their order is that of their times.
    for (const line of lines.toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1))) {
      yield { body: Buffer.from(JSON.stringify(line)), headers: { 'content-type': 'application/json' } };
    }
  }
}

async function whole(
  api: ZadarmaApi,
  clock: Clock,
  period: { readonly start: string; readonly end: string },
  signal: AbortSignal,
): Promise<Line[]> {
  const lines: Line[] = [];
  for (;;) {
    const page = await api.calls({ ...period, skip: lines.length }, signal);
    lines.push(...page);
    if (page.length < PAGE) return lines;
    await clock.sleep(PACE_MS, signal);
  }
}

function startOf({ callstart }: Line): string {
  return typeof callstart === 'string' ? callstart : '';
}
