import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { PermanentError, RetryableError, textOf, TributaryError } from '../core/errors.ts';
import type { Log } from '../core/connector.ts';
import type { Store } from '../core/store.ts';
import { batonOf, newBaton } from './baton.ts';
import { createBlobs } from './blobs.ts';
import { startChores } from './chores.ts';
import { createCounting } from './counting.ts';
import { createGroupCommit } from './group.ts';
import { lockFolder } from './lock.ts';
import { migrate } from './migrate.ts';
import type { Horizon } from './reader/changes.ts';
import { createReader } from './reader/reader.ts';
import { kyselyOf } from './reader/kysely.ts';
import { createRecent } from './recent.ts';
import type { OpenDatabase, StoreOptions } from './open.ts';
import { createSearch } from './search.ts';
import { ensureSearch, sqliteDocuments } from './search-sqlite.ts';
import type { Sql } from './sql.ts';
import { configure, openDatabase as openFile, pragmaOf, sqlOf, type Database } from './sqlite.ts';
import { transactionOf } from './transaction.ts';
import { createWatermark } from './watermark.ts';

/** One writer: numbers of changes are given out in the order of their commits. */
export const everything: Horizon = () => Promise.resolve(Number.MAX_SAFE_INTEGER);

/** Databases up to this size are checked page by page at every start. */
const CHECK_UP_TO = 256 * 1024 * 1024;

/**
 * Opens the store on SQLite: one connection that writes in groups, one that reads. Throws
 * `PermanentError` with a hint when the folder can't be used, is in use, or the file is broken.
 */
export async function openSqlite(options: StoreOptions): Promise<Store> {
  const { folder, log, clock = systemClock, openDatabase = openFile } = options;
  const file = options.file ?? join(folder, 'tributary.db');
  const lock = lockFolder(folder);
  const writer = openChecked(openDatabase, file, log);
  const reading = openDatabase(file);
  configure(reading);

  // This process owns the file now: whoever held a lease is gone.
  writer.exec(`UPDATE tasks SET lease_until = 0 WHERE state = 'delivering'; DELETE FROM processes`);

  const sql = sqlOf(writer);
  const recent = createRecent();
  const baton = newBaton();
  const group = createGroupCommit(writer, { recent, baton: batonOf(baton) });
  const tx = transactionOf(sql, recent);

  await ensureSearch(sql);
  const db = kyselyOf(reading);
  const write = <T>(work: (sql: Sql) => Promise<T>) => group.submit(() => work(sql));
  const search = createSearch({ db, documents: sqliteDocuments, horizon: everything, write });
  const blobs = createBlobs(join(folder, 'blobs'));
  const read = createReader({ db, horizon: everything, search, typeOf: options.typeOf, blobs });

  const watermark = createWatermark(join(folder, 'tributary.seq'));
  const last = Number(
    Object.values(writer.prepare('SELECT coalesce(max(seq), 0) AS seq FROM changes').get() as object)[0],
  );
  if (last < watermark.seen) {
    log.error(
      { last, seen: watermark.seen },
      `the database is older than it was: ${watermark.seen - last} changes are missing. Was a copy put back, or tributary.db-wal removed?`,
    );
  }
  const chores = startChores({
    index: search.index,
    count: createCounting({ db, clock, write }).count,
    log,
    async note() {
      watermark.note(await read.lastChange());
      watermark.flush();
    },
  });

  return {
    // One process owns the file and its writers take turns, one job after the other, so locks are kept by construction.
    write: (_locks, work) => group.submit(() => work(tx)),
    read,
    blobs,
    // How it was opened here can't be told to another thread.
    shared: options.openDatabase ? undefined : { file, baton },
    async health() {
      const synchronous = pragmaOf(writer, 'synchronous');
      if (synchronous !== 2) throw new RetryableError(`SQLite runs with synchronous=${String(synchronous)}`);
      const waiting = await read.backlog();
      return {
        database: `sqlite ${String(Object.values(reading.prepare('SELECT sqlite_version() AS v').get() as object)[0])}`,
        journal: String(pragmaOf(writer, 'journal_mode')),
        synchronous: 'full',
        size: statSync(file).size,
        tasksWaiting: waiting.reduce((sum, entry) => sum + entry.waiting, 0),
      };
    },
    async close() {
      await chores.stop();
      await group.close();
      watermark.note(await read.lastChange());
      watermark.flush();
      await db.destroy();
      // The file alone holds everything now, whatever becomes of what lies beside it.
      writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      writer.close();
      lock.release();
    },
  };
}

function openChecked(openDatabase: OpenDatabase, file: string, log: Log): Database {
  try {
    const database = openDatabase(file);
    chmodSync(file, 0o600);
    configure(database);
    if (statSync(file).size <= CHECK_UP_TO) check(database, file);
    migrate(database, file);
    log.debug({ file }, 'database opened');
    return database;
  } catch (cause) {
    if (cause instanceof TributaryError) throw cause;
    throw new PermanentError(`the database ${file} can't be opened: ${textOf(cause)}`, {
      cause,
      hint: 'Check that the data folder is writable and the file is whole; restore it from a backup if it is not.',
    });
  }
}

function check(database: Database, file: string): void {
  const result = pragmaOf(database, 'quick_check');
  if (result === 'ok') return;
  throw new PermanentError(`the database ${file} is damaged: ${String(result)}`, {
    hint: 'Stop here, keep the file, and restore the newest backup; messages received since are fetched again by their channels.',
  });
}
