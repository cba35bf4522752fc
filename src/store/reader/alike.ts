import type { Trust } from '../../core/envelope.ts';
import { UNCLEAR } from '../../core/envelope.ts';
import type { Suggestion, Trace } from '../../core/people.ts';
import { toTime } from '../../core/ticket.ts';
import { fromJson } from '../sql.ts';
import type { Db } from './kysely.ts';

/** Most messages that are looked at for where an identifier was seen: the last ones. */
const TRACED = 1000;
/** Most of a customer's identifiers, and as many of his claims, that others are looked for by: the first ones. */
const COMPARED = 40;
/** What more than so many others claim says nothing about who somebody is. */
const COMMON = 10;
/** Most customers who were joined into one whose splits count as well. */
const JOINED = 40;

const ranks: Readonly<Record<Trust, number>> = { verified: 2, observed: 1, claimed: 0 };

interface Own {
  readonly kind: string;
  readonly value: string;
  readonly trust: Trust;
}
type Shared = Suggestion['shared'][number];

/** Who has what a customer has: the surest first. */
export async function alikeOf(
  db: Db,
  customerId: string,
): Promise<readonly { readonly id: string; readonly shared: readonly Shared[] }[]> {
  const apart = await apartOf(db, customerId);
  const shared = new Map<string, Shared[]>();
  for (const own of await ownOf(db, customerId)) {
    for (const { id, trust } of await othersWith(db, own, customerId)) {
      if (apart.has(id)) continue;
      const { kind, value, trust: ownTrust } = own;
      shared.set(id, [...(shared.get(id) ?? []), { kind, value, trust, ownTrust }]);
    }
  }
  const all = [...shared].map(([id, each]) => ({ id, shared: each }));
  return all.sort((a, b) => sureness(b.shared) - sureness(a.shared) || (a.id < b.id ? 1 : -1));
}

/** One that is vouched for on either side says more than any number of words. */
function sureness(shared: readonly Shared[]): number {
  const each = shared.map(({ trust, ownTrust }) => ranks[trust] + ranks[ownTrust]);
  return Math.max(...each) * 100 + each.length;
}

async function ownOf(db: Db, customerId: string): Promise<readonly Own[]> {
  const carried = await db
    .selectFrom('identifiers')
    .select(['kind', 'value', 'trust'])
    .where('customer_id', '=', customerId)
    .orderBy('first_seen_at')
    .limit(COMPARED)
    .execute();
  const claims = await db
    .selectFrom('claims')
    .select(['kind', 'value'])
    .where('customer_id', '=', customerId)
    .orderBy('first_seen_at')
    .limit(COMPARED)
    .execute();
  // What isn't an address or a phone is no sign of anybody: many write `none` into a form.
  const clear = claims.filter(({ kind }) => !kind.endsWith(UNCLEAR));
  return [...carried, ...clear.map((claim) => ({ ...claim, trust: 'claimed' as const }))];
}

async function othersWith(db: Db, { kind, value }: Own, customerId: string) {
  const owner = await db
    .selectFrom('identifiers')
    .select(['customer_id as id', 'trust'])
    .where('kind', '=', kind)
    .where('value', '=', value)
    .where('customer_id', '<>', customerId)
    .execute();
  const claimants = await db
    .selectFrom('claims')
    .select('customer_id as id')
    .where('kind', '=', kind)
    .where('value', '=', value)
    .where('customer_id', '<>', customerId)
    .limit(COMMON + 1)
    .execute();
  const claims = claimants.length > COMMON ? [] : claimants.filter(({ id }) => owner.every((one) => one.id !== id));
  return [...owner, ...claims.map(({ id }) => ({ id, trust: 'claimed' as const }))];
}

/** Whom somebody has told apart from a customer, or from one who was joined into him: by saying so, a split, or undoing a join. */
async function apartOf(db: Db, customerId: string): Promise<ReadonlySet<string>> {
  const own = new Set([customerId]);
  const apart = new Set<string>();
  for (const id of own) {
    for (const [other, { kind, winner, undone_at }] of await lastOf(db, id)) {
      if (kind === 'merge' && undone_at === null) {
        if (winner === id && own.size < JOINED) own.add(other);
      } else if ((kind !== 'merge') === (undone_at === null)) apart.add(other);
    }
  }
  return new Set(await Promise.all([...apart].map((id) => whoIsNow(db, id))));
}

/** What was done last about a customer and each other one. That they were told apart, and that was undone, says nothing. */
async function lastOf(db: Db, customerId: string) {
  const rows = await db
    .selectFrom('merges')
    .select(['kind', 'winner', 'loser', 'undone_at'])
    .where((e) => e.or([e('winner', '=', customerId), e('loser', '=', customerId)]))
    .orderBy('id')
    .execute();
  const counted = rows.filter(({ kind, undone_at }) => kind !== 'apart' || undone_at === null);
  return new Map(counted.map((row) => [row.winner === customerId ? row.loser : row.winner, row]));
}

/** He himself, or whom he was joined into since. */
async function whoIsNow(db: Db, id: string): Promise<string> {
  const row = await db.selectFrom('customers').select('merged_into').where('id', '=', id).executeTakeFirst();
  return row?.merged_into == null ? id : whoIsNow(db, row.merged_into);
}

export async function tracesOf(db: Db, customerId: string): Promise<readonly Trace[]> {
  const rows = await db
    .selectFrom('messages')
    .select(['id', 'ticket_id', 'endpoint_id', 'occurred_at', 'author'])
    .where('customer_id', '=', customerId)
    .where('direction', '=', 'inbound')
    .orderBy('id', 'desc')
    .limit(TRACED)
    .execute();
  const traces = new Map<string, Trace>();
  for (const row of rows) {
    const author = fromJson<{ identifiers?: readonly { kind: string; value: string }[] }>(row.author);
    for (const { kind, value } of author?.identifiers ?? []) {
      const key = `${kind} ${value}`;
      const before = traces.get(key);
      const channels = new Set([...(before?.channels ?? []), ...(row.endpoint_id === null ? [] : [row.endpoint_id])]);
      traces.set(key, {
        ...(before ?? {
          kind,
          value,
          last: { messageId: row.id, ticketId: row.ticket_id, at: toTime(row.occurred_at) },
        }),
        messages: (before?.messages ?? 0) + 1,
        channels: [...channels],
      });
    }
  }
  return [...traces.values()];
}
