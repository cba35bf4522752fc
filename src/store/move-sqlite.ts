import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { PermanentError, textOf } from '../core/errors.ts';
import { migrate } from './migrate.ts';
import { PAGE, type Source, type Table, type Target, type Values } from './move-sides.ts';
import { kyselyOf } from './reader/kysely.ts';
import { ensureSearch, sqliteDocuments } from './search-sqlite.ts';
import { given, type Row } from './sql.ts';
import { configure, openDatabase, sqlOf, type Database } from './sqlite.ts';

const TYPES: Readonly<Record<string, Table['columns'][number]['type']>> = {
  TEXT: 'TEXT',
  INTEGER: 'BIGINT',
  BLOB: 'BYTEA',
};

export function assertThere(path: string): void {
  if (existsSync(path)) return;
  throw new PermanentError(`there is no database at ${path}`, {
    hint: 'DATA_DIR names the data folder; run it with the environment that the gateway runs with.',
  });
}

/** The file of an installation that has stopped, brought up to date as a start would do it. */
export async function sqliteSource(path: string): Promise<Source> {
  const database = openDatabase(path);
  configure(database);
  migrate(database, path);
  const counter = database.prepare(`SELECT value FROM counters WHERE name = 'ticket'`).get();
  return {
    tables: tablesOf(database),
    lastTicket: given(counter as { value: number } | undefined).value,
    pages: (table) => pagesOf(database, table),
    async retire() {
      const aside = freeName(`${path}.moved`);
      try {
        database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        database.close();
        renameSync(path, aside);
        // Empty, and not always removed with the last connection.
        remove(path);
      } catch (cause) {
        throw new PermanentError(`everything was moved, but ${path} can't be renamed: ${textOf(cause)}`, {
          cause,
          hint: `Rename it to ${aside}: a gateway that is started on it would send once more what waits in it.`,
        });
      }
      return aside;
    },
    async close() {
      closeOnce(database);
    },
  };
}

/** A new file; it gets its name when it is whole. */
export async function sqliteTarget(path: string): Promise<Target> {
  for (const file of [path, `${path}-wal`]) {
    if (!existsSync(file)) continue;
    throw new PermanentError(`${file} exists already`, { hint: 'Put it elsewhere, or name another file.' });
  }
  const unfinished = `${path}.unfinished`;
  remove(unfinished);
  const database = openDatabase(unfinished);
  chmodSync(unfinished, 0o600);
  configure(database);
  migrate(database, unfinished);
  const sql = sqlOf(database);
  await ensureSearch(sql);
  database.exec('BEGIN IMMEDIATE; DELETE FROM counters');
  return {
    sql,
    db: kyselyOf(database),
    documents: sqliteDocuments,
    pages: (table) => pagesOf(database, table),
    toStored: (value) => value,
    async insert({ name, columns }, rows) {
      const names = columns.map((column) => `"${column.name}"`);
      const text = `INSERT INTO "${name}" (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
      for (const row of rows) await sql.run(text, ...row);
    },
    async setNumbers(lastTicket) {
      await sql.run(`UPDATE counters SET value = ? WHERE name = 'ticket'`, lastTicket);
    },
    async commit() {
      database.exec('COMMIT');
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      database.close();
      renameSync(unfinished, path);
    },
    async close() {
      closeOnce(database);
      remove(unfinished);
    },
  };
}

/** What the schema has made, without what search has. */
function tablesOf(database: Database): Table[] {
  const names = database
    .prepare(
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'search%'`,
    )
    .all() as { name: string }[];
  return names.map(({ name }) => ({
    name,
    columns: (database.prepare(`PRAGMA table_info("${name}")`).all() as { name: string; type: string }[]).map(
      (column) => ({ name: column.name, type: given(TYPES[column.type]) }),
    ),
  }));
}

/** In the order in which they were written. */
async function* pagesOf(database: Database, { name, columns }: Table): AsyncGenerator<readonly Values[]> {
  // Texts as bytes: some drivers end a text at its first NUL.
  const values = columns.map((column) =>
    column.type === 'TEXT' ? `CAST("${column.name}" AS BLOB) AS "${column.name}"` : `"${column.name}"`,
  );
  const page = database.prepare(
    `SELECT rowid AS rowid, ${values.join(', ')} FROM "${name}" WHERE rowid > ? ORDER BY rowid LIMIT ${PAGE}`,
  );
  for (let last = 0; ;) {
    const rows = page.all(last) as (Row & { rowid: number })[];
    yield rows.map((row) => columns.map((column) => valueOf(row, column)));
    const end = rows.at(-1);
    if (end === undefined) return;
    last = end.rowid;
  }
}

function valueOf(row: Row, { name, type }: Table['columns'][number]) {
  const value = row[name] ?? null;
  return type === 'TEXT' && value instanceof Uint8Array ? Buffer.from(value).toString() : value;
}

function freeName(path: string): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? path : `${path}-${n}`;
    if (!existsSync(name)) return name;
  }
}

function remove(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
}

function closeOnce(database: Database): void {
  try {
    database.close();
  } catch {
    // It was closed when the move was done.
  }
}
