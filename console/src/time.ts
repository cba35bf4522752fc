/** The language as the browser's owner writes it: with his order of day and month, and his hours. */
function localeOf(language: string): string {
  return navigator.languages.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;
}

/** The hour today, the day before that. */
export function shortTime(iso: string, language: string): string {
  const date = new Date(iso);
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return hourOf(date, language);
  const sameYear = date.getFullYear() === now.getFullYear();
  return date.toLocaleDateString(localeOf(language), {
    day: 'numeric',
    month: 'short',
    ...(!sameYear && { year: 'numeric' }),
  });
}

export function longTime(iso: string, language: string): string {
  return new Date(iso).toLocaleString(localeOf(language), { dateStyle: 'medium', timeStyle: 'short' });
}

/** To the second, with or without its date. */
export function exactTime(iso: string, language: string, date: 'medium' | 'none'): string {
  return new Date(iso).toLocaleString(localeOf(language), {
    timeStyle: 'medium',
    ...(date !== 'none' && { dateStyle: date }),
  });
}

export function hourOf(date: Date, language: string): string {
  return date.toLocaleTimeString(localeOf(language), { hour: '2-digit', minute: '2-digit' });
}
