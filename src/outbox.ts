import type { Clock } from './core/clock.ts';
import type { Endpoint, Outbox } from './core/gateway.ts';
import type { TaskRefRow } from './core/rows.ts';
import type { Store } from './core/store.ts';
import { openAttachment } from './dispatch/files.ts';
import { createPreview } from './dispatch/preview.ts';

/** Most deliveries that one call sends again. */
const MOST = 10_000;

/** What operators do with deliveries: send again, one or many, and end a pause. */
export function createOutbox(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
  readonly announced: (due: readonly TaskRefRow[]) => void;
  /** After a pause was ended. */
  readonly resumed: (endpointId: string) => Promise<void>;
}): Outbox {
  const { store, clock } = deps;

  async function replay(ids: readonly string[], actor: string): Promise<TaskRefRow[]> {
    const now = clock.now();
    const refs = await store.write(['outbox'], async (tx) => {
      const found: TaskRefRow[] = [];
      for (const id of ids) {
        const ref = await tx.replayTask(id, now);
        if (!ref) continue;
        found.push(ref);
        await tx.audit({ at: now, actor, action: 'delivery.replay', target: id });
      }
      return found;
    });
    deps.announced(refs.filter((ref) => ref.due));
    return refs;
  }

  return {
    preview: createPreview({ ...deps, openAttachment: (id) => openAttachment(store, id) }),
    async replay(taskId, actor) {
      const [ref] = await replay([taskId], actor);
      return ref && { id: ref.id };
    },
    async replayAll(filter, dryRun, actor) {
      let count = 0;
      let cursor: string | undefined;
      const ids: string[] = [];
      do {
        const page = await store.read.deliveries(filter, { limit: 200, cursor });
        ids.push(...page.data.map((each) => each.id));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined && ids.length < MOST);
      if (dryRun === 'count') return { count: ids.length };
      // The oldest first, a batch at a time, so that live traffic gets its turn in between.
      for (let rest = ids.toReversed(); rest.length > 0; rest = rest.slice(200)) {
        count += (await replay(rest.slice(0, 200), actor)).length;
      }
      return { count };
    },
    async resume(endpointId) {
      await store.write([`endpoint ${endpointId}`], (tx) =>
        tx.updateEndpointState(endpointId, {
          pausedUntil: null,
          pauseReason: null,
          needsReauth: false,
          disabledAt: null,
          failures: 0,
          inbound: { failures: 0, needsReauth: false, lastError: null, lastErrorAt: null },
        }),
      );
      await deps.resumed(endpointId);
    },
  };
}
