import type { Clock } from './core/clock.ts';
import type { Log } from './core/connector.ts';
import { textOf } from './core/errors.ts';
import type { Store } from './core/store.ts';

const HOUR = 3_600_000;
/** How long a receipt or a deletion waits for the message that it is about. */
const EARLY_MS = 30 * 24 * HOUR;
/** How long answers are kept for `Idempotency-Key`. */
const IDEMPOTENT_MS = 24 * HOUR;
/** Rows that one transaction deletes at most, so that nobody waits for it. */
const BATCH = 500;

/** Lets go of what has been kept long enough, in small batches, every hour. */
export function createRetention(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: { readonly payloadsMs: number; readonly tasksMs: number; readonly recordingsMs: number };
}): { stop(): Promise<void> } {
  const stopping = new AbortController();

  async function sweep(): Promise<void> {
    const now = deps.clock.now();
    const limits = {
      payloadsBefore: now - deps.limits.payloadsMs,
      tasksBefore: now - deps.limits.tasksMs,
      recordingsBefore: now - deps.limits.recordingsMs,
      idempotentBefore: now - IDEMPOTENT_MS,
      earlyBefore: now - EARLY_MS,
      batch: BATCH,
    };
    let gone = BATCH;
    while (gone > 0 && !stopping.signal.aborted) {
      const { rows, blobs } = await deps.store.write(['retention'], (tx) => tx.sweepRetention(limits));
      // Behind the commit: a row may name a file that is there for nothing, never one that isn't there.
      for (const sha256 of blobs) await deps.store.blobs.remove(sha256);
      gone = rows;
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await deps.clock.sleep(HOUR, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return;
      await sweep().catch((error: unknown) => {
        deps.log.warn({ error: textOf(error) }, 'the retention sweep failed; it comes again');
      });
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
