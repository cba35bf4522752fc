import { join } from 'node:path';
import type { Pool } from 'pg';
import { systemClock, type Now } from '../../core/clock.ts';
import type { Log } from '../../core/connector.ts';
import { PermanentError, textOf } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import type { Store, Transaction } from '../../core/store.ts';
import { createBlobs } from '../blobs.ts';
import { startChores } from '../chores.ts';
import { createCounting } from '../counting.ts';
import { createReader } from '../reader/reader.ts';
import { nothingRecent } from '../recent.ts';
import { createSearch } from '../search.ts';
import { given, type Sql } from '../sql.ts';
import { loadDriver } from './connection.ts';
import { createHorizon } from './feed.ts';
import { kyselyOf, rowsOf } from './kysely.ts';
import { migrate } from './migrate.ts';
import { createOutcomes } from './outcome.ts';
import { postgresDocuments } from './search.ts';
import { createWriter } from './write.ts';

/** Connections that write. Each of their transactions may read over one of the others meanwhile, which is why there are two pools. */
const WRITING = 10;
const READING = 6;

/**
 * Opens the store on PostgreSQL. Blobs lie in the data folder; whoever runs several processes gives them the same one.
 * Throws `PermanentError` with a hint when the server can't be used as it is.
 */
export async function openPostgres(options: {
  readonly folder: string;
  readonly url: Secret;
  readonly log: Log;
  readonly clock?: Now;
  readonly typeOf: (endpointId: string) => string;
}): Promise<Store> {
  const { folder, log, clock = systemClock } = options;
  const driver = await loadDriver(options.url, log);
  const [writing, reading] = [driver.pool(WRITING), driver.pool(READING)];
  const closeAll = async () => {
    await Promise.all([writing.end(), reading.end()]);
  };
  try {
    await migrate(driver.client());
    await assertDurable(reading);
    const writer = createWriter({ pool: writing, recent: nothingRecent, outcomes: await createOutcomes(reading) });
    const horizon = createHorizon(reading);
    const db = kyselyOf(reading);
    /** One after the other of each, in all processes. */
    const after =
      (lock: string) =>
      <T>(work: (sql: Sql) => Promise<T>) =>
        writer.write([lock], (_tx: Transaction, sql) => work(sql));
    const search = createSearch({ db, horizon, documents: postgresDocuments, write: after('search') });
    const { count } = createCounting({ db, clock, write: after('counts') });
    const blobs = createBlobs(join(folder, 'blobs'));
    const read = createReader({ db, horizon, search, typeOf: options.typeOf, blobs });
    const chores = startChores({ index: search.index, count, log, note: () => Promise.resolve() });
    return {
      write: (locks, work) => writer.write(locks, work),
      read,
      blobs,
      async health() {
        const { version, size, synchronous } = await assertDurable(reading);
        const waiting = await read.backlog();
        return {
          database: `postgresql ${version}`,
          journal: 'wal',
          synchronous,
          size,
          tasksWaiting: waiting.reduce((sum, entry) => sum + entry.waiting, 0),
        };
      },
      async close() {
        await chores.stop();
        await closeAll();
      },
    };
  } catch (cause) {
    await closeAll();
    if (cause instanceof PermanentError) throw cause;
    throw new PermanentError(`the database can't be opened: ${textOf(cause)}`, {
      cause,
      hint: 'Check DATABASE_URL, that the database exists, and that PostgreSQL runs and lets this user in and make tables.',
    });
  }
}

/** What is acknowledged must be on the disk: settings that give that up for speed are refused. */
async function assertDurable(pool: Pool) {
  const rows = await rowsOf<{ version: string; fsync: string; synchronous: string; size: number }>(
    pool,
    `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS synchronous, pg_database_size(current_database()) AS size`,
  );
  const found = given(rows[0]);
  if (found.fsync !== 'off' && found.synchronous !== 'off') return found;
  const setting = found.fsync === 'off' ? 'fsync' : 'synchronous_commit';
  throw new PermanentError(`PostgreSQL runs with ${setting}=off: what it acknowledges may be lost`, {
    hint: `Set ${setting} = on in postgresql.conf, or ALTER the role or database that sets it.`,
  });
}
