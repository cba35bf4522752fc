import { sql, type RawBuilder } from 'kysely';
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
 * The endpoints that occur in a table (of tasks: in those that are due some time; `replays`: in those that are to be sent
 * again), each once.
 */
export async function endpointsIn(db: Db, what: keyof typeof conditions): Promise<readonly string[]> {
  const table = sql.table(what === 'replays' ? 'tasks' : what);
  return stepThrough(db, sql`endpoint_id`, sql`FROM ${table} WHERE ${conditions[what]}`);
}

/** The first `most` tags or teams that tickets have, each once, tags as one of their tickets writes them. */
export async function labelsIn(db: Db, what: 'tags' | 'teams', most: number): Promise<readonly string[]> {
  if (what === 'teams') return stepThrough(db, sql`team`, sql`FROM tickets WHERE team IS NOT NULL`, most);
  const tags = await stepThrough(db, sql`tag`, sql`FROM ticket_tags WHERE 1 = 1`, most);
  if (tags.length === 0) return [];
  const name = (tag: string) => sql`SELECT (SELECT name FROM ticket_tags WHERE tag = ${tag} LIMIT 1) AS name`;
  const { rows } = await sql<{ name: string }>`${sql.join(tags.map(name), sql` UNION ALL `)}`.execute(db);
  return rows.map((row) => row.name);
}

/**
 * The values of a column, in order. Goes through its index from one to the next, so that it costs the number of values,
 * not of rows.
 */
async function stepThrough(
  db: Db,
  column: RawBuilder<unknown>,
  from: RawBuilder<unknown>,
  most = Number.MAX_SAFE_INTEGER,
): Promise<readonly string[]> {
  const { rows } = await sql<{ value: string }>`
    WITH RECURSIVE steps (value) AS (
      SELECT (SELECT ${column} ${from} ORDER BY ${column} LIMIT 1)
      UNION ALL
      SELECT (SELECT ${column} ${from} AND ${column} > steps.value ORDER BY ${column} LIMIT 1)
      FROM steps WHERE steps.value IS NOT NULL)
    SELECT value FROM steps WHERE value IS NOT NULL LIMIT ${most}`.execute(db);
  return rows.map((row) => row.value);
}
