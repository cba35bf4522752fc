import type { IdentifierRow, TicketRow } from '../core/rows.ts';

/**
 * Rows that the writer has just read or written, so that the next message of the same people needs no
 * look at the tables. Only for a writer that owns its database; whoever takes something back, or writes
 * in another way, forgets.
 */
export interface Recent {
  /** By kind and value. */
  readonly identifiers: Memory<IdentifierRow>;
  readonly tickets: Memory<TicketRow>;
  /** Ticket ids by endpoint and the vendor's thread. */
  readonly threads: Memory<string>;
  /** Customers whose name and language were filled in, with what was known then. */
  readonly completed: Memory<string>;
  readonly forget: () => void;
  /** Grows with everything that is noted or taken back: what a transaction leaves as it is, it has not written. */
  readonly version: () => number;
}

export interface Memory<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
}

/** Rows of each kind that are kept at most. */
const MOST = 10_000;

export function createRecent(): Recent {
  const maps: Map<string, unknown>[] = [];
  let version = 0;
  function memory<V>(): Memory<V> {
    const map = new Map<string, V>();
    maps.push(map);
    return {
      get: (key) => map.get(key),
      set(key, value) {
        version++;
        if (map.size >= MOST) map.clear();
        map.set(key, value);
      },
      delete(key) {
        version++;
        map.delete(key);
      },
    };
  }
  return {
    identifiers: memory(),
    tickets: memory(),
    threads: memory(),
    completed: memory(),
    forget() {
      version++;
      for (const map of maps) map.clear();
    },
    version: () => version,
  };
}

/** For a database that others write to as well: nothing is kept. */
export const nothingRecent: Recent = {
  identifiers: { get: () => undefined, set: () => undefined, delete: () => undefined },
  tickets: { get: () => undefined, set: () => undefined, delete: () => undefined },
  threads: { get: () => undefined, set: () => undefined, delete: () => undefined },
  completed: { get: () => undefined, set: () => undefined, delete: () => undefined },
  forget: () => undefined,
  version: () => 0,
};
