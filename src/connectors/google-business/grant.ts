import { z } from 'zod';
import { keepAccessTokens } from '../../core/access-tokens.ts';
import type { AccessToken, AccessTokens } from '../../core/access-tokens.ts';
import type { Clock } from '../../core/clock.ts';
import type { Http } from '../../core/connector.ts';
import { AuthExpiredError, RetryableError, TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';

/** https://developers.google.com/identity/protocols/oauth2/web-server#offline */
export const TOKEN_URL = 'https://oauth2.googleapis.com/token';

/** What somebody who manages the profile has allowed our application to do. */
export interface Grant {
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly refreshToken: Secret;
}

const Granted = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive().default(3600),
});
const Refused = z.object({ error: z.string().max(100), error_description: z.string().max(2000).default('') });

const HINTS: Readonly<Record<string, string>> = {
  invalid_grant:
    'Allow the application again and enter the new refresh token. While the consent screen is in testing, one is good for seven days; otherwise until it was not used for six months, or is taken back.',
  invalid_client: 'Check clientId and clientSecret: in Google Cloud, they belong to an OAuth client.',
  unauthorized_client: 'The refresh token belongs to another OAuth client: make one with this clientId.',
};

export function createAccessTokens(deps: {
  readonly grant: Grant;
  readonly tokenUrl: string;
  readonly http: Http;
  readonly clock: Clock;
}): AccessTokens {
  const { grant, tokenUrl, http, clock } = deps;

  async function ask(): Promise<AccessToken> {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: grant.clientId,
      client_secret: grant.clientSecret.reveal(),
      refresh_token: grant.refreshToken.reveal(),
    }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const hidden = [grant.clientSecret.reveal(), grant.refreshToken.reveal()];
    const request = { method: 'POST', url: tokenUrl, headers, body, hidden } as const;
    const { json } = await http.send(request).catch((error: unknown) => {
      throw refusalOf(error);
    });
    const { data } = Granted.safeParse(json);
    if (!data) throw new RetryableError('Google answered without an access token');
    return { token: data.access_token, seconds: data.expires_in };
  }

  return keepAccessTokens(clock, ask);
}

/** RFC 6749, section 5.2. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const { data } = Refused.safeParse(jsonOf(Buffer.from(error.response.text)));
  const hint = data && HINTS[data.error];
  if (!data || hint === undefined) return error;
  return new AuthExpiredError(`Google gives no access: ${data.error} ${data.error_description}`.trim(), { hint });
}
