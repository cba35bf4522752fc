import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql, type SelectQueryBuilder } from 'kysely';
import { firstId } from '../../core/id.ts';
import type { Reader } from '../../core/reader.ts';
import type { PayloadRow } from '../../core/rows.ts';
import type { Blobs } from '../../core/store.ts';
import { outcomes, toTime, type LedgerEvent, type Outcome } from '../../core/ticket.ts';
import { fromJson } from '../sql.ts';
import type { Db } from './kysely.ts';
import { byId, cut, escapeLike, keysOf, render, toCursor, UNFILED } from './page.ts';
import type { EventColumns, PayloadColumns, Tables } from './tables.ts';

export interface LedgerSources {
  readonly db: Db;
  readonly blobs: Blobs;
}

/** Most events that one page of a text search walks through; the cursor goes on behind them. */
const WALKED = 200_000;
/** Payloads that are counted at a time. */
const SLICE = 5000;
/** How much earlier than its arrival an event's id may have been made, by processes whose clocks differ. */
const SKEW_MS = 5 * 60_000;

export function ledgerIn({ db, blobs }: LedgerSources): Pick<Reader, 'events' | 'event' | 'payload' | 'balance'> {
  const row = (id: string) => db.selectFrom('payloads').selectAll().where('id', '=', id).executeTakeFirst();
  return {
    async events(filter, page) {
      const keys = keysOf('events', byId, page.cursor);
      let query = narrow(db.selectFrom('events').selectAll(), filter);
      if (keys) query = query.where('id', '<', keys[0]);
      let end: string | undefined;
      if (filter.q !== undefined) {
        end = await endOfWalk(db, keys?.[0]);
        query = query.where(saying(filter.q));
        if (end !== undefined) query = query.where('id', '>=', end);
      }
      const rows = await query
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
        .execute();
      const found = cut(rows, page, (last) => toCursor('events', [last.id]));
      const nextCursor = found.nextCursor ?? (end === undefined ? null : toCursor('events', [end]));
      return render({ ...found, nextCursor }, (kept) => kept.map(toView));
    },
    async event(id) {
      const found = await db.selectFrom('events').selectAll().where('id', '=', id).executeTakeFirst();
      return found && toView(found);
    },
    async payload(id) {
      const payload = await row(id);
      if (!payload) return undefined;
      // The same bytes from the same endpoint are stored once, with the payload that brought them first.
      const source = payload.same_as === null ? payload : await row(payload.same_as);
      return toPayload(payload, source && (await bodyOf(source, blobs)));
    },
    async balance(from, to) {
      const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
      let received = 0;
      for (let start = from; start < to;) {
        const end = await endOfSlice(db, start, to);
        for (const { outcome, units } of await countSlice(db, start, end)) {
          if (outcome === null) received += units ?? 0;
          else counts[outcome] += units ?? 0;
        }
        start = end;
        // Others get their turn: a ledger of years takes seconds.
        await nextTurn();
      }
      return {
        received,
        outcomes: counts,
        balanced: received === outcomes.reduce((sum, name) => sum + counts[name], 0),
      };
    },
  };
}

type Query = SelectQueryBuilder<Tables, 'events', EventColumns>;

function narrow(all: Query, { endpoint, payload, message, outcome, since }: Parameters<Reader['events']>[0]): Query {
  let query = all;
  if (endpoint !== undefined) query = query.where('endpoint_id', '=', endpoint);
  if (payload !== undefined) query = query.where('payload_id', '=', payload);
  if (message !== undefined) {
    query = query.where('message_id', '=', message).where('payload_id', '=', payloadOf(message));
  }
  if (outcome !== undefined) query = query.where('outcome', '=', outcome);
  if (outcome === 'rejected' || outcome === 'quarantined') query = query.where(UNFILED);
  if (since !== undefined) {
    // Ids carry the time at which they were made, so their index also bounds the time of arrival.
    query = query.where('received_at', '>=', since).where('id', '>=', firstId('evt', since - SKEW_MS));
  }
  return query;
}

/** Where a message came from; no index leads to an event by its message. */
function payloadOf(messageId: string) {
  return sql<string>`(SELECT m.payload_id FROM messages m WHERE m.id = ${messageId})`;
}

/** Events that are, or are about, what `q` names, or whose reason contains it. LIKE alone tells A from a on one database only. */
function saying(q: string) {
  const pattern = `%${escapeLike(q)}%`;
  const number = /^#?(\d{1,15})$/.exec(q)?.[1];
  const numbered =
    number === undefined ? sql`` : sql`OR ticket_id = (SELECT t.id FROM tickets t WHERE t.number = ${Number(number)})`;
  return sql<boolean>`(${q} IN (id, payload_id, ticket_id, message_id) ${numbered}
    OR lower(external_id) LIKE lower(${pattern}) ESCAPE '\\' OR lower(reason) LIKE lower(${pattern}) ESCAPE '\\')`;
}

async function endOfWalk(db: Db, before: string | undefined): Promise<string | undefined> {
  let ids = db.selectFrom('events').select('id');
  if (before !== undefined) ids = ids.where('id', '<', before);
  return (await ids.orderBy('id', 'desc').limit(1).offset(WALKED).executeTakeFirst())?.id;
}

/** Where a slice of some thousand payloads ends. */
async function endOfSlice(db: Db, start: number, to: number): Promise<number> {
  const arrivals = db.selectFrom('payloads').select('received_at').where('received_at', '>=', start);
  const rest = arrivals.where('received_at', '<', to).orderBy('received_at').limit(1).offset(SLICE);
  const end = (await rest.executeTakeFirst())?.received_at ?? to;
  return Math.max(end, start + 1);
}

/**
 * Units received (without an outcome) and events written for payloads of a span of time. One statement, so that what is
 * filed meanwhile is in both sums or in neither.
 */
async function countSlice(db: Db, from: number, to: number) {
  const { rows } = await sql<{ outcome: Outcome | null; units: number | null }>`
    SELECT NULL AS outcome, sum(units) AS units FROM payloads WHERE received_at >= ${from} AND received_at < ${to}
    UNION ALL
    SELECT e.outcome, count(*) FROM payloads p JOIN events e ON e.payload_id = p.id
    WHERE p.received_at >= ${from} AND p.received_at < ${to} AND e.replay_of IS NULL GROUP BY e.outcome`.execute(db);
  return rows;
}

async function bodyOf(row: PayloadColumns, blobs: Blobs): Promise<Buffer | undefined> {
  if (row.blob !== null) return blobs.read(row.blob);
  return row.body === null ? undefined : Buffer.from(row.body.buffer, row.body.byteOffset, row.body.byteLength);
}

function toPayload(row: PayloadColumns, body: Buffer | undefined): PayloadRow {
  return {
    id: row.id,
    endpointId: row.endpoint_id,
    receivedAt: row.received_at,
    method: row.method,
    url: row.url,
    headers: fromJson<Record<string, string>>(row.headers) ?? {},
    ...(row.remote_address !== null && { remoteAddress: row.remote_address }),
    body,
    ...(row.blob !== null && { blob: row.blob }),
    ...(row.same_as !== null && { sameAs: row.same_as }),
    units: row.units,
  };
}

function toView(row: EventColumns): LedgerEvent {
  return {
    id: row.id,
    endpoint: row.endpoint_id,
    outcome: row.outcome,
    reason: row.reason,
    externalId: row.external_id,
    ticketId: row.ticket_id,
    messageId: row.message_id,
    payloadId: row.payload_id,
    item: row.item,
    receivedAt: toTime(row.received_at),
    replayOf: row.replay_of,
  };
}
