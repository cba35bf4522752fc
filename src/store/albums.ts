import type { AlbumPart } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import { MESSAGE, messageOf } from './filing.ts';
import { fromJson, type Sql } from './sql.ts';

interface PartColumns {
  readonly endpoint_id: string;
  readonly external_id: string;
  readonly message_id: string;
  readonly at: number;
  readonly group_key: string;
  readonly content: string;
}

/** Albums: what comes in several parts and is one message. */
export function albumsOf(sql: Sql): Pick<Transaction, 'albumOf' | 'saveAlbumPart' | 'albumParts'> {
  return {
    async albumOf(endpointId, key) {
      return messageOf(
        await sql.get(
          `${MESSAGE} WHERE m.id = (
             SELECT p.message_id FROM parts p JOIN messages a ON a.id = p.message_id
             WHERE p.endpoint_id = ? AND p.group_key = ? AND a.deleted_at IS NULL ORDER BY p.at DESC LIMIT 1) FOR UPDATE`,
          endpointId,
          key,
        ),
      );
    },
    async saveAlbumPart({ endpointId, externalId, messageId, key, at, piece, content, files }) {
      await sql.run(
        `INSERT INTO parts (endpoint_id, external_id, message_id, at, group_key, content) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (endpoint_id, external_id) DO UPDATE SET content = excluded.content`,
        endpointId,
        externalId,
        messageId,
        at,
        key,
        JSON.stringify({ piece, content, files }),
      );
    },
    async albumParts(messageId) {
      const rows = await sql.all<PartColumns>(
        'SELECT * FROM parts WHERE message_id = ? AND group_key IS NOT NULL ORDER BY at, external_id',
        messageId,
      );
      return rows.map((row) => ({
        endpointId: row.endpoint_id,
        externalId: row.external_id,
        messageId: row.message_id,
        key: row.group_key,
        at: row.at,
        piece: undefined,
        content: undefined,
        ...(fromJson<Pick<AlbumPart, 'files'>>(row.content) ?? { files: [] }),
      }));
    },
  };
}
