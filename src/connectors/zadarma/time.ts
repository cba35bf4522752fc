/** `UTC+3`, `UTC+05:30`: how the vendor names time zones in `/v1/info/timezone/`. */
const OFFSET = /^(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?$/i;

/** `2026-11-23 10:05:00` by the clocks of `timeZone`, in milliseconds since the epoch. Undefined for anything else. */
export function momentOf(text: string | undefined, timeZone: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/.test(text ?? '')) return undefined;
  const moment = Date.parse(`${(text ?? '').replace(' ', 'T')}Z`);
  if (Number.isNaN(moment)) return undefined;
  // Twice: the first guess may lie on the other side of a change of clocks.
  return moment - offsetAt(moment - offsetAt(moment, timeZone), timeZone);
}

/** A moment as the API is asked for it: `2026-11-23 10:05:00` by the clocks of `timeZone`. */
export function wordsOf(moment: number, timeZone: string): string {
  return new Date(moment + offsetAt(moment, timeZone)).toISOString().slice(0, 19).replace('T', ' ');
}

/** An IANA name (`Europe/Kyiv`) or a fixed offset (`UTC+3`). */
export function isTimeZone(name: string): boolean {
  if (OFFSET.test(name)) return Math.abs(fixedOffset(name) ?? Infinity) <= 14 * 3_600_000;
  try {
    return Boolean(new Intl.DateTimeFormat('en-US', { timeZone: name }));
  } catch {
    return false;
  }
}

function fixedOffset(timeZone: string): number | undefined {
  const [, sign, hours, minutes = '0'] = OFFSET.exec(timeZone) ?? [];
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
