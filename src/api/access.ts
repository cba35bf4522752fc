import { createHash, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { textOf } from '../core/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import type { KeyRow, UserRow } from '../core/access-rows.ts';
import { equalSecrets } from '../core/secret.ts';
import type { Secret } from '../core/secret.ts';
import { roleScopes } from './scopes.ts';

/** Who asks. */
export interface Actor {
  /** For the audit log: `key:key_…`, `user:usr_…`, `key:admin` for ADMIN_API_KEY. */
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly session?: { readonly hash: string; readonly user: UserRow; readonly expiresAt: number };
}

/** How a caller says who he is: at most one of them. */
export interface Credentials {
  readonly bearer?: string;
  readonly session?: string;
}

export interface Access {
  /** Who that is, or undefined: unknown, revoked and expired ones look the same. */
  identify(credentials: Credentials): Promise<Actor | undefined>;
  /** The `Set-Cookie` of a new session. */
  openSession(userId: string): Promise<string>;
  /** The `Set-Cookie` that takes it away. */
  closeSession(hash: string): Promise<string>;
  /** Called when a key or session has ended; returns what ends it. */
  onRevoked(listener: () => void): () => void;
  /** To be called after a key was revoked. */
  revoked(): void;
}

export const SESSION_MS = 14 * 24 * 3_600_000;
const NOTED_EVERY_MS = 60_000;
const KEY = /^trb_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
/** Compared against when there is no such key, so that both cases take as long. */
const NO_HASH = '0'.repeat(64);

export function createAccess(gateway: Gateway, fullKeys: readonly Secret[]): Access {
  const { store, clock, log } = gateway;
  const listeners = new Set<() => void>();
  const usedAt = new Map<string, number>();

  // The public address may only be known once the port is: read it when it is needed.
  function toCookie(value: string, maxAgeMs: number): string {
    const { publicUrl } = gateway;
    const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
    return `${cookieName(publicUrl)}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}; Max-Age=${maxAgeMs / 1000}`;
  }

  async function ofKey(text: string): Promise<Actor | undefined> {
    // No early end: every key is compared, so the time says nothing about which one was near.
    if (fullKeys.filter((key) => equalSecrets(text, key.reveal())).length > 0) {
      return { id: 'key:admin', name: 'admin', scopes: ['*'] };
    }
    const [, prefix, secretPart] = KEY.exec(text) ?? [];
    if (prefix === undefined || secretPart === undefined) return undefined;
    const row = await store.read.keyByPrefix(prefix);
    const matches = equalSecrets(hashOf(secretPart), row?.hash ?? NO_HASH);
    if (!row || !matches || row.revokedAt !== null) {
      log.warn({ prefix }, 'refused an API key that is wrong or revoked');
      return undefined;
    }
    noteUse(row);
    return { id: `key:${row.id}`, name: row.name, scopes: row.scopes };
  }

  /** For the list of keys, where one sees which are still used; nothing waits for it. */
  function noteUse(row: KeyRow): void {
    const now = clock.now();
    if (now - (usedAt.get(row.id) ?? row.lastUsedAt ?? 0) < NOTED_EVERY_MS) return;
    usedAt.set(row.id, now);
    store
      .write([`key:${row.id}`], (tx) => tx.saveKey({ ...row, lastUsedAt: now }))
      .catch((error: unknown) =>
        log.warn({ prefix: row.prefix, error: textOf(error) }, 'could not note that a key is used'),
      );
  }

  async function ofSession(token: string): Promise<Actor | undefined> {
    const hash = hashOf(token);
    const row = await store.read.session(hash, clock.now());
    if (!row || row.expiresAt <= clock.now()) return undefined;
    const { user, expiresAt } = row;
    return {
      id: `user:${user.id}`,
      name: user.name,
      scopes: roleScopes[user.role],
      session: { hash, user, expiresAt },
    };
  }

  return {
    async identify({ bearer, session }) {
      if (bearer !== undefined) return ofKey(bearer);
      return session === undefined ? undefined : ofSession(session);
    },

    async openSession(userId) {
      const token = randomBytes(32).toString('base64url');
      const now = clock.now();
      await store.write([`session:${userId}`], async (tx) => {
        await tx.saveSession({ hash: hashOf(token), userId, createdAt: now, expiresAt: now + SESSION_MS });
        await tx.audit({ at: now, actor: `user:${userId}`, action: 'session.opened', target: userId });
      });
      return toCookie(token, SESSION_MS);
    },

    async closeSession(hash) {
      await store.write([`session:${hash}`], (tx) => tx.deleteSession(hash));
      revoked();
      return toCookie('', 0);
    },

    onRevoked(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    revoked,
  };

  function revoked(): void {
    for (const listener of listeners) listener();
  }
}

/** A new key: shown once, then only its hash is known. */
export function createKey(): { readonly text: string; readonly prefix: string; readonly hash: string } {
  const prefix = randomBytes(6).toString('hex');
  const secretPart = randomBytes(32).toString('base64url');
  return { text: `trb_${prefix}_${secretPart}`, prefix, hash: hashOf(secretPart) };
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** `__Host-` makes browsers refuse a cookie that a neighbouring host planted; it needs https. */
function cookieName(publicUrl: string): string {
  return publicUrl.startsWith('https:') ? '__Host-tributary' : 'tributary';
}

/**
 * What a request says about its caller. A header that is there but unreadable is a wrong key, not an
 * absent one: it never falls back to the cookie. Keys in cookies or addresses don't count.
 */
export function credentialsOf(headers: IncomingHttpHeaders, publicUrl: string): Credentials {
  if (headers.authorization !== undefined) {
    return { bearer: /^Bearer +(\S{1,1000})$/i.exec(headers.authorization)?.[1] ?? '' };
  }
  const start = `${cookieName(publicUrl)}=`;
  const cookie = (headers.cookie ?? '').split(/; */).find((part) => part.startsWith(start));
  const token = cookie?.slice(start.length);
  return token !== undefined && /^[A-Za-z0-9_-]{43}$/.test(token) ? { session: token } : {};
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether a page of ours sent it: `Origin` is the public address, or a loopback address that is also
 * the one asked for. The Host header alone proves nothing: names can be made to point here.
 */
export function isOwnOrigin(headers: IncomingHttpHeaders, publicUrl: string): boolean {
  const { origin, host } = headers;
  if (origin === undefined || !URL.canParse(origin)) return false;
  if (origin === new URL(publicUrl).origin) return true;
  const url = new URL(origin);
  return LOOPBACK.has(url.hostname) && origin === `http://${host}`;
}
