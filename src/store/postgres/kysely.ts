import { Kysely, PostgresDialect } from 'kysely';
import type { Pool, QueryResult } from 'pg';
import type { Db } from '../reader/kysely.ts';
import type { Tables } from '../reader/tables.ts';
import { toParameter } from './connection.ts';
import { toStoreError } from './errors.ts';

/** Kysely over the connections that read, which it doesn't close; what fails there fails as our own errors. */
export function kyselyOf(pool: Pick<Pool, 'connect'>): Db {
  const connect = async () => {
    const client = await told(pool.connect());
    return {
      query: (text: string, values: readonly unknown[]) => told(client.query(text, values.map(toParameter))),
      release: () => {
        client.release();
      },
    };
  };
  // It also offers cursors, which the driver has in another package; nothing here reads row by row.
  const own = { connect, end: () => Promise.resolve() } as unknown as ConstructorParameters<
    typeof PostgresDialect
  >[0]['pool'];
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: own }) });
}

/** One statement on any of the connections. */
export async function rowsOf<T>(pool: Pool, text: string): Promise<readonly T[]> {
  return ((await told(pool.query(text))) as QueryResult & { rows: T[] }).rows;
}

/** What the driver says, or our own error. */
async function told<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw toStoreError(error);
  }
}
