import type { Client, Pool, PoolClient, PoolConfig } from 'pg';
import type { Log } from '../../core/connector.ts';
import { textOf } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { given, type Sql, type Value } from '../sql.ts';
import { RunAlone, toStoreError } from './errors.ts';

/** BIGINT, and what `sum` makes of it: as numbers, since ours are all safe integers. */
const INT8 = 20;
const NUMERIC = 1700;

/**
 * How long the server lets a statement take, wait for a lock, and a transaction stand still; ours are far shorter. A
 * connection that is half open would otherwise hold its locks, and its caller, for hours.
 */
const LIMITS = {
  statement_timeout: 20_000,
  lock_timeout: 15_000,
  idle_in_transaction_session_timeout: 30_000,
  query_timeout: 30_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
} as const;

/** Ways to a database. */
export interface Driver {
  /** One connection, not opened yet, on which a statement may take its time. */
  client(): Client;
  /** At most `max` connections, opened when they are needed. */
  pool(max: number): Pool;
}

/** Loads the driver, which installations on SQLite never need. */
export async function loadDriver(url: Secret, log: Log): Promise<Driver> {
  const { default: pg } = await import('pg');
  const parserOf = (oid: number, format?: 'text'): unknown =>
    oid === INT8 || oid === NUMERIC ? Number : pg.types.getTypeParser(oid, format);
  const settings = (): PoolConfig => ({
    connectionString: url.reveal(),
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
    application_name: 'tributary',
    connectionTimeoutMillis: 5000,
  });
  return {
    client: () => new pg.Client(settings()),
    pool(max) {
      const pool = new pg.Pool({ ...settings(), ...LIMITS, max });
      // One that nobody uses was closed by the server; the next one who needs one gets a new one.
      pool.on('error', (error) => {
        log.warn({ error: textOf(error) }, 'a connection to PostgreSQL was lost');
      });
      // One that is in use, while it waits for its user: the user's next statement fails. Unheard, it ends the process.
      pool.on('connect', (client) => {
        client.on('error', () => undefined);
      });
      return pool;
    },
  };
}

/** Texts with `?` as statements that each connection prepares once. */
export type ToStatement = (text: string) => { readonly name: string; readonly text: string };

export function createStatements(): ToStatement {
  const statements = new Map<string, { readonly name: string; readonly text: string }>();
  return (text) => {
    let found = statements.get(text);
    if (!found) {
      let count = 0;
      const numbered = text.replace(/\?/g, () => `$${++count}`);
      statements.set(text, (found = { name: `t${statements.size}`, text: numbered }));
    }
    return found;
  };
}

/** Beside others, or with nobody else writing. */
export type Company = 'beside' | 'alone';

/** How a transaction goes, for the writer that runs it. */
export interface Run {
  company: Company;
  /** The first thing that went wrong in the database: whatever comes after it is only a consequence. */
  failure: Error | undefined;
}

/** Statements over one connection, inside the transaction that `run` is about. */
export function sqlOf(client: PoolClient, run: Run, toStatement: ToStatement): Sql {
  async function query(text: string, values: readonly Value[]) {
    try {
      return await client.query({ ...toStatement(text), values: values.map(toParameter) });
    } catch (error) {
      run.failure ??= toStoreError(error);
      throw run.failure;
    }
  }
  return {
    run: async (text, ...values) => (await query(text, values)).rowCount ?? 0,
    get: async <T extends object>(text: string, ...values: readonly Value[]) =>
      (await query(text, values)).rows[0] as T | undefined,
    all: async <T extends object>(text: string, ...values: readonly Value[]) => (await query(text, values)).rows as T[],
    async insert(text, column, ...values) {
      const { rows } = await query(`${text} RETURNING ${column}`, values);
      return given((rows[0] as Record<string, number>)[column]);
    },
    async next(counter) {
      // A sequence: a row that counts would be locked by each transaction until it ends.
      const { rows } = await query(`SELECT nextval('${counter}_counter') AS value`, []);
      return (rows[0] as { value: number }).value;
    },
    async alone() {
      if (run.company !== 'alone') throw (run.failure ??= new RunAlone());
    },
  };
}

/** PostgreSQL's TEXT has no place for NUL, which SQLite's has. */
export function toParameter(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
}
