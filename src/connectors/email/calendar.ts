/** What an invitation says, for those who have no calendar at hand (RFC 5545). */
export function eventIn(calendar: string): string {
  const lines = calendar
    .slice(0, 100_000)
    .replace(/\r?\n[ \t]/g, '')
    .split(/\r?\n/);
  const begin = lines.findIndex((line) => /^begin:vevent/i.test(line));
  if (begin < 0) return '';
  const values = new Map<string, Value>();
  for (const line of lines.slice(begin + 1)) {
    if (/^(?:end:vevent|begin:)/i.test(line)) break;
    const [, name = '', parameters = '', value = ''] = /^([a-z-]{1,40})((?:;[^:]{0,500})?):(.*)$/i.exec(line) ?? [];
    if (!values.has(name.toLowerCase())) values.set(name.toLowerCase(), { parameters, value });
  }
  const text = (name: string) => unescaped(values.get(name)?.value ?? '').slice(0, 1000);
  const times = [values.get('dtstart'), values.get('dtend')].map((time) => (time ? timeIn(time) : ''));
  return [text('summary'), times.filter((time) => time !== '').join(' – '), text('location')]
    .filter((part) => part !== '')
    .join('\n');
}

interface Value {
  readonly parameters: string;
  readonly value: string;
}

/** `20270503T100000Z` → 2027-05-03 10:00 UTC; a zone by its name as written. */
function timeIn({ parameters, value }: Value): string {
  const [, year, month, day, , hour, minute, utc] = /^(\d{4})(\d\d)(\d\d)(T(\d\d)(\d\d)\d\d(Z?))?/.exec(value) ?? [];
  if (year === undefined) return '';
  const zone = /tzid="?([^";:]{1,60})/i.exec(parameters)?.[1];
  const time = hour === undefined ? '' : ` ${hour}:${minute ?? ''}`;
  const named = utc === 'Z' ? ' UTC' : zone === undefined ? '' : ` ${zone}`;
  return `${year}-${month ?? ''}-${day ?? ''}${time}${time === '' ? '' : named}`;
}

function unescaped(text: string): string {
  return text
    .replace(/\\n/gi, ' ')
    .replace(/\\([,;\\])/g, '$1')
    .trim();
}
