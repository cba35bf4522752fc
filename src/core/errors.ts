/**
 * What went wrong, as the host must treat it. The class says what the host does next, the text what
 * happened, the hint what a person can do about it.
 *
 * | class              | inbound            | task                                  |
 * |--------------------|--------------------|---------------------------------------|
 * | RetryableError     | 503 + Retry-After  | again, on the schedule                |
 * | RateLimitedError   | 503 + Retry-After  | the endpoint pauses, no attempt spent |
 * | AuthExpiredError   | 503                | the endpoint pauses, alarm            |
 * | PermanentError     | 503                | dead letter, the next in line goes on |
 * | BadPayloadError    | refused            | dead letter                           |
 *
 * Anything else that is thrown counts as retryable.
 */
export abstract class TributaryError extends Error {
  /** For the operator: what to do about it, in one sentence. */
  readonly hint: string | undefined;
  /** What the far end answered, if it did: for the log of attempts, and for plugins whose vendor says more in it. */
  readonly response: FarAnswer | undefined;

  constructor(text: string, options: ErrorDetails = {}) {
    super(text, options);
    this.name = new.target.name;
    this.hint = options.hint;
    this.response = options.response;
  }
}

/** An answer that was an error. `text` is the beginning of the body, at most 2,048 characters, our own secrets masked. */
export interface FarAnswer {
  readonly status: number;
  readonly text: string;
  /** Of a 429, the headers that speak of limits (`x-ratelimit-reset` …), which mean something else with every vendor. */
  readonly limits?: Readonly<Record<string, string>>;
}

export interface ErrorDetails extends ErrorOptions {
  readonly hint?: string;
  readonly response?: FarAnswer;
}

/** 5xx, 408, network, our own store: worth trying again. */
export class RetryableError extends TributaryError {
  /** True when bytes had been written: the far end may have acted, so look before repeating. */
  readonly outcomeUnknown: boolean;

  constructor(text: string, options: ErrorDetails & { outcomeUnknown?: boolean } = {}) {
    super(text, options);
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}

/** Another process has taken over what this one was doing: nothing of it remains, and nothing is to be done. */
export class LeaseLostError extends RetryableError {}

/** The vendor asks for a pause. `retryAfterMs` as the vendor said it, or undefined when he didn't. */
export class RateLimitedError extends TributaryError {
  readonly retryAfterMs: number | undefined;

  constructor(text: string, retryAfterMs?: number, options: ErrorDetails = {}) {
    super(text, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** 401, revoked or expired credentials: nothing will work until a person has acted. */
export class AuthExpiredError extends TributaryError {}

/** Repeating the same request can't help: 400, 403, 404, 422, a closed reply window. */
export class PermanentError extends TributaryError {
  /** True when the far end asked never to be called again (HTTP 410): the endpoint is disabled. */
  readonly gone: boolean;

  constructor(text: string, options: ErrorDetails & { gone?: boolean } = {}) {
    super(text, options);
    this.gone = options.gone ?? false;
  }
}

/** Whether it was refused for good with one of these statuses. */
export function isRefused(error: unknown, ...statuses: readonly number[]): boolean {
  return error instanceof PermanentError && statuses.includes(error.response?.status ?? 0);
}

/** Not signed by the vendor, or not as documented. `status` is what an unsigned sender hears. */
export class BadPayloadError extends TributaryError {
  readonly status: number;
  /** Fields at fault, for senders who may be told (forms, API): RFC 6901 pointer and message. */
  readonly problems: readonly Problem[];

  constructor(text: string, options: ErrorDetails & { status?: number; problems?: readonly Problem[] } = {}) {
    super(text, options);
    this.status = options.status ?? 401;
    this.problems = options.problems ?? [];
  }
}

/** One field at fault. */
export interface Problem {
  readonly pointer: string;
  readonly message: string;
}

/** The text of anything thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What was asked for isn't there, or isn't yours. */
export class NotFoundError extends PermanentError {}

/** It has changed since you looked (412), or is in a state that forbids it (409). */
export class ConflictError extends PermanentError {}

/** Nobody knows whether the far side acted, and there is nobody to ask: a person must look before it is repeated. */
export class UncertainError extends TributaryError {}
