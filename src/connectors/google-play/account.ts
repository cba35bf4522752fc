import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { keepAccessTokens } from '../../core/access-tokens.ts';
import type { AccessToken, AccessTokens } from '../../core/access-tokens.ts';
import type { Clock } from '../../core/clock.ts';
import type { Http } from '../../core/connector.ts';
import { AuthExpiredError, RetryableError, TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { signJwt } from '../../core/jwt.ts';
import type { Secret } from '../../core/secret.ts';

/** https://developers.google.com/identity/protocols/oauth2/service-account#httprest */
export const TOKEN_URL = 'https://oauth2.googleapis.com/token';
const SCOPE = 'https://www.googleapis.com/auth/androidpublisher';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** The longest that Google lets an assertion be good for, seconds. */
const LIFE_SEC = 3600;
/** Our clock may be ahead of Google's, which takes nothing from the future, seconds. */
const AHEAD_SEC = 60;

/** What we need of the JSON file that Google Cloud makes for a key of a service account. */
const Account = z.object({ client_email: z.string().min(3).max(500), private_key: z.string().max(4096) });

/** A service account that signs with its key; undefined: the text is none. */
export function accountOf(secret: Secret): { readonly email: string; readonly key: KeyObject } | undefined {
  const { data } = Account.safeParse(jsonOf(Buffer.from(secret.reveal())));
  if (!data) return undefined;
  try {
    const key = createPrivateKey(data.private_key);
    return key.asymmetricKeyType === 'rsa' ? { email: data.client_email, key } : undefined;
  } catch {
    return undefined;
  }
}

const Granted = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive().default(LIFE_SEC),
});
const Refused = z.object({ error: z.string().max(100), error_description: z.string().max(2000).default('') });

/** Access tokens of a service account. */
export function createAccessTokens(deps: {
  readonly serviceAccount: Secret;
  readonly tokenUrl: string;
  readonly http: Http;
  readonly clock: Clock;
}): AccessTokens {
  const { serviceAccount, tokenUrl, http, clock } = deps;

  function assertion(): string {
    const account = accountOf(serviceAccount);
    if (!account) throw new AuthExpiredError('serviceAccount holds no key of a service account');
    const iat = Math.floor(clock.now() / 1000) - AHEAD_SEC;
    const claims = { iss: account.email, scope: SCOPE, aud: tokenUrl, iat, exp: iat + LIFE_SEC };
    return signJwt({ alg: 'RS256' }, claims, account.key);
  }

  async function fetchToken(): Promise<AccessToken> {
    const body = new URLSearchParams({ grant_type: GRANT, assertion: assertion() }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { json } = await http.send({ method: 'POST', url: tokenUrl, headers, body }).catch((error: unknown) => {
      throw refusalOf(error);
    });
    const { data } = Granted.safeParse(json);
    if (!data) throw new RetryableError('Google answered without an access token');
    return { token: data.access_token, seconds: data.expires_in };
  }

  return keepAccessTokens(clock, fetchToken);
}

/** https://developers.google.com/identity/protocols/oauth2/service-account#jwt-error-codes */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { data } = Refused.safeParse(jsonOf(Buffer.from(error.response.text)));
  if (!data) return error;
  const text = `Google gives the service account no access: ${data.error} ${data.error_description}`.trim();
  // The same code says that the clock is wrong and that the key was deleted.
  const isClock = /timeframe|iat and exp/i.test(data.error_description);
  return new AuthExpiredError(text, {
    hint: isClock
      ? 'The clock of this machine is wrong: set it by NTP.'
      : 'In Google Cloud, make a new key for the service account, and enter its JSON as serviceAccount.',
  });
}
