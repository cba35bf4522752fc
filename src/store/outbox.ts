import type { Task, TaskRefRow, TaskResult } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import { toJson, type Row, type Sql } from './sql.ts';

/** The change feed and the outbox. */
export function outboxOf(
  sql: Sql,
): Pick<Transaction, 'insertChange' | 'insertTask' | 'lease' | 'finish' | 'moveTasks' | 'task'> {
  return {
    async insertChange(row) {
      return sql.insert(
        'INSERT INTO changes (type, at, version, ticket_id, message_id, customer_id, extra) VALUES (?, ?, ?, ?, ?, ?, ?)',
        'seq',
        row.type,
        row.at,
        row.version,
        row.ticketId ?? null,
        row.messageId ?? null,
        row.customerId ?? null,
        toJson(row.extra),
      );
    },

    async insertTask(row, dueAt) {
      // A task behind others of its line has no due time: it gets one when it becomes the head.
      const busy =
        row.ticketId === null
          ? undefined
          : await sql.get<{ place: number }>(
              `SELECT place FROM tasks WHERE endpoint_id = ? AND ticket_id = ? AND state IN ('waiting', 'delivering')
               ORDER BY place DESC LIMIT 1`,
              row.endpointId,
              row.ticketId,
            );
      // Not by its id: those of another process, whose clock is ahead, would sort behind it.
      const place = busy ? Math.max(row.createdAt, busy.place + 1) : row.createdAt;
      await sql.run(
        `INSERT INTO tasks (id, kind, type, endpoint_id, ticket_id, place, message_id, change_seq, attachment_id, state,
           attempts, tries, uncertain, due_at, not_before, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0, 0, 0, ?, ?, ?, ?)`,
        row.id,
        row.kind,
        row.type,
        row.endpointId,
        row.ticketId,
        place,
        row.messageId,
        row.changeSeq,
        row.attachmentId,
        busy ? null : dueAt,
        dueAt,
        row.createdAt,
        row.createdAt,
      );
      return {
        id: row.id,
        endpointId: row.endpointId,
        ...laneOf(row.kind),
        due: !busy && dueAt !== null && dueAt <= row.createdAt,
      };
    },

    async lease(taskId, token, now, until) {
      const row = await sql.get(
        `UPDATE tasks SET
           -- A lease that ran out was a try whose outcome nobody recorded.
           uncertain = CASE WHEN state = 'delivering' THEN 1 ELSE uncertain END,
           interruptions = CASE WHEN state = 'delivering' THEN interruptions + 1 ELSE interruptions END,
           state = 'delivering', lease_token = ?, lease_until = ?, attempts = attempts + 1, tries = tries + 1, updated_at = ?
         WHERE id = ? AND due_at <= ? AND (state = 'waiting' OR (state = 'delivering' AND lease_until <= ?))
           AND NOT EXISTS (SELECT 1 FROM endpoint_states e WHERE e.endpoint_id = tasks.endpoint_id
             AND (e.paused_until > ? OR e.disabled_at IS NOT NULL))
         RETURNING *`,
        token,
        until,
        now,
        taskId,
        now,
        now,
        now,
      );
      if (!row) return undefined;
      await sql.run(
        `UPDATE attempts SET ended_at = ?, outcome = 'interrupted', error = 'the process ended during this try'
         WHERE task_id = ? AND ended_at IS NULL`,
        now,
        taskId,
      );
      const number = row['tries'] as number;
      await sql.run(
        `INSERT INTO attempts (task_id, number, started_at, outcome) VALUES (?, ?, ?, 'delivering')`,
        taskId,
        number,
        now,
      );
      return { task: taskOf(row), token, attempt: number };
    },

    async finish(lease, result, attempt, now) {
      const { task, token } = lease;
      const waits = result.state === 'waiting';
      const held = await sql.get<{ ticket_id: string | null }>(
        `UPDATE tasks SET state = ?, due_at = ?, attempts = attempts - ?, uncertain = ?, lease_token = NULL, lease_until = NULL,
           updated_at = ? WHERE id = ? AND lease_token = ? RETURNING ticket_id`,
        result.state,
        waits ? result.dueAt : null,
        waits && !result.countsAttempt ? 1 : 0,
        waits && result.uncertain ? 1 : 0,
        now,
        task.id,
        token,
      );
      if (!held) return { held: false };
      await sql.run(
        `UPDATE attempts SET started_at = ?, ended_at = ?, outcome = ?, error = ?, hint = ?, request = ?, response = ?
         WHERE task_id = ? AND number = ?`,
        attempt.startedAt,
        attempt.endedAt,
        attempt.outcome,
        attempt.error,
        attempt.hint,
        attempt.request,
        attempt.response,
        task.id,
        lease.attempt,
      );
      // Its ticket may have been merged into another one meanwhile.
      const next = isOpen(result) ? undefined : await promote(sql, task.endpointId, held.ticket_id, now);
      return { held: true, next };
    },

    async moveTasks(from, to, now) {
      await sql.alone();
      const open = `ticket_id = ? AND state IN ('waiting', 'delivering')`;
      const endpoints = await sql.all<{ endpoint_id: string }>(
        `SELECT DISTINCT endpoint_id FROM tasks WHERE ${open}`,
        from,
      );
      await sql.run(
        `UPDATE tasks SET ticket_id = ?, due_at = CASE WHEN state = 'waiting' THEN NULL ELSE due_at END WHERE ${open}`,
        to,
        from,
      );
      const due: TaskRefRow[] = [];
      for (const { endpoint_id } of endpoints) {
        const ref = await promote(sql, endpoint_id, to, now);
        if (ref) due.push(ref);
      }
      return due;
    },

    async task(id) {
      const row = await sql.get('SELECT * FROM tasks WHERE id = ?', id);
      return row && taskOf(row);
    },
  };
}

/** What a task of a kind is worked on beside. */
export function laneOf(kind: string): { readonly lane?: 'files' } {
  return kind === 'download' || kind === 'profile' || kind === 'hang_up' ? { lane: 'files' } : {};
}

/**
 * Who ends a task and who adds one behind it must not look at the same moment, or neither makes it due. A line is held
 * by its ticket: whoever adds a task for a ticket has read or written that in the same transaction.
 */
export async function holdLine(sql: Sql, ticketId: string | null): Promise<void> {
  if (ticketId !== null) await sql.get('SELECT 1 AS x FROM tickets WHERE id = ? FOR UPDATE', ticketId);
}

/** Whether one of a line may start or has started. */
export function isBusy(sql: Sql, endpointId: string, ticketId: string | null) {
  return sql.get(
    // The plus keeps SQLite from walking all that are due at the endpoint instead of the line.
    `SELECT 1 AS x FROM tasks WHERE endpoint_id = ? AND ticket_id = ? AND +due_at IS NOT NULL
       AND state IN ('waiting', 'delivering') LIMIT 1`,
    endpointId,
    ticketId,
  );
}

/** The head of a line that nobody has made due yet becomes due, when its time has come. */
export async function promote(
  sql: Sql,
  endpointId: string,
  ticketId: string | null,
  now: number,
): Promise<TaskRefRow | undefined> {
  if (ticketId === null) return undefined;
  await holdLine(sql, ticketId);
  const head = await sql.get<{ id: string; due_at: number | null; not_before: number | null }>(
    `SELECT id, due_at, not_before FROM tasks WHERE endpoint_id = ? AND ticket_id = ? AND state IN ('waiting', 'delivering')
     ORDER BY place, id LIMIT 1`,
    endpointId,
    ticketId,
  );
  if (!head || head.due_at !== null || (await isBusy(sql, endpointId, ticketId))) return undefined;
  const dueAt = Math.max(now, head.not_before ?? 0);
  await sql.run('UPDATE tasks SET due_at = ? WHERE id = ?', dueAt, head.id);
  return { id: head.id, endpointId, due: dueAt === now };
}

function isOpen(result: TaskResult): boolean {
  return result.state === 'waiting';
}

function taskOf(row: Row): Task {
  const column = <T>(name: string) => row[name] as T;
  return {
    id: column('id'),
    kind: column('kind'),
    type: column('type'),
    endpointId: column('endpoint_id'),
    ticketId: column('ticket_id'),
    messageId: column('message_id'),
    changeSeq: column('change_seq'),
    attachmentId: column('attachment_id'),
    state: column('state'),
    attempts: column('attempts'),
    uncertain: row['uncertain'] === 1,
    interruptions: column('interruptions'),
    createdAt: column('created_at'),
  };
}
