import { sql as raw } from 'kysely';
import { RetryableError } from '../core/errors.ts';
import type { Db } from './reader/kysely.ts';
import { distinct } from './reader/page.ts';
import { digitsIn, matchOf, wordsIn } from './words.ts';
import { fromJson, type Sql } from './sql.ts';

/**
 * Search on SQLite: the one part that PostgreSQL does in another way. Each message, ticket and customer is a document of
 * a full-text table, which is fed from the change feed, outside the commit that files a message.
 */
export interface Search {
  /** Takes up to `limit` changes into the index; how many there were. */
  readonly index: (limit: number) => Promise<number>;
  /** Tickets with a message or heading that has all words of `q`, or whose number it is; the newest first. */
  ticketIds(q: string, limit: number): Promise<readonly string[]>;
  /** Customers whose name and identifiers have all words of `q`; the newest first. */
  customerIds(q: string, limit: number): Promise<readonly string[]>;
}

/** What is said in tickets is one column, who customers are another: a search looks at one of them. */
const TABLES = [
  `CREATE TABLE IF NOT EXISTS search_documents (document INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT`,
  // The words are folded and cut before they come here, so the tokenizer has nothing to know about letters.
  `CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (
     said, person, content='', contentless_delete=1, detail=column, tokenize='ascii', prefix='2 3')`,
];

/** The position in the change feed up to which everything is indexed. */
const POSITION = 'search';
/** Most changes taken at a time: bounds how long other writers wait. */
const BATCH = 200;
/** Most batches that a search waits for. */
const BATCHES = 20;
/** Most characters of one text that are indexed. */
const LONGEST = 50_000;
/** Most documents that a search looks at for each ticket that it may return: long tickets have many. */
const PER_TICKET = 3;
/** Most tickets of a renamed or joined customer that are indexed again, the newest. */
const TICKETS = 200;

/** Makes the tables; where they are missing, everything is indexed again. */
export async function ensureSearch(sql: Sql): Promise<void> {
  const found = await sql.get(`SELECT 1 AS x FROM sqlite_master WHERE name = 'search'`);
  if (!found) await sql.run('DELETE FROM counters WHERE name = ?', POSITION);
  for (const table of TABLES) await sql.run(table);
}

/** Without `said` and `person` the document goes. */
interface Document {
  readonly id: string;
  readonly said?: string;
  readonly person?: string;
}

/** `write` runs its work in a transaction. */
export function createSearch(sources: {
  readonly db: Db;
  readonly write: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;
}): Search {
  const { db, write } = sources;
  let last: Promise<unknown> = Promise.resolve();

  async function take(limit: number): Promise<number> {
    const position = await db.selectFrom('counters').select('value').where('name', '=', POSITION).executeTakeFirst();
    const changes = await db
      .selectFrom('changes')
      .select(['seq', 'type', 'ticket_id', 'message_id', 'customer_id'])
      .where('seq', '>', position?.value ?? 0)
      .orderBy('seq')
      .limit(limit)
      .execute();
    const end = changes.at(-1)?.seq;
    if (end === undefined) return 0;
    const documents = await documentsOf(db, changes);
    await write(async (sql) => {
      for (const document of documents) await save(sql, document);
      await sql.run(
        'INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
        POSITION,
        end,
      );
    });
    return changes.length;
  }

  /** One run after the other: each begins where the one before it ended. */
  function index(limit: number): Promise<number> {
    const run = last.then(() => take(limit));
    last = run.catch(() => undefined);
    return run;
  }

  /** What was filed before the search began is found by it, unless there is very much of it. */
  async function catchUp(): Promise<void> {
    try {
      for (let i = 0; i < BATCHES && (await index(BATCH)) > 0; i++);
    } catch (error) {
      // A store that can't write now can still be searched.
      if (!(error instanceof RetryableError)) throw error;
    }
  }

  async function find(column: 'said' | 'person', q: string, documents: number): Promise<readonly string[]> {
    const match = matchOf(q);
    if (match === undefined) return [];
    const { rows } = await raw<{ id: string }>`
      SELECT coalesce(messages.ticket_id, search_documents.id) AS id FROM search
      JOIN search_documents ON search_documents.document = search.rowid
      LEFT JOIN messages ON messages.id = search_documents.id
      WHERE search MATCH ${`${column} : (${match})`} ORDER BY search.rowid DESC LIMIT ${documents}`.execute(db);
    return distinct(rows.map((row) => row.id));
  }

  return {
    index,
    async ticketIds(q, limit) {
      await catchUp();
      const number = /^\s*#?(\d{1,15})\s*$/.exec(q)?.[1];
      const numbered =
        number === undefined
          ? undefined
          : await db.selectFrom('tickets').select('id').where('number', '=', Number(number)).executeTakeFirst();
      return distinct([numbered?.id, ...(await find('said', q, limit * PER_TICKET))]).slice(0, limit);
    },
    async customerIds(q, limit) {
      await catchUp();
      return find('person', q, limit);
    },
  };
}

async function save(sql: Sql, { id, said, person }: Document): Promise<void> {
  const old = await sql.get<{ document: number }>('SELECT document FROM search_documents WHERE id = ?', id);
  if (old) await sql.run('DELETE FROM search WHERE rowid = ?', old.document);
  if (said === undefined && person === undefined) {
    if (old) await sql.run('DELETE FROM search_documents WHERE document = ?', old.document);
    return;
  }
  const made = old ?? (await sql.get('INSERT INTO search_documents (id) VALUES (?) RETURNING document', id));
  await sql.run(
    'INSERT INTO search (rowid, said, person) VALUES (?, ?, ?)',
    made?.document ?? null,
    said ?? '',
    person ?? '',
  );
}

interface Touched {
  readonly type: string;
  readonly ticket_id: string | null;
  readonly message_id: string | null;
  readonly customer_id: string | null;
}

/** The documents of whatever changes are about, as they are now. */
async function documentsOf(db: Db, changes: readonly Touched[]): Promise<readonly Document[]> {
  const messages = await messagesOf(db, distinct(changes.map((change) => change.message_id)));
  const renamed = distinct(changes.map((change) => (change.type.startsWith('customer.') ? change.customer_id : null)));
  const tickets = await ticketsOf(
    db,
    distinct([...changes.map((change) => change.ticket_id), ...messages.map((message) => message.ticketId)]),
    renamed,
  );
  const people = await peopleOf(
    db,
    distinct([
      ...renamed,
      ...tickets.map((ticket) => ticket.customer_id),
      ...messages.map((message) => message.customerId),
    ]),
  );
  return [
    ...messages.map(({ id, said }) => ({ id, ...(said !== undefined && { said }) })),
    ...tickets.map((ticket) => ({ id: ticket.id, said: headingOf(ticket, people.get(ticket.customer_id)?.person) })),
    ...[...people].map(([id, { person, gone }]) => ({ id, ...(!gone && { person }) })),
  ];
}

async function messagesOf(db: Db, ids: readonly string[]) {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('messages')
    .select(['id', 'ticket_id', 'customer_id', 'subject', 'author', 'fields', 'call', 'review', 'deleted_at'])
    .select(raw<string>`substr(coalesce(text_full, text), 1, ${LONGEST})`.as('text'))
    .where('id', 'in', ids)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    ticketId: row.ticket_id,
    customerId: row.customer_id,
    said:
      row.deleted_at === null
        ? toText([row.subject, row.text, ...[row.author, row.fields, row.call, row.review].flatMap(valuesIn)])
        : undefined,
  }));
}

async function ticketsOf(db: Db, ids: readonly string[], customerIds: readonly string[]) {
  const columns = ['id', 'number', 'subject', 'customer_id', 'tags', 'fields'] as const;
  const named = ids.length === 0 ? [] : await db.selectFrom('tickets').select(columns).where('id', 'in', ids).execute();
  if (customerIds.length === 0) return named;
  const owned = db.selectFrom('tickets').select(columns).where('customer_id', 'in', customerIds);
  const others = await owned.orderBy('last_message_at', 'desc').limit(TICKETS).execute();
  return [...named, ...others.filter((other) => !ids.includes(other.id))];
}

async function peopleOf(db: Db, ids: readonly string[]): Promise<Map<string, { person: string; gone: boolean }>> {
  if (ids.length === 0) return new Map();
  const customers = db.selectFrom('customers').select(['id', 'name', 'merged_into']).where('id', 'in', ids);
  const carried = db.selectFrom('identifiers').select(['customer_id', 'value']).where('customer_id', 'in', ids);
  const claims = db.selectFrom('claims').select(['customer_id', 'value']).where('customer_id', 'in', ids);
  const values = await carried.unionAll(claims).execute();
  return new Map(
    (await customers.execute()).map(({ id, name, merged_into }) => {
      const own = values.filter((value) => value.customer_id === id).map((value) => value.value);
      return [id, { person: toText([name, ...own]), gone: merged_into !== null }];
    }),
  );
}

function headingOf(
  ticket: { readonly number: number; readonly subject: string; readonly tags: string; readonly fields: string },
  person: string | undefined,
): string {
  return `${toText([String(ticket.number), ticket.subject, ...valuesIn(ticket.tags), ...valuesIn(ticket.fields)])} ${person ?? ''}`;
}

/** Every string in a JSON column; the names of keys are ours, nobody looks for them. */
function valuesIn(column: string | null): string[] {
  const strings: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value === 'string') strings.push(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  visit(fromJson<unknown>(column));
  return strings;
}

/** The words of texts, and the digits of what looks like a phone number in them, as the index keeps them. */
function toText(texts: readonly (string | null)[]): string {
  const kept = texts.filter((text) => text !== null).map((text) => text.slice(0, LONGEST));
  return distinct(kept.flatMap((text) => [...wordsIn(text), ...digitsIn(text)])).join(' ');
}
