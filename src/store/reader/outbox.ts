import { sql } from 'kysely';
import { firstId } from '../../core/id.ts';
import type { TaskRef } from '../../core/queue.ts';
import type { Reader } from '../../core/reader.ts';
import type { EndpointState } from '../../core/rows.ts';
import { toTime, type Attempt, type DeliveryView } from '../../core/ticket.ts';
import { laneOf } from '../outbox.ts';
import type { Db } from './kysely.ts';
import { byId, cut, keysOf, OPEN, render, SET_ASIDE, toCursor } from './page.ts';
import { endpointsIn } from './steps.ts';
import type { AttemptColumns, TaskColumns, Tables } from './tables.ts';

/** Failures in a row after which an endpoint is only probed: one task at a time until one gets through. */
const PROBED_FROM = 10;

export function outboxIn(
  db: Db,
): Pick<Reader, 'deliveries' | 'delivery' | 'dueTasks' | 'endpointStates' | 'backlog' | 'cursor' | 'secret'> {
  return {
    async deliveries(filter, page) {
      const keys = keysOf('deliveries', byId, page.cursor);
      let query = db.selectFrom('tasks').selectAll();
      if (keys) query = query.where('id', '<', keys[0]);
      if (filter.destination !== undefined) query = query.where('endpoint_id', '=', filter.destination);
      if (filter.ticket !== undefined) query = query.where('ticket_id', '=', filter.ticket);
      if (filter.message !== undefined) query = query.where('message_id', '=', filter.message);
      if (filter.state !== undefined) query = query.where('state', '=', filter.state);
      // Those of one ticket are few; all that were set aside may be many.
      const isAside = filter.state === 'dead' || filter.state === 'needs_check';
      if (isAside && filter.ticket === undefined) query = query.where(SET_ASIDE);
      if (filter.state === 'waiting' || filter.state === 'delivering') {
        query = query.where('id', '>=', oldestOpen(db));
      }
      if (filter.since !== undefined) {
        query = query.where('created_at', '>=', filter.since).where('id', '>=', firstId('tsk', filter.since));
      }
      const rows = await query
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
        .execute();
      return render(
        cut(rows, page, (row) => toCursor('deliveries', [row.id])),
        async (kept) => {
          const errors = await lastErrors(db, kept);
          return kept.map((row) => toView(row, errors.get(row.id) ?? null));
        },
      );
    },
    async delivery(id) {
      const row = await db.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
      if (!row) return undefined;
      const log = await db.selectFrom('attempts').selectAll().where('task_id', '=', id).orderBy('number').execute();
      return { ...toView(row, log.at(-1)?.error ?? null), log: log.map(toAttempt) };
    },

    async dueTasks(now, perEndpoint) {
      const states = await db.selectFrom('endpoint_states').selectAll().execute();
      const stateOf = new Map(states.map((state) => [state.endpoint_id, state]));
      const due: TaskRef[] = [];
      for (const endpointId of await endpointsIn(db, 'tasks')) {
        const state = stateOf.get(endpointId);
        if (state && (state.disabled_at !== null || (state.paused_until ?? 0) > now)) continue;
        const limit = (state?.failures ?? 0) >= PROBED_FROM ? 1 : perEndpoint;
        // A task whose lease ran out was being worked on by a process that is gone.
        const { rows } = await sql<{ id: string; kind: string }>`
          SELECT id, kind FROM tasks WHERE endpoint_id = ${endpointId} AND ${OPEN} AND due_at IS NOT NULL AND due_at <= ${now}
            AND (state = 'waiting' OR lease_until <= ${now}) ORDER BY due_at LIMIT ${limit}`.execute(db);
        due.push(...rows.map(({ id, kind }) => ({ id, endpointId, ...laneOf(kind) })));
      }
      return due;
    },

    async endpointStates() {
      const rows = await db.selectFrom('endpoint_states').selectAll().execute();
      const states = new Map(rows.map((row) => [row.endpoint_id, row]));
      const ids = new Set([...states.keys(), ...(await endpointsIn(db, 'events'))]);
      return Promise.all(
        [...ids].sort().map(async (id) => toState(id, states.get(id) ?? FRESH, await lastInAt(db, id))),
      );
    },
    async backlog() {
      // The oldest task of an endpoint is the one with the smallest id, which stands in the index; its time doesn't.
      const { rows } = await sql<{ endpointId: string; waiting: number; dead: number; oldestAt: number | null }>`
        SELECT b.endpoint_id AS "endpointId", sum(b.waiting) AS waiting, sum(b.dead) AS dead, min(t.created_at) AS "oldestAt"
        FROM (
          SELECT endpoint_id, count(*) AS waiting, 0 AS dead, min(id) AS oldest FROM tasks WHERE ${OPEN} GROUP BY endpoint_id
          UNION ALL
          SELECT endpoint_id, 0, count(*), NULL FROM tasks WHERE ${SET_ASIDE} GROUP BY endpoint_id
        ) b LEFT JOIN tasks t ON t.id = b.oldest GROUP BY b.endpoint_id ORDER BY b.endpoint_id`.execute(db);
      return rows.map((row) => ({ ...row }));
    },
    async cursor(endpointId) {
      const state = db.selectFrom('endpoint_states').select('poll_cursor').where('endpoint_id', '=', endpointId);
      return (await state.executeTakeFirst())?.poll_cursor ?? undefined;
    },
    async secret(endpointId, name) {
      const named = db.selectFrom('endpoint_secrets').select('sealed').where('endpoint_id', '=', endpointId);
      const row = await named.where('name', '=', name).executeTakeFirst();
      return row && Buffer.from(row.sealed);
    },
  };
}

/**
 * Id of the oldest task that isn't done: a list of open ones that went further back would walk through all that were
 * ever delivered. Grouped as the index is, since the planner otherwise looks for the smallest id in the wrong one.
 */
function oldestOpen(db: Db) {
  const lines = db
    .selectFrom('tasks')
    .select(sql<string>`min(id)`.as('id'))
    .where(OPEN)
    .groupBy('endpoint_id');
  return db.selectFrom(lines.as('oldest')).select(sql<string>`min(oldest.id)`.as('id'));
}

type StateColumns = Omit<Tables['endpoint_states'], 'endpoint_id'>;

/** What is known of an endpoint that nothing has happened to yet. */
const FRESH: StateColumns = {
  paused_until: null,
  pause_reason: null,
  needs_reauth: 0,
  disabled_at: null,
  failures: 0,
  last_out_at: null,
  last_error: null,
  last_error_at: null,
  poll_cursor: null,
  in_failures: 0,
  in_needs_reauth: 0,
  in_error: null,
  in_error_at: null,
  quarantined_at: null,
  reconciled_at: null,
  missed: 0,
  holder: null,
};

async function lastInAt(db: Db, endpointId: string): Promise<number | null> {
  const events = db.selectFrom('events').select('received_at').where('endpoint_id', '=', endpointId);
  return (await events.orderBy('id', 'desc').limit(1).executeTakeFirst())?.received_at ?? null;
}

function toState(endpointId: string, row: StateColumns, lastIn: number | null): EndpointState {
  return {
    endpointId,
    pausedUntil: row.paused_until,
    pauseReason: row.pause_reason,
    needsReauth: row.needs_reauth === 1,
    disabledAt: row.disabled_at,
    failures: row.failures,
    lastInAt: lastIn,
    lastOutAt: row.last_out_at,
    lastError: row.last_error,
    lastErrorAt: row.last_error_at,
    inbound: {
      failures: row.in_failures,
      needsReauth: row.in_needs_reauth === 1,
      lastError: row.in_error,
      lastErrorAt: row.in_error_at,
    },
    quarantinedAt: row.quarantined_at,
    reconciledAt: row.reconciled_at,
    missed: row.missed,
  };
}

/** What the last try of each task failed with. */
async function lastErrors(db: Db, tasks: readonly TaskColumns[]): Promise<ReadonlyMap<string, string | null>> {
  if (tasks.length === 0) return new Map();
  const rows = await db
    .selectFrom('attempts')
    .select(['task_id', 'error'])
    .where(
      'task_id',
      'in',
      tasks.map((task) => task.id),
    )
    .orderBy('task_id')
    .orderBy('number')
    .execute();
  return new Map(rows.map((row) => [row.task_id, row.error]));
}

function toView(row: TaskColumns, error: string | null): DeliveryView {
  return {
    id: row.id,
    destination: row.endpoint_id,
    type: row.type,
    state: row.state,
    ticketId: row.ticket_id,
    messageId: row.message_id,
    attempts: row.attempts,
    nextAttemptAt: row.state === 'waiting' && row.due_at !== null ? toTime(row.due_at) : null,
    error,
    replayAt: row.replay_at === null ? null : toTime(row.replay_at),
    createdAt: toTime(row.created_at),
    updatedAt: toTime(row.updated_at),
  };
}

function toAttempt(row: AttemptColumns): Attempt {
  return {
    number: row.number,
    startedAt: toTime(row.started_at),
    endedAt: row.ended_at === null ? null : toTime(row.ended_at),
    outcome: row.outcome,
    error: row.error,
    hint: row.hint,
    request: row.request,
    response: row.response,
  };
}
