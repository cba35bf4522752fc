import type { CallRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import { contentValues, messageOf } from './filing.ts';
import type { Sql } from './sql.ts';

/** Calls: messages that may be in no ticket, put together from everything that was said of them. */
export function callsOf(
  sql: Sql,
): Pick<Transaction, 'looseCall' | 'looseCallById' | 'saidOf' | 'updateCall' | 'spend' | 'callsWith'> {
  const loose = async (where: string, ...values: string[]): Promise<CallRow | undefined> => {
    const row = await sql.get(`SELECT * FROM messages WHERE ${where} AND ticket_id IS NULL FOR UPDATE`, ...values);
    const message = messageOf(row);
    return message && { ...message, ticketId: null, call: message.call as CallRow['call'] };
  };

  return {
    looseCall: (endpointId, externalId) => loose('endpoint_id = ? AND external_id = ?', endpointId, externalId),
    looseCallById: (id) => loose('id = ?', id),
    async saidOf(messageId) {
      const rows = await sql.all<{ content: string }>('SELECT content FROM revisions WHERE message_id = ?', messageId);
      return rows.map((row) => row.content);
    },
    async updateCall(id, { content, author, verified, customerId, direction }, place) {
      await sql.run(
        `UPDATE messages SET revision = ?, occurred_at = ?, subject = ?, text = ?, text_full = ?, html = ?, fields = ?,
           automatic = ?, review = ?, call = ?, author = ?, verified = ?, customer_id = ?, direction = ? WHERE id = ?`,
        ...contentValues(content),
        JSON.stringify(author),
        verified ? 1 : 0,
        customerId,
        direction,
        id,
      );
      if (!place) return;
      await sql.run(
        'UPDATE messages SET ticket_id = ?, seq = ?, rule = ?, evidence = ? WHERE id = ?',
        place.ticketId,
        place.seq,
        place.rule,
        place.evidence,
        id,
      );
    },
    async spend(name, amount, most) {
      if (amount > most) return false;
      const spent = await sql.get(
        `INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name)
         DO UPDATE SET value = counters.value + excluded.value WHERE counters.value + excluded.value <= ? RETURNING value`,
        name,
        amount,
        most,
      );
      return spent !== undefined;
    },
    async callsWith(customerId) {
      const rows = await sql.all<{ ticketId: string | null; occurredAt: number; call: string }>(
        `SELECT ticket_id AS "ticketId", occurred_at AS "occurredAt", call FROM messages
         WHERE customer_id = ? AND kind = 'call' ORDER BY id DESC LIMIT 200`,
        customerId,
      );
      return rows.map((row) => ({ ...row, call: JSON.parse(row.call) as NonNullable<CallRow['call']> }));
    },
  };
}
