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

export const GOOGLE = 'https://androidpublisher.googleapis.com';

/** A page of 100 reviews, each with 10,000 characters in two languages. */
const MAX_BYTES = 16 * 1024 * 1024;
/** The quotas are for an hour (reading) and a day (answers); Google doesn't say how much of it is left. */
const QUOTA_REST_MS = 15 * 60_000;

/** Calls https://developers.google.com/android-publisher/api-ref/rest/v3/reviews below the app; throws one of the five errors. */
export type PlayApi = <T>(
  request: Pick<HttpRequest, 'method' | 'body' | 'signal'> & {
    /** `/reviews` */
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
  },
  schema: ZodType<T>,
) => Promise<T>;

export function createApi(deps: {
  readonly app: string;
  readonly apiRoot: string;
  readonly tokens: AccessTokens;
  readonly http: Http;
}): PlayApi {
  const { app, apiRoot, tokens, http } = deps;

  return async ({ path, query = {}, ...rest }, schema) => {
    const search = new URLSearchParams(query).toString();
    const url = `${apiRoot}/androidpublisher/v3/applications/${app}${path}${search && `?${search}`}`;
    const request = { ...rest, url, maxBytes: MAX_BYTES };
    const { json } = await withAccessToken(tokens, (token) =>
      http.send({ ...request, headers: { authorization: `Bearer ${token}` } }),
    ).catch((error: unknown) => {
      throw refusalOf(error, app);
    });
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`${rest.method ?? 'GET'} ${path}: the answer is none of Google Play's`, {
      outcomeUnknown: rest.method === 'POST',
    });
  };
}

/** https://google.aip.dev/193, and `errors` as older APIs have it. */
const Refusal = z.object({
  error: z.object({
    message: z.string().max(2000).default(''),
    errors: z.array(z.object({ reason: z.string().max(100).optional() })).optional(),
  }),
});

/** Google answers 403 to these, and 429 to others. */
const QUOTAS: ReadonlySet<string> = new Set([
  'quotaExceeded',
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'dailyLimitExceeded',
]);

/** How Google says no, in its words. What it didn't say itself stays what it is. */
function refusalOf(error: unknown, app: string): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { response } = error;
  const refusal = Refusal.safeParse(jsonOf(Buffer.from(response.text))).data?.error;
  if (!refusal) return error;
  const text = `Google Play: ${response.status} ${refusal.message}`.trim();
  if (error instanceof RateLimitedError) {
    return new RateLimitedError(text, error.retryAfterMs ?? QUOTA_REST_MS, { response });
  }
  const reasons = (refusal.errors ?? []).map(({ reason }) => reason ?? '');
  if (reasons.some((reason) => QUOTAS.has(reason))) return new RateLimitedError(text, QUOTA_REST_MS, { response });
  if (error instanceof AuthExpiredError || response.status === 403) {
    return new AuthExpiredError(text, {
      response,
      hint: `In Play Console, Users and permissions, let the service account reply to reviews of ${app}; in Google Cloud, switch on the Google Play Android Developer API.`,
    });
  }
  if (error instanceof PermanentError) return new PermanentError(text, { response });
  return error;
}
