import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Horizon } from '../reader/changes.ts';
import { given } from '../sql.ts';
import { rowsOf } from './kysely.ts';

/**
 * Numbers of changes are given out before their transactions commit, so a number may become visible after a higher one.
 * Each transaction that writes therefore shows, by an advisory lock that it holds to its end, the last number that was
 * given out when it began: its own are higher. The keys lie above 2^62, where no other lock is.
 */
const BASE = 2n ** 62n;
export const FEED_LOCK = `pg_advisory_xact_lock_shared(${BASE} + last_value)`;

/** How long is waited for transactions that are older than the question, and how long between two looks, milliseconds. */
const PATIENCE_MS = 1000;
const LOOK_MS = 5;

/**
 * The number up to which no change can appear any more. Three looks in this order: the last number given out, who still
 * writes, and (by the caller, after this) the changes. Whoever had a number and isn't seen by the second has ended
 * before the third.
 */
export function createHorizon(pool: Pool): Horizon {
  return async () => {
    const last = await numberIn(pool, 'SELECT last_value AS number FROM changes_seq_seq');
    for (const patience = performance.now() + PATIENCE_MS; ;) {
      const oldest = await numberIn(pool, WRITING);
      if (oldest === null || last === null || oldest >= last) return last ?? 0;
      if (performance.now() > patience) return oldest;
      await sleep(LOOK_MS);
    }
  };
}

const WRITING = `SELECT min(((classid::bigint << 32) | objid::bigint) - ${BASE}) AS number FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >= ${BASE >> 32n}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

async function numberIn(pool: Pool, text: string): Promise<number | null> {
  return given((await rowsOf<{ number: number | null }>(pool, text))[0]).number;
}
