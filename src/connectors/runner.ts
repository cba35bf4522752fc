import type { Endpoints } from '../core/gateway.ts';
import { startLoop, type Loop, type LoopDeps } from './loop.ts';

export interface RunnerDeps extends LoopDeps {
  readonly endpoints: Pick<Endpoints, 'all' | 'get'>;
}

/** How long what is being filed may take once it stops, milliseconds. */
const STOP_MS = 8000;

/** Keeps polls and streams of all open channels running, and asks vendors for what was missed: a loop for each channel. */
export interface Runner {
  start(): void;
  /** A channel was opened, changed or closed: resolves once its old loop has ended, if it had one. */
  readonly follow: (id: string) => Promise<void>;
  /** Tries again now, whatever it waits for: an operator has repaired it. */
  readonly retry: (id: string) => Promise<void>;
  /** There is something to be fetched. */
  wake(id: string): void;
  stop(): Promise<void>;
}

/**
 * One process owns a data folder (see the store's lock), so it runs the loops of all channels. Several processes on
 * one database would take a lease here, before a loop starts.
 */
export function createRunner(deps: RunnerDeps): Runner {
  const { endpoints, clock, log } = deps;
  const loops = new Map<string, Loop>();
  const turns = new Map<string, Promise<void>>();
  let state: 'new' | 'running' | 'stopped' = 'new';

  function start(id: string): void {
    const channel = endpoints.get(id)?.channel;
    if (state !== 'running' || !channel) return;
    const isRun = (['connect', 'stream', 'poll', 'reconcile'] as const).some((way) => channel[way] !== undefined);
    if (isRun) loops.set(id, startLoop(deps, id, channel));
  }

  /** One after the other: two loops of one channel would fight over its cursor. */
  function restartUnless(id: string, fits: (loop: Loop) => boolean): Promise<void> {
    const turn = (turns.get(id) ?? Promise.resolve()).then(async () => {
      const loop = loops.get(id);
      if (loop && fits(loop)) return;
      await loop?.stop();
      loops.delete(id);
      start(id);
    });
    turns.set(id, turn);
    return turn;
  }

  return {
    start() {
      state = 'running';
      for (const { id } of endpoints.all('channel')) start(id);
    },
    follow: (id) => restartUnless(id, (loop) => loop.channel === endpoints.get(id)?.channel),
    retry: (id) => restartUnless(id, () => false),
    wake(id) {
      loops.get(id)?.wake();
    },
    async stop() {
      state = 'stopped';
      const ended = Promise.all([...[...loops.values()].map((loop) => loop.stop()), ...turns.values()]);
      const over = new AbortController();
      const late = clock.sleep(STOP_MS, over.signal).then(
        () => {
          log.warn({}, 'payloads were still being filed; they are fetched again at the next start');
        },
        () => undefined,
      );
      await Promise.race([ended, late]);
      over.abort();
    },
  };
}
