import { sql } from 'kysely';
import { HOUR_MS, stepOf } from '../../core/counts.ts';
import type { Count, Counted } from '../../core/counts.ts';
import { firstId } from '../../core/id.ts';
import type { Reader } from '../../core/reader.ts';
import type { Db } from './kysely.ts';
import { SET_ASIDE } from './page.ts';

/** The time up to which everything is counted, among the counters. */
export const COUNTED = 'counted';
/** What isn't counted yet is counted when somebody asks, as far back as this: longer would keep everybody waiting. */
const ASKED_MS = 2 * HOUR_MS;

export function countsIn(db: Db): Pick<Reader, 'counts'> {
  const counts: Reader['counts'] = async (edges) => {
    const counted = await countedUntil(db);
    const found = await countsBetween(edges, counted);
    // What was counted meanwhile would be in both: what is kept, and what was looked at.
    return (await countedUntil(db)) === counted ? found : counts(edges);
  };
  return { counts };

  async function countsBetween(edges: readonly number[], counted: number | undefined) {
    const now = edges.at(-1) ?? 0;
    const until = Math.max(counted ?? 0, now - ASKED_MS);
    const waiting = await unsolvedIn(db);
    const spans: Counted[] = [];
    for (const [index, from] of edges.slice(0, -1).entries()) {
      const to = edges[index + 1] ?? now;
      const kept = await keptIn(db, from, to);
      const fresh = to > until ? await countIn(db, Math.max(from, until), to) : [];
      const unsolved = to === now ? sumOf(waiting) : await unsolvedAt(db, from, to);
      spans.push({ from, counts: added([...kept, ...fresh]), unsolved });
    }
    return {
      spans,
      unsolved: Object.fromEntries(waiting.map(({ endpointId, total }) => [endpointId, total])),
      until,
    };
  }
}

export async function countedUntil(db: Db): Promise<number | undefined> {
  const row = await db.selectFrom('counters').select('value').where('name', '=', COUNTED).executeTakeFirst();
  return row?.value;
}

/** What happened in a span of time, by looking at everything that did. Ids carry the time at which they were made. */
export async function countIn(db: Db, from: number, to: number): Promise<readonly Count[]> {
  const ids = (name: 'id' | 'm.id', prefix: 'msg' | 'tkt') =>
    sql`${sql.ref(name)} >= ${firstId(prefix, from)} AND ${sql.ref(name)} < ${firstId(prefix, to)}`;
  // Grouped by an expression: SQLite would otherwise walk a whole index that is in this order already.
  const simple = await sql<Omit<Count, 'step'>>`
    SELECT 'received' AS measure, endpoint_id || '' AS "endpointId", count(*) AS total FROM messages
    WHERE ${ids('id', 'msg')} AND direction = 'inbound' AND kind <> 'note' AND endpoint_id IS NOT NULL
    GROUP BY endpoint_id || ''
    UNION ALL
    SELECT 'opened', channel_id || '', count(*) FROM tickets WHERE ${ids('id', 'tkt')} GROUP BY channel_id || ''
    UNION ALL
    SELECT 'delivered', endpoint_id || '', count(*) FROM tasks
    WHERE state = 'delivered' AND updated_at >= ${from} AND updated_at < ${to} AND ${OUT} GROUP BY endpoint_id || ''
    UNION ALL
    SELECT 'failed', endpoint_id || '', count(*) FROM tasks
    WHERE ${SET_ASIDE} AND updated_at >= ${from} AND updated_at < ${to} AND ${OUT} GROUP BY endpoint_id || ''`.execute(
    db,
  );
  const first = await sql<{ endpointId: string; took: number }>`
    SELECT t.channel_id AS "endpointId", m.received_at - (
        SELECT q.received_at FROM messages q WHERE q.ticket_id = m.ticket_id AND q.seq < m.seq AND q.direction = 'inbound'
        ORDER BY q.seq LIMIT 1) AS took
    FROM messages m JOIN tickets t ON t.id = m.ticket_id
    WHERE ${ids('m.id', 'msg')} AND ${answers('m')} AND NOT EXISTS (
      SELECT 1 FROM messages e WHERE e.ticket_id = m.ticket_id AND e.seq < m.seq AND ${answers('e')})`.execute(db);
  const answered = first.rows
    // Where we wrote first, nobody has waited.
    .filter(({ took }) => took !== null)
    .map(({ endpointId, took }) => ({ measure: 'answered', endpointId, step: stepOf(took), total: 1 }) as const);
  return added([...simple.rows.map((row) => ({ ...row, step: 0 })), ...answered]);
}

/** Kinds of tasks that tell a destination something. */
const OUT = sql<boolean>`kind IN ('deliver', 'update', 'notify')`;

/** What a person has answered, and has not failed so far. */
function answers(name: 'm' | 'e') {
  const at = (column: string) => sql.ref(`${name}.${column}`);
  return sql<boolean>`${at('direction')} = 'outbound' AND ${at('kind')} NOT IN ('note', 'call') AND ${at('automatic')} IS NULL
    AND coalesce(${at('delivery_state')}, '') <> 'failed'`;
}

/** Tickets that wait, by channel; steps from one channel to the next, so that it costs what waits and not what there is. */
export async function unsolvedIn(db: Db): Promise<readonly { readonly endpointId: string; readonly total: number }[]> {
  const { rows } = await sql<{ endpointId: string; total: number }>`
    WITH RECURSIVE steps (id) AS (
      SELECT (SELECT channel_id FROM tickets ORDER BY channel_id LIMIT 1)
      UNION ALL
      SELECT (SELECT channel_id FROM tickets WHERE channel_id > steps.id ORDER BY channel_id LIMIT 1)
      FROM steps WHERE steps.id IS NOT NULL)
    SELECT id AS "endpointId", (
        SELECT count(*) FROM tickets WHERE channel_id = steps.id AND status IN ('new', 'open', 'pending')) AS total
    FROM steps WHERE id IS NOT NULL`.execute(db);
  return rows.filter(({ total }) => total > 0).map((row) => ({ ...row }));
}

async function keptIn(db: Db, from: number, to: number): Promise<readonly Count[]> {
  const { rows } = await sql<Count>`
    SELECT measure, endpoint_id AS "endpointId", step, sum(total) AS total FROM counts
    WHERE hour >= ${from} AND hour < ${to} AND measure <> 'unsolved' GROUP BY measure, endpoint_id, step`.execute(db);
  return rows;
}

/** As they were counted last in a span of time. */
async function unsolvedAt(db: Db, from: number, to: number): Promise<number | undefined> {
  const { rows } = await sql<{ total: number | null }>`
    SELECT sum(total) AS total FROM counts WHERE measure = 'unsolved' AND hour =
      (SELECT max(hour) FROM counts WHERE measure = 'unsolved' AND hour >= ${from} AND hour < ${to})`.execute(db);
  return rows[0]?.total ?? undefined;
}

function sumOf(counts: readonly { readonly total: number }[]): number {
  return counts.reduce((sum, { total }) => sum + total, 0);
}

/** Counts of the same thing as one. */
function added(counts: readonly Count[]): readonly Count[] {
  const sums = new Map<string, Count>();
  for (const count of counts) {
    const name = `${count.measure} ${count.step} ${count.endpointId}`;
    sums.set(name, { ...count, total: (sums.get(name)?.total ?? 0) + count.total });
  }
  return [...sums.values()];
}
