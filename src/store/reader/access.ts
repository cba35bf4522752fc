import { z } from 'zod';
import type { AutoReply } from '../../core/auto-reply.ts';
import type { Reader } from '../../core/reader.ts';
import type { KeyRow } from '../../core/access-rows.ts';
import { fromJson } from '../sql.ts';
import type { Db } from './kysely.ts';
import { cut, keysOf, render, toCursor } from './page.ts';
import type { Tables } from './tables.ts';

const bySeq = z.tuple([z.number().int()]);

export function accessIn(
  db: Db,
): Pick<Reader, 'endpoints' | 'routes' | 'keys' | 'keyByPrefix' | 'session' | 'users' | 'audit' | 'idempotent'> {
  return {
    async endpoints() {
      const rows = await db.selectFrom('endpoints').selectAll().orderBy('id').execute();
      return rows.map(({ auto_reply, ...row }) => ({
        ...row,
        enabled: row.enabled === 1,
        autoReply: fromJson<AutoReply>(auto_reply),
        sealed: Buffer.from(row.sealed),
      }));
    },
    async routes() {
      const rows = await db.selectFrom('routes').selectAll().orderBy('position').orderBy('id').execute();
      return rows.map((row) => ({ ...row, definition: fromJson<object>(row.definition) ?? {} }));
    },
    async keys() {
      return (await db.selectFrom('api_keys').selectAll().orderBy('id').execute()).map(toKey);
    },
    async keyByPrefix(prefix) {
      const row = await db.selectFrom('api_keys').selectAll().where('prefix', '=', prefix).executeTakeFirst();
      return row && toKey(row);
    },
    async session(hash, now) {
      const row = await db
        .selectFrom('sessions')
        .innerJoin('users', 'users.id', 'sessions.user_id')
        .selectAll('users')
        .select(['sessions.hash', 'sessions.created_at', 'sessions.expires_at'])
        .where('sessions.hash', '=', hash)
        .where('sessions.expires_at', '>', now)
        .executeTakeFirst();
      if (!row) return undefined;
      const { hash: of, created_at: createdAt, expires_at: expiresAt, ...user } = row;
      return { hash: of, userId: user.id, createdAt, expiresAt, user };
    },
    // Copied, since rows of the driver have no prototype, which surprises whoever compares them.
    async users() {
      return (await db.selectFrom('users').selectAll().orderBy('id').execute()).map((row) => ({ ...row }));
    },
    async audit(page) {
      const keys = keysOf('audit', bySeq, page.cursor);
      let query = db.selectFrom('audit').selectAll();
      if (keys) query = query.where('seq', '<', keys[0]);
      const rows = await query
        .orderBy('seq', 'desc')
        .limit(page.limit + 1)
        .execute();
      return render(
        cut(rows, page, ({ seq }) => toCursor('audit', [seq])),
        (kept) => kept.map((row) => ({ ...row })),
      );
    },
    async idempotent(key) {
      const row = await db.selectFrom('idempotent').selectAll().where('key', '=', key).executeTakeFirst();
      return row && { ...row };
    },
  };
}

function toKey(row: Tables['api_keys']): KeyRow {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    hash: row.hash,
    scopes: fromJson<string[]>(row.scopes) ?? [],
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}
