import { sql } from 'kysely';
import type { Db } from './kysely.ts';
import { OPEN } from './page.ts';

/** Where the endpoint ids of a table stand at the front of an index, and which part of the table that index covers. */
const conditions = {
  messages: sql`endpoint_id IS NOT NULL`,
  events: sql`1 = 1`,
  tasks: sql`${OPEN} AND due_at IS NOT NULL`,
  replays: sql`replay_at IS NOT NULL`,
};

/**
 * The endpoints that occur in a table (of tasks: in those that are due some time; `replays`: in those that are to be sent again), each once. Steps through the index
 * from one to the next, so that it costs the number of endpoints, not of rows.
 */
export async function endpointsIn(db: Db, what: keyof typeof conditions): Promise<readonly string[]> {
  const from = sql`FROM ${sql.table(what === 'replays' ? 'tasks' : what)} WHERE ${conditions[what]}`;
  const { rows } = await sql<{ id: string }>`
    WITH RECURSIVE steps (id) AS (
      SELECT (SELECT endpoint_id ${from} ORDER BY endpoint_id LIMIT 1)
      UNION ALL
      SELECT (SELECT endpoint_id ${from} AND endpoint_id > steps.id ORDER BY endpoint_id LIMIT 1)
      FROM steps WHERE steps.id IS NOT NULL)
    SELECT id FROM steps WHERE id IS NOT NULL`.execute(db);
  return rows.map((row) => row.id);
}
