import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { isFromServer, toStoreError } from './errors.ts';

export type Outcome = 'committed' | 'aborted' | 'unknown';

export interface Outcomes {
  /** For a transaction that begins now: what became of it, asked once its commit was sent and not answered. */
  begin(): (xid: string) => Promise<Outcome>;
}

/** How often the server is asked, and how long between; while it starts again it can't answer. */
const QUESTIONS = 20;
const PAUSE_MS = 250;

/**
 * The server knows what became of a transaction by its number. After a failover that number may be somebody else's, so
 * the answer counts only while the server's history (its timeline) is the one in which the transaction began.
 */
export async function createOutcomes(pool: Pool): Promise<Outcomes> {
  let timeline = await timelineOf(pool);
  return {
    begin() {
      const begun = timeline;
      return async (xid) => {
        for (let question = 0; question < QUESTIONS; question++) {
          if (question > 0) await sleep(PAUSE_MS);
          try {
            const now = await timelineOf(pool);
            timeline = now;
            if (now === undefined || now !== begun) return 'unknown';
            const { rows } = await pool.query('SELECT pg_xact_status($1::xid8) AS status', [xid]);
            const { status } = rows[0] as { status: string | null };
            if (status === 'committed' || status === 'aborted') return status;
            if (status === null) return 'unknown';
          } catch {
            // It is asked again.
          }
        }
        return 'unknown';
      };
    },
  };
}

/** Undefined where the server doesn't say: some that are rented don't. */
async function timelineOf(pool: Pool): Promise<string | undefined> {
  try {
    const { rows } = await pool.query('SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline');
    return (rows[0] as { timeline: string }).timeline;
  } catch (error) {
    // By its code: the severity is a word of the server's language.
    if (isFromServer(error) && toStoreError(error) === error) return undefined;
    throw error;
  }
}
