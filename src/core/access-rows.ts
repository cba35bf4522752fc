/** Who may use the API, and what was asked of it, as the store keeps it. Times are epoch milliseconds. */

export interface KeyRow {
  readonly id: string;
  readonly name: string;
  /** The public part, by which it is looked up. */
  readonly prefix: string;
  readonly hash: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
}

export interface UserRow {
  readonly id: string;
  readonly name: string;
  readonly role: 'admin' | 'agent';
  readonly at: number;
}

export interface SessionRow {
  readonly hash: string;
  readonly userId: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Something that was done, and who did it. */
export interface AuditRow {
  /** Grows. */
  readonly seq: number;
  readonly at: number;
  /** `user:usr_…`, `key:key_…`, or what did it by itself. */
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string | null;
}

/** What was done under an Idempotency-Key. */
export interface IdempotentRow {
  readonly key: string;
  readonly request: string;
  /** Of the answer; 0 while there is none, and `body` is what came of the act. */
  readonly status: number;
  readonly body: string;
  readonly at: number;
}
