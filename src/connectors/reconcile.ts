import type { Clock } from '../core/clock.ts';
import type { Channel, Log, Raw, Receipt } from '../core/connector.ts';
import { RetryableError } from '../core/errors.ts';
import type { Store } from '../core/store.ts';
import { bounded, childOf } from './bounded.ts';
import type { InboundRecord } from './inbound.ts';

/** What asks one channel's vendor for what he never delivered. */
export interface Reconciling {
  /** Something may have been missed: asks at once, or again after this time, unless it rests after a failure. */
  wake(): void;
  /** Once nothing of it runs any more. */
  readonly ended: Promise<void>;
}

/** From the end of one time to the next. */
const EVERY_MS = 3_600_000;
/** Asked for anew each time: clocks differ, and some vendors list a message only a while after it was sent. */
const OVERLAP_MS = 10 * 60_000;
/** How far back a channel is asked that never was: what waits there, but not its whole past. */
const FIRST_MS = 3_600_000;
/** A vendor who says nothing for so long hangs. */
const SILENCE_MS = 5 * 60_000;

/**
 * Asks at once, every hour, and when woken. Each time begins where the last complete one began, not at the last message:
 * what was missed may lie before one that was pushed since.
 */
export function startReconciling(
  deps: { readonly clock: Clock; readonly log: Log; readonly store: Pick<Store, 'write'> },
  given: {
    readonly endpointId: string;
    readonly reconcile: NonNullable<Channel['reconcile']>;
    readonly record: InboundRecord;
    readonly receive: (method: 'RECONCILE', raw: Raw) => Promise<Receipt>;
    readonly signal: AbortSignal;
  },
): Reconciling {
  const { clock, log, store } = deps;
  const { endpointId, record, signal } = given;
  let rest = new AbortController();

  async function run(): Promise<void> {
    while (!signal.aborted) {
      rest = childOf(signal);
      try {
        await once();
        await record.succeeded();
        await clock.sleep(EVERY_MS, rest.signal).catch(() => undefined);
      } catch (error) {
        if (signal.aborted) return;
        await clock.sleep(await record.failed(error), signal).catch(() => undefined);
      } finally {
        rest.abort();
      }
    }
  }

  async function once(): Promise<void> {
    const startedAt = clock.now();
    const { reconciledAt } = await store.write([], (tx) => tx.endpointState(endpointId));
    // A clock that was set back must not hide what lies between.
    const since = reconciledAt === null ? startedAt - FIRST_MS : Math.min(reconciledAt, startedAt) - OVERLAP_MS;
    const pass = { found: 0 };
    try {
      await fileSince(since, pass);
      await note({ reconciledAt: startedAt, ...pass });
    } catch (error) {
      // What was filed is known next time, and would never be counted.
      if (pass.found > 0) await note(pass).catch(() => undefined);
      throw error;
    } finally {
      const fields = { endpoint: endpointId, ...pass, since };
      if (pass.found > 0) log.warn(fields, 'messages were fetched that the vendor had not delivered');
    }
  }

  async function fileSince(since: number, pass: { found: number }): Promise<void> {
    const own = childOf(signal);
    let silence = new AbortController();
    const listen = () => {
      silence = childOf(own.signal);
      const late = () => {
        own.abort(new RetryableError(`nothing came back within ${SILENCE_MS / 1000} s`));
      };
      void clock.sleep(SILENCE_MS, silence.signal).then(late, () => undefined);
    };
    try {
      await bounded(clock, own.signal, undefined, async (until) => {
        listen();
        for await (const raw of given.reconcile(since, until)) {
          silence.abort();
          until.throwIfAborted();
          const { items } = await given.receive('RECONCILE', raw);
          pass.found += items.filter(({ outcome }) => outcome === 'ticket_created' || outcome === 'appended').length;
          listen();
        }
      });
    } finally {
      own.abort();
    }
  }

  function note({ found, reconciledAt }: { readonly found: number; readonly reconciledAt?: number }): Promise<void> {
    return store.write([`endpoint ${endpointId}`], async (tx) => {
      const { missed } = await tx.endpointState(endpointId);
      const known = { missed: missed + found, ...(reconciledAt !== undefined && { reconciledAt }) };
      await tx.updateEndpointState(endpointId, known);
    });
  }

  return {
    wake() {
      rest.abort();
    },
    ended: run(),
  };
}
