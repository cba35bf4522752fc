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

/** Refusals of both APIs as our errors: they come as JSON-RPC errors, mostly with the status 200. */

const Count = z.number().optional().catch(undefined);
const Limits = z.object({
  day_remaining: Count,
  day_reset: Count,
  minute_remaining: Count,
  minute_reset: Count,
});
/** https://callgear.github.io/data_api/, errors: the vendor asks to go by the mnemonic, codes are of groups. */
const Refusal = z.object({
  error: z.object({
    code: z.number().catch(0),
    message: z.string().catch(''),
    data: z
      .object({ mnemonic: z.string().catch(''), metadata: z.object({ limits: Limits }).optional().catch(undefined) })
      .catch({ mnemonic: '', metadata: undefined }),
  }),
});
type Refusal = z.output<typeof Refusal>['error'];

const PAUSE_MS = 60_000;
/** Of groups of codes: keys, the account itself, and rights. */
const KEYS = -32_001;
const RIGHTS = -32_003;
const COMPONENTS = -32_008;
const ACCOUNT = -32_009;
const LIMITS = -32_029;
const OWN_FAULT = -32_603;

const HINTS: ReadonlyMap<number, string> = new Map([
  [KEYS, 'Make a new API key of the user in the cabinet, under the management of users.'],
  [RIGHTS, 'Give the user access to Data API and Call API, and add the address of this server to the allowed ones.'],
  [
    COMPONENTS,
    'Data API or Call API is not part of the tariff: switch it on in the cabinet, under tariffs and options.',
  ],
  [ACCOUNT, 'The account is switched off: ask the support.'],
]);

/** The refusal that an answer holds, if it is one. */
export function refusedIn(method: string, answer: unknown, response: FarAnswer): TributaryError | undefined {
  const refusal = Refusal.safeParse(answer).data?.error;
  if (!refusal) return undefined;
  const { code, message, data } = refusal;
  const text = `${method}: ${data.mnemonic || String(code)} ${message.slice(0, 500)}`.trimEnd();
  const hint = HINTS.get(code);
  const details = { response, ...(hint !== undefined && { hint }) };
  if (isLockedOut(refusal)) return new AuthExpiredError(text, details);
  if (code === LIMITS) return new RateLimitedError(text, pauseOf(data.metadata?.limits), details);
  if (code === OWN_FAULT) return new RetryableError(text, { ...details, outcomeUnknown: true });
  return new PermanentError(text, details);
}

/** Nothing works until a person has acted; other missing rights are those of one method. */
function isLockedOut({ code, data }: Refusal): boolean {
  return code === KEYS || code === ACCOUNT || data.mnemonic === 'ip_not_whitelisted';
}

/** Points are counted by the minute and by the day. */
function pauseOf(limits: z.output<typeof Limits> | undefined): number {
  const seconds = limits?.day_remaining === 0 ? limits.day_reset : limits?.minute_reset;
  return seconds === undefined || seconds <= 0 ? PAUSE_MS : seconds * 1000;
}

/** The same of an answer outside 2xx. */
export function refusalOf(method: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const said = refusedIn(method, jsonOf(Buffer.from(response.text)), response);
  if (said) return said;
  if (response.status !== 401 && response.status !== 403) return error;
  return new AuthExpiredError(`${method}: ${textOf(error)}`, { response, hint: HINTS.get(RIGHTS) ?? '' });
}
