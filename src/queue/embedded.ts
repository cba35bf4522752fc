import type { Queue, TaskRef } from '../core/queue.ts';

/** Ids held per endpoint; what doesn't fit is left to the sweep, which finds it in the store again. */
const HELD = 1000;

/**
 * The queue of a single process, in memory. Each endpoint has its own line and its own number of tasks
 * at once, so that a slow one keeps nobody else waiting.
 */
export function createEmbeddedQueue(options: { readonly perEndpoint: number }): Queue {
  const lines = new Map<string, { ids: Set<string>; running: number }>();
  const active = new Set<Promise<void>>();
  let run: ((ref: TaskRef) => Promise<void>) | undefined;

  function advance(endpointId: string): void {
    const line = lines.get(endpointId);
    if (!line || !run) return;
    for (const id of line.ids) {
      if (line.running >= options.perEndpoint) return;
      line.ids.delete(id);
      line.running++;
      const work = run({ id, endpointId }).finally(() => {
        line.running--;
        active.delete(work);
        advance(endpointId);
      });
      active.add(work);
    }
    if (line.ids.size === 0 && line.running === 0) lines.delete(endpointId);
  }

  return {
    push(refs) {
      const touched = new Set<string>();
      for (const { id, endpointId } of refs) {
        let line = lines.get(endpointId);
        if (!line) lines.set(endpointId, (line = { ids: new Set(), running: 0 }));
        if (line.ids.size < HELD) line.ids.add(id);
        touched.add(endpointId);
      }
      for (const endpointId of touched) advance(endpointId);
    },
    start(work) {
      run = work;
      for (const endpointId of [...lines.keys()]) advance(endpointId);
    },
    async stop() {
      run = undefined;
      await Promise.allSettled(active);
    },
  };
}
