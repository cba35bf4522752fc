import type { SelectQueryBuilder } from 'kysely';
import type { Reader } from '../../core/reader.ts';
import { toTime, type Ticket } from '../../core/ticket.ts';
import { fromJson } from '../sql.ts';
import { distinct, groupBy, render } from './page.ts';
import { labelsIn } from './steps.ts';
import type { TicketColumns, Tables } from './tables.ts';
import { ticketLists, type TicketSources } from './ticket-lists.ts';

type Query = SelectQueryBuilder<Tables, 'tickets', TicketColumns>;

/** Most tags, and teams, that are named. */
const LABELS = 200;

export function ticketsIn(sources: TicketSources): Pick<
  Reader,
  'tickets' | 'ticket' | 'ticketByNumber' | 'threads' | 'labels'
> & {
  readonly viewsOf: (ids: readonly string[]) => Promise<Map<string, Ticket>>;
} {
  const { db } = sources;
  const list = ticketLists(sources);
  const one = async (query: Query) => (await toViews(sources, await query.execute()))[0];

  return {
    async tickets(filter, page) {
      return render(await list(filter, page), (rows) => toViews(sources, rows));
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
    async labels() {
      const [tags, teams] = await Promise.all([labelsIn(db, 'tags', LABELS), labelsIn(db, 'teams', LABELS)]);
      return { tags, teams };
    },
    async viewsOf(ids) {
      if (ids.length === 0) return new Map();
      const views = await toViews(sources, await db.selectFrom('tickets').selectAll().where('id', 'in', ids).execute());
      return new Map(views.map((view) => [view.id, view]));
    },
  };
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
