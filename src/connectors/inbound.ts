import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/connector.ts';
import { AuthExpiredError, RateLimitedError, textOf, TributaryError } from '../core/errors.ts';
import type { InboundState, TaskRefRow } from '../core/rows.ts';
import type { Store, Transaction } from '../core/store.ts';

export interface InboundDeps {
  readonly store: Pick<Store, 'write'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Runs in the transaction that changes a channel's health: tells others. Returns tasks that became due. */
  readonly announce: (tx: Transaction, endpointId: string, health: InboundHealth) => Promise<readonly TaskRefRow[]>;
  /** Runs after each such commit. */
  readonly announced: (due: readonly TaskRefRow[]) => void;
}

export type InboundHealth = 'healthy' | 'degraded' | 'needs_reauth';

/** Writes down how fetching goes: in the endpoint's state, in the log, and as one alarm where a person must act. */
export interface InboundRecord {
  readonly succeeded: () => Promise<void>;
  /** Returns how long to rest before the next try, milliseconds. */
  readonly failed: (error: unknown) => Promise<number>;
}

/** Failures in a row after which it is more than a hiccup. */
const ALARM_AFTER = 5;
const FIRST_REST_MS = 1000;
const LONGEST_REST_MS = 5 * 60_000;
/** How long credentials that were refused rest: vendors lock accounts that try too often. */
const REAUTH_MS = 15 * 60_000;
const RATE_REST_MS = 30_000;
const LONGEST_RATE_REST_MS = 24 * 3_600_000;

type Standing = Pick<InboundState, 'failures' | 'needsReauth'>;

const WELL: Standing = { failures: 0, needsReauth: false };

/** Records for the ways in which one channel is fetched: its health is that of the worst. */
export function createInboundRecords(deps: InboundDeps, endpointId: string): () => InboundRecord {
  const { store, clock, log } = deps;
  const ways: { standing: Standing | undefined }[] = [];

  /** A way that hasn't been tried yet may still be as bad as it was when the last process ended. */
  function worst(was: InboundState): Standing {
    const standings = ways.map(({ standing }) => standing ?? was);
    return {
      failures: Math.max(...standings.map((each) => each.failures)),
      needsReauth: standings.some((each) => each.needsReauth),
    };
  }

  /** Never throws: what can't be written down must not stop the channel too. Returns what was there before. */
  async function change(toState: (before: InboundState) => InboundState): Promise<InboundState | undefined> {
    try {
      const { before, due } = await store.write([`endpoint ${endpointId}`], async (tx) => {
        const was = (await tx.endpointState(endpointId)).inbound;
        const inbound = toState(was);
        if (inbound !== was) await tx.updateEndpointState(endpointId, { inbound });
        const health = healthOf(inbound);
        return { before: was, due: health === healthOf(was) ? [] : await deps.announce(tx, endpointId, health) };
      });
      deps.announced(due);
      return before;
    } catch (error) {
      log.warn({ endpoint: endpointId, error: textOf(error) }, 'how a channel is could not be written down');
      return undefined;
    }
  }

  function tell(error: unknown, before: InboundState | undefined, failures: number): void {
    const fields = { endpoint: endpointId, error: textOf(error), hint: hintOf(error), failures };
    if (error instanceof AuthExpiredError) {
      if (!before?.needsReauth) log.error(fields, 'a channel needs new credentials; nothing comes in through it');
    } else if (failures === ALARM_AFTER) log.error(fields, 'a channel keeps failing; it is tried again by itself');
    else if (failures < ALARM_AFTER) log.warn(fields, 'a channel could not be read; it is tried again');
    else log.debug(fields, 'a channel still fails');
  }

  return () => {
    const way = { standing: undefined as Standing | undefined };
    ways.push(way);
    let failures = 0;
    /** The store knows already that this way is well, so that not every success writes. */
    let noted = false;
    return {
      async succeeded() {
        failures = 0;
        if (noted) return;
        const before = await change((was) => {
          way.standing = WELL;
          const now = worst(was);
          return now.failures === was.failures && now.needsReauth === was.needsReauth ? was : { ...was, ...now };
        });
        noted = before !== undefined;
      },
      async failed(error) {
        // To be asked to wait is no failure.
        const more = error instanceof RateLimitedError ? 0 : 1;
        failures += more;
        noted = false;
        const { standing } = way;
        const before = await change((was) => {
          const { failures: many, needsReauth } = standing ?? was;
          way.standing = { failures: many + more, needsReauth: needsReauth || error instanceof AuthExpiredError };
          return { ...worst(was), lastError: textOf(error).slice(0, 1000), lastErrorAt: clock.now() };
        });
        tell(error, before, failures);
        return restAfter(error, failures, deps.random);
      },
    };
  };
}

function healthOf({ failures, needsReauth }: InboundState): InboundHealth {
  if (needsReauth) return 'needs_reauth';
  return failures >= ALARM_AFTER ? 'degraded' : 'healthy';
}

function hintOf(error: unknown): string | undefined {
  return error instanceof TributaryError ? error.hint : undefined;
}

function restAfter(error: unknown, failures: number, random: () => number): number {
  if (error instanceof AuthExpiredError) return REAUTH_MS;
  if (error instanceof RateLimitedError) {
    return Math.min(Math.max(error.retryAfterMs ?? RATE_REST_MS, FIRST_REST_MS), LONGEST_RATE_REST_MS);
  }
  const rest = Math.min(FIRST_REST_MS * 2 ** (failures - 1), LONGEST_REST_MS);
  return Math.round(rest * (0.8 + random() * 0.4));
}
