import type { Transaction } from '../core/store.ts';
import { MESSAGE, messageOf } from './filing.ts';
import type { AttachmentColumns } from './reader/tables.ts';
import type { Sql } from './sql.ts';

/** What belongs to messages: files, and the parts that an answer went out in. */
export function attachmentsOf(
  sql: Sql,
): Pick<
  Transaction,
  | 'insertAttachment'
  | 'attachmentIds'
  | 'attachment'
  | 'updateAttachment'
  | 'deleteAttachment'
  | 'savePart'
  | 'parts'
  | 'messageOfPart'
> {
  return {
    async insertAttachment(row) {
      await sql.run(
        `INSERT INTO attachments (id, message_id, external_id, name, media_type, size, inline, cid, state, sha256,
           payload_id, recorded_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.rowId,
        row.messageId,
        row.id,
        row.name,
        row.mediaType,
        row.size ?? null,
        row.inline ? 1 : 0,
        row.cid ?? null,
        row.state,
        row.sha256 ?? null,
        row.payloadId ?? null,
        row.recordedAt ?? null,
      );
    },
    async attachmentIds(messageId) {
      const rows = await sql.all<{ external_id: string }>(
        'SELECT external_id FROM attachments WHERE message_id = ?',
        messageId,
      );
      return rows.map((row) => row.external_id);
    },
    async attachment(rowId) {
      const row = await sql.get<AttachmentColumns>('SELECT * FROM attachments WHERE id = ? FOR UPDATE', rowId);
      return row && attachmentOf(row);
    },
    async updateAttachment(rowId, patch) {
      await sql.run(
        `UPDATE attachments SET state = ?, sha256 = coalesce(?, sha256), size = coalesce(?, size),
           error = CASE WHEN ? = 1 THEN ? ELSE error END WHERE id = ?`,
        patch.state,
        patch.sha256 ?? null,
        patch.size ?? null,
        patch.error === undefined ? 0 : 1,
        patch.error ?? null,
        rowId,
      );
    },
    async deleteAttachment(rowId) {
      await sql.run('DELETE FROM attachments WHERE id = ?', rowId);
    },
    async savePart(messageId, endpointId, externalId, at) {
      await sql.run(
        `INSERT INTO parts (endpoint_id, external_id, message_id, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (endpoint_id, external_id) DO NOTHING`,
        endpointId,
        externalId,
        messageId,
        at,
      );
    },
    async parts(messageId) {
      const rows = await sql.all<{ external_id: string }>(
        'SELECT external_id FROM parts WHERE message_id = ? ORDER BY at, external_id',
        messageId,
      );
      return rows.map((row) => ({ externalId: row.external_id }));
    },
    async messageOfPart(endpointId, externalId) {
      return messageOf(
        await sql.get(
          `${MESSAGE} WHERE m.id = (SELECT message_id FROM parts WHERE endpoint_id = ? AND external_id = ?) FOR UPDATE`,
          endpointId,
          externalId,
        ),
      );
    },
  };
}

/** Columns of an attachment as a row of the contract. */
export function attachmentOf(row: AttachmentColumns) {
  return {
    rowId: row.id,
    messageId: row.message_id,
    id: row.external_id,
    name: row.name,
    mediaType: row.media_type,
    size: row.size ?? undefined,
    inline: row.inline === 1,
    cid: row.cid ?? undefined,
    state: row.state,
    sha256: row.sha256 ?? undefined,
    payloadId: row.payload_id ?? undefined,
    error: row.error ?? undefined,
  };
}
