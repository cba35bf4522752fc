import { sql } from 'kysely';
import type { Progress, Reader } from '../../core/reader.ts';
import type { Db } from './kysely.ts';

export function progressIn(db: Db): Pick<Reader, 'progress'> {
  return { progress: (ticketId) => progressOf(db, ticketId) };
}

async function progressOf(db: Db, ticketId: string): Promise<Progress> {
  const last = (direction: 'inbound' | 'outbound') => sql`(
    SELECT max(received_at) FROM messages WHERE ticket_id = tickets.id AND direction = ${direction} AND kind <> 'note'
      AND automatic IS NULL AND deleted_at IS NULL AND coalesce(delivery_state, 'sent') NOT IN ('waiting', 'failed'))`;
  const { rows } = await sql<Partial<Progress>>`
    SELECT ${last('inbound')} AS "askedAt", ${last('outbound')} AS "answeredAt", closed_at AS "closedAt"
    FROM tickets WHERE id = ${ticketId}`.execute(db);
  const { askedAt = null, answeredAt = null, closedAt = null } = rows[0] ?? {};
  return { askedAt, answeredAt, closedAt };
}
