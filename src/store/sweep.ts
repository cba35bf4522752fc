import type { RetentionLimits, Swept } from '../core/store.ts';
import type { Sql } from './sql.ts';

/** One batch of what has been kept long enough; every choice is made by an index that holds nothing else. */
export async function sweep(sql: Sql, limits: RetentionLimits): Promise<Swept> {
  const { batch } = limits;
  await sql.alone();
  const payloads = await clearPayloads(sql, limits.payloadsBefore, batch);
  const done = `SELECT id FROM tasks WHERE state = 'delivered' AND updated_at < ? ORDER BY updated_at, id LIMIT ?`;
  await sql.run(`DELETE FROM attempts WHERE task_id IN (${done})`, limits.tasksBefore, batch);
  const tasks = await sql.run(`DELETE FROM tasks WHERE id IN (${done})`, limits.tasksBefore, batch);
  const answers = await sql.run(
    'DELETE FROM idempotent WHERE key IN (SELECT key FROM idempotent WHERE at < ? LIMIT ?)',
    limits.idempotentBefore,
    batch,
  );
  const early = await sql.run(
    `DELETE FROM early WHERE at < ? AND (endpoint_id, external_id) IN (
       SELECT endpoint_id, external_id FROM early WHERE at < ? LIMIT ?)`,
    limits.earlyBefore,
    limits.earlyBefore,
    batch,
  );
  const recordings = await clearRecordings(sql, limits.recordingsBefore, batch);
  return {
    rows: recordings.rows + payloads.rows + tasks + answers + early,
    blobs: [...payloads.blobs, ...recordings.blobs],
  };
}

/**
 * The bytes go, the row stays: the ledger's balance must still come out, and the dedupe keys stay for ever. Bytes that a
 * younger payload points at stay as long as that one's would.
 */
async function clearPayloads(sql: Sql, before: number, batch: number): Promise<Swept> {
  const old = await sql.all<{ id: string; blob: string | null }>(
    `SELECT id, blob FROM payloads WHERE received_at < ? AND (body IS NOT NULL OR blob IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM payloads later WHERE later.same_as = payloads.id AND later.received_at >= ?)
     LIMIT ?`,
    before,
    before,
    batch,
  );
  for (const { id } of old) {
    await sql.run(`UPDATE payloads SET body = NULL, blob = NULL, headers = '{}' WHERE id = ?`, id);
  }
  const blobs: string[] = [];
  for (const blob of new Set(old.flatMap((row) => row.blob ?? []))) {
    if (!(await isNamed(sql, blob))) blobs.push(blob);
  }
  return { rows: old.length, blobs };
}

/** The bytes of a recording go, and its message says so. */
async function clearRecordings(sql: Sql, before: number, batch: number): Promise<Swept> {
  const old = await sql.all<{ id: string; sha256: string | null }>(
    'SELECT id, sha256 FROM attachments WHERE recorded_at < ? ORDER BY recorded_at LIMIT ?',
    before,
    batch,
  );
  for (const { id } of old) {
    await sql.run(
      `UPDATE attachments SET recorded_at = NULL, sha256 = NULL, state = 'failed', error = ? WHERE id = ?`,
      'kept as long as retention.recordings says',
      id,
    );
  }
  const blobs: string[] = [];
  for (const blob of new Set(old.flatMap((row) => row.sha256 ?? []))) {
    if (!(await isNamed(sql, blob))) blobs.push(blob);
  }
  return { rows: old.length, blobs };
}

/** The same bytes lie in one file, whichever payloads and attachments name them. */
async function isNamed(sql: Sql, sha256: string): Promise<boolean> {
  const named = await sql.get(
    `SELECT 1 AS named FROM payloads WHERE blob = ? UNION ALL SELECT 1 FROM attachments WHERE sha256 = ? LIMIT 1`,
    sha256,
    sha256,
  );
  return named !== undefined;
}
