import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { ZodType } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Http, HttpRequest } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { signJwt } from '../../core/jwt.ts';
import type { Secret } from '../../core/secret.ts';

export const APPLE = 'https://api.appstoreconnect.apple.com';

/** A page of 200 reviews of up to 6,000 characters. */
const MAX_BYTES = 16 * 1024 * 1024;
/** A token may be good for 20 minutes; Apple takes none from the future, and clocks differ, seconds. */
const AHEAD_SEC = 120;
const LIFE_SEC = 15 * 60;
/** Before a token ends it is no longer used, milliseconds. */
const MARGIN_MS = 60_000;
/** The quota is for the hour that lies behind. */
const QUOTA_REST_MS = 15 * 60_000;

export interface ApiKey {
  /** None: the key is a person's own. */
  readonly issuerId?: string | undefined;
  readonly keyId: string;
  readonly privateKey: Secret;
}

/** Calls https://developer.apple.com/documentation/appstoreconnectapi by path and query; throws one of the five errors. */
export type AppleApi = <T>(
  request: Pick<HttpRequest, 'method' | 'body' | 'signal'> & { readonly path: string },
  schema: ZodType<T>,
) => Promise<T>;

export function createApi(deps: {
  readonly key: ApiKey;
  readonly apiRoot: string;
  readonly http: Http;
  readonly clock: Clock;
}): AppleApi {
  const { key, apiRoot, http, clock } = deps;
  let held: { readonly token: string; readonly until: number } | undefined;

  /** https://developer.apple.com/documentation/appstoreconnectapi/generating-tokens-for-api-requests */
  function token(): string {
    const now = clock.now();
    if (held && now < held.until && now >= held.until - LIFE_SEC * 1000) return held.token;
    const signer = keyOf(key.privateKey);
    if (!signer) throw new AuthExpiredError('privateKey holds no key of the App Store');
    const iat = Math.floor(now / 1000) - AHEAD_SEC;
    const exp = iat + AHEAD_SEC + LIFE_SEC;
    const who: Record<string, string> = key.issuerId === undefined ? { sub: 'user' } : { iss: key.issuerId };
    const claims = { ...who, iat, exp, aud: 'appstoreconnect-v1' };
    const signed = signJwt({ alg: 'ES256', kid: key.keyId }, claims, signer);
    held = { token: signed, until: now + LIFE_SEC * 1000 - MARGIN_MS };
    return signed;
  }

  return async ({ path, ...rest }, schema) => {
    const what = `${rest.method ?? 'GET'} ${path.split('?')[0] ?? ''}`;
    const headers = { authorization: `Bearer ${token()}` };
    const { json } = await http
      .send({ ...rest, url: apiRoot + path, headers, maxBytes: MAX_BYTES })
      .catch((error: unknown) => {
        throw refusalOf(error);
      });
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`${what}: the answer is none of App Store Connect's`, {
      outcomeUnknown: rest.method === 'POST',
    });
  };
}

/** The key in a file `AuthKey_….p8`; undefined: it is none. */
export function keyOf(secret: Secret): KeyObject | undefined {
  try {
    const key = createPrivateKey(secret.reveal());
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** https://developer.apple.com/documentation/appstoreconnectapi/interpreting-and-handling-errors */
const Refusal = z.object({
  errors: z.array(z.object({ code: z.string().max(200).default(''), detail: z.string().max(1000).default('') })).min(1),
});

/** How Apple says no, in its words. What it didn't say itself stays what it is. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { response } = error;
  const [refusal] = Refusal.safeParse(jsonOf(Buffer.from(response.text))).data?.errors ?? [];
  if (!refusal) return error;
  const text = `App Store Connect: ${response.status} ${refusal.code} ${refusal.detail}`.trim();
  if (error instanceof RateLimitedError) {
    return new RateLimitedError(text, error.retryAfterMs ?? QUOTA_REST_MS, { response });
  }
  if (error instanceof AuthExpiredError) {
    return new AuthExpiredError(text, {
      response,
      hint: 'Check issuerId, keyId and privateKey, whether the key was revoked, and the clock of this machine.',
    });
  }
  if (response.status === 403) {
    const hint = 'Give the key the role Customer Support (or Admin), and sign the agreements in App Store Connect.';
    return new AuthExpiredError(text, { response, hint });
  }
  return error instanceof PermanentError ? new PermanentError(text, { response }) : error;
}
