import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { CallBack, Http } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  UncertainError,
} from '../../core/errors.ts';
import type { TributaryError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

/** Where companies are asked, unless `apiRoot` says otherwise. */
export const BINOTEL = 'https://api.binotel.com';

const MB = 1024 * 1024;
const MAX_RECORDING = 100 * MB;
const RECORDING_MS = 5 * 60_000;
/** How long Binotel rings up the employee; with `async` it answers before. */
const RING_SEC = 30;

/** One call of a list, as it came. */
export type Listed = Readonly<Record<string, unknown>>;

/** Methods of https://developers.binotel.ua/#rest-api, with our errors. */
export interface BinotelApi {
  /** Calls that began between two moments, milliseconds, at most 24 hours apart; in no order. */
  calls(from: number, to: number, signal: AbortSignal): Promise<Listed[]>;
  /** The bytes of a recording. */
  recording(callId: string): Promise<Readable>;
  /** Rings up the employee, then the customer. An unknown outcome is `UncertainError`: who repeats it calls twice. */
  callBack(wish: Pick<CallBack, 'agent' | 'to'>, signal: AbortSignal): Promise<{ readonly externalId?: string }>;
}

/** Binotel answers 200 whatever happened: what did stands in the body. */
const Outcome = z.discriminatedUnion('status', [
  z.object({ status: z.literal('success') }),
  z.object({
    status: z.literal('error'),
    code: z.coerce.number().default(0),
    message: z.string().default('no reason given'),
  }),
]);
const Calls = z.object({
  // PHP writes an empty object as a list.
  callDetails: z.union([
    z.record(z.string(), z.record(z.string(), z.unknown())),
    z.array(z.record(z.string(), z.unknown())),
  ]),
});
const Recording = z.object({ url: z.string() });
const Started = z.object({ generalCallID: z.coerce.string().min(1) });

export function createApi(deps: {
  readonly http: Http;
  readonly apiRoot: string;
  readonly key: Secret;
  readonly secret: Secret;
}): BinotelApi {
  const { http, apiRoot } = deps;

  async function call<T>(schema: z.ZodType<T>, method: string, params: object, signal?: AbortSignal): Promise<T> {
    const body = { ...params, key: deps.key.reveal(), secret: deps.secret.reveal() };
    const url = `${apiRoot}/api/4.0/${method}.json`;
    const hidden = [body.key, body.secret];
    const answer = await http.send({ method: 'POST', url, body, hidden, maxBytes: 16 * MB, ...(signal && { signal }) });
    const outcome = Outcome.safeParse(answer.json).data;
    if (outcome?.status === 'error') throw refusalOf(method, outcome.code, masked(outcome.message));
    const read = schema.safeParse(answer.json);
    if (outcome && read.success) return read.data;
    // When its own application fails, Binotel answers 200 with a page.
    throw new RetryableError(`${method}: the answer is none of Binotel's`, {
      outcomeUnknown: true,
      response: { status: answer.status, text: masked(answer.text) },
    });
  }

  function masked(text: string): string {
    return text.replaceAll(deps.key.reveal(), '…').replaceAll(deps.secret.reveal(), '…').slice(0, 2048);
  }

  return {
    async calls(from, to, signal) {
      const period = { startTime: Math.floor(from / 1000), stopTime: Math.floor(to / 1000) };
      const { callDetails } = await call(Calls, 'stats/list-of-calls-for-period', period, signal);
      return Object.values(callDetails);
    },
    async recording(generalCallID) {
      const { url } = await call(Recording, 'stats/call-record', { generalCallID });
      if (!isStore(url, apiRoot)) throw new PermanentError("the recording lies at none of Binotel's addresses");
      return (await http.stream({ url, maxBytes: MAX_RECORDING, timeoutMs: RECORDING_MS })).body;
    },
    async callBack({ agent, to }, signal) {
      const method = 'calls/internal-number-to-external-number';
      const wish = { internalNumber: agent, externalNumber: to, callTimeToExt: RING_SEC, async: true };
      try {
        return { externalId: (await call(Started, method, wish, signal)).generalCallID };
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Binotel may be calling all the same`, { cause: error });
      }
    },
  };
}

/** Binotel hands recordings out from a store at Amazon, by links that are signed for 15 minutes. */
function isStore(text: string, apiRoot: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, host, origin } = new URL(text);
  if (origin === new URL(apiRoot).origin) return true;
  return protocol === 'https:' && /(^|\.)(binotel\.(com|ua|kz|pl|ge)|amazonaws\.com)$/.test(host);
}

/** Nothing, or not yet: what a recording that isn't there is refused with. */
export const WRONG_DATA = 104;
/** Methods may be called five times a minute. */
const TOO_OFTEN_MS = 60_000;

const FINAL: Readonly<Record<number, string>> = {
  150: "The employee's line can't be rung up: compare the internal number with Binotel, and whether his phone is on.",
  151: "The customer's number can't be called from this line.",
};

/** https://developers.binotel.ua/#rest-api-list-of-errors */
function refusalOf(method: string, code: number, message: string): TributaryError {
  const text = `${method}: ${code} ${message}`;
  const details = { response: { status: 200, text: `${code} ${message}` } };
  if (code === 106) return new RateLimitedError(text, TOO_OFTEN_MS, details);
  if (code === 105) return new RetryableError(text, details);
  if (code === 120 || code === 121) {
    const hint =
      'Compare key and secret with what support@binotel.ua gave you; they are good for your IP address only.';
    return new AuthExpiredError(text, { ...details, hint });
  }
  const hint = FINAL[code];
  return new PermanentError(text, { ...details, ...(hint !== undefined && { hint }) });
}
