/** What is sorted by time, in parts of a day each, by the clock of whoever looks. */
export function byDay<T extends { readonly receivedAt: string }>(
  sorted: readonly T[],
): readonly (readonly [day: string, members: readonly T[]])[] {
  const days: [string, T[]][] = [];
  for (const one of sorted) {
    const day = dayOf(one.receivedAt);
    const last = days.at(-1);
    if (last?.[0] === day) last[1].push(one);
    else days.push([day, [one]]);
  }
  return days;
}

/** Today, yesterday, or its date. */
export function dayName(iso: string, now: number, language: string): string {
  const date = new Date(iso);
  const ago = Math.round((startOf(new Date(now)) - startOf(date)) / 86_400_000);
  if (ago === 0 || ago === 1) return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-ago, 'day');
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return date.toLocaleDateString(language, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    ...(!sameYear && { year: 'numeric' }),
  });
}

/** How many of a list come before those that are known. */
export function newIn(all: readonly { readonly id: string }[], known: readonly { readonly id: string }[]): number {
  const ids = new Set(known.map(({ id }) => id));
  const first = all.findIndex(({ id }) => ids.has(id));
  return first < 0 ? all.length : first;
}

function dayOf(iso: string): string {
  const date = new Date(iso);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].join('-');
}

/** A day may have 23 or 25 hours. */
function startOf(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
