import type { Reader } from '../../core/reader.ts';
import { toTime, type Change, type Customer, type Message, type Ticket } from '../../core/ticket.ts';
import { fromJson } from '../sql.ts';
import type { Db } from './kysely.ts';
import { distinct } from './page.ts';
import type { ChangeColumns } from './tables.ts';

/**
 * The number up to which no change can appear any more: what is shown goes no further, so that whoever reads on behind
 * the last one misses none.
 */
export type Horizon = () => Promise<number>;

type Views<T> = (ids: readonly string[]) => Promise<Map<string, T>>;

/** Where the current state of what a change is about comes from. */
export interface ChangeSources {
  readonly db: Db;
  readonly horizon: Horizon;
  readonly tickets: Views<Ticket>;
  readonly messages: Views<Message>;
  readonly customers: Views<Customer>;
}

export function changesIn(sources: ChangeSources): Pick<Reader, 'changes' | 'change' | 'lastChange'> {
  const { db, horizon } = sources;
  return {
    async changes(after, limit) {
      const settled = db
        .selectFrom('changes')
        .selectAll()
        .where('seq', '<=', await horizon());
      return toViews(sources, await settled.where('seq', '>', after).orderBy('seq').limit(limit).execute());
    },
    async change(seq) {
      return (await toViews(sources, await db.selectFrom('changes').selectAll().where('seq', '=', seq).execute()))[0];
    },
    async lastChange() {
      const settled = db
        .selectFrom('changes')
        .select('seq')
        .where('seq', '<=', await horizon());
      const last = settled.orderBy('seq', 'desc').limit(1);
      return (await last.executeTakeFirst())?.seq ?? 0;
    },
  };
}

async function toViews(sources: ChangeSources, rows: readonly ChangeColumns[]): Promise<Change[]> {
  const tickets = await sources.tickets(distinct(rows.map((row) => row.ticket_id)));
  const messages = await sources.messages(distinct(rows.map((row) => row.message_id)));
  const customers = await sources.customers(distinct(rows.map((row) => row.customer_id)));
  return rows.map((row) => ({
    seq: row.seq,
    type: row.type,
    timestamp: toTime(row.at),
    data: {
      ...fromJson<Record<string, unknown>>(row.extra),
      version: row.version,
      ...present('ticket', tickets, row.ticket_id),
      ...present('message', messages, row.message_id),
      ...present('customer', customers, row.customer_id),
    },
  }));
}

function present<T>(name: string, views: ReadonlyMap<string, T>, id: string | null): Record<string, T> {
  const view = id === null ? undefined : views.get(id);
  return view === undefined ? {} : { [name]: view };
}
