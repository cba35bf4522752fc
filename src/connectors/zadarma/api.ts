import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { CallBack, Http } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../../core/errors.ts';
import { jsonOf, parseJson } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac } from '../../core/signature.ts';

/** Where accounts are asked, unless `apiRoot` says otherwise (`https://api.novofon.com`). */
export const ZADARMA = 'https://api.zadarma.com';

const MB = 1024 * 1024;
const MAX_RECORDING = 100 * MB;
const RECORDING_MS = 5 * 60_000;
/** Most lines of the statistics that are answered at once. */
export const PAGE = 1000;
/** Limits are counted by the minute. */
const LIMITED_MS = 60_000;

/** One line of the statistics, as it came. */
export type Line = Readonly<Record<string, unknown>>;

/** Methods of https://zadarma.com/en/support/api/, with our errors. */
export interface ZadarmaApi {
  /** Lines of calls that began between two moments by the clocks of the account, `PAGE` at most, behind `skip` others. */
  calls(
    period: { readonly start: string; readonly end: string; readonly skip: number },
    signal: AbortSignal,
  ): Promise<Line[]>;
  /** The bytes of a recording. */
  recording(callId: string): Promise<Readable>;
  /** Rings up `agent`, then the customer. An unknown outcome is `UncertainError`: who repeats it calls twice. */
  callBack(wish: Pick<CallBack, 'agent' | 'to'>, signal: AbortSignal): Promise<void>;
  /** Which time it is by the clocks of the account, and which zone these are in. */
  clocks(): Promise<{ readonly unixtime: number; readonly datetime: string; readonly timezone: string }>;
}

const Refused = z.object({ status: z.literal('error'), message: z.string().default('no reason given') });
const Statistics = z.object({ status: z.literal('success'), stats: z.array(z.record(z.string(), z.unknown())) });
const Recording = z.object({ status: z.literal('success'), link: z.string() });
const Started = z.object({ status: z.literal('success') });
const Clocks = z.object({
  status: z.literal('success'),
  unixtime: z.number(),
  datetime: z.string(),
  timezone: z.string(),
});

export function createApi(deps: {
  readonly http: Http;
  readonly apiRoot: string;
  readonly key: string;
  readonly secret: Secret;
}): ZadarmaApi {
  const { http, apiRoot, key, secret } = deps;

  async function get<T>(schema: z.ZodType<T>, method: string, params: Params, signal?: AbortSignal): Promise<T> {
    const query = queryOf(params);
    const headers = { authorization: `${key}:${signatureOf(method, query, secret)}` };
    const url = `${apiRoot}${method}${query === '' ? '' : `?${query}`}`;
    const request = { url, headers, maxBytes: 16 * MB, ...(signal && { signal }) };
    const answer = await http.send(request).catch((error: unknown) => {
      throw refusalOf(method, error);
    });
    const body = exactOf(answer.text);
    const response = { status: answer.status, text: answer.text.slice(0, 2048) };
    const refused = Refused.safeParse(body).data;
    if (refused) throw new PermanentError(`${method}: ${refused.message}`, { response });
    const read = schema.safeParse(body);
    if (read.success) return read.data;
    throw new RetryableError(`${method}: the answer is not as documented`, { outcomeUnknown: true, response });
  }

  return {
    async calls({ start, end, skip }, signal) {
      const params = { start, end, version: '2', skip: String(skip), limit: String(PAGE) };
      return (await get(Statistics, '/v1/statistics/pbx/', params, signal)).stats;
    },
    async recording(call_id) {
      const { link } = await get(Recording, '/v1/pbx/record/request/', { call_id });
      if (!isOurs(link, apiRoot)) throw new PermanentError("the recording lies at none of the vendor's addresses");
      return (await http.stream({ url: link, maxBytes: MAX_RECORDING, timeoutMs: RECORDING_MS })).body;
    },
    async callBack({ agent, to }, signal) {
      try {
        await get(Started, '/v1/request/callback/', { from: agent, to: to.replace(/\D/g, '') }, signal);
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; it may be ringing all the same`, { cause: error });
      }
    },
    clocks: () => get(Clocks, '/v1/info/timezone/', {}),
  };
}

type Params = Readonly<Record<string, string>>;

/** Sorted by name and encoded as PHP does it (RFC 1738): the signature is made of exactly this. */
function queryOf(params: Params): string {
  return new URLSearchParams(Object.entries(params).toSorted(([a], [b]) => (a < b ? -1 : 1))).toString();
}

/** https://zadarma.com/en/support/api/#intro_authorization; what is encoded in base64 is the hexadecimal text. */
function signatureOf(method: string, query: string, secret: Secret): string {
  const digest = createHash('md5').update(query).digest('hex');
  return Buffer.from(hmac('sha1', secret.reveal(), method, query, digest).toString('hex')).toString('base64');
}

/** Ids of recordings come as numbers with more digits than a double holds; as text they keep them all. */
function exactOf(text: string): unknown {
  const quoted = text.replace(/"call_id"\s*:\s*([\d.]+)/g, '"call_id":"$1"');
  try {
    return parseJson(Buffer.from(quoted));
  } catch {
    return undefined;
  }
}

/** Recordings are handed out by the API itself, by links that are good for half an hour. */
function isOurs(text: string, apiRoot: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, host, origin } = new URL(text);
  if (origin === new URL(apiRoot).origin) return true;
  return protocol === 'https:' && /(^|\.)(zadarma|novofon)\.com$/.test(host);
}

function refusalOf(method: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const said = Refused.safeParse(jsonOf(Buffer.from(response.text))).data?.message;
  const text = `${method}: ${said ?? error.message}`;
  // When the limit ends stands in a header of their own.
  if (error instanceof RateLimitedError)
    return new RateLimitedError(text, error.retryAfterMs ?? LIMITED_MS, { response });
  if (error instanceof AuthExpiredError) {
    const hint =
      'Compare key and secret with Settings, Integrations and API, Keys; a key issued anew replaces the old.';
    return new AuthExpiredError(text, { response, hint });
  }
  return error instanceof PermanentError ? new PermanentError(text, { response }) : error;
}
