import { z } from 'zod';
import { keepAccessTokens } from '../../core/access-tokens.ts';
import type { AccessToken, AccessTokens } from '../../core/access-tokens.ts';
import type { Clock } from '../../core/clock.ts';
import type { Http } from '../../core/connector.ts';
import { AuthExpiredError, RetryableError, TributaryError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

const PATH = '/v1/oauth/oauth-business-users-for-applications/accesstoken';

/** 100 hours. */
const LIFE_SEC = 360_000;

export interface Grant {
  readonly apiKey: Secret;
  readonly apiSecret: Secret;
  /** Whose answers they are; left out: the application asks for itself. */
  readonly user?: { readonly email: string; readonly password: Secret } | undefined;
}

/** Seconds come as text. */
const Granted = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive().default(LIFE_SEC),
});

/** https://developers.trustpilot.com/get-started/authentication/grant-type-client-credentials and …/grant-type-password */
export function createAccessTokens(deps: {
  readonly grant: Grant;
  readonly apiRoot: string;
  readonly http: Http;
  readonly clock: Clock;
}): AccessTokens {
  const { grant, apiRoot, http, clock } = deps;

  async function ask(): Promise<AccessToken> {
    const { apiKey, apiSecret, user } = grant;
    const form: Record<string, string> = user
      ? { grant_type: 'password', username: user.email, password: user.password.reveal() }
      : { grant_type: 'client_credentials' };
    const basic = Buffer.from(`${apiKey.reveal()}:${apiSecret.reveal()}`).toString('base64');
    const headers = { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams(form).toString();
    const hidden = user ? user.password.reveal() : [];
    const request = { method: 'POST', url: apiRoot + PATH, headers, body, hidden } as const;
    const { json } = await http.send(request).catch((error: unknown) => {
      throw refusalOf(error);
    });
    const { data } = Granted.safeParse(json);
    if (!data) throw new RetryableError('Trustpilot answered without an access token');
    return { token: data.access_token, seconds: data.expires_in };
  }

  return keepAccessTokens(clock, ask);
}

/** "OAuth error messages are not very elaborate": the status says that it won't do, and no more. */
function refusalOf(error: unknown): unknown {
  const status = error instanceof TributaryError ? error.response?.status : undefined;
  if (status !== 400 && status !== 401 && status !== 403) return error;
  return new AuthExpiredError(`Trustpilot gives no access: ${status}`, {
    hint: 'Check apiKey and apiSecret, and email and password of the user where there is one; the plan has to include the API.',
  });
}
