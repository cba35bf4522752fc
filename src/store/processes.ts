import { LeaseLostError } from '../core/errors.ts';
import type { Transaction } from '../core/store.ts';
import type { Sql } from './sql.ts';

/** Processes, and what is held under their ids: channels here, tasks by the beginning of their lease's token. */
export function processesOf(
  sql: Sql,
): Pick<Transaction, 'enterProcess' | 'beatProcess' | 'endProcess' | 'takeChannel' | 'freeChannel' | 'saveCursor'> {
  return {
    async enterProcess(id) {
      await sql.run('INSERT INTO processes (id, beat) VALUES (?, 0)', id);
    },
    async beatProcess(id) {
      await sql.run('UPDATE processes SET beat = beat + 1 WHERE id = ?', id);
    },
    async endProcess(id, beat) {
      const ended = await sql.run('DELETE FROM processes WHERE id = ? AND beat = coalesce(?, beat)', id, beat ?? null);
      if (ended === 0) return false;
      // Ids are hexadecimal, so they hold nothing that LIKE reads in another way.
      await sql.run(
        `UPDATE tasks SET lease_until = 0 WHERE state IN ('waiting', 'delivering') AND lease_token LIKE ?`,
        `${id}.%`,
      );
      return true;
    },
    async takeChannel(endpointId, processId) {
      // Whoever was forgotten holds nothing: one that was given up may have taken it just before it noticed.
      const taken = await sql.run(
        `INSERT INTO endpoint_states (endpoint_id, holder) VALUES (?, ?)
         ON CONFLICT (endpoint_id) DO UPDATE SET holder = excluded.holder
           WHERE endpoint_states.holder IS NULL OR endpoint_states.holder = excluded.holder
             OR NOT EXISTS (SELECT 1 FROM processes p WHERE p.id = endpoint_states.holder)`,
        endpointId,
        processId,
      );
      return taken > 0;
    },
    async freeChannel(endpointId) {
      await sql.run('UPDATE endpoint_states SET holder = NULL WHERE endpoint_id = ?', endpointId);
    },
    async saveCursor(endpointId, cursor, processId) {
      const saved = await sql.run(
        'UPDATE endpoint_states SET poll_cursor = ? WHERE endpoint_id = ? AND holder = ?',
        cursor,
        endpointId,
        processId,
      );
      if (saved === 0) throw new LeaseLostError(`another process fetches from ${endpointId} now`);
    },
  };
}
