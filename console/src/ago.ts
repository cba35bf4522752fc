const STEPS = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Infinity],
] as const;

/** How long ago it was, in the largest unit that fits. */
export function ago(iso: string, now: number, language: string): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
  let count = Math.max(0, (now - Date.parse(iso)) / 1000);
  for (const [unit, most] of STEPS) {
    if (Math.floor(count) < most) return format.format(-Math.floor(count), unit);
    count /= most;
  }
  return '';
}
