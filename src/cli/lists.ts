import { z } from 'zod';
import { CommandError, clean, FAILED, toShortTime, toTable, UNHEALTHY } from './cli.ts';
import type { Cli } from './cli.ts';
import type { Client } from './client.ts';

/** Events, deliveries, tickets, channels and keys, as the running gateway tells them. */

const Row = z.record(z.string(), z.unknown());
type Row = z.output<typeof Row>;
const Page = z.object({ data: z.array(Row), nextCursor: z.string().nullable() });

type Query = Readonly<Record<string, string | undefined>>;
type Columns = Readonly<Record<string, (row: Row) => unknown>>;

const inner = (row: Row, key: string, part: string): unknown => Row.safeParse(row[key]).data?.[part];

const EVENTS: Columns = {
  id: (row) => row['id'],
  received: (row) => toShortTime(row['receivedAt']),
  endpoint: (row) => row['endpoint'],
  outcome: (row) => row['outcome'],
  ticket: (row) => row['ticketId'],
  reason: (row) => row['reason'],
};

const DELIVERIES: Columns = {
  id: (row) => row['id'],
  destination: (row) => row['destination'],
  type: (row) => row['type'],
  state: (row) => row['state'],
  tries: (row) => row['attempts'],
  'next try': (row) => toShortTime(row['nextAttemptAt']),
  error: (row) => row['error'],
};

const TICKETS: Columns = {
  number: (row) => row['number'],
  status: (row) => row['status'],
  priority: (row) => row['priority'],
  channel: (row) => inner(row, 'channel', 'id'),
  customer: (row) => inner(row, 'customer', 'name') ?? inner(row, 'customer', 'id'),
  messages: (row) => row['messageCount'],
  updated: (row) => toShortTime(row['updatedAt']),
  subject: (row) => row['subject'],
};

const ENDPOINTS: Columns = {
  id: (row) => row['id'],
  type: (row) => row['type'],
  state: (row) => inner(row, 'health', 'state'),
  'last in': (row) => toShortTime(inner(row, 'health', 'lastInAt')),
  from: (row) => row['source'] ?? 'API',
  problem: (row) => inner(row, 'health', 'problem') ?? inner(row, 'health', 'lastError'),
};

const KEYS: Columns = {
  id: (row) => row['id'],
  name: (row) => row['name'],
  prefix: (row) => row['prefix'],
  scopes: (row) => (Array.isArray(row['scopes']) ? row['scopes'].join(' ') : ''),
  created: (row) => toShortTime(row['createdAt']),
  'last used': (row) => toShortTime(row['lastUsedAt']),
  revoked: (row) => toShortTime(row['revokedAt']),
};

const LISTS = { events: EVENTS, deliveries: DELIVERIES, tickets: TICKETS, channels: ENDPOINTS, keys: KEYS } as const;

/** One page of a list, and how to get the next. */
export async function list(cli: Cli, client: Client, what: keyof typeof LISTS, query: Query): Promise<void> {
  const answer = await client.call('GET', `/${what}`, { query });
  const { data, nextCursor } = Page.parse(answer);
  const columns = LISTS[what];
  cli.show(answer, () =>
    data.length === 0
      ? `No ${what}.`
      : toTable(
          cli,
          Object.keys(columns),
          data.map((row) => Object.values(columns).map((of) => of(row))),
        ),
  );
  if (nextCursor && !cli.wantsJson()) cli.say(`There are more: --cursor ${nextCursor}`);
}

/** Every row of a list, page by page. */
export async function* pages(client: Client, path: string, query: Query): AsyncGenerator<Row> {
  let cursor: string | undefined;
  do {
    const { data, nextCursor } = Page.parse(
      await client.call('GET', path, { query: { ...query, limit: '200', cursor } }),
    );
    yield* data;
    cursor = nextCursor ?? undefined;
  } while (cursor);
}

/** All rows of a list that is known to be short. */
export async function allOf(client: Client, path: string, query: Query = {}): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of pages(client, path, query)) rows.push(row);
  return rows;
}

/** One event or delivery with everything that is known about it. */
export async function show(cli: Cli, client: Client, path: string): Promise<void> {
  const answer = Row.parse(await client.call('GET', path));
  cli.show(answer, () =>
    Object.entries(answer)
      .map(([key, value]) => toLines(key, value, ''))
      .join('\n'),
  );
}

function toLines(key: string, value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return `${indent}${key}: ${clean(value) || '-'}`;
  const entries = Object.entries(value);
  if (entries.length === 0) return `${indent}${key}: -`;
  return [`${indent}${key}:`, ...entries.map(([name, each]) => toLines(name, each, `${indent}  `))].join('\n');
}

const Receipt = z.object({ items: z.array(z.object({ outcome: z.string(), ticketNumber: z.number().optional() })) });

/** Files the item of an event again. */
export async function replayEvent(cli: Cli, client: Client, id: string): Promise<void> {
  const answer = await client.call('POST', `/events/${encodeURIComponent(id)}/replay`);
  const { items } = Receipt.parse(answer);
  cli.show(answer, () =>
    items.map(({ outcome, ticketNumber }) => outcome + (ticketNumber ? ` → ticket #${ticketNumber}` : '')).join('\n'),
  );
}

/** Sends deliveries again: one, or all of a destination in a state. */
export async function replayDeliveries(
  cli: Cli,
  client: Client,
  what:
    | { readonly id: string }
    | {
        readonly destination: string;
        readonly state: string;
        readonly since?: string | undefined;
        readonly dryRun: boolean;
      },
): Promise<void> {
  if ('id' in what) {
    const answer = await client.call('POST', `/deliveries/${encodeURIComponent(what.id)}/replay`);
    return cli.show(answer, () => `${clean(what.id)} is sent again.`);
  }
  const answer = await client.call('POST', '/deliveries/replay', { body: what });
  const { count } = z.object({ count: z.number() }).parse(answer);
  return cli.show(answer, () => `${count} ${what.dryRun ? 'would be' : 'are'} sent again.`);
}

/** Takes back what is to be sent again and has not begun. */
export async function cancelReplays(cli: Cli, client: Client, destination: string): Promise<void> {
  const answer = await client.call('POST', '/deliveries/replay/cancel', { body: { destination } });
  const { count } = z.object({ count: z.number() }).parse(answer);
  return cli.show(answer, () => `${count} are not sent again.`);
}

const TestResult = z.object({ ok: z.boolean(), text: z.string(), hint: z.string().nullable() });

/** Tries the credentials of a channel. */
export async function testChannel(cli: Cli, client: Client, id: string): Promise<number> {
  const answer = await client.call('POST', `/channels/${encodeURIComponent(id)}/test`);
  const { ok, text, hint } = TestResult.parse(answer);
  cli.show(
    answer,
    () =>
      `${ok ? cli.color.green('ok') : cli.color.red('failed')}  ${clean(text)}${hint ? `\n        ${clean(hint)}` : ''}`,
  );
  return ok ? 0 : UNHEALTHY;
}

const CSV = [
  'number',
  'subject',
  'status',
  'priority',
  'channel',
  'customer',
  'assignee',
  'team',
  'tags',
  'language',
  'messageCount',
  'createdAt',
  'updatedAt',
  'id',
];

/** All tickets, as lines of JSON or as CSV, page by page: it may be more than fits into memory. */
export async function exportTickets(cli: Cli, client: Client, format: 'csv' | 'jsonl', query: Query): Promise<void> {
  if (format === 'csv') cli.print(CSV.join(','));
  for await (const row of pages(client, '/tickets', { ...query, sort: 'createdAt' })) {
    cli.print(format === 'csv' ? toCsv(row) : JSON.stringify(row));
  }
}

function toCsv(row: Row): string {
  const flat: Row = {
    ...row,
    channel: inner(row, 'channel', 'id'),
    customer: inner(row, 'customer', 'name') ?? inner(row, 'customer', 'id'),
    tags: Array.isArray(row['tags']) ? row['tags'].join(' ') : '',
  };
  return CSV.map((name) => toCell(flat[name])).join(',');
}

/** Spreadsheets run cells that begin with these characters as formulas: an apostrophe stops them. */
function toCell(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : clean(value);
  const safe = typeof value === 'string' && /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\n;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const NewKey = z.object({ id: z.string(), key: z.string().nullable() });

/** Makes an API key: alone on stdout, since it is shown only once. */
export async function createKey(cli: Cli, client: Client, name: string, scopes: readonly string[]): Promise<void> {
  const answer = await client.call('POST', '/keys', { body: { name, scopes } });
  const { id, key } = NewKey.parse(answer);
  if (!key) throw new CommandError('the gateway did not show the key', { code: FAILED });
  cli.show(answer, () => key);
  cli.say(`${id}: shown only this once. Revoke it with: npx tributary keys revoke ${id}`);
}

export async function revokeKey(cli: Cli, client: Client, id: string): Promise<void> {
  await client.call('DELETE', `/keys/${encodeURIComponent(id)}`);
  cli.show({ id, revoked: true }, () => `${clean(id)} is revoked.`);
}

const Link = z.object({ url: z.string().nullable(), expiresAt: z.string() });

/** Makes a one-time link that signs the admin in. */
export async function adminLink(cli: Cli, client: Client): Promise<void> {
  const answer = await client.call('POST', '/admin/link');
  const { url, expiresAt } = Link.parse(answer);
  if (!url) throw new CommandError('the gateway did not show the link');
  cli.show(answer, () => url);
  cli.say(`Works once, until ${toShortTime(expiresAt)}.`);
}
