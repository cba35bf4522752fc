import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { firstId } from '../src/core/id.ts';
import { Secret } from '../src/core/secret.ts';
import { migrate as migrateSqlite } from '../src/store/migrate.ts';
import { loadDriver } from '../src/store/postgres/connection.ts';
import { migrate as migratePostgres } from '../src/store/postgres/migrate.ts';
import { ensureSearch } from '../src/store/search-sqlite.ts';
import { POSITION } from '../src/store/search.ts';
import { configure, openDatabase, sqlOf } from '../src/store/sqlite.ts';

export interface Seed {
  readonly messages: number;
  /** Messages of one ticket; 5 when left out. */
  readonly perTicket?: number;
  /** A destination that every message waits for. */
  readonly waitingFor?: string;
}

/** Tickets of one customer. */
const PER_CUSTOMER = 4;
/** What was filed, so many milliseconds one after the other, the last one now. */
const STEP = 500;

interface Filling extends Required<Omit<Seed, 'waitingFor'>> {
  /** When the first one came. */
  readonly from: number;
}

const fillingOf = ({ messages, perTicket = 5 }: Seed): Filling => ({
  messages,
  perTicket,
  from: Date.now() - messages * STEP,
});

/** The word that the `n`th of every thousand messages has; the others of a message are in every one. */
export const wordOf = (n: number): string => `order${n % 1000}`;

const id = (prefix: 'pay' | 'evt' | 'cus' | 'tkt' | 'msg' | 'tsk', from: number, n: string) =>
  `'${firstId(prefix, from)}' || substr('000000000000000' || (${n}), length('000000000000000' || (${n})) - 15)`;

const insert = (table: string, count: number, columns: Readonly<Record<string, string>>) =>
  `INSERT INTO ${table} (${Object.keys(columns).join(', ')})
   WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
   SELECT ${Object.values(columns).join(', ')} FROM n`;

/** Of the `i`th message: its ticket, and the place in it, from 0. */
const ticketOf = ({ perTicket }: Filling) => `(i - 1) / ${perTicket} + 1`;
const placeOf = ({ perTicket }: Filling) => `(i - 1) % ${perTicket}`;

/**
 * Statements that fill an empty store of either database with conversations, as if `intake` had filed them: payloads
 * whose bytes are swept, ledger, messages, people, tickets, threads, feed. Ids sort as they were filed.
 */
function seedStatements(filling: Filling): string[] {
  const { messages, perTicket, from } = filling;
  const [ticket, place] = [ticketOf(filling), placeOf(filling)];
  const customer = (n: string) => `(${n} - 1) / ${PER_CUSTOMER} + 1`;
  const at = `${from} + i * ${STEP}`;
  const tickets = Math.ceil(messages / perTicket);
  const customers = Math.ceil(tickets / PER_CUSTOMER);
  const text = `'Where is my order' || (i % 1000) || ' of last week? I have waited for it since Monday, and nobody answers.'`;
  return [
    insert('customers', customers, {
      id: id('cus', from, 'i'),
      name: `'Customer ' || i`,
      version: '1',
      created_at: at,
      updated_at: at,
    }),
    insert('identifiers', customers, {
      kind: `'email'`,
      value: `'customer' || i || '@example.com'`,
      trust: `'verified'`,
      customer_id: id('cus', from, 'i'),
      first_seen_at: at,
    }),
    insert('tickets', tickets, {
      id: id('tkt', from, 'i'),
      number: '1000 + i',
      subject: `'Order ' || i`,
      status: `CASE i % 4 WHEN 0 THEN 'open' WHEN 1 THEN 'new' ELSE 'closed' END`,
      priority: `'normal'`,
      channel_id: `'intake'`,
      customer_id: id('cus', from, customer('i')),
      tags: `'[]'`,
      fields: `'{}'`,
      message_count: String(perTicket),
      last_seq: String(perTicket),
      version: String(perTicket),
      created_at: `${from} + i * ${perTicket * STEP}`,
      updated_at: `${from} + i * ${perTicket * STEP}`,
      last_message_at: `${from} + i * ${perTicket * STEP}`,
      last_inbound_at: `${from} + i * ${perTicket * STEP}`,
    }),
    insert('threads', tickets, {
      endpoint_id: `'intake'`,
      external_id: `'seeded-' || i`,
      ticket_id: id('tkt', from, 'i'),
      shared: '0',
    }),
    insert('payloads', messages, {
      id: id('pay', from, 'i'),
      endpoint_id: `'intake'`,
      received_at: at,
      method: `'POST'`,
      url: `'/webhooks/intake'`,
      headers: `'{}'`,
      units: '1',
    }),
    insert('events', messages, {
      id: id('evt', from, 'i'),
      payload_id: id('pay', from, 'i'),
      item: '0',
      endpoint_id: `'intake'`,
      outcome: `CASE ${place} WHEN 0 THEN 'ticket_created' ELSE 'appended' END`,
      external_id: `'seeded-' || i`,
      ticket_id: id('tkt', from, ticket),
      message_id: id('msg', from, 'i'),
      received_at: at,
    }),
    insert('messages', messages, {
      id: id('msg', from, 'i'),
      ticket_id: id('tkt', from, ticket),
      seq: `${place} + 1`,
      endpoint_id: `'intake'`,
      external_id: `'seeded-' || i`,
      customer_id: id('cus', from, customer(`(${ticket})`)),
      kind: `'message'`,
      direction: `'inbound'`,
      author: `'{"name":"Customer","identifiers":[]}'`,
      verified: '1',
      revision: '0',
      occurred_at: at,
      received_at: at,
      text,
      rule: `'thread'`,
      evidence: `''`,
      payload_id: id('pay', from, 'i'),
    }),
    insert('changes', messages, {
      seq: 'i',
      type: `CASE ${place} WHEN 0 THEN 'ticket.created' ELSE 'message.received' END`,
      at,
      version: '1',
      ticket_id: id('tkt', from, ticket),
      message_id: id('msg', from, 'i'),
      customer_id: id('cus', from, customer(`(${ticket})`)),
    }),
  ];
}

/** Deliveries of each seeded message that wait for a destination, the first of each ticket due. */
function waitingStatements(filling: Filling, destination: string): string[] {
  const { messages, from } = filling;
  const at = `${from} + i * ${STEP}`;
  return [
    insert('tasks', messages, {
      id: id('tsk', from, 'i'),
      kind: `'notify'`,
      type: `'message.received'`,
      endpoint_id: `'${destination}'`,
      ticket_id: id('tkt', from, ticketOf(filling)),
      place: at,
      message_id: id('msg', from, 'i'),
      change_seq: 'i',
      state: `'waiting'`,
      attempts: '0',
      tries: '0',
      uncertain: '0',
      due_at: `CASE ${placeOf(filling)} WHEN 0 THEN ${at} END`,
      created_at: at,
      updated_at: at,
    }),
  ];
}

const document = `'where is my order' || (i % 1000) || ' of last week i have waited for it since monday and nobody answers'`;

/** A new data folder with a seeded `tributary.db` in it, indexed for search; every message may wait for a destination. */
export async function seedSqlite(folder: string, seed: Seed): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'tributary.db');
  const database = openDatabase(file);
  configure(database);
  migrateSqlite(database, file);
  await ensureSearch(sqlOf(database));
  database.exec('BEGIN');
  const filling = fillingOf(seed);
  for (const statement of [
    ...seedStatements(filling),
    ...(seed.waitingFor === undefined ? [] : waitingStatements(filling, seed.waitingFor)),
    'INSERT INTO search_documents (id) SELECT id FROM messages ORDER BY id',
    `INSERT INTO search (rowid, said, person) SELECT document, ${document.replaceAll('i %', 'document %')}, '' FROM search_documents`,
    ...counters(seed.messages),
  ]) {
    database.exec(statement);
  }
  database.exec('COMMIT');
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

/** The same in an empty PostgreSQL database. */
export async function seedPostgres(url: string, seed: Omit<Seed, 'waitingFor'>): Promise<void> {
  const { messages } = seed;
  const driver = await loadDriver(new Secret(url), { debug() {}, info() {}, warn() {}, error() {} });
  await migratePostgres(driver.client());
  const client = driver.client();
  await client.connect();
  for (const statement of [
    'BEGIN',
    ...seedStatements(fillingOf(seed)),
    `INSERT INTO search_documents (id, said)
     SELECT id, array_to_tsvector(string_to_array(${document.replaceAll('i %', 'row_number() OVER (ORDER BY id) %')}, ' '))
     FROM messages ORDER BY id`,
    ...counters(messages),
    `SELECT setval('ticket_counter', (SELECT max(number) FROM tickets)), setval('changes_seq_seq', ${messages})`,
    'COMMIT',
    'VACUUM ANALYZE',
  ]) {
    await client.query(statement);
  }
  await client.end();
}

const counters = (messages: number) => [
  `UPDATE counters SET value = (SELECT max(number) FROM tickets) WHERE name = 'ticket'`,
  `INSERT INTO counters (name, value) VALUES ('${POSITION}', ${messages})`,
];
