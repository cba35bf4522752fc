/**
 * Times as vendors write them, by the clocks of some place. A zone is an IANA name (`Europe/Kyiv`) or, where a vendor's
 * clocks are never changed, a fixed offset (`UTC+3`, `UTC+05:30`).
 */

const FIXED = /^(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?$/i;
const WRITTEN = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/;
const FURTHEST_MS = 14 * 3_600_000;

/**
 * A moment in milliseconds since the epoch: `2026-11-23 10:05:00` by the clocks of `timeZone`, the same with an offset of
 * its own (`2026-11-23T10:05:00+0200`), or seconds, milliseconds or microseconds since 1970. Undefined for anything else.
 */
export function momentOf(text: string | undefined, timeZone: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{10}(\d{3}){0,2}$/.test(text)) return Number(text.slice(0, 13).padEnd(13, '0'));
  const [, day, clock, offset] = WRITTEN.exec(text) ?? [];
  if (day === undefined) return undefined;
  // JavaScript wants a colon in the offset.
  const zone = offset?.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2') ?? 'Z';
  const moment = Date.parse(`${day}T${clock ?? ''}${zone}`);
  if (Number.isNaN(moment)) return undefined;
  // Twice: the first guess may lie on the other side of a change of clocks.
  return offset === undefined ? moment - offsetAt(moment - offsetAt(moment, timeZone), timeZone) : moment;
}

/** The other way round, as vendors are asked: `2026-11-23 10:05:00` by the clocks of `timeZone`. */
export function wordsOf(moment: number, timeZone: string): string {
  return new Date(moment + offsetAt(moment, timeZone)).toISOString().slice(0, 19).replace('T', ' ');
}

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

/** The day of the week at a moment, by the clocks of `timeZone`. */
export function weekdayOf(moment: number, timeZone: string): Weekday {
  const day = new Date(moment + offsetAt(moment, timeZone)).getUTCDay();
  return weekdays[(day + 6) % 7] ?? 'sun';
}

export function isTimeZone(name: string): boolean {
  const fixed = fixedOffset(name);
  if (fixed !== undefined) return Math.abs(fixed) <= FURTHEST_MS;
  try {
    return Boolean(new Intl.DateTimeFormat('en-US', { timeZone: name }));
  } catch {
    return false;
  }
}

function fixedOffset(timeZone: string): number | undefined {
  const [, sign, hours, minutes = '0'] = FIXED.exec(timeZone) ?? [];
  if (hours === undefined) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** By how much the clocks of a zone are before UTC, milliseconds. */
function offsetAt(moment: number, timeZone: string): number {
  const fixed = fixedOffset(timeZone);
  if (fixed !== undefined) return fixed;
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
