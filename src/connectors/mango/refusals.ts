import { z } from 'zod';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  textOf,
  TributaryError,
} from '../../core/errors.ts';
import type { FarAnswer } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';

/** Mango's refusals as our errors: in an answer of any status, by the code of its result. */

/** A code of four digits in `result`, or in `code` of an error page. Above 2000, it was not done. */
const Answer = z.object({
  result: z.coerce.number().optional().catch(undefined),
  code: z.coerce.number().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
});

const SUCCESS = 1;
/** The signature is wrong; the key is. */
const WRONG_KEY: ReadonlySet<number> = new Set([3102, 3105]);
/** Too many calls, overload. */
const TOO_MANY: ReadonlySet<number> = new Set([4290, 5001, 5008]);
const PAUSE_MS = 60_000;

const KEY_HINT = 'Compare key and salt with Integrations, API connector in the cabinet.';
/** Also after two wrong requests within two minutes, whatever was wrong with them. */
const BLOCKED_HINT = `${KEY_HINT} Mango blocks the access for two minutes after wrong requests.`;

/** The refusal that an answer holds, if it is one. */
export function refusedIn(method: string, answer: unknown, response: FarAnswer): TributaryError | undefined {
  const read = Answer.safeParse(answer).data;
  const code = read?.result ?? read?.code;
  if (code === undefined || code < 1000 || Math.floor(code / 1000) === SUCCESS) return undefined;
  const text = `${method}: ${code}${read?.message ? ` ${read.message.slice(0, 500)}` : ''}`;
  if (WRONG_KEY.has(code)) return new AuthExpiredError(text, { response, hint: KEY_HINT });
  if (TOO_MANY.has(code)) return new RateLimitedError(text, PAUSE_MS, { response });
  if (Math.floor(code / 1000) === 5) return new RetryableError(text, { response, outcomeUnknown: true });
  return new PermanentError(text, { response });
}

/** The same of an answer outside 2xx. */
export function refusalOf(method: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const text = `${method}: ${textOf(error)}`;
  if (response.status === 401) return new AuthExpiredError(text, { response, hint: BLOCKED_HINT });
  if (error instanceof RateLimitedError) {
    return new RateLimitedError(text, error.retryAfterMs ?? PAUSE_MS, { response });
  }
  return refusedIn(method, jsonOf(Buffer.from(response.text)), response) ?? error;
}
