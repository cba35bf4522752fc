import type { Log } from './core/connector.ts';
import { textOf } from './core/errors.ts';
import type { Reader } from './core/reader.ts';
import type { Change } from './core/ticket.ts';

export type Listener = (change: Change) => void;

/**
 * Hands changes to those who listen, in commit order, by reading the feed behind the last one seen.
 * While nobody listens nothing is read.
 */
export function createFeed(deps: { readonly read: Pick<Reader, 'changes' | 'lastChange'>; readonly log: Log }) {
  const listeners = new Set<Listener>();
  let position = 0;
  let reading: Promise<void> | undefined;
  let again = false;

  async function drain(): Promise<void> {
    do {
      again = false;
      for (
        let page = await deps.read.changes(position, 200);
        page.length > 0;
        page = await deps.read.changes(position, 200)
      ) {
        for (const change of page) {
          position = change.seq;
          for (const listener of listeners) listener(change);
        }
      }
    } while (again);
  }

  /** Something was committed. */
  function poke(): void {
    if (listeners.size === 0) return;
    again = true;
    reading ??= drain()
      .catch((error: unknown) => {
        deps.log.warn({ error: textOf(error) }, 'the change feed could not be read');
      })
      .finally(() => {
        reading = undefined;
      });
  }

  return {
    poke,
    /** From now on; returns what ends it. */
    listen(listener: Listener): () => void {
      if (listeners.size === 0) {
        // Nobody has followed, so the position is old: start at the end.
        reading = (reading ?? Promise.resolve())
          .then(async () => {
            position = Math.max(position, await deps.read.lastChange());
          })
          .finally(() => {
            reading = undefined;
            if (again) poke();
          });
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
