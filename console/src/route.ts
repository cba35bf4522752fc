import type { TicketStatus } from './api.ts';
import { createCell } from './cell.ts';

/** What the address says: the list that is shown, and the ticket that is open. */
export interface Place {
  readonly ticket: string | undefined;
  readonly q: string;
  readonly status: StatusChoice;
}

export const statusChoices = ['unsolved', 'all', 'new', 'open', 'pending', 'solved', 'closed'] as const;
export type StatusChoice = (typeof statusChoices)[number];

export function statusesOf(choice: StatusChoice): readonly TicketStatus[] {
  if (choice === 'all') return [];
  return choice === 'unsolved' ? ['new', 'open', 'pending'] : [choice];
}

export function placeOf({ pathname, search }: { readonly pathname: string; readonly search: string }): Place {
  const query = new URLSearchParams(search);
  const wanted = query.get('status');
  return {
    ticket: /^\/t\/([\w-]{1,128})$/.exec(pathname)?.[1],
    q: (query.get('q') ?? '').slice(0, 200),
    status: statusChoices.find((choice) => choice === wanted) ?? 'unsolved',
  };
}

export function addressOf({ ticket, q, status }: Place): string {
  const query = new URLSearchParams({ ...(q && { q }), ...(status !== 'unsolved' && { status }) }).toString();
  return `${ticket === undefined ? '/' : `/t/${ticket}`}${query && `?${query}`}`;
}

/** The place, kept in step with the address bar and its history. */
export function createRoute() {
  const place = createCell(placeOf(location));
  addEventListener('popstate', () => {
    place.set(placeOf(location));
  });
  return {
    place,
    go(change: Partial<Place>): void {
      const next = { ...place.get(), ...change };
      if (addressOf(next) !== addressOf(place.get())) history.pushState(null, '', addressOf(next));
      place.set(next);
    },
    /** Without a step in the history: for every letter of a search. */
    amend(change: Partial<Place>): void {
      const next = { ...place.get(), ...change };
      history.replaceState(null, '', addressOf(next));
      place.set(next);
    },
  };
}
export type Route = ReturnType<typeof createRoute>;
