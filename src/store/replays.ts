import { firstId } from '../core/id.ts';
import type { ReplayStatements } from '../core/replay-statements.ts';
import type { TaskRefRow } from '../core/rows.ts';
import { holdLine, isBusy, laneOf } from './outbox.ts';
import type { Sql } from './sql.ts';

export function replaysOf(sql: Sql): ReplayStatements {
  return {
    requestReplays: ({ destination, state, since = 0 }, now, most) =>
      sql.run(
        `UPDATE tasks SET replay_at = ? WHERE id IN (
           SELECT id FROM tasks WHERE endpoint_id = ? AND state = ? AND replay_at IS NULL AND created_at >= ? AND id >= ?
             AND updated_at <= ? ORDER BY id LIMIT ?)`,
        now,
        destination,
        state,
        since,
        firstId('tsk', since),
        now,
        most,
      ),
    cancelReplays: (destinationId) =>
      sql.run('UPDATE tasks SET replay_at = NULL WHERE endpoint_id = ? AND replay_at IS NOT NULL', destinationId),
    beginReplay: (taskId, now) => replay(sql, taskId, now, 'AND replay_at IS NOT NULL'),
    replayTask: (taskId, now) => replay(sql, taskId, now, ''),
  };
}

async function replay(sql: Sql, taskId: string, now: number, which: string): Promise<TaskRefRow | undefined> {
  const task = await sql.get<{ endpoint_id: string; ticket_id: string | null; kind: string }>(
    `UPDATE tasks SET state = 'waiting', attempts = 0, interruptions = 0, due_at = NULL, replay_at = NULL, updated_at = ?
     WHERE id = ? AND state IN ('dead', 'needs_check', 'delivered') ${which} RETURNING endpoint_id, ticket_id, kind`,
    now,
    taskId,
  );
  if (!task) return undefined;
  await holdLine(sql, task.ticket_id);
  // It has the first place of its line, but must not overtake one that is on its way right now.
  const active = await isBusy(sql, task.endpoint_id, task.ticket_id);
  if (!active) await sql.run('UPDATE tasks SET due_at = ? WHERE id = ?', now, taskId);
  return { id: taskId, endpointId: task.endpoint_id, ...laneOf(task.kind), due: !active };
}
