import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { builtOrSource, startChild } from './core/child-process.ts';
import type { Context, Log } from './core/connector.ts';
import { errorAsData, errorFrom, type ErrorAsData } from './core/error-data.ts';
import { BadPayloadError, RetryableError, textOf } from './core/errors.ts';

/**
 * Work that strangers' bytes can make slow or large, done in a few processes of its own: they share nothing with
 * the gateway, may be ended at any time, and are (`docs/decisions/0017-mail-is-read-in-processes.md`).
 */
export interface Offload {
  /**
   * See `Context.offload`. `lane`: whose work it is (the endpoint's id); lanes take turns, so that one with much to
   * do doesn't hold up the others. Throws `RetryableError` when too much is waiting, and after `close`.
   */
  run<T>(work: Work, lane?: string): Promise<T>;
  /** Ends every process at once; what was running or waiting fails with `RetryableError`. */
  close(): Promise<void>;
}

type Work = Parameters<Context['offload']>[0];

/** To a process. */
export interface Job {
  /** Address of the module. */
  readonly module: string;
  readonly input: unknown;
}

/** From a process. `crashed`: it ends, since something threw where nobody caught it. */
export type Report =
  | { readonly kind: 'begun' }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: ErrorAsData }
  | { readonly kind: 'crashed'; readonly text: string };

/** How a try ended. `lost`: the process is gone, and why. */
type End = Extract<Report, { readonly kind: 'done' | 'failed' }> | { readonly kind: 'lost'; readonly why: string };

interface Task {
  readonly work: Work;
  readonly tries: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Worker {
  work(work: Work): Promise<End>;
  end(): Promise<unknown>;
}

/** A process that needs more is ended. Buffers don't count: they are bounded by the size of the input. */
const MOST_MB = 256;
/** For starting a process and loading a module, which is our own code on a machine that may be busy. */
const START_MS = 60_000;
const TRIES = 2;
/** Work waiting for a process, in all. */
const MOST_WAITING = 1000;

/** `size`: processes at most, started when they are needed; between two and four when left out. */
export function createOffload(deps: { readonly log: Log; readonly size?: number }): Offload {
  const size = deps.size ?? Math.max(2, Math.min(4, availableParallelism() - 1));
  const lanes = createLanes<Task>();
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  let closed = false;

  function next(): void {
    while (!closed && lanes.size() > 0 && (idle.length > 0 || all.size < size)) {
      const task = lanes.take();
      if (task) void tryOn(idle.pop() ?? start(), task);
    }
  }

  function start(): Worker {
    const worker = startWorker(() => {
      // It may end later than its work did.
      all.delete(worker);
      if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1);
    });
    all.add(worker);
    return worker;
  }

  async function tryOn(worker: Worker, task: Task): Promise<void> {
    const end = await worker.work(task.work);
    if (end.kind === 'lost') all.delete(worker);
    else idle.push(worker);
    settle(task, end);
    next();
  }

  function settle(task: Task, end: End): void {
    if (end.kind === 'done') task.resolve(end.result);
    else if (end.kind === 'failed') task.reject(errorFrom(end.error));
    else if (closed) task.reject(closing());
    else retry(task, end.why);
  }

  function retry(task: Task, why: string): void {
    const tries = task.tries + 1;
    deps.log.warn({ worker: task.work.worker.pathname.split('/').pop(), tries }, `a worker process was lost: ${why}`);
    // In a fresh process, since whatever it was may have been left behind by the work before.
    if (tries < TRIES) void tryOn(start(), { ...task, tries });
    else task.reject(new BadPayloadError(`reading it ${why}, twice`));
  }

  return {
    run<T>(work: Work, lane = '') {
      if (closed) return Promise.reject(closing());
      if (lanes.size() >= MOST_WAITING) {
        return Promise.reject(new RetryableError(`${MOST_WAITING} pieces of work are waiting for a process already`));
      }
      return new Promise<T>((resolve, reject) => {
        lanes.add(lane, { work, tries: 0, resolve: resolve as Task['resolve'], reject });
        next();
      });
    },
    async close() {
      closed = true;
      for (let task = lanes.take(); task; task = lanes.take()) task.reject(closing());
      await Promise.all([...all].map((worker) => worker.end()));
    },
  };
}

function closing(): RetryableError {
  return new RetryableError('the gateway is shutting down');
}

function startWorker(gone: () => void): Worker {
  const child = startChild({ module: new URL('./offload-worker.ts', import.meta.url), mostMb: MOST_MB });
  const exit = once(child, 'exit');
  let timer: NodeJS.Timeout | undefined;
  let finish: ((end: End) => void) | undefined;
  let deadlineMs = 0;

  function settle(end: End): void {
    clearTimeout(timer);
    // A process without work keeps ours alive no longer.
    child.unref();
    child.channel?.unref();
    finish?.(end);
    finish = undefined;
  }

  function lose(why: string): void {
    settle({ kind: 'lost', why });
    // Whatever it is busy with, this reaches it.
    child.kill('SIGKILL');
  }

  child.on('message', (report: Report) => {
    if (report.kind === 'crashed') return lose(`crashed (${report.text})`);
    if (report.kind !== 'begun') return settle(report);
    clearTimeout(timer);
    timer = setTimeout(() => lose(`took longer than ${deadlineMs} ms`), deadlineMs);
  });
  child.on('error', (error) => lose(`has no process (${textOf(error)})`));
  child.on('exit', (code, signal) => {
    gone();
    settle({ kind: 'lost', why: whyEnded(code, signal) });
  });

  return {
    work: (work) =>
      new Promise((resolve) => {
        finish = resolve;
        deadlineMs = work.deadlineMs;
        child.ref();
        child.channel?.ref();
        timer = setTimeout(() => lose(`took longer than ${START_MS} ms to start`), START_MS);
        try {
          const job: Job = { module: builtOrSource(work.worker).href, input: work.input };
          // A failure to send is the end of the process, which is heard of.
          child.send(job, () => undefined);
        } catch (error) {
          settle({ kind: 'failed', error: errorAsData(error) });
        }
      }),
    end() {
      child.kill('SIGKILL');
      return exit;
    },
  };
}

function whyEnded(code: number | null, signal: NodeJS.Signals | null): string {
  // How V8 ends a process whose memory is full.
  if (signal === 'SIGABRT') return `ran out of memory (${MOST_MB} MB)`;
  return `ended its process (${signal ?? `code ${code}`})`;
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
