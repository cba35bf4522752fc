/** First three letters of months as feeds write them, by number: English, Russian, Ukrainian. */
const MONTHS: Readonly<Record<string, number>> = Object.fromEntries(
  [
    'jan feb mar apr may jun jul aug sep oct nov dec',
    'янв фев мар апр мая июн июл авг сен окт ноя дек',
    'січ лют бер кві тра чер лип сер вер жов лис гру',
  ].flatMap((names) => names.split(' ').map((name, index) => [name, index] as const)),
);

/** Hours from UTC. https://www.rfc-editor.org/rfc/rfc822 (5), and what feeds in Moscow write */
const ZONES: Readonly<Record<string, number>> = {
  ...{ est: -5, edt: -4, cst: -6, cdt: -5, mst: -7, mdt: -6, pst: -8, pdt: -7 },
  ...{ msk: 3, мск: 3, cet: 1, cest: 2, eet: 2, eest: 3 },
};

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[t ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?)? ?(\S*)$/;
const RFC822 =
  /^(?:\p{L}{1,12}\.?,? )?(\d{1,2}) (\p{L}{3,12})\.? (\d{4}|\d{2})(?!\d)(?: (\d{1,2}):(\d\d)(?::(\d\d))?)? ?(\S*)$/u;

/**
 * Milliseconds since the epoch of a time as feeds write it: ISO 8601 or RFC 822, with two digits for the year, without
 * a weekday, with names of months and zones. Without a zone it counts as UTC. Undefined for anything else.
 */
export function readTime(given: string): number | undefined {
  const text = given.slice(0, 100).replace(/\s+/g, ' ').trim().toLowerCase();
  const iso = ISO.exec(text);
  if (iso) {
    const [, year, month, day, ...time] = iso;
    return at(Number(year), Number(month) - 1, Number(day), time);
  }
  const [, day, name = '', year = '', ...time] = RFC822.exec(text) ?? [];
  const month = MONTHS[name === 'май' ? 'мая' : name.slice(0, 3)];
  if (month === undefined) return undefined;
  const short = Number(year);
  return at(year.length === 4 ? short : short + (short < 70 ? 2000 : 1900), month, Number(day), time);
}

function at(year: number, month: number, day: number, time: readonly (string | undefined)[]): number | undefined {
  const [hour = '0', minute = '0', second = '0', zone = ''] = time;
  const ms = Date.UTC(year, month, day, Number(hour), Number(minute), Number(second));
  // A 31st of February is no day.
  if (new Date(ms).getUTCDate() !== day && Number(hour) < 24) return undefined;
  const result = ms - minutesOf(zone) * 60_000;
  return result >= 0 ? result : undefined;
}

function minutesOf(zone: string): number {
  const [, sign, hours, minutes = '0'] = /^(?:gmt|utc)?([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  if (sign === undefined) return (ZONES[zone] ?? 0) * 60;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
