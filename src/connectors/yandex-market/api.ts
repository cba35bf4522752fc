import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, HttpRequest, Log } from '../../core/connector.ts';
import { PermanentError, RetryableError, TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';

/** https://yandex.ru/dev/market/partner-api/doc/ru/ */
export const MARKET = 'https://api.partner.market.yandex.ru';

const MAX_BYTES = 16 * 1024 * 1024;
const PAGE_MS = 60_000;
const MAX_FILE = 64 * 1024 * 1024;
const FILE_MS = 5 * 60_000;

export interface Call {
  /** Below the cabinet: `v2/goods-feedback` is `/v2/businesses/<id>/goods-feedback`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body: object | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface MarketApi {
  /** What stands in `result`. */
  ask<T>(call: Call, result: z.ZodType<T>): Promise<T>;
  /** A file that Yandex Market named an address of: it says nothing of who asks. */
  file(url: string): Promise<Readable>;
}

export function createApi(deps: {
  readonly http: Http;
  readonly apiKey: Secret;
  readonly businessId: string;
  readonly apiRoot: string;
}): MarketApi {
  const { http, apiKey, businessId, apiRoot } = deps;
  return {
    async ask({ path, query = {}, body, headers, signal }, result) {
      const [version, ...rest] = path.split('/');
      const given = Object.entries(query).flatMap(([name, value]) =>
        value ? [[name, String(value)] as [string, string]] : [],
      );
      const search = given.length > 0 ? `?${new URLSearchParams(given).toString()}` : '';
      const url = `${apiRoot}/${version}/businesses/${businessId}/${rest.join('/')}${search}`;
      const all = { 'api-key': apiKey.reveal(), ...headers };
      const limits = { maxBytes: MAX_BYTES, timeoutMs: PAGE_MS, waitOf: endOfQuota, ...(signal && { signal }) };
      const { json, status, text } = await http
        .send({ method: 'POST', url, headers: all, body, ...limits })
        .catch((error: unknown) => {
          throw refusalOf(path, error);
        });
      const refused = Refusal.safeParse(json).data;
      if (refused) throw new PermanentError(`${path}: ${wordsIn(refused)}`, { response: { status, text } });
      const { data, success } = z.object({ result }).safeParse(json);
      if (success) return data.result;
      throw new RetryableError(`${path}: the answer can't be read`, { outcomeUnknown: true });
    },
    async file(url) {
      if (!isFetchable(url, apiRoot))
        throw new PermanentError('the address that Yandex Market named is none of the web');
      return (await http.stream({ url, maxBytes: MAX_FILE, timeoutMs: FILE_MS })).body;
    },
  };
}

/** Addresses of files are made by Yandex Market, not by who writes: any of the web will do. */
function isFetchable(address: string, root: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, host, port } = new URL(address);
  return host === new URL(root).host || (protocol === 'https:' && port === '');
}

/**
 * With every answer it tells when the quota of a method is counted anew; that is used up only where nothing remains.
 * https://yandex.ru/dev/market/partner-api/doc/ru/concepts/limits
 */
const endOfQuota: HttpRequest['waitOf'] = ({ status, headers }) => {
  const remaining = headers['x-ratelimit-resource-remaining'];
  const isUsedUp = status !== 503 && remaining !== undefined && Number(remaining) <= 0;
  return isUsedUp ? headers['x-ratelimit-resource-until'] : undefined;
};

const Errors = z.array(z.object({ code: z.string(), message: z.string().optional() }));
/** Answers with 200 that say no. */
const Refusal = z.object({ status: z.literal('ERROR'), errors: Errors.catch([]) });
const Words = z.object({ errors: Errors });

const wordsIn = ({ errors }: z.output<typeof Words>): string =>
  errors
    .map(({ code, message }) => [code, message].filter(Boolean).join(': '))
    .join('; ')
    .slice(0, 400);

const RIGHTS =
  'The Api-Key was revoked, belongs to another cabinet, or lacks the right Communication with buyers (communication): make another one (Settings, API and modules), or leave the part out of `parts`.';

/** https://yandex.ru/dev/market/partner-api/doc/ru/concepts/error-codes */
function refusalOf(path: string, error: unknown): unknown {
  if (!(error instanceof PermanentError) || !(error instanceof TributaryError) || !error.response) return error;
  const { response } = error;
  const { data } = Words.safeParse(jsonOf(Buffer.from(response.text)));
  const text = `${path} answered ${response.status}${data ? `: ${wordsIn(data)}` : ''}`;
  const hint = response.status === 403 ? RIGHTS : error.hint;
  return new PermanentError(text, { cause: error, response, ...(hint !== undefined && { hint }) });
}

/** One thing that Yandex Market doesn't give (any more) holds up no other: undefined. */
export async function orPass<T>(work: Promise<T>, log: Log, about: object): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const status = error instanceof PermanentError ? error.response?.status : undefined;
    if (status !== 400 && status !== 404) throw error;
    log.warn({ ...about, error: String(error) }, 'Yandex Market names something and does not give it');
    return undefined;
  }
}
