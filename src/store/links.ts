import { PermanentError } from '../core/errors.ts';
import type { Transaction } from '../core/store.ts';
import type { Sql } from './sql.ts';

/** What tickets are called in destinations, and what agents did there. */
export function linksOf(sql: Sql): Pick<Transaction, 'link' | 'saveLink' | 'ticketOfLink' | 'saveAction' | 'originOf'> {
  return {
    link: (destinationId, ticketId) =>
      sql.get(
        'SELECT destination_id AS destination, external_id AS "externalId", url FROM links WHERE destination_id = ? AND ticket_id = ?',
        destinationId,
        ticketId,
      ),
    async saveLink(destinationId, ticketId, ref, at) {
      const owner = await sql.get<{ ticket_id: string }>(
        'SELECT ticket_id FROM links WHERE destination_id = ? AND external_id = ?',
        destinationId,
        ref.externalId,
      );
      if (owner && owner.ticket_id !== ticketId) {
        throw new PermanentError(
          `${destinationId} answered with ${ref.externalId}, which is already another ticket's`,
          {
            hint: 'Compare both tickets there, then replay this delivery.',
          },
        );
      }
      await sql.run(
        `INSERT INTO links (destination_id, ticket_id, external_id, url, at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (destination_id, ticket_id) DO UPDATE SET external_id = excluded.external_id, url = excluded.url`,
        destinationId,
        ticketId,
        ref.externalId,
        ref.url ?? null,
        at,
      );
    },
    async ticketOfLink(destinationId, externalId) {
      const row = await sql.get<{ ticket_id: string }>(
        'SELECT ticket_id FROM links WHERE destination_id = ? AND external_id = ?',
        destinationId,
        externalId,
      );
      return row?.ticket_id;
    },
    async saveAction(destinationId, externalId, messageId, at) {
      const inserted = await sql.run(
        `INSERT INTO actions (destination_id, external_id, message_id, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (destination_id, external_id) DO NOTHING`,
        destinationId,
        externalId,
        messageId,
        at,
      );
      return inserted > 0;
    },
    async originOf(messageId) {
      const row = await sql.get<{ id: string }>(
        'SELECT destination_id AS id FROM actions WHERE message_id = ?',
        messageId,
      );
      return row?.id;
    },
  };
}
