import { ApiFailure } from './api.ts';
import type { Texts } from './texts.ts';

/** What to tell the person whose change was not taken. */
export function problemText(error: unknown, t: Texts): string {
  if (error instanceof ApiFailure && error.status !== 0) return t.failed(error.message);
  return t.noAnswer;
}
