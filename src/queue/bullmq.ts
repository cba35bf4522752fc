import { setTimeout as sleep } from 'node:timers/promises';
import type { Queue as Line, Worker } from 'bullmq';
import type { Log } from '../core/connector.ts';
import { textOf } from '../core/errors.ts';
import type { Queue, TaskRef } from '../core/queue.ts';

export interface BullmqOptions {
  /** `redis://…` or `rediss://…` */
  readonly url: string;
  /** Of all keys: what keeps installations that share a Redis apart. */
  readonly prefix: string;
  readonly perEndpoint: number;
  /** Takes what Redis doesn't take just now. */
  readonly fallback: Queue;
  readonly log: Log;
}

/** Ids sent of one line at a time: the process does nothing else meanwhile, and the sweep finds the others. */
const MOST = 1000;
/** Longest that a command may take: a Redis that has stopped answering is as good as none, milliseconds. */
const COMMAND_MS = 2000;
/** Longest that leaving may take once all work is done, milliseconds. */
const LEAVE_MS = 2000;
/** Longest wait before it is tried to connect again, milliseconds. */
const RETRY_MS = 1000;

/**
 * The queue of several processes, in Redis. Each endpoint has a line of its own there, and another one for files; each
 * process works on so many of a line at once. A job is nothing but the id of a task. Nothing depends on it: what Redis
 * forgets the sweep finds again, and while it is away each process works on what it finds itself. The drivers are loaded
 * here, since most installations never need them.
 */
export async function createBullmqQueue(options: BullmqOptions): Promise<Queue> {
  const [bullmq, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
  const { prefix, perEndpoint, fallback, log } = options;
  // Also for the connections that workers make from this one: none of them comes back once it has stopped.
  const retryStrategy = (times: number) => (stopped ? null : Math.min(times * 200, RETRY_MS));
  // Refuses at once what it can't send now, so that it goes to the fallback instead of waiting for hours.
  const sending = new Redis(options.url, {
    retryStrategy,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_MS,
  });
  const working = new Redis(options.url, { retryStrategy, maxRetriesPerRequest: null });
  const lines = new Map<string, { readonly line: Line; readonly endpointId: string; worker?: Worker }>();
  const active = new Set<Promise<void>>();
  let run: ((ref: TaskRef) => Promise<void>) | undefined;
  let stopped = false;
  let isUp: boolean | undefined;

  const heard = (up: boolean, error?: unknown) => {
    if (stopped || isUp === up) return;
    isUp = up;
    if (up) log.info({}, 'Redis spreads the work over the processes');
    else log.warn({ error: textOf(error) }, 'Redis does not answer: each process works on what it finds itself');
  };
  sending.on('ready', () => {
    heard(true);
  });
  sending.on('error', (error: Error) => {
    heard(false, error);
  });
  working.on('error', () => undefined);

  function lineOf(name: string, endpointId: string) {
    let known = lines.get(name);
    if (!known) {
      const line = new bullmq.Queue(name, { connection: sending, prefix, skipWaitingForReady: true });
      line.on('error', () => undefined);
      lines.set(name, (known = { line, endpointId }));
      consume(name);
    }
    return known.line;
  }

  function consume(name: string): void {
    const known = lines.get(name);
    if (!known || known.worker || !run) return;
    const { endpointId } = known;
    known.worker = new bullmq.Worker(name, async ({ id }) => carryOut({ id: id ?? '', endpointId }), {
      connection: working,
      prefix,
      concurrency: perEndpoint,
      // Its own 15 seconds would keep a process that leaves, and one whose Redis is back, waiting.
      runRetryDelay: RETRY_MS,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    known.worker.on('error', () => undefined);
  }

  async function carryOut(ref: TaskRef): Promise<void> {
    // What was fetched while it stopped is left to the others, or to the sweep.
    if (!run) return;
    const work = run(ref).finally(() => active.delete(work));
    active.add(work);
    await work;
  }

  return {
    push(refs) {
      if (stopped) return;
      for (const [name, pushed] of byLine(refs)) {
        const endpointId = pushed[0]?.endpointId ?? '';
        // Whoever has the same id is the same task: one that waits already is not added again.
        const jobs = pushed.slice(0, MOST).map(({ id }) => ({
          name: 'task',
          data: {},
          opts: { jobId: id, removeOnComplete: true, removeOnFail: true },
        }));
        lineOf(name, endpointId)
          .addBulk(jobs)
          .then(
            () => {
              heard(true);
            },
            (error: unknown) => {
              heard(false, error);
              fallback.push(pushed);
            },
          );
      }
    },
    start(work) {
      run = work;
      fallback.start(work);
      for (const name of lines.keys()) consume(name);
    },
    async stop() {
      stopped = true;
      run = undefined;
      await Promise.all([fallback.stop(), Promise.allSettled(active)]);
      // A worker never leaves a connection that waits to be tried again; the next try of each is its last now.
      if (sending.status !== 'ready' || working.status !== 'ready') await sleep(RETRY_MS + 200);
      const left = [...lines.values()].map(async ({ line, worker }) => {
        await worker?.close();
        await line.close();
      });
      await within(LEAVE_MS, Promise.allSettled(left));
      sending.disconnect();
      working.disconnect();
    },
  };
}

function byLine(refs: readonly TaskRef[]): Map<string, TaskRef[]> {
  const lines = new Map<string, TaskRef[]>();
  for (const ref of refs) {
    const name = ref.lane ? `${ref.endpointId} ${ref.lane}` : ref.endpointId;
    const line = lines.get(name);
    if (line) line.push(ref);
    else lines.set(name, [ref]);
  }
  return lines;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
