import { sql, type SelectQueryBuilder } from 'kysely';
import { z } from 'zod';
import type { PageRequest, Reader, TicketFilter } from '../../core/reader.ts';
import { toTime, type Ticket } from '../../core/ticket.ts';
import { fromJson } from '../sql.ts';
import type { Db } from './kysely.ts';
import { byId, cut, distinct, escapeLike, groupBy, keysOf, render, toCursor } from './page.ts';
import { endpointsIn } from './steps.ts';
import type { TicketColumns, Tables } from './tables.ts';

/** What reading tickets needs. `typeOf`: the connector type of a channel. */
export interface TicketSources {
  readonly db: Db;
  readonly typeOf: (endpointId: string) => string;
  /** Ids of the tickets in which all words of `q` occur, the newest first. */
  readonly find: (q: string, limit: number) => Promise<readonly string[]>;
}

/** Most tickets that a search looks at: the newest; one who needs more has to search for more words. */
const FOUND = 1000;

type Query = SelectQueryBuilder<Tables, 'tickets', TicketColumns>;
type Sort = NonNullable<TicketFilter['sort']>;

export function ticketsIn(sources: TicketSources): Pick<Reader, 'tickets' | 'ticket' | 'ticketByNumber' | 'threads'> & {
  readonly viewsOf: (ids: readonly string[]) => Promise<Map<string, Ticket>>;
} {
  const { db, find } = sources;
  const one = async (query: Query) => (await toViews(sources, await query.execute()))[0];

  return {
    async tickets(filter, page) {
      const sort = filter.sort ?? '-updatedAt';
      const after = orders[sort](page);
      const found = filter.q === undefined ? undefined : await find(filter.q, FOUND);
      const channels = filter.channelType === undefined ? undefined : await channelsOf(sources, filter.channelType);
      if (found?.length === 0 || channels?.length === 0) return { data: [], nextCursor: null };

      let query = narrow(db.selectFrom('tickets').selectAll(), filter);
      if (found) query = query.where('id', 'in', found);
      if (channels) query = query.where('channel_id', 'in', channels);
      query = after(query).limit(page.limit + 1);
      // One query per status, each of which walks its index in order; one for all of them would have to sort.
      const statuses = filter.status ? distinct(filter.status) : undefined;
      const parts = statuses ? statuses.map((status) => query.where('status', '=', status)) : [query];
      const rows = (await Promise.all(parts.map((part) => part.execute()))).flat();
      return render(
        cut(rows.sort(comparison(sort)), page, (row) => toCursor(`tickets ${sort}`, keysIn(sort, row))),
        (kept) => toViews(sources, kept),
      );
    },
    ticket: (id) => one(db.selectFrom('tickets').selectAll().where('id', '=', id)),
    ticketByNumber: (number) => one(db.selectFrom('tickets').selectAll().where('number', '=', number)),
    async threads(endpointId, limit) {
      const rows = await db
        .selectFrom('threads')
        .innerJoin('tickets', 'tickets.id', 'threads.ticket_id')
        .where('threads.endpoint_id', '=', endpointId)
        .select('threads.external_id')
        .orderBy('tickets.updated_at', 'desc')
        .orderBy('tickets.id', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => row.external_id);
    },
    async viewsOf(ids) {
      if (ids.length === 0) return new Map();
      const views = await toViews(sources, await db.selectFrom('tickets').selectAll().where('id', 'in', ids).execute());
      return new Map(views.map((view) => [view.id, view]));
    },
  };
}

function narrow(all: Query, filter: TicketFilter): Query {
  // What was merged away is only a signpost: it can be opened, but stands in no list.
  let query = all.where('merged_into', 'is', null);
  const equal = {
    channel_id: filter.channel,
    customer_id: filter.customer,
    assignee: filter.assignee,
    team: filter.team,
    priority: filter.priority,
  };
  for (const [column, value] of Object.entries(equal)) {
    if (value !== undefined) query = query.where(column as keyof typeof equal, '=', value);
  }
  if (filter.updatedSince !== undefined) query = query.where('updated_at', '>=', filter.updatedSince);
  if (filter.tag !== undefined) {
    query = query.where(
      sql<boolean>`lower(tags) LIKE lower(${`%${escapeLike(JSON.stringify(filter.tag))}%`}) ESCAPE '\\'`,
    );
  }
  if (filter.kind !== undefined) {
    query = query.where(
      sql<boolean>`EXISTS (SELECT 1 FROM messages WHERE messages.ticket_id = tickets.id AND messages.kind = ${filter.kind})`,
    );
  }
  return query;
}

async function channelsOf({ db, typeOf }: TicketSources, type: string): Promise<readonly string[]> {
  return (await endpointsIn(db, 'messages')).filter((id) => typeOf(id) === type);
}

const byUpdate = z.tuple([z.number(), z.string()]);

/** Each sort order: what it adds to a query so that it goes on behind the cursor. An id tells when its ticket was created. */
const orders: Readonly<Record<Sort, (page: PageRequest) => (query: Query) => Query>> = {
  updatedAt: (page) => updated(page, 'updatedAt'),
  '-updatedAt': (page) => updated(page, '-updatedAt'),
  createdAt: (page) => created(page, 'createdAt'),
  '-createdAt': (page) => created(page, '-createdAt'),
};

function updated(page: PageRequest, sort: 'updatedAt' | '-updatedAt'): (query: Query) => Query {
  const keys = keysOf(`tickets ${sort}`, byUpdate, page.cursor);
  const [operator, direction] = sort === 'updatedAt' ? (['>', 'asc'] as const) : (['<', 'desc'] as const);
  return (query) =>
    (keys ? query.where((e) => e(e.refTuple('updated_at', 'id'), operator, e.tuple(...keys))) : query)
      .orderBy('updated_at', direction)
      .orderBy('id', direction);
}

function created(page: PageRequest, sort: 'createdAt' | '-createdAt'): (query: Query) => Query {
  const keys = keysOf(`tickets ${sort}`, byId, page.cursor);
  const [operator, direction] = sort === 'createdAt' ? (['>', 'asc'] as const) : (['<', 'desc'] as const);
  return (query) => (keys ? query.where('id', operator, keys[0]) : query).orderBy('id', direction);
}

function keysIn(sort: Sort, row: TicketColumns): (string | number)[] {
  return sort.endsWith('updatedAt') ? [row.updated_at, row.id] : [row.id];
}

function comparison(sort: Sort): (a: TicketColumns, b: TicketColumns) => number {
  const sign = sort.startsWith('-') ? -1 : 1;
  const byTime = sort.endsWith('updatedAt');
  return (a, b) => sign * ((byTime ? a.updated_at - b.updated_at : 0) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

async function toViews({ db, typeOf }: TicketSources, rows: readonly TicketColumns[]): Promise<Ticket[]> {
  if (rows.length === 0) return [];
  const customerIds = distinct(rows.map((row) => row.customer_id));
  const customers = await db.selectFrom('customers').select(['id', 'name']).where('id', 'in', customerIds).execute();
  const names = new Map(customers.map((customer) => [customer.id, customer.name]));
  const ids = rows.map((row) => row.id);
  const links = await db.selectFrom('links').selectAll().where('ticket_id', 'in', ids).orderBy('at').execute();
  const linksOf = groupBy(links, (link) => link.ticket_id);
  return rows.map((row) => ({
    id: row.id,
    number: row.number,
    subject: row.subject,
    status: row.status,
    priority: row.priority,
    channel: { id: row.channel_id, type: typeOf(row.channel_id) },
    customer: { id: row.customer_id, name: names.get(row.customer_id) ?? null },
    assignee: row.assignee,
    team: row.team,
    tags: fromJson<string[]>(row.tags) ?? [],
    fields: fromJson<Record<string, string>>(row.fields) ?? {},
    language: row.language,
    messageCount: row.message_count,
    lastMessageAt: row.last_message_at === null ? null : toTime(row.last_message_at),
    createdAt: toTime(row.created_at),
    updatedAt: toTime(row.updated_at),
    links: (linksOf.get(row.id) ?? []).map((link) => ({
      destination: link.destination_id,
      externalId: link.external_id,
      url: link.url,
    })),
    version: row.version,
    mergedInto: row.merged_into,
  }));
}
