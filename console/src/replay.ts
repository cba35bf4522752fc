/** States out of which something can be sent again. */
export const replayStates = ['dead', 'needs_check', 'delivered'] as const;
export type ReplayState = (typeof replayStates)[number];

const HOUR_MS = 3_600_000;
const lengths = { all: undefined, hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS } as const;
export type Span = keyof typeof lengths;
export const spans: readonly Span[] = ['all', 'hour', 'day', 'week'];

/** Where a span begins that ends now (milliseconds since the epoch); RFC 3339. */
export function sinceOf(span: Span, now: number): string | undefined {
  const length = lengths[span];
  return length === undefined ? undefined : new Date(now - length).toISOString();
}
