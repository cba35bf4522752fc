import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Context, Log } from './core/connector.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  textOf,
} from './core/errors.ts';

/**
 * Work that strangers' bytes can make slow or large, done in a few threads: they share no memory with the
 * gateway, may be ended at any time, and are.
 */
export interface Offload {
  /**
   * See `Context.offload`. `lane`: whose work it is (the endpoint's id); lanes take turns, so that one with much to
   * do doesn't hold up the others. Throws `RetryableError` when too much is waiting, and after `close`.
   */
  run<T>(work: Work, lane?: string): Promise<T>;
  /** Ends every thread at once; what was running or waiting fails with `RetryableError`. */
  close(): Promise<void>;
}

type Work = Parameters<Context['offload']>[0];

/** To a thread. */
export interface Job {
  /** Address of the module. */
  readonly module: string;
  readonly input: unknown;
}

/** From a thread. */
export type Report =
  | { readonly kind: 'begun' }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: ErrorAsData };

export interface ErrorAsData {
  readonly name: string;
  readonly text: string;
  readonly hint: string | undefined;
}

/** How a try ended. `lost`: the thread is gone, and why. */
type End = Exclude<Report, { readonly kind: 'begun' }> | { readonly kind: 'lost'; readonly why: string };

interface Task {
  readonly work: Work;
  readonly tries: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  work(work: Work): Promise<End>;
  end(): Promise<unknown>;
}

/** A thread that needs more is ended. Buffers don't count: they are bounded by the size of the input. */
const LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 };
/** For starting a thread and loading a module, which is our own code on a machine that may be busy. */
const START_MS = 60_000;
const TRIES = 2;
/** Work waiting for a thread, in all. */
const MOST_WAITING = 1000;

/** `size`: threads at most, started when they are needed; between two and four when left out. */
export function createOffload(deps: { readonly log: Log; readonly size?: number }): Offload {
  const size = deps.size ?? Math.max(2, Math.min(4, availableParallelism() - 1));
  const lanes = createLanes<Task>();
  const idle: Thread[] = [];
  const all = new Set<Thread>();
  let closed = false;

  function next(): void {
    while (!closed && lanes.size() > 0 && (idle.length > 0 || all.size < size)) {
      const task = lanes.take();
      if (task) void tryOn(idle.pop() ?? start(), task);
    }
  }

  function start(): Thread {
    const thread = startThread(() => {
      // It may end later than its work did.
      all.delete(thread);
      if (idle.includes(thread)) idle.splice(idle.indexOf(thread), 1);
    });
    all.add(thread);
    return thread;
  }

  async function tryOn(thread: Thread, task: Task): Promise<void> {
    const end = await thread.work(task.work);
    if (end.kind === 'lost') all.delete(thread);
    else idle.push(thread);
    settle(task, end);
    next();
  }

  function settle(task: Task, end: End): void {
    if (end.kind === 'done') task.resolve(end.result);
    else if (end.kind === 'failed') task.reject(toError(end.error));
    else if (closed) task.reject(closing());
    else retry(task, end.why);
  }

  function retry(task: Task, why: string): void {
    const tries = task.tries + 1;
    deps.log.warn({ worker: task.work.worker.pathname.split('/').pop(), tries }, `a thread was lost: ${why}`);
    // In a fresh thread, since whatever it was may have been left behind by the work before.
    if (tries < TRIES) void tryOn(start(), { ...task, tries });
    else task.reject(new BadPayloadError(`reading it ${why}, twice`));
  }

  return {
    run<T>(work: Work, lane = '') {
      if (closed) return Promise.reject(closing());
      if (lanes.size() >= MOST_WAITING) {
        return Promise.reject(new RetryableError(`${MOST_WAITING} pieces of work are waiting for a thread already`));
      }
      return new Promise<T>((resolve, reject) => {
        lanes.add(lane, { work, tries: 0, resolve: resolve as Task['resolve'], reject });
        next();
      });
    },
    async close() {
      closed = true;
      for (let task = lanes.take(); task; task = lanes.take()) task.reject(closing());
      await Promise.all([...all].map((thread) => thread.end()));
    },
  };
}

function closing(): RetryableError {
  return new RetryableError('the gateway is shutting down');
}

function startThread(gone: () => void): Thread {
  const entry = existing(new URL('./offload-worker.ts', import.meta.url));
  // Without our environment: whoever takes over a parser finds no secret in it.
  const options = { resourceLimits: LIMITS, env: {}, execArgv: [] };
  const worker = entry.pathname.endsWith('.ts')
    ? new Worker(fromSources(entry), { ...options, eval: true })
    : new Worker(entry, options);
  let timer: NodeJS.Timeout | undefined;
  let finish: ((end: End) => void) | undefined;
  let deadlineMs = 0;

  function settle(end: End): void {
    clearTimeout(timer);
    // A thread without work keeps no process alive.
    worker.unref();
    finish?.(end);
    finish = undefined;
  }

  function lose(why: string): void {
    settle({ kind: 'lost', why });
    void worker.terminate();
  }

  worker.on('message', (report: Report) => {
    if (report.kind !== 'begun') return settle(report);
    clearTimeout(timer);
    timer = setTimeout(() => lose(`took longer than ${deadlineMs} ms`), deadlineMs);
  });
  worker.on('messageerror', (error) => lose(`gave what can't be handed over (${error.message})`));
  worker.on('error', (error: unknown) => lose(whyLost(error)));
  worker.on('exit', (code) => {
    gone();
    settle({ kind: 'lost', why: `ended its thread (code ${code})` });
  });

  return {
    work: (work) =>
      new Promise((resolve) => {
        finish = resolve;
        deadlineMs = work.deadlineMs;
        worker.ref();
        timer = setTimeout(() => lose(`took longer than ${START_MS} ms to start`), START_MS);
        try {
          const job: Job = { module: existing(work.worker).href, input: work.input };
          worker.postMessage(job);
        } catch (error) {
          settle({ kind: 'failed', error: { name: 'Error', text: textOf(error), hint: undefined } });
        }
      }),
    end: () => worker.terminate(),
  };
}

/** Run from the sources, the main thread's tsx doesn't reach into others before Node 22.22. */
function fromSources(entry: URL): string {
  const tsx = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs');
  const [api, module] = [pathToFileURL(tsx).href, entry.href].map((href) => JSON.stringify(href));
  return `import(${api}).then((tsx) => { tsx.register(); return import(${module}); });`;
}

function whyLost(error: unknown): string {
  const outOfMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return outOfMemory ? `ran out of memory (${LIMITS.maxOldGenerationSizeMb} MB)` : `crashed (${textOf(error)})`;
}

/** Modules are named as in the sources; in what was built they end in `.js`. */
function existing(module: URL): URL {
  return existsSync(module) ? module : new URL(module.href.replace(/\.ts$/, '.js'));
}

function toError({ name, text, hint }: ErrorAsData): Error {
  switch (name) {
    case 'BadPayloadError':
      return new BadPayloadError(text, { hint });
    case 'PermanentError':
      return new PermanentError(text, { hint });
    case 'RetryableError':
      return new RetryableError(text, { hint });
    case 'RateLimitedError':
      return new RateLimitedError(text, undefined, { hint });
    case 'AuthExpiredError':
      return new AuthExpiredError(text, { hint });
    default:
      return new Error(text);
  }
}

/** A queue of queues that take turns. */
function createLanes<T>() {
  const lanes = new Map<string, T[]>();
  let size = 0;
  return {
    size: () => size,
    add(lane: string, entry: T) {
      const queue = lanes.get(lane);
      if (queue) queue.push(entry);
      else lanes.set(lane, [entry]);
      size++;
    },
    take(): T | undefined {
      for (const [lane, queue] of lanes) {
        const entry = queue.shift();
        // Behind all the others, or gone.
        lanes.delete(lane);
        if (queue.length > 0) lanes.set(lane, queue);
        size--;
        return entry;
      }
      return undefined;
    },
  };
}
