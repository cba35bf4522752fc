import type { Fetching, Raw, Receipt } from '../core/connector.ts';
import { LeaseLostError, RetryableError } from '../core/errors.ts';
import type { Intake } from '../core/gateway.ts';
import type { Payload } from '../core/payload.ts';
import type { Store } from '../core/store.ts';
import { bounded, childOf } from './bounded.ts';
import { createInboundRecords, type InboundDeps } from './inbound.ts';
import { startReconciling, type Reconciling } from './reconcile.ts';

export interface LoopDeps extends InboundDeps {
  readonly intake: Pick<Intake, 'receive'>;
  readonly store: Pick<Store, 'write' | 'read'>;
  /** Which holds the channel. */
  readonly processId: string;
}

/** What keeps one endpoint's poll or stream running, and asks its vendor for what was missed. */
export interface Loop {
  readonly fetching: Fetching;
  readonly processId: string;
  /** Polls at once, unless it rests after a failure. */
  wake(): void;
  /** Resolves when nothing of it runs any more; what ignores its signal is left behind. */
  stop(): Promise<void>;
}

/** Between the beginnings of two polls, where the channel doesn't say otherwise. */
const POLL_EVERY_MS = 5000;
/** A poll, or a connect, that takes longer hangs. */
const DEADLINE_MS = 5 * 60_000;
/** A stream that ran so long has worked, even if nothing came. */
const STEADY_MS = 60_000;

/** Starts at once: connects until that succeeds, then streams or polls until it is stopped. */
export function startLoop(deps: LoopDeps, endpointId: string, fetching: Fetching): Loop {
  const { clock, store, processId } = deps;
  const ending = new AbortController();
  const newRecord = createInboundRecords(deps, endpointId);
  const record = newRecord();
  const asking = fetching.reconcile && { reconcile: fetching.reconcile.bind(fetching), record: newRecord() };
  let reconciling: Reconciling | undefined;
  /** Nothing has come yet since it began or failed: who knows what was missed. */
  let interrupted = true;
  let rest = new AbortController();

  async function run(): Promise<void> {
    let connect = fetching.connect?.bind(fetching);
    while (!ending.signal.aborted) {
      try {
        if (connect) await bounded(clock, ending.signal, DEADLINE_MS, connect);
        connect = undefined;
        if (asking) reconciling ??= startReconciling(deps, { ...asking, endpointId, receive, signal: ending.signal });
        if (fetching.stream) await streamOnce(fetching.stream.bind(fetching));
        else if (fetching.poll) await pollOnce(fetching.poll.bind(fetching));
        else return await record.succeeded();
      } catch (error) {
        // Somebody else goes on, and this is no failure.
        if (ending.signal.aborted || error instanceof LeaseLostError) return;
        interrupted = true;
        await clock.sleep(await record.failed(error), ending.signal).catch(() => undefined);
      }
    }
  }

  async function works(): Promise<void> {
    await record.succeeded();
    if (interrupted) reconciling?.wake();
    interrupted = false;
  }

  async function receive(
    method: 'POLL' | 'STREAM' | 'RECONCILE',
    { body, headers = {} }: Raw,
    cursor?: string,
  ): Promise<Receipt> {
    const payload: Payload = {
      endpointId,
      receivedAt: clock.now(),
      method,
      url: '',
      headers: headersOf(headers),
      body,
    };
    return deps.intake.receive(payload, cursor === undefined ? undefined : { cursor, processId });
  }

  async function pollOnce(poll: NonNullable<Fetching['poll']>): Promise<void> {
    // Counted from here, so that a poll which waits at the vendor's is followed by the next one at once.
    rest = childOf(ending.signal);
    const rested = clock.sleep(fetching.pollEveryMs ?? POLL_EVERY_MS, rest.signal).catch(() => undefined);
    try {
      const cursor = await store.read.cursor(endpointId);
      const page = await bounded(clock, ending.signal, DEADLINE_MS, (signal) => poll(cursor, signal));
      await filePage(page, cursor);
      await works();
      // A page that leads nowhere would be asked for again and again.
      if (!page.more || page.cursor === cursor) await rested;
    } finally {
      rest.abort();
    }
  }

  /** In order; the cursor is saved with the last one, so that a page which was cut off comes again. */
  async function filePage(page: { readonly items: readonly Raw[]; readonly cursor: string }, from: string | undefined) {
    for (const [index, raw] of page.items.entries()) {
      ending.signal.throwIfAborted();
      await receive('POLL', raw, index === page.items.length - 1 ? page.cursor : undefined);
    }
    if (page.items.length > 0 || page.cursor === from) return;
    await store.write([`endpoint ${endpointId}`], (tx) => tx.saveCursor(endpointId, page.cursor, processId));
  }

  async function streamOnce(stream: NonNullable<Fetching['stream']>): Promise<void> {
    const cursor = await store.read.cursor(endpointId);
    const own = childOf(ending.signal);
    const filing = new Set<Promise<void>>();

    async function file(raw: Raw, next: string | undefined): Promise<void> {
      if (own.signal.aborted) throw new RetryableError('the channel is being closed');
      await receive('STREAM', raw, next);
      await works();
    }

    function emit(raw: Raw, next?: string): Promise<void> {
      // A cursor must not pass what isn't stored: it waits for what is on its way, and when it fails the stream starts anew.
      const filed = next === undefined ? file(raw, next) : Promise.all(filing).then(() => file(raw, next));
      filing.add(filed);
      const failed = (error: unknown) => {
        if (next !== undefined) own.abort(error);
      };
      void filed.catch(failed).finally(() => filing.delete(filed));
      return filed;
    }

    void clock.sleep(STEADY_MS, own.signal).then(works, () => undefined);
    try {
      await bounded(clock, own.signal, undefined, (signal) => stream(cursor, emit, signal));
      own.signal.throwIfAborted();
      throw new RetryableError('the stream ended by itself');
    } finally {
      own.abort();
      await Promise.allSettled(filing);
    }
  }

  const running = run();
  return {
    fetching,
    processId,
    wake() {
      rest.abort();
    },
    async stop() {
      ending.abort(new RetryableError('the channel is being closed'));
      await running;
      await reconciling?.ended;
    },
  };
}

function headersOf(headers: Readonly<Record<string, string>>): Record<string, string> {
  const lower = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) lower[name.toLowerCase()] = value;
  return lower;
}
