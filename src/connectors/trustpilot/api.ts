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

export const TRUSTPILOT = 'https://api.trustpilot.com';

/** A page of 100 reviews with their answers. */
const MAX_BYTES = 8 * 1024 * 1024;
/** "833 calls per 5 minutes" */
const QUOTA_REST_MS = 5 * 60_000;

/** Calls https://developers.trustpilot.com/business-units-api and …/service-reviews-api; throws one of the five errors. */
export type TrustpilotApi = <T>(
  request: Pick<HttpRequest, 'method' | 'body' | 'signal'> & {
    /** `/v1/private/reviews/…` */
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
  },
  schema: ZodType<T>,
) => Promise<T>;

export function createApi(deps: {
  readonly apiRoot: string;
  readonly tokens: AccessTokens;
  readonly http: Http;
}): TrustpilotApi {
  const { apiRoot, tokens, http } = deps;
  return async ({ path, query = {}, ...rest }, schema) => {
    const search = new URLSearchParams(query).toString();
    const url = `${apiRoot}${path}${search && `?${search}`}`;
    const { json } = await withAccessToken(tokens, (token) =>
      http.send({ ...rest, url, headers: { authorization: `Bearer ${token}` }, maxBytes: MAX_BYTES }),
    ).catch((error: unknown) => {
      throw refusalOf(error, `${rest.method ?? 'GET'} ${path}`);
    });
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`${rest.method ?? 'GET'} ${path}: the answer is none of Trustpilot's`);
  };
}

const Refusal = z.object({
  message: z.string().optional().catch(undefined),
  fault: z.object({ faultstring: z.string() }).optional().catch(undefined),
});

/** https://developers.trustpilot.com/get-started/common-error-messages says what a status means; of bodies it says nothing. */
function refusalOf(error: unknown, what: string): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { response } = error;
  const { message, fault } = Refusal.safeParse(jsonOf(Buffer.from(response.text))).data ?? {};
  const text = `Trustpilot: ${response.status} ${(message ?? fault?.faultstring ?? '').slice(0, 300)} (${what})`;
  if (error instanceof RateLimitedError) {
    return new RateLimitedError(text, error.retryAfterMs ?? QUOTA_REST_MS, { response });
  }
  if (error instanceof AuthExpiredError || response.status === 403) {
    const hint =
      'The plan has to include the API, and the application (or the user) has to have access to the business unit, as an admin.';
    return new AuthExpiredError(text, { response, hint });
  }
  return error instanceof PermanentError ? new PermanentError(text, { response }) : error;
}
