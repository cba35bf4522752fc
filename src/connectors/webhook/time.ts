const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/** Numbers below this are seconds: as milliseconds they would lie before March 1973. */
const FIRST_MILLISECOND = 100_000_000_000;

/**
 * Milliseconds since the epoch of what senders write as a time: RFC 3339 with its offset, or seconds or
 * milliseconds since the epoch, as a number or in digits. Undefined for everything else: a time without
 * an offset could be any of twenty-four.
 */
export function readTime(value: string | number): number | undefined {
  if (typeof value === 'number') return ofNumber(value);
  if (/^\d{1,14}(\.\d{1,9})?$/.test(value)) return ofNumber(Number(value));
  if (!RFC3339.test(value)) return undefined;
  const ms = Date.parse(value.toUpperCase().replace(' ', 'T'));
  return Number.isNaN(ms) || ms < 0 ? undefined : ms;
}

function ofNumber(value: number): number | undefined {
  if (!Number.isFinite(value) || value < 0 || value > 8_640_000_000_000_000) return undefined;
  return Math.round(value < FIRST_MILLISECOND ? value * 1000 : value);
}
