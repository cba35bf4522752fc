import { createRequire } from 'node:module';
import { RetryableError } from '../core/errors.ts';
import { given, type Row, type Sql, type Value } from './sql.ts';

/** The part of `node:sqlite` that we use; its twin for older Nodes has the same shape. */
export interface Database {
  exec(text: string): void;
  prepare(text: string): Statement;
  close(): void;
}

export interface Statement {
  run(...values: Value[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  get(...values: Value[]): unknown;
  all(...values: Value[]): unknown[];
  columns(): { name: string | null }[];
}

/**
 * Opens a database file. `node:sqlite` where Node has it without a flag, else its twin
 * `@photostructure/sqlite`, whose binary lies inside the package.
 */
export function openDatabase(path: string): Database {
  const require = createRequire(import.meta.url);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const builtIn = major > 22 || (major === 22 && minor >= 13);
  // A static import would fail on Nodes that lack the one or the other.
  const { DatabaseSync } = (builtIn ? require('node:sqlite') : require('@photostructure/sqlite')) as {
    DatabaseSync: new (path: string) => Database;
  };
  return new DatabaseSync(path);
}

/**
 * Set on every open, never trusted to be remembered: a WAL file that is opened again otherwise falls
 * back to `synchronous=NORMAL`, which loses acknowledged messages when the power goes.
 */
const PRAGMAS = [
  'busy_timeout = 5000',
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  'trusted_schema = OFF',
  'cell_size_check = ON',
  'mmap_size = 0',
  'secure_delete = ON',
  'cache_size = -65536',
  // About 8 MB. Whoever files waits while it is written back: the shorter the wait, the less everything before it queues up.
  // A larger one saves little: a third of its pages are different ones at any size (38 % of 1000, 33 % of 4000).
  'wal_autocheckpoint = 2000',
  'temp_store = MEMORY',
];

const EXPECTED: Readonly<Record<string, string | number>> = { journal_mode: 'wal', synchronous: 2, foreign_keys: 1 };

/** Applies the settings and asserts the three that durability hangs on. */
export function configure(database: Database): void {
  for (const pragma of PRAGMAS) database.exec(`PRAGMA ${pragma}`);
  for (const [name, expected] of Object.entries(EXPECTED)) {
    const actual = pragmaOf(database, name);
    if (actual !== expected) {
      throw new RetryableError(`SQLite answers ${name}=${String(actual)} where ${String(expected)} was set`, {
        hint: 'The file system of the data folder may not support it; use a local disk.',
      });
    }
  }
}

export function pragmaOf(database: Database, name: string): Value | undefined {
  const row = database.prepare(`PRAGMA ${name}`).get() as Row | undefined;
  return row === undefined ? undefined : Object.values(row)[0];
}

/** Statements over one connection, prepared once per text. Its writer is alone, so nothing needs to be locked. */
export function sqlOf(database: Database): Sql {
  const prepared = new Map<string, Statement>();
  const statement = (text: string) => {
    let found = prepared.get(text);
    if (!found) prepared.set(text, (found = database.prepare(text.replace(/ FOR UPDATE$/, ''))));
    return found;
  };
  // Synchronous underneath, asynchronous by contract: the same callers run on PostgreSQL. An async
  // function turns what the driver throws into a rejection.
  return {
    run: async (text, ...values) => Number(statement(text).run(...values).changes),
    get: async <T extends object>(text: string, ...values: readonly Value[]) =>
      statement(text).get(...values) as T | undefined,
    all: async <T extends object>(text: string, ...values: readonly Value[]) => statement(text).all(...values) as T[],
    // Not RETURNING, for which SQLite gathers the rows in a table of its own first.
    insert: async (text, _column, ...values) => Number(statement(text).run(...values).lastInsertRowid),
    next: async (counter) => {
      const row = statement('UPDATE counters SET value = value + 1 WHERE name = ? RETURNING value').get(counter);
      return given(row as { value: number } | undefined).value;
    },
    alone: async () => undefined,
  };
}

/** Result codes after which nothing can be written: BUSY, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB. */
const STORAGE_CODES = new Set([5, 8, 10, 11, 13, 14, 26]);

/** Whether an error means that the disk is full, read-only or broken, as against a statement that is wrong. */
export function isStorageError(error: unknown): boolean {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  // Extended codes carry the plain one in their lowest byte.
  return typeof code === 'number' && STORAGE_CODES.has(code & 0xff);
}
