/**
 * A moment as Ringostat writes it, in milliseconds: `2026-11-23T10:05:00+0200`, seconds or microseconds since 1970, or
 * `2026-11-23 10:05:00` by the clocks of `timeZone`. Undefined for anything else.
 */
export function momentOf(text: string | undefined, timeZone: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{10}(\d{3}){0,2}$/.test(text)) return Number(text.slice(0, 13).padEnd(13, '0'));
  const [, day, clock, offset] =
    /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/.exec(text) ?? [];
  if (day === undefined) return undefined;
  // JavaScript wants a colon in the offset; Ringostat writes none.
  const zone = offset?.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2') ?? 'Z';
  const moment = Date.parse(`${day}T${clock ?? ''}${zone}`);
  if (Number.isNaN(moment)) return undefined;
  return offset === undefined ? moment - offsetAt(moment - offsetAt(moment, timeZone), timeZone) : moment;
}

/** How a moment is asked for: `2026-11-23 10:05:00`, by the clocks of `timeZone`. */
export function wordsOf(moment: number, timeZone: string): string {
  return new Date(moment + offsetAt(moment, timeZone)).toISOString().slice(0, 19).replace('T', ' ');
}

/** By how much the clocks of a zone are before UTC, milliseconds. */
function offsetAt(moment: number, timeZone: string): number {
  const second = Math.floor(moment / 1000) * 1000;
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(second);
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, sec = 0] = (
    ['year', 'month', 'day', 'hour', 'minute', 'second'] as const
  ).map((name) => Number(parts.find(({ type }) => type === name)?.value));
  return Date.UTC(year, month - 1, day, hour, minute, sec) - second;
}

export function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en-US', { timeZone: name }));
  } catch {
    return false;
  }
}
