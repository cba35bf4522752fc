import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { ZodType } from 'zod';
import { withAccessToken } from '../../core/access-tokens.ts';
import type { AccessTokens } from '../../core/access-tokens.ts';
import type { Http, HttpRequest } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';

export const GOOGLE = 'https://mybusiness.googleapis.com';

/** A page of 50 reviews, each with its words in two languages. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_PHOTO = 20 * 1024 * 1024;
/** Google counts by the minute and by the day, and doesn't say which is used up. */
const QUOTA_REST_MS = 5 * 60_000;

/** Calls https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews; throws one of the five errors. */
export interface BusinessApi {
  call<T>(
    request: Pick<HttpRequest, 'method' | 'body' | 'signal'> & {
      /** Below the account: `/locations/456/reviews`. */
      readonly path: string;
      readonly query?: Readonly<Record<string, string>>;
    },
    schema: ZodType<T>,
  ): Promise<T>;
  photo(url: string): Promise<Readable>;
}

export function createApi(deps: {
  readonly account: string;
  readonly apiRoot: string;
  readonly tokens: AccessTokens;
  readonly http: Http;
}): BusinessApi {
  const { account, apiRoot, tokens, http } = deps;
  return {
    async call({ path, query = {}, ...rest }, schema) {
      const search = new URLSearchParams(query).toString();
      const url = `${apiRoot}/v4/accounts/${account}${path}${search && `?${search}`}`;
      const { json } = await withAccessToken(tokens, (token) =>
        http.send({ ...rest, url, headers: { authorization: `Bearer ${token}` }, maxBytes: MAX_BYTES }),
      ).catch((error: unknown) => {
        throw refusalOf(error, path);
      });
      const read = schema.safeParse(json);
      if (read.success) return read.data;
      throw new RetryableError(`${rest.method ?? 'GET'} ${path}: the answer is none of Google Business Profile's`, {
        outcomeUnknown: rest.method === 'PUT',
      });
    },
    async photo(url) {
      if (!isOfGoogle(url, apiRoot)) throw new PermanentError('this photo is not kept at Google');
      return (await http.stream({ url, maxBytes: MAX_PHOTO })).body;
    },
  };
}

/** Whether Google keeps there what people send: nothing else is called for an address out of a review. */
export function isOfGoogle(address: string, root: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, host, port } = new URL(address);
  if (host === new URL(root).host) return true;
  if (protocol !== 'https:' || port !== '') return false;
  return ['googleusercontent.com', 'ggpht.com', 'google.com'].some((known) => hostname.endsWith(`.${known}`));
}

/** https://google.aip.dev/193 */
const Refusal = z.object({
  error: z.object({
    message: z.string().max(2000).default(''),
    details: z
      .array(z.object({ metadata: z.record(z.string(), z.unknown()).optional() }))
      .optional()
      .catch(undefined),
  }),
});

type Refusal = z.output<typeof Refusal>;

/** How Google says no, in its words. What it didn't say itself stays what it is. */
function refusalOf(error: unknown, path: string): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { response } = error;
  const refusal = Refusal.safeParse(jsonOf(Buffer.from(response.text))).data?.error;
  if (!refusal) return error;
  const text = `Google Business Profile: ${response.status} ${refusal.message} (${path})`;
  if (error instanceof RateLimitedError) return quotaOf(error, refusal, text);
  if (error instanceof AuthExpiredError) {
    return new AuthExpiredError(text, {
      response,
      hint: 'Allow the application again and enter the new refreshToken.',
    });
  }
  if (response.status === 403) {
    return new AuthExpiredError(text, {
      response,
      hint: 'Who allowed the application has to manage the profile, and the Google My Business API has to be enabled in the project.',
    });
  }
  if (error instanceof PermanentError) {
    const hint = 'Check account and locations; Google gives reviews of verified locations only.';
    return new PermanentError(text, { response, ...(response.status === 404 && { hint }) });
  }
  return error;
}

/** Google lets projects that it has not approved ask nothing at all: https://developers.google.com/my-business/content/limits */
function quotaOf(
  { retryAfterMs, response }: RateLimitedError,
  refusal: Refusal['error'],
  text: string,
): TributaryError {
  const given = { ...(response && { response }) };
  const hasNone = refusal.details?.some(({ metadata }) => String(metadata?.['quota_limit_value']) === '0');
  if (!hasNone) return new RateLimitedError(text, retryAfterMs ?? QUOTA_REST_MS, given);
  const hint = 'Google has to approve the project first: fill in the application for basic API access.';
  return new AuthExpiredError(text, { ...given, hint });
}
