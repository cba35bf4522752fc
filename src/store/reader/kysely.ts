import { Kysely, SqliteDialect, type SqliteStatement } from 'kysely';
import type { Value } from '../sql.ts';
import type { Database } from '../sqlite.ts';
import type { Tables } from './tables.ts';

export type Db = Kysely<Tables>;

/** Most statements that are kept prepared; filters make new texts, so there must be an end. */
const PREPARED = 200;

/** Kysely over a connection of `node:sqlite`'s shape, for reading only. Its `destroy` closes the connection. */
export function kyselyOf(database: Database): Db {
  const prepared = new Map<string, SqliteStatement>();
  const prepare = (text: string): SqliteStatement => {
    const statement = prepared.get(text) ?? adapt(database, text);
    // The one used last stands at the end.
    prepared.delete(text);
    prepared.set(text, statement);
    const [oldest] = prepared.keys();
    if (prepared.size > PREPARED && oldest !== undefined) prepared.delete(oldest);
    return statement;
  };
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: { prepare, close: () => database.close() } }) });
}

function adapt(database: Database, text: string): SqliteStatement {
  const statement = database.prepare(text);
  return {
    reader: true,
    all: (values) => statement.all(...(values as Value[])),
    run: (values) => ({ changes: statement.run(...(values as Value[])).changes, lastInsertRowid: 0 }),
    iterate: (values) => statement.all(...(values as Value[])).values(),
  };
}
