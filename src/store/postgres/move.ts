import type { Client, Pool, PoolClient } from 'pg';
import type { Log } from '../../core/connector.ts';
import { PermanentError, textOf } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { PAGE, type Source, type Table, type Target, type Values } from '../move-sides.ts';
import { migrations } from '../schema.ts';
import { given, type Value } from '../sql.ts';
import { createStatements, loadDriver, sqlOf, toParameter } from './connection.ts';
import { isFromServer } from './errors.ts';
import { kyselyOf } from './kysely.ts';
import { bringUpToDate, LOCK_SCHEMA } from './migrate.ts';
import { postgresDocuments } from './search.ts';

const TYPES: Readonly<Record<string, Table['columns'][number]['type']>> = {
  text: 'TEXT',
  bigint: 'BIGINT',
  bytea: 'BYTEA',
};

/** What only PostgreSQL has, or what search makes. */
const OWN = `('schema_version', 'search_documents')`;

/** Whoever starts from here on waits for the lock of the schema until the transaction ends. */
async function begin(url: Secret, log: Log, transaction: string): Promise<Client> {
  const client = (await loadDriver(url, log)).client();
  // What breaks while a statement runs fails that statement as well.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(`BEGIN ${transaction}`);
    await client.query(LOCK_SCHEMA);
    return client;
  } catch (cause) {
    await end(client);
    throw new PermanentError(`PostgreSQL can't be used: ${textOf(cause)}`, {
      cause,
      hint: 'Check the URL, that the database exists, and that PostgreSQL runs and lets this user in.',
    });
  }
}

async function opened<T>(client: Client, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await end(client);
    throw error;
  }
}

/** The database of an installation that has stopped, as it is now. */
export async function postgresSource(url: Secret, log: Log): Promise<Source> {
  const client = await begin(url, log, 'ISOLATION LEVEL REPEATABLE READ, READ ONLY');
  return opened(client, async () => {
    await assertStopped(client);
    await assertCurrent(client);
    const [counter] = await rowsOf<{ last: number }>(
      client,
      'SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS last FROM ticket_counter',
    );
    return {
      tables: await tablesOf(client),
      lastTicket: given(counter).last,
      pages: (table) => pagesOf(client, table),
      retire: () => Promise.resolve(undefined),
      close: () => end(client),
    };
  });
}

/** An empty database with the schema in it. */
export async function postgresTarget(url: Secret, log: Log): Promise<Target> {
  const client = await begin(url, log, '');
  return opened(client, async () => {
    await assertEmpty(client);
    await bringUpToDate(client);
    await client.query('DELETE FROM counters');
    const sql = sqlOf(client as PoolClient, { company: 'alone', failure: undefined }, createStatements());
    return {
      sql,
      db: kyselyOf(poolOf(client)),
      documents: postgresDocuments,
      pages: (table) => pagesOf(client, table),
      toStored: (value) => toParameter(value) as typeof value,
      async insert({ name, columns }, rows) {
        const names = columns.map((column) => `"${column.name}"`);
        const lists = columns.map((column, at) => `$${at + 1}::${column.type}[]`);
        await client.query({
          name: `into ${name}`,
          text: `INSERT INTO "${name}" (${names.join(', ')}) SELECT * FROM unnest(${lists.join(', ')})`,
          values: columns.map((_column, at) => rows.map((row) => row[at])),
        });
      },
      async setNumbers(lastTicket) {
        await client.query(`SELECT setval('ticket_counter', $1)`, [lastTicket]);
        await client.query(`SELECT setval('changes_seq_seq', max(seq)) FROM changes HAVING max(seq) IS NOT NULL`);
        await client.query(`SELECT setval('audit_seq_seq', max(seq)) FROM audit HAVING max(seq) IS NOT NULL`);
      },
      async commit() {
        await client.query('ANALYZE');
        await commit(client);
      },
      close: () => end(client),
    };
  });
}

async function commit(client: Client): Promise<void> {
  try {
    await client.query('COMMIT');
  } catch (cause) {
    if (isFromServer(cause) && cause.severity === 'ERROR') throw cause;
    throw new PermanentError(`nobody can say whether it was moved: ${textOf(cause)}`, {
      cause,
      hint: 'Run it again: where it says that the database is not empty, everything was moved.',
    });
  }
}

async function assertEmpty(client: Client): Promise<void> {
  const [table] = await rowsOf<{ name: string }>(
    client,
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = current_schema::regnamespace AND relkind IN ('r', 'p') ORDER BY relname LIMIT 1`,
  );
  if (table === undefined) return;
  throw new PermanentError(`the database is not empty: it has a table ${table.name}`, {
    hint: 'Make a new one for it (CREATE DATABASE tributary), and start no gateway on it before.',
  });
}

async function assertStopped(client: Client): Promise<void> {
  const [other] = await rowsOf<{ address: string | null }>(
    client,
    `SELECT client_addr::text AS address FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'tributary' AND pid <> pg_backend_pid() LIMIT 1`,
  );
  if (other === undefined) return;
  throw new PermanentError(`a gateway is connected to the database, from ${other.address ?? 'its own machine'}`, {
    hint: 'Stop every gateway that uses it first.',
  });
}

async function assertCurrent(client: Client): Promise<void> {
  const [schema] = await rowsOf<{ name: string | null }>(client, `SELECT to_regclass('schema_version')::text AS name`);
  const [found] = schema?.name
    ? await rowsOf<{ version: number }>(client, 'SELECT max(version) AS version FROM schema_version')
    : [];
  if (found?.version === migrations.length) return;
  throw new PermanentError(`the database has ${found ? `schema ${found.version}` : 'no gateway in it'}`, {
    hint: `This version moves schema ${migrations.length}: start the gateway on the database once, and stop it.`,
  });
}

async function tablesOf(client: Client): Promise<Table[]> {
  const columns = await rowsOf<{ table: string; name: string; type: string }>(
    client,
    `SELECT table_name::text AS "table", column_name::text AS name, data_type::text AS type
     FROM information_schema.columns WHERE table_schema = current_schema AND table_name NOT IN ${OWN}
     ORDER BY table_name, ordinal_position`,
  );
  const names = [...new Set(columns.map(({ table }) => table))];
  return names.map((name) => ({
    name,
    columns: columns
      .filter(({ table }) => table === name)
      .map((column) => ({ name: column.name, type: given(TYPES[column.type]) })),
  }));
}

async function* pagesOf(client: Client, { name, columns }: Table): AsyncGenerator<readonly Values[]> {
  const names = columns.map((column) => `"${column.name}"`);
  await client.query(`DECLARE moving NO SCROLL CURSOR FOR SELECT ${names.join(', ')} FROM "${name}"`);
  for (;;) {
    const { rows } = await client.query<Value[]>({ text: `FETCH ${PAGE} FROM moving`, rowMode: 'array' });
    if (rows.length === 0) break;
    yield rows;
  }
  await client.query('CLOSE moving');
}

async function rowsOf<T>(client: Client, text: string): Promise<T[]> {
  return (await client.query(text)).rows as T[];
}

/** The one connection as if there were more, for who reads inside its transaction. */
function poolOf(client: Client): Pick<Pool, 'connect'> {
  const connect = () =>
    Promise.resolve({ query: client.query.bind(client), release: () => undefined } as unknown as PoolClient);
  return { connect };
}

async function end(client: Client): Promise<void> {
  // Also takes back what wasn't committed; one that was never opened, or broke, has nothing to end.
  await client.end().catch(() => undefined);
}
