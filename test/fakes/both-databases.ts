import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool, PoolClient } from 'pg';
import { createIds } from '../../src/core/id.ts';
import { Secret } from '../../src/core/secret.ts';
import { createBlobs } from '../../src/store/blobs.ts';
import { createStatements, loadDriver, sqlOf } from '../../src/store/postgres/connection.ts';
import { createHorizon } from '../../src/store/postgres/feed.ts';
import { kyselyOf } from '../../src/store/postgres/kysely.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { ensureSearch, postgresDocuments } from '../../src/store/postgres/search.ts';
import { createReader } from '../../src/store/reader/reader.ts';
import { nothingRecent } from '../../src/store/recent.ts';
import { createSearch } from '../../src/store/search.ts';
import { transactionOf } from '../../src/store/transaction.ts';
import { skipUnless } from '../skip.ts';
import { fakeClock } from './clock.ts';
import { fakeLog } from './context.ts';
import { openTestDatabase, TYPES, type TestDatabase } from './database.ts';
import { postgresMissing, startPostgres, type Postgres } from './postgres.ts';

/** The same tests on either database; `open` makes an empty one. */
export function describeOnBoth(name: string, body: (open: () => Promise<TestDatabase>) => void): void {
  describe(`${name}, on SQLite`, () => {
    body(openTestDatabase);
  });

  describe(`${name}, on PostgreSQL`, function () {
    let server: Postgres;
    let url: string;
    before(async function () {
      const missing = postgresMissing();
      skipUnless(this, missing === undefined, missing ?? '');
      server = await startPostgres();
      url = await server.createDatabase();
    });
    after(() => server?.stop());
    body(async () => {
      await server.empty(url);
      return openOnPostgres(url);
    });
  });
}

async function openOnPostgres(url: string): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-test-'));
  const driver = await loadDriver(new Secret(url), fakeLog());
  await migrate(driver.client());
  const [writing, reading] = [driver.pool(1), driver.pool(4)];
  const writer = await writing.connect();
  // What is written here outlives no crash.
  await writer.query('SET synchronous_commit = off');
  const sql = sqlOf(writer, { company: 'alone', failure: undefined }, createStatements());
  const texts: string[] = [];
  const db = kyselyOf(recorded(reading, texts));
  const horizon = createHorizon(reading);
  let failure: Error | undefined;
  const search = createSearch({
    db,
    documents: postgresDocuments,
    horizon,
    write: (work) => (failure ? Promise.reject(failure) : work(sql)),
  });
  const clock = fakeClock();
  const blobs = createBlobs(join(folder, 'blobs'), { clock });
  return {
    folder,
    clock,
    newId: createIds(clock),
    sql,
    tx: transactionOf(sql, nothingRecent),
    read: createReader({ db, horizon, search, blobs, typeOf: (id) => TYPES[id] ?? 'unknown' }),
    search,
    blobs,
    db,
    queries: () => texts.splice(0),
    planOf: () => [],
    async bulk(work) {
      await writer.query('BEGIN');
      await work();
      await writer.query('COMMIT');
    },
    failWrites: (error) => {
      failure = error;
    },
    async dropSearch() {
      await writer.query('DROP TABLE search_documents');
      await ensureSearch((text) => writer.query(text));
    },
    async close() {
      writer.release();
      await Promise.all([writing.end(), reading.end()]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Notes the texts of what is asked through it. */
function recorded(pool: Pool, texts: string[]): Pick<Pool, 'connect'> {
  const connect = async () => {
    const client = await pool.connect();
    return {
      query(text: string, values: unknown[]) {
        texts.push(text);
        return client.query(text, values);
      },
      release: () => {
        client.release();
      },
    } as unknown as PoolClient;
  };
  return { connect };
}
