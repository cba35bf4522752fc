import { sql as raw } from 'kysely';
import { RetryableError } from '../core/errors.ts';
import type { Horizon } from './reader/changes.ts';
import type { Db } from './reader/kysely.ts';
import { distinct } from './reader/page.ts';
import { digitsIn, wordsIn } from './words.ts';
import { fromJson, type Sql } from './sql.ts';

/**
 * Search. Each message, ticket and customer is a document of an index, which is fed from the change feed, outside the
 * commit that files a message. How documents are kept and found is each database's own.
 */
export interface Search {
  /** Takes up to `limit` changes into the index; how many there were. */
  readonly index: (limit: number) => Promise<number>;
  /** Tickets with a message or heading that has all words of `q`, or whose number it is; the newest first. */
  ticketIds(q: string, limit: number): Promise<readonly string[]>;
  /** Customers whose name and identifiers have all words of `q`; the newest first. */
  customerIds(q: string, limit: number): Promise<readonly string[]>;
}

/** The position in the change feed up to which everything is indexed. */
export const POSITION = 'search';
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

/** A message, ticket or customer; without `said` and `person` it goes. Both are words with spaces between them. */
export interface Document {
  readonly id: string;
  readonly said?: string;
  readonly person?: string;
}

/** Where the documents of a database lie. */
export interface Documents {
  save(sql: Sql, document: Document): Promise<void>;
  /** Ids of tickets (for their messages) or customers that fit `q`, at most `most`, of the newest documents first. */
  find(db: Db, column: 'said' | 'person', q: string, most: number): Promise<readonly string[]>;
}

/** `write` runs its work in a transaction, one of these after the other. */
export function createSearch(sources: {
  readonly db: Db;
  readonly documents: Documents;
  readonly horizon: Horizon;
  readonly write: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;
}): Search {
  const { db, documents, horizon, write } = sources;
  let last: Promise<unknown> = Promise.resolve();

  const positionIn = (sql: Sql) => sql.get<{ value: number }>('SELECT value FROM counters WHERE name = ?', POSITION);

  async function take(limit: number): Promise<number> {
    const position = await db.selectFrom('counters').select('value').where('name', '=', POSITION).executeTakeFirst();
    const changes = await db
      .selectFrom('changes')
      .select(['seq', 'type', 'ticket_id', 'message_id', 'customer_id'])
      .where('seq', '>', position?.value ?? 0)
      .where('seq', '<=', await horizon())
      .orderBy('seq')
      .limit(limit)
      .execute();
    const end = changes.at(-1)?.seq;
    if (end === undefined) return 0;
    const touched = await documentsOf(db, changes);
    await write(async (sql) => {
      // Another process may have taken the same changes, and newer ones since.
      if ((await positionIn(sql))?.value !== position?.value) return;
      for (const document of touched) await documents.save(sql, document);
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

  return {
    index,
    async ticketIds(q, limit) {
      await catchUp();
      const number = /^\s*#?(\d{1,15})\s*$/.exec(q)?.[1];
      const numbered =
        number === undefined
          ? undefined
          : await db.selectFrom('tickets').select('id').where('number', '=', Number(number)).executeTakeFirst();
      return distinct([numbered?.id, ...(await documents.find(db, 'said', q, limit * PER_TICKET))]).slice(0, limit);
    },
    async customerIds(q, limit) {
      await catchUp();
      return documents.find(db, 'person', q, limit);
    },
  };
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
