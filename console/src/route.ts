import { createCell } from './cell.ts';
import { addressOf, placeOf, stepFrom } from './place.ts';
import type { Place } from './place.ts';

/** The place, kept in step with the address bar and its history. */
export function createRoute() {
  const place = createCell(placeOf(location));
  addEventListener('popstate', () => {
    place.set(placeOf(location));
  });
  const go = (change: Partial<Place>): void => {
    const next = stepFrom(place.get(), change);
    if (addressOf(next) !== addressOf(place.get())) history.pushState(null, '', addressOf(next));
    place.set(next);
  };
  return {
    place,
    go,
    /** Without a step in the history: for every letter of a search. */
    amend(change: Partial<Place>): void {
      const next = { ...place.get(), ...change };
      history.replaceState(null, '', addressOf(next));
      place.set(next);
    },
    /** What makes a link of a place: a plain click stays on the page, any other one is the browser's. */
    link(change: Partial<Place>) {
      return {
        href: addressOf(stepFrom(place.get(), change)),
        onClick(event: MouseEvent): void {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          go(change);
        },
      };
    },
  };
}
export type Route = ReturnType<typeof createRoute>;
