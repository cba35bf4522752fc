import type { Log } from './core/connector.ts';
import { textOf } from './core/errors.ts';
import type { Reader } from './core/reader.ts';
import type { Change } from './core/ticket.ts';

export type Listener = (change: Change) => void;

/** How long after a look there is another one, though nobody has heard of a commit, milliseconds. */
const LOOK_AGAIN_MS = 2000;

/**
 * Hands changes to those who listen, in commit order, by reading the feed behind the last one seen.
 * While nobody listens nothing is read.
 */
export function createFeed(deps: {
  readonly read: Pick<Reader, 'changes' | 'lastChange'>;
  readonly log: Log;
  readonly lookAgainMs?: number;
}) {
  const listeners = new Set<Listener>();
  /** Undefined while nobody has followed: then it is the end of the feed. */
  let position: number | undefined;
  let reading: Promise<void> | undefined;
  let again = false;
  let next: NodeJS.Timeout | undefined;

  async function drain(): Promise<void> {
    do {
      again = false;
      position ??= await deps.read.lastChange();
      for (
        let page = await deps.read.changes(position, 200);
        page.length > 0;
        page = await deps.read.changes(position, 200)
      ) {
        for (const change of page) {
          position = change.seq;
          for (const listener of listeners) tell(listener, change);
        }
      }
    } while (again);
  }

  function tell(listener: Listener, change: Change): void {
    try {
      listener(change);
    } catch (error) {
      deps.log.warn({ seq: change.seq, error: textOf(error) }, 'somebody who follows the changes failed');
    }
  }

  /** Something was committed. */
  function poke(): void {
    clearTimeout(next);
    if (listeners.size === 0) return;
    again = true;
    reading ??= drain()
      .catch((error: unknown) => {
        deps.log.warn({ error: textOf(error) }, 'the change feed could not be read');
      })
      .finally(() => {
        reading = undefined;
        // Somebody poked between the last look and here.
        if (again) poke();
        // A change shows late behind a transaction that takes long, which may end without a commit to hear of.
        else next = setTimeout(poke, deps.lookAgainMs ?? LOOK_AGAIN_MS).unref();
      });
  }

  return {
    poke,
    /** From now on; returns what ends it. */
    listen: (listener: Listener): (() => void) => {
      // Nobody has followed, so the position is old. The end is asked for at once: what is committed after this is behind it.
      if (listeners.size === 0 && !reading) position = undefined;
      listeners.add(listener);
      poke();
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
