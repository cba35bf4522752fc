import type { Now } from '../core/clock.ts';
import { HOUR_MS } from '../core/counts.ts';
import { timeOf } from '../core/id.ts';
import { COUNTED, countedUntil, countIn, unsolvedIn } from './reader/counts.ts';
import type { Db } from './reader/kysely.ts';
import type { Sql } from './sql.ts';

/** How far back is counted what was there before anybody counted. */
const BACK_MS = 31 * 24 * HOUR_MS;
/** What is younger may still be on its way into the database, or its clock be behind. */
const YOUNG_MS = 5 * 60_000;
/** So much is counted at a time, within one hour of the day. */
const STEP_MS = 5 * 60_000;

/**
 * Counts what happened by the hour, each span of time once, behind everybody's back: so that a report of a month reads
 * some thousand numbers and not a million messages. `write` runs its work in a transaction, one of these after the other.
 */
export function createCounting(sources: {
  readonly db: Db;
  readonly clock: Now;
  readonly write: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;
}): { readonly count: () => Promise<number> } {
  const { db, clock, write } = sources;
  let next = 0;

  /** Counts one span more, if there is one; how many it was. */
  async function count(): Promise<number> {
    const now = clock.now();
    if (now < next) return 0;
    const known = await countedUntil(db);
    const from = known ?? (await beginning(now));
    next = from + STEP_MS + YOUNG_MS;
    if (now < next) return 0;
    const to = Math.min(hourOf(from) + HOUR_MS, now - YOUNG_MS);
    const isLast = to + STEP_MS > now - YOUNG_MS;
    const counts = await countIn(db, from, to);
    const waiting = isLast ? await unsolvedIn(db) : undefined;
    await write(async (sql) => {
      // Another process may have counted the same, or be about to: this statement waits for it.
      const moved =
        known === undefined
          ? await sql.run('INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', COUNTED, to)
          : await sql.run('UPDATE counters SET value = ? WHERE name = ? AND value = ?', to, COUNTED, known);
      if (moved === 0) return;
      for (const { measure, endpointId, step, total } of counts) {
        await sql.run(ADD, hourOf(from), measure, endpointId, step, total);
      }
      if (waiting) {
        await sql.run(`DELETE FROM counts WHERE hour = ? AND measure = 'unsolved'`, hourOf(now));
        // None at all is a number too.
        for (const { endpointId, total } of [{ endpointId: '', total: 0 }, ...waiting]) {
          await sql.run(ADD, hourOf(now), 'unsolved', endpointId, 0, total);
        }
      }
    });
    next = to + STEP_MS + YOUNG_MS;
    return 1;
  }

  /** Where there is something to count for the first time. */
  async function beginning(now: number): Promise<number> {
    const first = await db.selectFrom('messages').select('id').orderBy('id').limit(1).executeTakeFirst();
    return hourOf(Math.max(first ? timeOf(first.id) : now, now - BACK_MS));
  }

  return { count };
}

const ADD = `INSERT INTO counts (hour, measure, endpoint_id, step, total) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (hour, measure, endpoint_id, step) DO UPDATE SET total = counts.total + excluded.total`;

/** When an hour began. */
function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS;
}
