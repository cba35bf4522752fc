import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  textOf,
  TributaryError,
} from './errors.ts';

/** An error on its way to another thread or process, where classes don't survive. */
export interface ErrorAsData {
  readonly name: string;
  readonly text: string;
  readonly hint: string | undefined;
}

/** A parser's error may quote everything that it read. */
export const LONGEST_TEXT = 2000;

export function errorAsData(error: unknown): ErrorAsData {
  const name = error instanceof Error ? error.name : 'Error';
  const hint = error instanceof TributaryError ? error.hint : undefined;
  return { name, text: textOf(error).slice(0, LONGEST_TEXT), hint };
}

/** What the host treats in a way of its own is of its class again. */
export function errorFrom({ name, text, hint }: ErrorAsData): Error {
  switch (name) {
    case 'BadPayloadError':
      return new BadPayloadError(text, { hint });
    case 'PermanentError':
      return new PermanentError(text, { hint });
    case 'RetryableError':
      return new RetryableError(text, { hint });
    case 'RateLimitedError':
      return new RateLimitedError(text, undefined, { hint });
    case 'AuthExpiredError':
      return new AuthExpiredError(text, { hint });
    default:
      return new Error(text);
  }
}
