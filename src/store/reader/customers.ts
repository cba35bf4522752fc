import type { Reader } from '../../core/reader.ts';
import { toTime, type Customer } from '../../core/ticket.ts';
import type { Db } from './kysely.ts';
import { alikeOf, tracesOf } from './alike.ts';
import { byId, cut, groupBy, keysOf, render, toCursor } from './page.ts';
import type { CustomerColumns } from './tables.ts';

export interface CustomerSources {
  readonly db: Db;
  /** Ids of the customers whose name and identifiers have all words of `q`, the newest first. */
  readonly find: (q: string, limit: number) => Promise<readonly string[]>;
}

/** Most customers that a search looks at: the newest. */
const FOUND = 1000;
/** Most who could be the same person. */
const SUGGESTED = 10;

export function customersIn({ db, find }: CustomerSources): Pick<
  Reader,
  'customers' | 'customer' | 'merges' | 'traces' | 'suggestions'
> & {
  readonly viewsOf: (ids: readonly string[]) => Promise<Map<string, Customer>>;
} {
  return {
    async customers({ q, identifier }, page) {
      const keys = keysOf('customers', byId, page.cursor);
      const found = q === undefined ? undefined : await find(q, FOUND);
      if (found?.length === 0) return { data: [], nextCursor: null };
      let query = db.selectFrom('customers').selectAll().where('merged_into', 'is', null);
      if (found) query = query.where('id', 'in', found);
      if (identifier) query = query.where('id', 'in', ownersOf(db, identifier));
      if (keys) query = query.where('id', '<', keys[0]);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
        .execute();
      return render(
        cut(rows, page, (row) => toCursor('customers', [row.id])),
        (kept) => toViews(db, kept),
      );
    },
    async customer(id) {
      return (await toViews(db, await db.selectFrom('customers').selectAll().where('id', '=', id).execute()))[0];
    },
    async merges(customerId) {
      const rows = await db
        .selectFrom('merges')
        .select(['id', 'kind', 'winner', 'loser', 'evidence', 'at', 'undone_at'])
        .where((e) => e.or([e('winner', '=', customerId), e('loser', '=', customerId)]))
        .orderBy('id', 'desc')
        .execute();
      return rows.map(({ at, undone_at, ...row }) => ({
        ...row,
        at: toTime(at),
        undoneAt: undone_at === null ? null : toTime(undone_at),
      }));
    },
    traces: (customerId) => tracesOf(db, customerId),
    async suggestions(customerId) {
      const found = await alikeOf(db, customerId);
      if (found.length === 0) return [];
      const ids = found.map((each) => each.id);
      const rows = db.selectFrom('customers').selectAll().where('id', 'in', ids).where('merged_into', 'is', null);
      const views = new Map((await toViews(db, await rows.execute())).map((view) => [view.id, view]));
      const all = found.flatMap(({ id, shared }) => {
        const customer = views.get(id);
        return customer ? [{ customer, shared: [...shared] }] : [];
      });
      return all.slice(0, SUGGESTED);
    },
    async viewsOf(ids) {
      if (ids.length === 0) return new Map();
      const views = await toViews(db, await db.selectFrom('customers').selectAll().where('id', 'in', ids).execute());
      return new Map(views.map((view) => [view.id, view]));
    },
  };
}

/** Who has an identifier, or says that it is his. */
function ownersOf(db: Db, { kind, value }: { readonly kind: string; readonly value: string }) {
  const owner = db.selectFrom('identifiers').select('customer_id').where('kind', '=', kind).where('value', '=', value);
  return owner.union(db.selectFrom('claims').select('customer_id').where('kind', '=', kind).where('value', '=', value));
}

async function toViews(db: Db, rows: readonly CustomerColumns[]): Promise<Customer[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const carried = await db.selectFrom('identifiers').selectAll().where('customer_id', 'in', ids).execute();
  const claims = await db.selectFrom('claims').selectAll().where('customer_id', 'in', ids).execute();
  const identifiers = [...carried, ...claims.map((claim) => ({ ...claim, trust: 'claimed' as const }))];
  const identifiersOf = groupBy(
    identifiers.sort((a, b) => a.first_seen_at - b.first_seen_at),
    (identifier) => identifier.customer_id,
  );
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    locale: row.locale,
    identifiers: (identifiersOf.get(row.id) ?? []).map(({ kind, value, trust, first_seen_at }) => ({
      kind,
      value,
      trust,
      firstSeenAt: toTime(first_seen_at),
    })),
    createdAt: toTime(row.created_at),
    updatedAt: toTime(row.updated_at),
    mergedInto: row.merged_into,
  }));
}
