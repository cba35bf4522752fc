import type { Session } from './views.ts';

/** Whether who is signed in has a right; `*` is every one. */
export function may({ scopes }: Pick<Session, 'scopes'>, scope: string): boolean {
  return scopes.includes('*') || scopes.includes(scope);
}
