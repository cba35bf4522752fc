import type { Log } from './core/connector.ts';
import { textOf } from './core/errors.ts';

/** Takes the steps back, the last one first; one that fails is said and leaves the others alone. */
export async function undoAll(undo: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) {
    try {
      await step();
    } catch (error) {
      log.warn({ error: textOf(error) }, 'a part did not stop cleanly');
    }
  }
}
