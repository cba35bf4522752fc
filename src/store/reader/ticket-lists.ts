import { sql, type RawBuilder, type SelectQueryBuilder } from 'kysely';
import { z } from 'zod';
import type { PageRequest, TicketFilter } from '../../core/reader.ts';
import { ticketStatuses, type TicketStatus } from '../../core/ticket.ts';
import { folded } from '../tickets.ts';
import type { Db } from './kysely.ts';
import { byId, cut, distinct, keysOf, toCursor } from './page.ts';
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
/** That many tickets are sorted in no time. */
const FEW = 1000;

type Query = SelectQueryBuilder<Tables, 'tickets', TicketColumns>;
type Sort = NonNullable<TicketFilter['sort']>;
type Condition = RawBuilder<boolean>;

/** The filter with what it takes to look for it. */
interface Wanted {
  readonly filter: TicketFilter;
  readonly statuses: readonly TicketStatus[];
  /** Ids; undefined: all. */
  readonly channels: readonly string[] | undefined;
}

/**
 * Pages of tickets. Where one of the filters leaves few, those are sorted. Otherwise there are many, and they are read in
 * the order of an index that holds the time, once for each status; those that don't fit are passed over, and a page is
 * full soon. The planner is left no choice between the two: it doesn't know how many there are.
 */
export function ticketLists({ db, typeOf, find }: TicketSources) {
  return async (filter: TicketFilter, page: PageRequest) => {
    const sort = filter.sort ?? '-updatedAt';
    const after = orders[sort](page);
    const statuses = filter.status ? distinct(filter.status) : ticketStatuses;
    const channels = await channelsOf(db, filter, typeOf);
    const found = filter.q === undefined ? undefined : await find(filter.q, FOUND);
    if ([statuses, channels, found].some((each) => each?.length === 0)) return { rows: [], nextCursor: null };

    const wanted = { filter, statuses, channels };
    const few = found ? sql<boolean>`id IN (${sql.join(found)})` : await fewOf(db, wanted);
    const from = few ? among(db, few) : db.selectFrom('tickets').selectAll();
    const narrowed = narrow(from, wanted, sql.ref(few ? 'few.id' : 'tickets.id'));
    const parts =
      few || !sort.endsWith('updatedAt') ? [narrowed.where('status', 'in', statuses)] : split(narrowed, wanted);
    const rows = await together(
      db,
      parts.map((part) => after(part).limit(page.limit + 1)),
    );
    return cut(rows.sort(comparison(sort)), page, (row) => toCursor(`tickets ${sort}`, keysIn(sort, row)));
  };
}

/** The tickets that a filter leaves where they are few. */
async function fewOf(db: Db, { filter, statuses, channels }: Wanted): Promise<Condition | undefined> {
  const { customer, tag, priority } = filter;
  const tagged = tag === undefined ? undefined : sql`FROM ticket_tags WHERE tag = ${folded(tag)}`;
  const status = sql`status IN (${sql.join(statuses)})`;
  const conditions = [
    customer !== undefined && sql<boolean>`customer_id = ${customer}`,
    tagged && sql<boolean>`id IN (SELECT ticket_id ${tagged})`,
    channels && sql<boolean>`channel_id IN (${sql.join(channels)}) AND ${status}`,
    // Word for word as in the schema: see `page.ts`.
    priority !== undefined &&
      priority !== 'normal' &&
      sql<boolean>`priority = ${priority} AND priority <> 'normal' AND ${status}`,
  ];
  for (const condition of conditions) {
    if (!condition) continue;
    const from = tagged && condition === conditions[1] ? tagged : sql`FROM tickets WHERE ${condition}`;
    if (await areFew(db, from)) return condition;
  }
  return undefined;
}

async function areFew(db: Db, from: RawBuilder<unknown>): Promise<boolean> {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*) AS n FROM (SELECT 1 AS x ${from} LIMIT ${FEW + 1}) AS those`.execute(db);
  return (rows[0]?.n ?? 0) <= FEW;
}

/** Those rows alone: whatever else is asked of them is looked for in no index. */
function among(db: Db, few: Condition): Query {
  return db
    .with(
      (cte) => cte('few').materialized(),
      (all) => all.selectFrom('tickets').selectAll().where(few),
    )
    .selectFrom('few')
    .selectAll() as unknown as Query;
}

/** Everything but the status. What is joined with nothing is there for its effect: no index serves it. */
function narrow(all: Query, { filter, channels }: Wanted, id: RawBuilder<unknown>): Query {
  const { assignee, team, customer, priority, updatedSince, tag, kind } = filter;
  const conditions: (Condition | false | undefined)[] = [
    // What was merged away is only a signpost: it can be opened, but stands in no list.
    sql`merged_into IS NULL`,
    assignee === null && sql`assignee IS NULL`,
    typeof assignee === 'string' && sql`assignee = ${assignee}`,
    team !== undefined && sql`team = ${team}`,
    customer !== undefined && sql`customer_id || '' = ${customer}`,
    channels && sql`channel_id || '' IN (${sql.join(channels)})`,
    priority !== undefined && sql`priority || '' = ${priority}`,
    updatedSince !== undefined && sql`updated_at >= ${updatedSince}`,
    tag !== undefined && sql`EXISTS (SELECT 1 FROM ticket_tags WHERE tag = ${folded(tag)} AND ticket_id = ${id} || '')`,
    kind !== undefined &&
      sql`EXISTS (SELECT 1 FROM messages WHERE messages.ticket_id = ${id} AND messages.kind = ${kind})`,
  ];
  return conditions
    .filter((each) => each !== undefined && each !== false)
    .reduce((query, each) => query.where(each), all);
}

/** For each status the tickets of one index, in its order: of an assignee, of a team, or those nobody or somebody has. */
function split(query: Query, { filter, statuses }: Wanted): Query[] {
  const sides: readonly Condition[] = [sql`assignee IS NULL`, sql`assignee IS NOT NULL`];
  const isOne = filter.assignee !== undefined || filter.team !== undefined;
  return statuses.flatMap((status) => {
    const part = query.where(sql<boolean>`status = ${status}`);
    return isOne ? [part] : sides.map((side) => part.where(side));
  });
}

/** One question instead of several. */
async function together(db: Db, parts: readonly Query[]): Promise<TicketColumns[]> {
  const [first, ...others] = parts;
  if (!first || others.length === 0) return (await first?.execute()) ?? [];
  const rowsOf = (part: Query) => db.selectFrom(part.as('part')).selectAll();
  return others.reduce((all, part) => all.unionAll(rowsOf(part)), rowsOf(first)).execute();
}

async function channelsOf(
  db: Db,
  { channel, channelType }: TicketFilter,
  typeOf: TicketSources['typeOf'],
): Promise<readonly string[] | undefined> {
  if (channelType === undefined) return channel === undefined ? undefined : [channel];
  const ofType = (await endpointsIn(db, 'messages')).filter((id) => typeOf(id) === channelType);
  return channel === undefined ? ofType : ofType.filter((id) => id === channel);
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
