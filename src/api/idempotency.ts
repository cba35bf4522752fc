import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { Once } from '../core/gateway.ts';
import type { Store } from '../core/store.ts';
import { ApiError } from './problem.ts';

/** How long a key is remembered. */
const KEPT_MS = 24 * 3_600_000;

interface Done {
  readonly status: number;
  /** JSON, as it is kept: without what may be shown only once. */
  readonly kept: string;
}

export interface Idempotency {
  /**
   * Runs `work` once per (actor, key). A repeat hears what the first one heard; the same key for another
   * request is refused (422), and so is one whose first request still runs (409). Failures are not kept:
   * they have changed nothing, so a repeat simply tries again. `work` is handed what the desk remembers it by
   * together with what it does: after a crash before the answer was kept, it finds what was done.
   */
  once<T extends Done>(
    request: { readonly actor: string; readonly key: string; readonly what: string; readonly body: Buffer },
    work: (once: Once) => Promise<T>,
  ): Promise<{ readonly first: T } | { readonly repeated: Done }>;
}

export function createIdempotency({ store, clock }: { readonly store: Store; readonly clock: Clock }): Idempotency {
  const running = new Set<string>();

  return {
    async once({ actor, key, what, body }, work) {
      if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
        throw new ApiError(400, 'invalid_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters.');
      }
      const name = createHash('sha256').update(`${actor}\n${key}`).digest('hex');
      const request = createHash('sha256').update(`${what}\n`).update(body).digest('hex');
      if (running.has(name)) {
        throw new ApiError(409, 'idempotency_in_flight', 'The first request with this Idempotency-Key still runs.', {
          headers: { 'retry-after': '1' },
        });
      }
      running.add(name);
      try {
        const since = clock.now() - KEPT_MS;
        const row = await store.read.idempotent(name);
        if (row && row.at > since) {
          if (row.request !== request) {
            throw new ApiError(422, 'idempotency_mismatch', 'This Idempotency-Key belongs to another request.');
          }
          // Without a status it was done, and nobody heard of it.
          if (row.status > 0) return { repeated: { status: row.status, kept: row.body } };
        }
        const first = await work({ key: name, request, since });
        await store.write([`idempotent:${name}`], (tx) =>
          tx.saveIdempotent({ key: name, request, status: first.status, body: first.kept, at: clock.now() }),
        );
        return { first };
      } finally {
        running.delete(name);
      }
    },
  };
}
