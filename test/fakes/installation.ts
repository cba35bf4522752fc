import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Customer, Message, Ticket } from '../../src/core/ticket.ts';
import { openDatabase, type Database } from '../../src/store/sqlite.ts';
import { startReceiver, type Receiver } from './receiver.ts';
import { startTelegram, TOKEN, type FakeTelegram } from './telegram.ts';
import { until } from './until.ts';
import { INTAKE_SECRET, startWhole, type Whole } from './whole.ts';

/** A gateway that has lived: people, tickets, files, edits, joins, what failed, what waits, what was set up over the API. */
export interface Installation {
  readonly whole: Whole;
  readonly telegram: FakeTelegram;
  /** Whose deliveries wait for an hour, as it asked. */
  readonly busy: Receiver;
  /** What was sent to the channel `intake`, so that it can be sent again. */
  readonly sent: readonly object[];
  close(): Promise<void>;
}

type List<T> = { readonly data: readonly T[]; readonly nextCursor: string | null };

/** `most`: how many tickets there are at least, with four messages each. */
export async function startInstallation(most: number): Promise<Installation> {
  const [telegram, good, bad, busy] = [
    await startTelegram(),
    await startReceiver(),
    await startReceiver(),
    await startReceiver(),
  ];
  bad.behave({ status: 400 });
  busy.behave({ status: 503, headers: { 'retry-after': '3600' } });
  const destination = (id: string, { origin }: Receiver) =>
    `  - { id: ${id}, type: webhook, url: "${origin}", secret: "${INTAKE_SECRET}" }\n`;
  const whole = await startWhole({
    yaml:
      `  - { id: bot, type: telegram, token: "${TOKEN}", apiRoot: "${telegram.root}" }\n` +
      `destinations:\n${destination('good', good)}${destination('bad', bad)}${destination('busy', busy)}` +
      'routes:\n  - { to: [good, bad, busy] }\n',
  });
  const close = async () => {
    await whole.close();
    await Promise.all([telegram, good, bad, busy].map((each) => each.close()));
  };
  try {
    const sent = await write(whole, telegram, most);
    await work(whole);
    await settled(whole);
    return { whole, telegram, busy, sent, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const file = (name: string, size: number) => ({
  name,
  mediaType: 'application/octet-stream',
  content: Buffer.alloc(size, name).toString('base64'),
});

async function write(whole: Whole, telegram: FakeTelegram, most: number): Promise<readonly object[]> {
  const message = (n: number, rest: object = {}) => ({
    id: `m-${n}`,
    thread: `t-${n}`,
    from: { id: `u-${n}`, name: `Ім’я "${n}" \\ {x}`, email: `c${n}@example.com` },
    subject: `Замовлення ${n} 🚚`,
    text: `Де моє замовлення ${n}?\n\t'";--`,
    fields: { order: String(n), note: 'a\\b{c},NULL' },
    ...rest,
  });
  const sent: object[] = Array.from({ length: most }, (_, n) => [
    message(n + 1),
    ...['a', 'b', 'c'].map((more) => message(n + 1, { id: `m-${n + 1}${more}`, text: `Ще питання ${more}` })),
  ]).flat();
  sent.push(
    message(101, { thread: 't-1', attachments: [file('a.bin', 10), file('large.bin', 100_000)] }),
    message(102, { thread: 't-1', html: '<p>Ще <b>одне</b></p>' }),
    message(102, { thread: 't-1', html: '<p>Інше</p>', revision: 1 }),
    message(103, { from: { id: 'u-103', name: 'Олена', phone: '+380671234567' } }),
    message(104, { from: { id: 'u-104', phone: '+380671234567', email: 'c1@example.com' } }),
  );
  for (const body of sent) assert.equal(await whole.send(body), 200);
  assert.equal(await whole.send(sent[0]), 200);
  assert.equal(await whole.send([{ id: 'broken' }, message(105)]), 200);
  await fetch(`${whole.running.url}/forms/contact`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'visitor@example.com', message: 'Від форми' }),
  });
  const chat = { id: 7001, type: 'private', first_name: 'Olena' };
  const said = { message_id: 1, date: 1_795_341_600, chat, from: { ...chat, is_bot: false }, text: 'З бота' };
  telegram.push(
    { update_id: 5001, message: said },
    { update_id: 5002, edited_message: { ...said, text: 'З бота, інакше', edit_date: 1_795_341_700 } },
    { update_id: 5003, message: { ...said, message_id: 2, text: 'Ще' } },
  );
  await until(async () => telegram.offsets.at(-1) === 5004, 'the updates are taken');
  return sent;
}

/** What agents and operators do, over the API. */
async function work(whole: Whole): Promise<void> {
  const post = <T>(path: string, body: object) => whole.api<T>(path, { method: 'POST', body });
  const ticketOf = async (q: string) =>
    (await whole.api<List<Ticket>>(`/tickets?q=${encodeURIComponent(q)}`)).data.at(-1)!;
  const [a, b, c] = (await allOf<Ticket>(whole, '/tickets')).toReversed();
  assert.ok(a && b && c);
  await post(`/tickets/${a.id}/notes`, { text: 'Нотатка' });
  await whole.api(`/tickets/${a.id}`, { method: 'PATCH', body: { tags: ['vip', 'a"b'], status: 'pending' } });
  await post(`/tickets/${c.id}/merge`, { into: b.id });
  const messages = await allOf<Message>(whole, `/tickets/${a.id}/messages`);
  await post(`/tickets/${a.id}/split`, { messages: [messages.at(-2)!.id] });
  const bot = await ticketOf('бота');
  await post(`/tickets/${bot.id}/replies`, { text: 'Відповідь' });

  const [x, y, z] = await allOf<Customer>(whole, '/customers');
  const joined = await post<{ mergeId: string }>(`/customers/${x!.id}/merge`, { from: y!.id });
  await post(`/merges/${joined.mergeId}/undo`, {});
  await post(`/customers/${x!.id}/merge`, { from: z!.id });

  await post('/keys', { name: 'a key', scopes: ['tickets:read'] });
  const settings = { auth: { type: 'standard_webhooks', secret: INTAKE_SECRET } };
  await post('/channels', { id: 'second', type: 'webhook', settings });
  const url = 'https://crm.example.com/hooks';
  await post('/destinations', { id: 'later', type: 'webhook', settings: { url, secret: INTAKE_SECRET } });
  await post('/routes', { when: { channel: ['nowhere'] }, to: ['later'] });
  await whole.api(`/tickets/${a.id}/notes`, {
    method: 'POST',
    body: { text: 'Once' },
    headers: { 'idempotency-key': 'a-key-of-mine' },
  });
}

const LONG_MS = 10 * 60_000;

/** Until whatever still waits does so for long, as its receiver asked. */
export async function settled({ running }: Whole): Promise<void> {
  const { read } = running.gateway.store;
  await until(async () => {
    const due = await read.dueTasks(Date.now() + LONG_MS, 1);
    const now = await read.deliveries({ state: 'delivering' }, { limit: 1 });
    return due.length === 0 && now.data.length === 0;
  }, 'nothing is about to be delivered');
}

export async function allOf<T>(whole: Whole, path: string): Promise<T[]> {
  const all: T[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: List<T> = await whole.api<List<T>>(
      `${path}${path.includes('?') ? '&' : '?'}limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    all.push(...page.data);
    cursor = page.nextCursor;
  }
  return all;
}

/** Everything that the API answers, by its path, the bytes of files as their hash. */
export async function everythingOf(whole: Whole): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  const list = async (path: string) => {
    const all = await allOf<{ id: string }>(whole, path);
    seen[path] = all;
    return all.map(({ id }) => id);
  };
  const one = async (path: string) => (seen[path] = await whole.api(path));
  for (const id of await list('/tickets')) {
    await one(`/tickets/${id}`);
    await list(`/tickets/${id}/messages`);
  }
  for (const id of await list('/customers')) {
    await one(`/customers/${id}`);
    await list(`/customers/${id}/timeline`);
    await one(`/customers/${id}/merges`);
  }
  const events = await list('/events');
  for (const id of events.filter((_, index) => index % 3 === 0)) await one(`/events/${id}`);
  // Some of them: there are many, and only so many may be asked for in a minute.
  const deliveries = await list('/deliveries');
  for (const id of deliveries.filter((_, index) => index % 10 === 0)) await one(`/deliveries/${id}`);
  await one('/events/balance');
  for (const path of ['/keys', '/routes']) await list(path);
  for (const q of ['замовлення 7', 'c1@example.com', '067 123-45-67']) {
    await list(`/tickets?q=${encodeURIComponent(q)}`);
    await list(`/customers?q=${encodeURIComponent(q)}`);
  }
  const changes: { seq: number }[] = [];
  for (let page = 1; page > 0;) {
    const { data } = await whole.api<{ data: typeof changes }>(`/changes?limit=200&after=${changes.at(-1)?.seq ?? 0}`);
    page = changes.push(...data) && data.length;
  }
  seen['changes'] = changes;
  const text = JSON.stringify(seen).replaceAll(whole.running.url, '');
  for (const [url = ''] of text.matchAll(/\/api\/v1\/attachments\/[^"\\]+/g)) {
    const answer = await fetch(`${whole.running.url}${url}`, {
      headers: { authorization: `Bearer ${whole.running.token}` },
    });
    seen[url] = createHash('sha256')
      .update(Buffer.from(await answer.arrayBuffer()))
      .digest('hex');
  }
  return JSON.parse(JSON.stringify(seen).replaceAll(whole.running.url, '')) as Record<string, unknown>;
}

/** What a file of SQLite holds, by table, without what search makes. */
export function tablesIn(path: string): Record<string, unknown[]> {
  const database = openDatabase(path);
  try {
    return Object.fromEntries(
      namesOf(database).map((name) => [
        name,
        database
          .prepare(`SELECT * FROM "${name}"`)
          .all()
          .map((row) =>
            JSON.stringify(row, (_key, value: unknown) => (value instanceof Uint8Array ? [...value] : value)),
          )
          .sort(),
      ]),
    );
  } finally {
    database.close();
  }
}

/** Puts two rows of hard values into each table that has none, so that every table and column is moved. */
export function fillEmptyTables(folder: string): readonly string[] {
  const database = openDatabase(join(folder, 'data', 'tributary.db'));
  try {
    return namesOf(database).filter((name) => {
      if (database.prepare(`SELECT 1 FROM "${name}" LIMIT 1`).get() !== undefined) return false;
      const columns = database.prepare(`PRAGMA table_info("${name}")`).all() as { type: string; notnull: number }[];
      const text = `INSERT INTO "${name}" VALUES (${columns.map(() => '?').join(', ')})`;
      for (const row of [0, 1]) {
        database
          .prepare(text)
          .run(...columns.map(({ type, notnull }, at) => (row === 1 && !notnull ? null : hardValue(type, at + row))));
      }
      return true;
    });
  } finally {
    database.close();
  }
}

function hardValue(type: string, n: number): string | number | Uint8Array {
  if (type === 'INTEGER') return [0, -1, Number.MAX_SAFE_INTEGER][n % 3]! - n;
  if (type === 'BLOB') return Uint8Array.from({ length: 256 }, (_, at) => at);
  return ['', 'NULL', '{"a":"\\\\"},', `'";--\n\t\r`, '🚚 ї', '\ufffd\u2028'][n % 6]! + String(n);
}

function namesOf(database: Database): string[] {
  const rows = database.prepare(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`).all();
  return (rows as { name: string }[]).map(({ name }) => name).filter((name) => !/^(sqlite|search)/.test(name));
}
