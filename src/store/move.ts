import { createHash } from 'node:crypto';
import type { Log } from '../core/connector.ts';
import { PermanentError, textOf } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { lockFolder } from './lock.ts';
import type { Source, Table, Target, Values } from './move-sides.ts';
import { assertThere, sqliteSource, sqliteTarget } from './move-sqlite.ts';
import { everything } from './open-sqlite.ts';
import { postgresSource, postgresTarget } from './postgres/move.ts';
import { createSearch, POSITION } from './search.ts';

/** Where a database is: the file of SQLite or the URL of PostgreSQL. */
export type Place =
  { readonly path: string; readonly url?: undefined } | { readonly path?: undefined; readonly url: Secret };

/** Changes that are indexed at a time. */
const INDEXED = 200;

export interface MovedTable {
  readonly name: string;
  readonly rows: number;
  /** Of what is in the rows, in whatever order they lie: the same on both sides. */
  readonly hash: string;
}

export interface Moved {
  readonly tables: readonly MovedTable[];
  /** Values that the new database can't hold as they were: U+0000 in a text, which became U+FFFD. */
  readonly changed: number;
  /** Where the old database lies now; undefined: it is where it was. */
  readonly aside: string | undefined;
}

/**
 * Moves everything from SQLite into an empty PostgreSQL database, or back, in one transaction of the new one: ids and
 * sealed secrets as they are, numbers going on, indexed for search. Blobs stay where they are. Before it commits, all
 * rows are read back and compared. Throws `PermanentError` with a hint, and then nothing has changed: when a gateway
 * runs on the old database, when the new one isn't empty, or when what was read back differs.
 */
export async function moveStore(options: {
  /** The data folder: nothing else may be using it meanwhile. */
  readonly folder: string;
  readonly from: Place;
  readonly to: Place;
  readonly log: Log;
  /** Told what is being done. */
  readonly note: (text: string) => void;
}): Promise<Moved> {
  const { folder, from, to, log, note } = options;
  const open: { close(): Promise<void> | void }[] = [];
  try {
    if (from.url === undefined) assertThere(from.path);
    const lock = lockFolder(folder);
    open.push({
      close: () => {
        lock.release();
      },
    });
    const source = from.url === undefined ? await sqliteSource(from.path) : await postgresSource(from.url, log);
    open.push(source);
    const target = to.url === undefined ? await sqliteTarget(to.path) : await postgresTarget(to.url, log);
    open.push(target);
    const { tables, changed } = await copy(source, target, note);
    note('reading it back');
    for (const table of source.tables) await compare(target, table, tables);
    await target.setNumbers(source.lastTicket);
    // Nobody works on anything now, whoever was cut off by a crash.
    await target.sql.run('DELETE FROM processes');
    await target.sql.run(`UPDATE tasks SET lease_until = 0 WHERE state = 'delivering'`);
    note('indexing it for search');
    await index(target);
    await target.commit();
    return { tables, changed, aside: await source.retire() };
  } catch (cause) {
    if (cause instanceof PermanentError) throw cause;
    throw new PermanentError(`the database can't be moved: ${textOf(cause)}`, {
      cause,
      hint: 'Nothing has changed in either database. Check that both can be read and written, and that there is space on the disk.',
    });
  } finally {
    for (const each of open.reverse()) await each.close();
  }
}

async function copy(source: Source, target: Target, note: (text: string) => void) {
  const tables: MovedTable[] = [];
  let changed = 0;
  for (const table of source.tables) {
    const tally = createTally();
    for await (const page of source.pages(table)) {
      const rows = page.map((row) => row.map((value) => target.toStored(value)));
      rows.forEach((row, at) => {
        changed += row.filter((value, column) => value !== page[at]?.[column]).length;
        tally.add(row);
      });
      await target.insert(table, rows);
    }
    const moved = { name: table.name, ...tally.result() };
    if (moved.rows > 0) note(`${moved.name}: ${moved.rows}`);
    tables.push(moved);
  }
  return { tables, changed };
}

async function compare(target: Target, table: Table, moved: readonly MovedTable[]): Promise<void> {
  const tally = createTally();
  for await (const page of target.pages(table)) for (const row of page) tally.add(row);
  const [sent, found] = [moved.find(({ name }) => name === table.name), tally.result()];
  if (found.rows === sent?.rows && found.hash === sent.hash) return;
  throw new PermanentError(
    `the table ${table.name} is not the same on both sides: ${sent?.rows ?? 0} rows were read, and ${found.rows} written`,
    { hint: 'Nothing has changed in either database. This is a bug: please report it.' },
  );
}

/** Everything that is said in the change feed, from its beginning. */
async function index({ db, sql, documents }: Target): Promise<void> {
  await sql.run('DELETE FROM counters WHERE name = ?', POSITION);
  const search = createSearch({ db, documents, horizon: everything, write: (work) => work(sql) });
  while ((await search.index(INDEXED)) > 0);
}

const MODULUS = 1n << 256n;

/** Counts rows, and adds up their hashes: the sum is the same in whatever order they come. */
export function createTally() {
  let rows = 0;
  let sum = 0n;
  return {
    add(row: Values): void {
      rows++;
      sum = (sum + BigInt(`0x${hashOf(row)}`)) % MODULUS;
    },
    result: () => ({ rows, hash: sum.toString(16).padStart(64, '0') }),
  };
}

/** With its type and length before each value, so that no two rows are written in the same way. */
function hashOf(row: Values): string {
  const hash = createHash('sha256');
  for (const value of row) {
    if (value === null || typeof value === 'number') hash.update(`${String(value)};`);
    else {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      hash.update(`${typeof value === 'string' ? 't' : 'b'}${bytes.byteLength}:`).update(bytes);
    }
  }
  return hash.digest('hex');
}
