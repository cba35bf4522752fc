import { useEffect, useRef, useState } from 'preact/hooks';
import { useCell } from '../../cell.ts';
import { useParts } from '../../parts.ts';
import { readPages, useReading } from '../../reading.ts';
import { sinceOf } from '../../replay.ts';
import type { LedgerEvent, Page } from '../../views.ts';
import { newIn } from './days.ts';

/** What the list shows. */
export interface Events {
  readonly page: Page<LedgerEvent> | undefined;
  readonly failed: boolean;
  /** How many have come in that are not shown, so that nothing moves below the pointer. */
  readonly fresh: number;
  /** While somebody points at the list, it stays as it is. */
  readonly still: (wanted: boolean) => void;
  readonly more: (() => void) | undefined;
}

/** The newest of those that the address asks for. */
export function useEvents(): Events {
  const { api, endpoints, route } = useParts();
  const { readAt } = useCell(endpoints.state);
  const { find, from, outcome, span } = useCell(route.place);
  const q = useSettled(find.trim());
  const name = [q, from, outcome, span].join(' ');
  const [wanted, setWanted] = useState({ name, pages: 1 });
  const [isStill, setStill] = useState(false);
  const pages = wanted.name === name ? wanted.pages : 1;
  const read = (cursor: string | undefined) =>
    api.events({ q, endpoint: from, outcome, since: sinceOf(span, Date.now()), cursor });
  // A search walks through very much: it is made once, and again when somebody asks.
  const beat = q === '' ? `${readAt} ${pages}` : `${pages}`;
  const { value, failed } = useReading(() => readPages(read, pages), name, beat);
  const page = useStill(value, `${name} ${pages}`, isStill);
  return {
    page,
    failed: failed !== undefined,
    fresh: value && page ? newIn(value.data, page.data) : 0,
    still: setStill,
    more: page && page.nextCursor !== null ? () => setWanted({ name, pages: pages + 1 }) : undefined,
  };
}

/** What was typed, once nobody types on. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => {
      setSettled(text);
    }, 250);
    return () => {
      clearTimeout(timer);
    };
  }, [text]);
  return settled;
}

/** The value as it was when it had to stand still; what is asked for in another way is shown at once. */
function useStill<T>(value: T | undefined, name: string, isStill: boolean): T | undefined {
  const kept = useRef<{ readonly name: string; readonly value: T } | undefined>(undefined);
  if (value !== undefined && !(isStill && kept.current?.name === name)) kept.current = { name, value };
  return value === undefined ? undefined : kept.current?.value;
}
