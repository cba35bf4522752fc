import { textOf } from '../core/errors.ts';
import type { Fetching } from '../core/connector.ts';
import type { Endpoint, Endpoints } from '../core/gateway.ts';
import { startLoop, type Loop, type LoopDeps } from './loop.ts';

export interface RunnerDeps extends Omit<LoopDeps, 'processId'> {
  readonly endpoints: Pick<Endpoints, 'all' | 'get'>;
  /** Under which this process may hold channels now. */
  readonly processId: () => string;
}

/** How long what is being filed may take once it stops, milliseconds. */
const STOP_MS = 8000;

/** Keeps polls and streams of all that is open running, and asks vendors for what was missed: a loop for each endpoint. */
export interface Runner {
  start(): void;
  /** An endpoint was opened, changed or closed: resolves once its old loop has ended, if it had one. */
  readonly follow: (id: string) => Promise<void>;
  /** Tries again now, whatever it waits for: an operator has repaired it. */
  readonly retry: (id: string) => Promise<void>;
  /** There is something to be fetched. In another process it is fetched with the next poll. */
  wake(id: string): void;
  /** Lets go of endpoints that another process has taken, and takes those that are free. */
  readonly look: () => Promise<void>;
  stop(): Promise<void>;
}

/** Of several processes on one store, each endpoint's loop runs in the one that holds it. */
export function createRunner(deps: RunnerDeps): Runner {
  const { endpoints, store, clock, log } = deps;
  const loops = new Map<string, Loop>();
  const turns = new Map<string, Promise<void>>();
  let state: 'new' | 'running' | 'stopped' = 'new';

  async function start(id: string): Promise<void> {
    const fetching = fetchingOf(endpoints.get(id));
    if (state !== 'running' || !fetching || !isRun(fetching)) return;
    const processId = deps.processId();
    try {
      if (!(await store.write([`endpoint ${id}`], (tx) => tx.takeChannel(id, processId)))) return;
    } catch (error) {
      log.warn({ endpoint: id, error: textOf(error) }, 'a channel could not be taken; it is tried again');
      return;
    }
    if (isRunning()) loops.set(id, startLoop({ ...deps, processId }, id, fetching));
  }

  /** It may have been stopped while something was waited for. */
  const isRunning = () => state === 'running';

  /** One after the other: two loops of one channel would fight over its cursor. */
  function restartUnless(id: string, fits: (loop: Loop) => boolean): Promise<void> {
    const turn = (turns.get(id) ?? Promise.resolve()).then(async () => {
      const loop = loops.get(id);
      if (loop && fits(loop)) return;
      await loop?.stop();
      loops.delete(id);
      await start(id);
    });
    turns.set(id, turn);
    return turn;
  }

  return {
    start() {
      state = 'running';
      for (const { id } of endpoints.all()) void restartUnless(id, () => true);
    },
    follow: (id) => restartUnless(id, (loop) => loop.fetching === fetchingOf(endpoints.get(id))),
    async retry(id) {
      if (loops.has(id)) return restartUnless(id, () => false);
      // Whoever has it begins anew with it, or leaves it to somebody else.
      await store.write([`endpoint ${id}`], (tx) => tx.freeChannel(id));
    },
    wake(id) {
      loops.get(id)?.wake();
    },
    async look() {
      if (!isRunning()) return;
      const holders = await store.read.channelHolders();
      const mine = deps.processId();
      for (const { id } of endpoints.all()) {
        const holder = holders.get(id);
        const isFree = holder === undefined || holder === mine;
        if (loops.has(id) || isFree) await restartUnless(id, (loop) => loop.processId === holder);
      }
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

function fetchingOf(endpoint: Endpoint | undefined): Fetching | undefined {
  return endpoint?.channel ?? endpoint?.destination;
}

function isRun(fetching: Fetching): boolean {
  return (['connect', 'stream', 'poll', 'reconcile'] as const).some((way) => fetching[way] !== undefined);
}
