import type { Clock } from './core/clock.ts';
import type { Endpoint, Outbox } from './core/gateway.ts';
import type { TaskRefRow } from './core/rows.ts';
import type { Store } from './core/store.ts';
import { openAttachment } from './dispatch/files.ts';
import { createPreview } from './dispatch/preview.ts';

/** How many deliveries one step marks to be sent again. */
const AT_ONCE = 2000;

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

  return {
    preview: createPreview({ ...deps, openAttachment: (id) => openAttachment(store, id) }),
    async replay(taskId, actor) {
      const now = clock.now();
      const ref = await store.write(['outbox'], async (tx) => {
        const found = await tx.replayTask(taskId, now);
        if (found) await tx.audit({ at: now, actor, action: 'delivery.replay', target: taskId });
        return found;
      });
      if (ref?.due) deps.announced([ref]);
      return ref && { id: ref.id };
    },
    countReplays: (filter) => store.read.replayCount(filter),
    async replayAll(filter, actor) {
      const now = clock.now();
      const target = filter.destination;
      let count = 0;
      // In steps, so that whoever files a message waits for one of them at most.
      for (let last = AT_ONCE; last === AT_ONCE; count += last) {
        last = await store.write(['outbox'], (tx) => tx.requestReplays(filter, now, AT_ONCE));
      }
      const detail = `${count} ${filter.state}`;
      await store.write([], (tx) => tx.audit({ at: now, actor, action: 'delivery.replay_all', target, detail }));
      return count;
    },
    cancelReplays: (target, actor) =>
      store.write(['outbox'], async (tx) => {
        const count = await tx.cancelReplays(target);
        await tx.audit({ at: clock.now(), actor, action: 'delivery.replay_cancel', target, detail: `${count}` });
        return count;
      }),
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
