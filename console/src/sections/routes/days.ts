import { days } from './decide.ts';
import type { Day } from './views.ts';

/** A Monday. */
const MONDAY = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;

/** A day of the week in a few letters. */
export function dayName(day: Day, language: string): string {
  const at = new Date(MONDAY + days.indexOf(day) * DAY_MS);
  return at.toLocaleDateString(language, { weekday: 'short', timeZone: 'UTC' });
}
