import type { EndpointState } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Sql } from './sql.ts';

/** What is known of endpoints: pauses, failures, secrets. */
export function endpointStatesOf(sql: Sql): Pick<Transaction, 'endpointState' | 'updateEndpointState' | 'saveSecret'> {
  async function endpointState(endpointId: string): Promise<EndpointState> {
    const row = await sql.get('SELECT * FROM endpoint_states WHERE endpoint_id = ? FOR UPDATE', endpointId);
    const column = <T>(name: string) => (row?.[name] ?? null) as T | null;
    return {
      endpointId,
      pausedUntil: column('paused_until'),
      pauseReason: column('pause_reason'),
      needsReauth: column('needs_reauth') === 1,
      disabledAt: column('disabled_at'),
      failures: column<number>('failures') ?? 0,
      lastInAt: null,
      lastOutAt: column('last_out_at'),
      lastError: column('last_error'),
      lastErrorAt: column('last_error_at'),
      inbound: {
        failures: column<number>('in_failures') ?? 0,
        needsReauth: column('in_needs_reauth') === 1,
        lastError: column('in_error'),
        lastErrorAt: column('in_error_at'),
      },
      quarantinedAt: column('quarantined_at'),
      reconciledAt: column('reconciled_at'),
      missed: column<number>('missed') ?? 0,
    };
  }

  return {
    endpointState,
    async updateEndpointState(endpointId, patch) {
      // A row that isn't there can't be held.
      await sql.run('INSERT INTO endpoint_states (endpoint_id) VALUES (?) ON CONFLICT DO NOTHING', endpointId);
      const state = { ...(await endpointState(endpointId)), ...patch };
      await sql.run(
        `INSERT INTO endpoint_states (endpoint_id, paused_until, pause_reason, needs_reauth, disabled_at, failures, last_out_at,
           last_error, last_error_at, in_failures, in_needs_reauth, in_error, in_error_at, quarantined_at, reconciled_at, missed)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (endpoint_id) DO UPDATE SET paused_until = excluded.paused_until, pause_reason = excluded.pause_reason,
           needs_reauth = excluded.needs_reauth, disabled_at = excluded.disabled_at, failures = excluded.failures,
           last_out_at = excluded.last_out_at, last_error = excluded.last_error, last_error_at = excluded.last_error_at, in_failures = excluded.in_failures,
           in_needs_reauth = excluded.in_needs_reauth, in_error = excluded.in_error, in_error_at = excluded.in_error_at,
           quarantined_at = excluded.quarantined_at, reconciled_at = excluded.reconciled_at, missed = excluded.missed`,
        endpointId,
        state.pausedUntil,
        state.pauseReason,
        state.needsReauth ? 1 : 0,
        state.disabledAt,
        state.failures,
        state.lastOutAt,
        state.lastError,
        state.lastErrorAt,
        state.inbound.failures,
        state.inbound.needsReauth ? 1 : 0,
        state.inbound.lastError,
        state.inbound.lastErrorAt,
        state.quarantinedAt,
        state.reconciledAt,
        state.missed,
      );
    },
    async saveSecret(endpointId, name, sealed) {
      await sql.run(
        `INSERT INTO endpoint_secrets (endpoint_id, name, sealed) VALUES (?, ?, ?)
         ON CONFLICT (endpoint_id, name) DO UPDATE SET sealed = excluded.sealed`,
        endpointId,
        name,
        sealed,
      );
    },
  };
}
