import type { Worker } from 'node:worker_threads';
import { startThread } from './core/child-process.ts';
import { errorFrom, type ErrorAsData } from './core/error-data.ts';
import { RetryableError } from './core/errors.ts';
import type { SharedFile, Store } from './core/store.ts';
import { targetsOf, type Routing } from './dispatch/routes.ts';
import { file, type Filed, type Filing, type FilingDeps } from './normalizer/filing.ts';

/** Files what was read: see `docs/decisions/0027-filing-has-a-thread.md`. */
export interface Filer {
  file(filing: Filing): Promise<Filed>;
  /** Resolves when everything that was handed over is filed. */
  close(): Promise<void>;
}

/** What the thread is started with. */
export interface FilerStart {
  readonly shared: SharedFile;
  readonly policy: FilingDeps['policy'];
  readonly proofKey: Uint8Array;
  /** No id is made before this time, milliseconds since the epoch. */
  readonly after: number;
}

/** To the thread; `close` comes last. */
export type FilerJobs =
  'close' | { readonly routing: Routing; readonly filings: readonly (readonly [id: number, Filing])[] };

/** From the thread. */
export type FilerReport = readonly (readonly [id: number, Filed | { readonly error: ErrorAsData }])[];

interface FilerDeps extends Omit<FilingDeps, 'targetsOf'> {
  readonly store: Store;
  readonly after: number;
  readonly routing: () => Routing;
}

/** On a thread of its own where the database is a file, else in place: a server has its own processes. */
export function createFiler(deps: FilerDeps): Filer {
  const { store, routing } = deps;
  if (store.shared) return fileElsewhere(deps, store.shared);
  const filing: FilingDeps = { ...deps, targetsOf: (facts) => targetsOf(facts, routing()) };
  return { file: (one) => file(store, one, filing), close: async () => undefined };
}

/** Filings that are handed over at once: more of them, and the two threads would work in turns. */
const TOGETHER = 8;

interface Waiting {
  readonly resolve: (filed: Filed) => void;
  readonly reject: (error: Error) => void;
}

function fileElsewhere({ policy, proofKey, after, routing }: FilerDeps, shared: SharedFile): Filer {
  const waiting = new Map<number, Waiting>();
  let thread: Worker | undefined;
  let outgoing: (readonly [number, Filing])[] = [];
  let last = 0;
  let closed = false;

  function start(): Worker {
    const workerData: FilerStart = { shared, policy, proofKey, after };
    const worker = startThread(new URL('./filer-thread.ts', import.meta.url), workerData);
    worker.on('message', (report: FilerReport) => {
      for (const [id, result] of report) {
        const one = waiting.get(id);
        waiting.delete(id);
        if ('error' in result) one?.reject(errorFrom(result.error));
        else one?.resolve(result);
      }
    });
    // It may have had the baton. Nothing that was acknowledged is lost when the whole process ends.
    worker.on('error', (error) => {
      throw error;
    });
    return worker;
  }

  /** What came in the same turn of the event loop, as long as it isn't so much that the thread would wait for it. */
  function hand(one: readonly [number, Filing]): void {
    if (outgoing.push(one) === 1) setImmediate(send);
    else if (outgoing.length >= TOGETHER) send();
  }

  function send(): void {
    if (outgoing.length === 0) return;
    const jobs: FilerJobs = { routing: routing(), filings: outgoing };
    outgoing = [];
    thread ??= start();
    thread.postMessage(jobs);
  }

  return {
    file(filing) {
      if (closed) return Promise.reject(new RetryableError('the gateway is shutting down'));
      return new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        hand([last, withOwnBytes(filing)]);
      });
    },
    async close() {
      closed = true;
      send();
      const running = thread;
      if (!running) return;
      const ended = new Promise((resolve) => running.once('exit', resolve));
      const jobs: FilerJobs = 'close';
      running.postMessage(jobs);
      await ended;
    },
  };
}

/** A part of a larger buffer would take the whole of it along. */
function withOwnBytes(filing: Filing): Filing {
  const { body } = filing.payload;
  return body ? { ...filing, payload: { ...filing.payload, body: Buffer.from(new Uint8Array(body).buffer) } } : filing;
}
