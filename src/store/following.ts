import type { TaskRefRow } from '../core/rows.ts';
import type { FollowingStatements } from '../core/following-statements.ts';
import { promote } from './outbox.ts';
import type { Sql } from './sql.ts';

/** Deliveries and the files that they wait for, or that follow them. */
export function followingOf(sql: Sql): FollowingStatements {
  return {
    async moveLinks(from, to) {
      await sql.run(
        `UPDATE links SET ticket_id = ? WHERE ticket_id = ?
           AND destination_id NOT IN (SELECT known.destination_id FROM links known WHERE known.ticket_id = ?)`,
        to,
        from,
        to,
      );
    },
    async isIn(destinationId, ticketId) {
      const found = await sql.get(
        `SELECT 1 AS x FROM links WHERE destination_id = ? AND ticket_id = ?
         UNION ALL SELECT 1 FROM tasks WHERE endpoint_id = ? AND ticket_id = ? AND kind = 'deliver' AND state <> 'delivered'
         LIMIT 1`,
        destinationId,
        ticketId,
        destinationId,
        ticketId,
      );
      return found !== undefined;
    },
    async releaseFile(attachmentId, ticketId, now) {
      const parked = await sql.all<{ endpoint_id: string }>(
        `UPDATE tasks SET ticket_id = ? WHERE attachment_id = ? AND kind = 'deliver' AND state = 'waiting'
           AND due_at IS NULL AND ticket_id IS NULL RETURNING endpoint_id`,
        ticketId,
        attachmentId,
      );
      const due: TaskRefRow[] = [];
      for (const { endpoint_id } of parked) {
        const ref = await promote(sql, endpoint_id, ticketId, now);
        if (ref) due.push(ref);
      }
      return due;
    },
    async wakeDeliveries(ticketId, messageId, now) {
      // Who was tried and failed keeps to the schedule.
      const rows = await sql.all<{ id: string; endpoint_id: string }>(
        `UPDATE tasks SET due_at = ? WHERE ticket_id = ? AND message_id = ? AND kind IN ('deliver', 'reply') AND state = 'waiting'
           AND attempts = 0 AND due_at > ? AND not_before <= ?
           AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.message_id = tasks.message_id AND a.state = 'waiting')
         RETURNING id, endpoint_id`,
        now,
        ticketId,
        messageId,
        now,
        now,
      );
      return rows.map((row) => ({ id: row.id, endpointId: row.endpoint_id, due: true }));
    },
    async isToFollow(attachmentId, destinationId) {
      const row = await sql.get(
        `SELECT 1 AS x FROM tasks WHERE attachment_id = ? AND endpoint_id = ? AND kind = 'deliver'
           AND state IN ('waiting', 'delivering') LIMIT 1`,
        attachmentId,
        destinationId,
      );
      return row !== undefined;
    },
    async wroteStatus(ticketId, destinationId, since) {
      const found = await sql.get(
        `SELECT 1 AS x FROM tasks WHERE ticket_id = ? AND endpoint_id = ? AND kind = 'update' AND type = 'ticket.status_changed'
           AND (state IN ('waiting', 'delivering') OR (state = 'delivered' AND updated_at >= ?)) LIMIT 1`,
        ticketId,
        destinationId,
        since,
      );
      return found !== undefined;
    },
    async hasLaterNews({ messageId, endpointId, changeSeq }) {
      const found = await sql.get(
        `SELECT 1 AS x FROM tasks WHERE message_id = ? AND endpoint_id = ? AND kind = 'deliver'
           AND type = 'message.updated' AND change_seq > ? AND state IN ('waiting', 'delivering', 'delivered') LIMIT 1`,
        messageId,
        endpointId,
        changeSeq,
      );
      return found !== undefined;
    },
    async toldLaterStatus({ ticketId, endpointId, changeSeq }) {
      const found = await sql.get(
        `SELECT 1 AS x FROM tasks WHERE ticket_id = ? AND endpoint_id = ? AND kind = 'update'
           AND type = 'ticket.status_changed' AND change_seq > ? AND state = 'delivered' LIMIT 1`,
        ticketId,
        endpointId,
        changeSeq,
      );
      return found !== undefined;
    },
    deliveriesOf: (messageId) =>
      sql.all(
        `SELECT endpoint_id AS "endpointId", state, uncertain FROM tasks
         WHERE message_id = ? AND kind = 'deliver' AND attachment_id IS NULL AND type <> 'message.updated'`,
        messageId,
      ),
  };
}
