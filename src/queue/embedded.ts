import type { Queue, TaskRef } from '../core/queue.ts';

/** Ids held per endpoint; what doesn't fit is left to the sweep, which finds it in the store again. */
const HELD = 1000;

/**
 * The queue of a single process, in memory. Each endpoint has its own line and its own number of tasks
 * at once, and another one for files, so that a slow one keeps nobody else waiting.
 */
export function createEmbeddedQueue(options: { readonly perEndpoint: number }): Queue {
  const lines = new Map<string, { readonly endpointId: string; ids: Set<string>; running: number }>();
  const active = new Set<Promise<void>>();
  let run: ((ref: TaskRef) => Promise<void>) | undefined;

  function advance(name: string): void {
    const line = lines.get(name);
    if (!line || !run) return;
    for (const id of line.ids) {
      if (line.running >= options.perEndpoint) return;
      line.ids.delete(id);
      line.running++;
      const work = run({ id, endpointId: line.endpointId }).finally(() => {
        line.running--;
        active.delete(work);
        advance(name);
      });
      active.add(work);
    }
    if (line.ids.size === 0 && line.running === 0) lines.delete(name);
  }

  return {
    push(refs) {
      const touched = new Set<string>();
      for (const { id, endpointId, lane } of refs) {
        const name = lane ? `${endpointId} ${lane}` : endpointId;
        let line = lines.get(name);
        if (!line) lines.set(name, (line = { endpointId, ids: new Set(), running: 0 }));
        if (line.ids.size < HELD) line.ids.add(id);
        touched.add(name);
      }
      for (const name of touched) advance(name);
    },
    start(work) {
      run = work;
      for (const name of [...lines.keys()]) advance(name);
    },
    async stop() {
      run = undefined;
      await Promise.allSettled(active);
    },
  };
}
