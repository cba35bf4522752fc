import type { MessageContent, MessageRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import { fromJson, toJson, type Row, type Sql, type Value } from './sql.ts';

/**
 * Whoever reads a message holds its ticket, and that before the message: with one order for all, nobody waits for
 * somebody who waits for him.
 */
export const MESSAGE = 'SELECT m.* FROM tickets t JOIN messages m ON m.ticket_id = t.id';

/** The ledger and the messages: the statements of the way in. */
export function filingOf(
  sql: Sql,
): Pick<
  Transaction,
  | 'savePayload'
  | 'payloadWith'
  | 'insertEvent'
  | 'saveEarly'
  | 'takeEarly'
  | 'findMessage'
  | 'message'
  | 'insertMessage'
  | 'reviseMessage'
  | 'raiseRevision'
  | 'saveRevision'
  | 'deleteMessage'
  | 'setDelivery'
  | 'replaceAnswers'
  | 'saveReaction'
> {
  const saveRevision = async (messageId: string, content: MessageContent, at: number) => {
    const text = JSON.stringify(content);
    await sql.run(
      `INSERT INTO revisions (message_id, revision, content, at) SELECT ?, ?, ?, ?
       WHERE NOT EXISTS (SELECT 1 FROM revisions WHERE message_id = ? AND content = ?)`,
      messageId,
      content.revision,
      text,
      at,
      messageId,
      text,
    );
  };

  return {
    async savePayload(row) {
      await sql.run(
        `INSERT INTO payloads (id, endpoint_id, received_at, method, url, headers, remote_address, body, blob, same_as, units)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.id,
        row.endpointId,
        row.receivedAt,
        row.method,
        row.url,
        JSON.stringify(row.headers),
        row.remoteAddress ?? null,
        row.body ?? null,
        row.blob ?? null,
        row.sameAs ?? null,
        row.units,
      );
    },
    async payloadWith(id, { body, blob }) {
      const row = await sql.get<{ id: string }>(
        `SELECT f.id FROM payloads p JOIN payloads f ON f.id = coalesce(p.same_as, p.id)
         WHERE p.id = ? AND (f.body = ? OR f.blob = ?)`,
        id,
        body ?? null,
        blob ?? null,
      );
      return row?.id;
    },
    async insertEvent(row) {
      await sql.run(
        `INSERT INTO events (id, payload_id, item, endpoint_id, outcome, reason, external_id, ticket_id, message_id, received_at, replay_of)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.id,
        row.payloadId,
        row.item,
        row.endpointId,
        row.outcome,
        row.reason ?? null,
        row.externalId ?? null,
        row.ticketId ?? null,
        row.messageId ?? null,
        row.receivedAt,
        row.replayOf ?? null,
      );
    },
    async saveEarly(endpointId, externalId, item, at) {
      await sql.run(
        'INSERT INTO early (endpoint_id, external_id, item, at) VALUES (?, ?, ?, ?)',
        endpointId,
        externalId,
        JSON.stringify(item),
        at,
      );
    },
    async takeEarly(endpointId, externalId) {
      const where = 'WHERE endpoint_id = ? AND external_id = ?';
      const rows = await sql.all<{ item: string }>(
        `SELECT item FROM early ${where} ORDER BY at`,
        endpointId,
        externalId,
      );
      if (rows.length > 0) await sql.run(`DELETE FROM early ${where}`, endpointId, externalId);
      return rows.map((row) => JSON.parse(row.item) as object);
    },

    async findMessage(endpointId, externalId) {
      return messageOf(
        await sql.get(`${MESSAGE} WHERE m.endpoint_id = ? AND m.external_id = ? FOR UPDATE`, endpointId, externalId),
      );
    },
    async message(id) {
      return messageOf(await sql.get(`${MESSAGE} WHERE m.id = ? FOR UPDATE`, id));
    },
    async insertMessage(row, content) {
      await sql.run(
        `INSERT INTO messages (id, ticket_id, seq, endpoint_id, external_id, customer_id, kind, direction, author, verified,
           received_at, deleted_at, rule, evidence, delivery_state, delivery_error, payload_id, thread_id, template,
           revision, occurred_at, subject, text, text_full, html, fields, automatic, review, call)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.id,
        row.ticketId,
        row.seq,
        row.endpointId,
        row.externalId,
        row.customerId,
        row.kind,
        row.direction,
        JSON.stringify(row.author),
        row.verified ? 1 : 0,
        row.receivedAt,
        row.deletedAt,
        row.rule,
        row.evidence,
        row.delivery?.state ?? null,
        row.delivery?.error ?? null,
        row.payloadId,
        row.thread ?? null,
        toJson(row.template),
        ...contentValues(content),
      );
    },
    async reviseMessage(message, content, at) {
      await saveRevision(message.id, contentOf(message), at);
      await sql.run(
        `UPDATE messages SET revision = ?, occurred_at = ?, subject = ?, text = ?, text_full = ?, html = ?, fields = ?,
           automatic = ?, review = ?, call = ? WHERE id = ?`,
        ...contentValues(content),
        message.id,
      );
    },
    async raiseRevision(messageId, revision) {
      await sql.run('UPDATE messages SET revision = ? WHERE id = ?', revision, messageId);
    },
    saveRevision,
    async deleteMessage(id, at) {
      await sql.run('UPDATE messages SET deleted_at = ? WHERE id = ?', at, id);
    },
    async setDelivery(id, delivery) {
      await sql.run(
        'UPDATE messages SET delivery_state = ?, delivery_error = ? WHERE id = ?',
        delivery?.state ?? null,
        delivery?.error ?? null,
        id,
      );
    },
    async replaceAnswers({ id, ticketId, endpointId, thread }) {
      const rows = await sql.all<{ id: string }>(
        `UPDATE messages SET delivery_state = 'replaced' WHERE ticket_id = ? AND endpoint_id = ? AND thread_id = ?
           AND id <> ? AND direction = 'outbound' AND delivery_state IN ('sent', 'delivered', 'read') RETURNING id`,
        ticketId,
        endpointId,
        thread ?? null,
        id,
      );
      return rows.map((row) => row.id);
    },
    async saveReaction(messageId, author, emoji, at) {
      if (emoji === '') {
        await sql.run('DELETE FROM reactions WHERE message_id = ? AND author = ?', messageId, author);
        return;
      }
      await sql.run(
        `INSERT INTO reactions (message_id, author, emoji, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (message_id, author) DO UPDATE SET emoji = excluded.emoji, at = excluded.at`,
        messageId,
        author,
        emoji,
        at,
      );
    },
  };
}

function contentOf(message: MessageRow): MessageContent {
  const { revision, occurredAt, subject, text, textFull, html, fields, automatic, review, call } = message;
  return { revision, occurredAt, subject, text, textFull, html, fields, automatic, review, call };
}

export function contentValues(content: MessageContent): Value[] {
  return [
    content.revision,
    content.occurredAt,
    content.subject ?? null,
    content.text,
    content.textFull ?? null,
    content.html ?? null,
    Object.keys(content.fields).length > 0 ? JSON.stringify(content.fields) : null,
    content.automatic ?? null,
    toJson(content.review),
    toJson(content.call),
  ];
}

/** Columns of a message as a row of the contract. */
export function messageOf(row: Row | undefined): MessageRow | undefined {
  if (!row) return undefined;
  const column = <T>(name: string) => row[name] as T;
  const optional = <T>(name: string) => (row[name] ?? undefined) as T | undefined;
  const state = column<NonNullable<MessageRow['delivery']>['state'] | null>('delivery_state');
  return {
    id: column('id'),
    ticketId: column('ticket_id'),
    seq: column('seq'),
    endpointId: column('endpoint_id'),
    externalId: column('external_id'),
    customerId: column('customer_id'),
    kind: column('kind'),
    direction: column('direction'),
    author: fromJson<MessageRow['author']>(row['author']) ?? { identifiers: [] },
    verified: row['verified'] === 1,
    receivedAt: column('received_at'),
    deletedAt: column('deleted_at'),
    rule: column('rule'),
    evidence: column('evidence'),
    delivery: state ? { state, error: optional('delivery_error') } : null,
    payloadId: column('payload_id'),
    thread: optional('thread_id'),
    template: fromJson(row['template']),
    revision: column('revision'),
    occurredAt: column('occurred_at'),
    subject: optional('subject'),
    text: column('text'),
    textFull: optional('text_full'),
    html: optional('html'),
    fields: fromJson<Record<string, string>>(row['fields']) ?? {},
    automatic: optional('automatic'),
    review: fromJson(row['review']),
    call: fromJson(row['call']),
  };
}
