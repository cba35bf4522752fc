import type { Transaction } from '../core/store.ts';
import { toJson, type Sql } from './sql.ts';
import { sweep } from './sweep.ts';

/** Endpoints and routes made over the API, keys, users, sessions, the audit log, retention. */
export function accessOf(
  sql: Sql,
): Pick<
  Transaction,
  | 'saveEndpoint'
  | 'deleteEndpoint'
  | 'saveRoute'
  | 'deleteRoute'
  | 'saveKey'
  | 'revokeKey'
  | 'saveUser'
  | 'deleteUser'
  | 'saveSession'
  | 'deleteSession'
  | 'takeToken'
  | 'saveToken'
  | 'idempotent'
  | 'saveIdempotent'
  | 'audit'
  | 'sweepRetention'
> {
  return {
    async saveEndpoint(row) {
      await sql.run(
        `INSERT INTO endpoints (id, role, type, name, enabled, auto_reply, sealed, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled,
           auto_reply = excluded.auto_reply, sealed = excluded.sealed`,
        row.id,
        row.role,
        row.type,
        row.name,
        row.enabled ? 1 : 0,
        toJson(row.autoReply),
        row.sealed,
        row.at,
      );
    },
    async deleteEndpoint(id) {
      await sql.run('DELETE FROM endpoints WHERE id = ?', id);
      await sql.run('DELETE FROM endpoint_states WHERE endpoint_id = ?', id);
      await sql.run('DELETE FROM endpoint_secrets WHERE endpoint_id = ?', id);
    },
    async saveRoute(row) {
      await sql.run(
        `INSERT INTO routes (id, position, definition, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET position = excluded.position, definition = excluded.definition`,
        row.id,
        row.position,
        JSON.stringify(row.definition),
        row.at,
      );
    },
    async deleteRoute(id) {
      return (await sql.run('DELETE FROM routes WHERE id = ?', id)) > 0;
    },
    async saveKey(row) {
      await sql.run(
        `INSERT INTO api_keys (id, name, prefix, hash, scopes, created_at, last_used_at, revoked_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET last_used_at = excluded.last_used_at`,
        row.id,
        row.name,
        row.prefix,
        row.hash,
        JSON.stringify(row.scopes),
        row.createdAt,
        row.lastUsedAt,
        row.revokedAt,
      );
    },
    async revokeKey(id, at) {
      return (await sql.run('UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL', at, id)) > 0;
    },
    async saveUser(row) {
      await sql.run(
        `INSERT INTO users (id, name, role, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role`,
        row.id,
        row.name,
        row.role,
        row.at,
      );
    },
    async deleteUser(id) {
      const deleted = await sql.run(
        `DELETE FROM users WHERE id = ?
           AND (role <> 'admin' OR (SELECT count(*) FROM users admins WHERE admins.role = 'admin') > 1)`,
        id,
      );
      if (deleted > 0) await sql.run('DELETE FROM sessions WHERE user_id = ?', id);
      return deleted > 0;
    },
    async saveSession(row) {
      await sql.run(
        'INSERT INTO sessions (hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)',
        row.hash,
        row.userId,
        row.createdAt,
        row.expiresAt,
      );
    },
    async deleteSession(hash) {
      await sql.run('DELETE FROM sessions WHERE hash = ?', hash);
    },
    async takeToken(hash, now) {
      return (await sql.run('DELETE FROM tokens WHERE hash = ? AND expires_at > ?', hash, now)) > 0;
    },
    async saveToken(hash, expiresAt) {
      await sql.run('INSERT INTO tokens (hash, expires_at) VALUES (?, ?)', hash, expiresAt);
    },
    idempotent: (key) => sql.get('SELECT key, request, status, body, at FROM idempotent WHERE key = ?', key),
    async saveIdempotent(row) {
      await sql.run(
        `INSERT INTO idempotent (key, request, status, body, at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET request = excluded.request, status = excluded.status, body = excluded.body, at = excluded.at`,
        row.key,
        row.request,
        row.status,
        row.body,
        row.at,
      );
    },
    async audit(row) {
      await sql.run(
        'INSERT INTO audit (at, actor, action, target, detail) VALUES (?, ?, ?, ?, ?)',
        row.at,
        row.actor,
        row.action,
        row.target,
        row.detail ?? null,
      );
    },
    sweepRetention: (limits) => sweep(sql, limits),
  };
}
