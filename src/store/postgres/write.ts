import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { RetryableError, textOf } from '../../core/errors.ts';
import type { Transaction } from '../../core/store.ts';
import type { Recent } from '../recent.ts';
import { given, type Sql } from '../sql.ts';
import { transactionOf } from '../transaction.ts';
import { createStatements, sqlOf, type Company, type Run } from './connection.ts';
import { ConflictInStore, isFromServer, outage, RunAlone, toStoreError } from './errors.ts';
import { FEED_LOCK } from './feed.ts';
import type { Outcome, Outcomes } from './outcome.ts';

/** The first half of the keys of our advisory locks: what is named by callers, and the one that all share. */
const NAMED = 0x5472;
const EVERYBODY = 0x5473;
/** Most locks that are taken one by one: the server's table of them is small, and a payload may name thousands of people. */
const MOST_LOCKS = 64;
/** Tries of a transaction that others get in the way of. */
const TRIES = 8;

/** A connection with what was made for it once. */
interface Connection {
  readonly client: PoolClient;
  readonly run: Run;
  readonly sql: Sql;
  readonly tx: Transaction;
}

type Work<T> = (tx: Transaction, sql: Sql) => Promise<T>;

export interface Writer {
  write<T>(locks: readonly string[], work: Work<T>): Promise<T>;
}

/**
 * Ordinary transactions, side by side over a pool. What others may not touch meanwhile is held by locks: those that the
 * caller names, and those of the rows that are read (`FOR UPDATE`). What moves rows about between tickets or customers
 * runs alone (`Sql.alone`).
 */
export function createWriter(deps: {
  readonly pool: Pool;
  readonly recent: Recent;
  readonly outcomes: Outcomes;
}): Writer {
  const { pool, recent, outcomes } = deps;
  const toStatement = createStatements();
  const connections = new WeakMap<PoolClient, Connection>();

  async function connect(): Promise<Connection> {
    const client = await pool.connect().catch((error: unknown) => {
      throw outage(error);
    });
    let found = connections.get(client);
    if (!found) {
      const run: Run = { company: 'beside', failure: undefined };
      const sql = sqlOf(client, run, toStatement);
      connections.set(client, (found = { client, run, sql, tx: transactionOf(sql, recent) }));
    }
    return found;
  }

  async function once<T>(locks: readonly string[], company: Company, work: Work<T>): Promise<T> {
    const { client, run, sql, tx } = await connect();
    run.company = company;
    run.failure = undefined;
    const outcomeOf = outcomes.begin();
    let broken: Error | undefined;
    try {
      const xid = await begin(client, locks, company);
      const value = await work(tx, sql);
      // Whoever caught it can't have made good what the server has given up.
      assertWhole(run);
      await commit(client, () => outcomeOf(xid));
      return value;
    } catch (error) {
      broken = await rollBack(client);
      throw run.failure ?? error;
    } finally {
      client.release(broken);
    }
  }

  return {
    async write(locks, work) {
      let company: Company = locks.length > MOST_LOCKS ? 'alone' : 'beside';
      for (let tries = 1; ; tries++) {
        try {
          return await once(locks, company, work);
        } catch (error) {
          if (error instanceof RunAlone) company = 'alone';
          else if (error instanceof ConflictInStore && tries < (error.once ? 2 : TRIES)) {
            await sleep(Math.random() * 2 ** tries);
          } else throw error;
        }
      }
    },
  };
}

function assertWhole({ failure }: Run): void {
  if (failure) throw failure;
}

/** All in one message: each further one would cost the way there and back. Returns the transaction's number. */
async function begin(client: PoolClient, locks: readonly string[], company: Company): Promise<string> {
  const alone = company === 'alone';
  const keys = [...new Set(locks.map(keyOf))].sort((a, b) => a - b);
  const named = alone ? [] : keys.map((key) => `pg_advisory_xact_lock(${NAMED}, ${key})`);
  try {
    const results = (await client.query(
      [
        'BEGIN',
        `SELECT pg_advisory_xact_lock${alone ? '' : '_shared'}(${EVERYBODY}, 0)`,
        ...(named.length === 0 ? [] : [`SELECT ${named.join(', ')}`]),
        `SELECT pg_current_xact_id()::text AS xid, ${FEED_LOCK} FROM changes_seq_seq`,
      ].join('; '),
    )) as unknown as readonly { readonly rows: readonly { readonly xid: string }[] }[];
    return given(results.at(-1)?.rows[0]).xid;
  } catch (error) {
    throw toStoreError(error);
  }
}

/** A name as a key: 32 bits, so that two names may share one, and then only wait for each other. */
function keyOf(lock: string): number {
  return createHash('sha256').update(lock).digest().readInt32BE(0);
}

async function commit(client: PoolClient, outcomeOf: () => Promise<Outcome>): Promise<void> {
  try {
    await client.query('COMMIT');
  } catch (error) {
    // An answer that says ERROR is an answer; anything else may have come after the commit.
    if (isFromServer(error) && error.severity === 'ERROR') throw toStoreError(error);
    const outcome = await outcomeOf();
    if (outcome === 'committed') return;
    if (outcome === 'aborted') throw outage(error);
    throw new RetryableError(`nobody can say whether this was stored: ${textOf(error)}`, {
      cause: error,
      outcomeUnknown: true,
      hint: 'Look whether it is there before you repeat it; the gateway needs no restart.',
    });
  }
}

/** Why the connection is of no use any more, if it isn't. */
async function rollBack(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch (error) {
    return toStoreError(error);
  }
}
