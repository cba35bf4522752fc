import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/connector.ts';
import { PermanentError, RetryableError, TributaryError, textOf } from '../core/errors.ts';
import type { Queue, TaskRef } from '../core/queue.ts';
import type { AttemptRow, EndpointState, Lease, Task, TaskKind, TaskRefRow } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';
import { settle, type Verdict } from './settle.ts';

/** Carries one task out; resolves with what the far side answered, throws one of the error classes. */
export type CarryOut = (task: Task) => Promise<Exchange | undefined>;

export interface Exchange {
  readonly request?: string;
  readonly response?: string;
  /** It is not time yet: nothing was done, and it is asked again then. Not a failure. */
  readonly later?: number;
}

export interface WorkerDeps {
  readonly store: Store;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Under which this process holds tasks now: the beginning of its leases' tokens. */
  readonly processId: () => string;
  readonly carryOut: Readonly<Record<TaskKind, CarryOut>>;
  /** Runs in the transaction that ends a try: announces what came of it. Returns tasks that became due. */
  readonly settled: (tx: Transaction, ending: Ending) => Promise<readonly TaskRefRow[]>;
  /** Runs after each such commit. */
  readonly announced: (due: readonly TaskRefRow[]) => void;
}

/** How a try ended. */
export interface Ending {
  readonly task: Task;
  readonly state: Verdict['result']['state'];
  readonly error: unknown;
  /** The endpoint as it was before, and what changes. */
  readonly before: EndpointState;
  readonly after: Verdict['endpoint'];
  readonly at: number;
}

/** A try may take this long before another worker may take the task over, milliseconds. */
const LEASE_MS = 5 * 60_000;
/** How often the store is asked for due tasks, and how many ids are taken per endpoint. */
const SWEEP_MS = 1000;
const SWEEP_SIZE = 200;
/** Deliveries are sent again while a destination has fewer due than this: what is new waits for no more. */
const REPLAYS = 20;
/** How long tries that are in flight may take once it stops; then they are left to whoever takes them over, milliseconds. */
const STOP_MS = 10_000;
/** How long after a failure the store is asked again to take what a try came to, milliseconds. */
const INSIST_MS = 1000;
/** A task that took the process down so many times is set aside. */
const MAX_INTERRUPTIONS = 10;

/**
 * Carries out tasks of the outbox: lease, carry out, settle. The sweep finds whatever the queue has
 * lost; the lease's token stops a worker that wakes up late.
 */
export function createWorker(deps: WorkerDeps): { start(): void; stop(): Promise<void> } {
  const { store, queue, clock, log } = deps;
  const stopping = new AbortController();
  let sweeping: Promise<void> | undefined;
  /** What this process is working on: a clock that jumps must not make it take its own lease over. */
  const active = new Set<string>();

  async function run(ref: TaskRef): Promise<void> {
    if (active.has(ref.id)) return;
    active.add(ref.id);
    try {
      const token = `${deps.processId()}.${randomBytes(16).toString('hex')}`;
      const now = clock.now();
      const lease = await store.write([`task ${ref.id}`], (tx) => tx.lease(ref.id, token, now, now + LEASE_MS));
      if (lease) await tryOnce(lease);
    } catch (error) {
      // The store can't write: the task stays as it is and the sweep brings it back.
      log.warn({ task: ref.id, error: textOf(error) }, 'a task could not be worked on');
    } finally {
      active.delete(ref.id);
    }
  }

  async function tryOnce(lease: Lease): Promise<void> {
    const { task } = lease;
    const startedAt = clock.now();
    let error: unknown;
    let exchange: Awaited<ReturnType<CarryOut>>;
    try {
      // The try was counted before it began, so that a task which takes the process down can't do so for ever.
      if (task.interruptions >= MAX_INTERRUPTIONS) {
        throw new PermanentError(`the process ended ${task.interruptions} times while this was carried out`, {
          hint: 'Look at the log of those moments, then replay it.',
        });
      }
      exchange = await deps.carryOut[task.kind](task);
    } catch (thrown) {
      error = thrown ?? new RetryableError('failed without a reason');
    }
    const now = clock.now();
    const due = await insist([`task ${task.id}`], async (tx) => {
      const state = await tx.endpointState(task.endpointId);
      const verdict =
        exchange?.later === undefined
          ? settle(error, lease, state, { now, random: deps.random })
          : notYet(lease, exchange.later);
      const attempt = attemptOf(verdict, error, exchange, startedAt, now);
      const { held, next } = await tx.finish(lease, verdict.result, attempt, now);
      // Somebody else holds the lease by now: what this worker found out is history only.
      if (!held) return [];
      if (worthWriting(state, verdict, now)) await tx.updateEndpointState(task.endpointId, verdict.endpoint);
      const more = await deps.settled(tx, {
        task,
        state: verdict.result.state,
        error,
        before: state,
        after: verdict.endpoint,
        at: now,
      });
      return next ? [next, ...more] : more;
    });
    deps.announced(due);
  }

  /** While the store can't write, what a try came to is kept as long as its lease may last: repeating it would be worse. */
  async function insist<T>(locks: readonly string[], work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (const until = clock.now() + LEASE_MS; ;) {
      try {
        return await store.write(locks, work);
      } catch (error) {
        if (!(error instanceof RetryableError) || clock.now() >= until) throw error;
        await clock.sleep(INSIST_MS, stopping.signal).catch(() => {
          throw error;
        });
      }
    }
  }

  /** It is their turn to be sent again. */
  async function replay(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const now = clock.now();
    const refs = await store.write(['outbox'], async (tx) => {
      const found: TaskRefRow[] = [];
      for (const id of ids) {
        const ref = await tx.beginReplay(id, now);
        if (ref?.due) found.push(ref);
      }
      return found;
    });
    queue.push(refs);
  }

  async function sweep(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        queue.push(await store.read.dueTasks(clock.now(), SWEEP_SIZE));
        await replay(await store.read.replays(clock.now(), REPLAYS));
      } catch (error) {
        log.warn({ error: textOf(error) }, 'the sweep failed; it goes on');
      }
      await clock.sleep(SWEEP_MS, stopping.signal).catch(() => undefined);
    }
  }

  return {
    start() {
      queue.start(run);
      sweeping = sweep();
    },
    async stop() {
      stopping.abort();
      await sweeping;
      const stopped = new AbortController();
      const late = clock.sleep(STOP_MS, stopped.signal).then(
        () => {
          log.warn({ tasks: [...active] }, 'tries were still in flight; they are taken up again at the next start');
        },
        () => undefined,
      );
      await Promise.race([queue.stop(), late]);
      stopped.abort();
    },
  };
}

function outcomeOf(error: unknown, exchange: Exchange | undefined): string {
  if (error !== undefined) return error instanceof TributaryError ? error.name : 'Error';
  return exchange?.later === undefined ? 'delivered' : 'waited';
}

/** No try was spent, and what is unknown of an earlier one still is. */
function notYet({ task }: Lease, dueAt: number): Verdict {
  return { result: { state: 'waiting', dueAt, countsAttempt: false, uncertain: task.uncertain }, endpoint: {} };
}

/** Every success would otherwise write the endpoint's row; the time of the last one may be seconds old. */
function worthWriting(state: EndpointState, verdict: Verdict, now: number): boolean {
  if (verdict.result.state !== 'delivered') return Object.keys(verdict.endpoint).length > 0;
  return state.failures > 0 || state.needsReauth || state.pausedUntil !== null || now - (state.lastOutAt ?? 0) > 10_000;
}

function attemptOf(
  verdict: Verdict,
  error: unknown,
  exchange: Awaited<ReturnType<CarryOut>>,
  startedAt: number,
  endedAt: number,
): AttemptRow {
  const known = error instanceof TributaryError ? error : undefined;
  return {
    startedAt,
    endedAt,
    outcome: outcomeOf(error, exchange),
    error: error === undefined ? null : textOf(error).slice(0, 2000),
    hint: known?.hint ?? null,
    request: exchange?.request ?? null,
    response: exchange?.response ?? answerIn(known),
  };
}

/** What the far side answered, if that was the error. */
function answerIn(error: TributaryError | undefined): string | null {
  return error?.response ? `${error.response.status} ${error.response.text}`.slice(0, 2048) : null;
}
