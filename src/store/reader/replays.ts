import { sql } from 'kysely';
import { firstId } from '../../core/id.ts';
import type { Reader } from '../../core/reader.ts';
import type { Db } from './kysely.ts';
import { OPEN } from './page.ts';
import { endpointsIn } from './steps.ts';

export function replaysIn(db: Db): Pick<Reader, 'replays' | 'replayCount'> {
  return {
    async replays(now, most) {
      const ids: string[] = [];
      for (const endpointId of await endpointsIn(db, 'replays')) {
        const due = await sql`
          SELECT 1 FROM tasks WHERE endpoint_id = ${endpointId} AND ${OPEN} AND due_at IS NOT NULL AND due_at <= ${now}
          LIMIT ${most}`.execute(db);
        const { rows } = await sql<{ id: string }>`
          SELECT id FROM tasks WHERE endpoint_id = ${endpointId} AND replay_at IS NOT NULL
          ORDER BY id LIMIT ${most - due.rows.length}`.execute(db);
        ids.push(...rows.map(({ id }) => id));
      }
      return ids;
    },
    async replayCount({ destination, state, since = 0 }) {
      const { rows } = await sql<{ count: number }>`
        SELECT count(*) AS count FROM tasks WHERE endpoint_id = ${destination} AND state = ${state}
          AND replay_at IS NULL AND created_at >= ${since} AND id >= ${firstId('tsk', since)}`.execute(db);
      return Number(rows[0]?.count ?? 0);
    },
  };
}
