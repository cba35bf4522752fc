import { RetryableError, textOf } from '../../core/errors.ts';

/** Thrown inside a transaction that must have the tables to itself: it runs again, with nobody beside it. */
export class RunAlone extends Error {}

/** Others were in the way, and won't be the next time: serialization failure, deadlock, no lock in time. */
const CONFLICTS = new Set(['40001', '40P01', '55P03']);
/** Two looked for a row and both made it: the second one finds it when it looks again. */
const UNIQUE = '23505';
/** By the first two characters: connection, resources (disk, memory, connections), operator (restart), I/O. */
const OUTAGES = new Set(['08', '53', '57', '58']);
/** Also: a standby, which is read-only; a transaction that stood still for too long. */
const ALSO_OUTAGES = new Set(['25006', '25P03']);

/** What the server answered: `ERROR`, and the transaction is aborted; `FATAL` or `PANIC`, and the connection is gone. */
export interface ServerError extends Error {
  readonly severity: string;
  /** Five characters, see PostgreSQL's manual, appendix A. */
  readonly code: string;
}

export function isFromServer(error: unknown): error is ServerError {
  const { severity, code } = error as { readonly severity?: unknown; readonly code?: unknown };
  return typeof severity === 'string' && typeof code === 'string';
}

/** A failure that a further try may not meet. */
export class ConflictInStore extends RetryableError {
  /** Whether it may just as well be the statement's own fault, so that one more try is enough to know. */
  readonly once: boolean;

  constructor(cause: ServerError) {
    super(`somebody else was first: ${cause.message}`, { cause, hint: 'Nothing to do: it is tried again.' });
    this.once = cause.code === UNIQUE;
  }
}

/** What went wrong in the driver or the server as one of our classes; a statement that is wrong stays what it is. */
export function toStoreError(error: unknown): Error {
  if (!isFromServer(error)) return outage(error);
  const { code } = error;
  if (CONFLICTS.has(code) || code === UNIQUE) return new ConflictInStore(error);
  return OUTAGES.has(code.slice(0, 2)) || ALSO_OUTAGES.has(code) ? outage(error) : error;
}

export function outage(cause: unknown): RetryableError {
  return new RetryableError(`the store can't be reached: ${textOf(cause)}`, {
    cause,
    hint: 'Check that PostgreSQL runs, takes connections and has space on its disk; the gateway needs no restart.',
  });
}
