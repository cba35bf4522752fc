import { createHash } from 'node:crypto';
import { z } from 'zod';
import { keepAccessTokens, withAccessToken } from '../../core/access-tokens.ts';
import type { AccessToken } from '../../core/access-tokens.ts';
import type { Context } from '../../core/connector.ts';
import { AuthExpiredError, RetryableError, TributaryError } from '../../core/errors.ts';
import type { Config, OAuth2 } from './config.ts';

/** https://pipedrive.readme.io/docs/marketplace-oauth-authorization */
const Granted = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive().default(3600),
  refresh_token: z.string().min(1).optional(),
});

type Lent = Pick<Context, 'clock' | 'http' | 'secrets'>;
/** Makes a call with the headers that sign it. */
export type Signed = <T>(call: (headers: Readonly<Record<string, string>>) => Promise<T>) => Promise<T>;

export function createAccess({ auth }: Pick<Config, 'auth'>, context: Lent): Signed {
  if (auth.type === 'token') return (call) => call({ 'x-api-token': auth.token.reveal() });
  const tokens = keepAccessTokens(context.clock, createRenewal(auth, context));
  return (call) => withAccessToken(tokens, (token) => call({ authorization: `Bearer ${token}` }));
}

/** A refresh token that was exchanged is worth nothing any more: its successor is stored before the access token is used. */
function createRenewal(oauth2: OAuth2, { http, secrets }: Lent): () => Promise<AccessToken> {
  const configured = oauth2.refreshToken.reveal();
  // Named after what is configured: an operator who enters a new token is not given the old one's successor.
  const name = `refresh_token_${createHash('sha256').update(`${oauth2.clientId}\n${configured}`).digest('hex').slice(0, 16)}`;
  const stored = async () => (await secrets.load(name)) ?? configured;

  async function exchange(refreshToken: string): Promise<AccessToken> {
    const basic = Buffer.from(`${oauth2.clientId}:${oauth2.clientSecret.reveal()}`).toString('base64');
    const headers = { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }).toString();
    const request = { method: 'POST', url: oauth2.tokenUrl, headers, body, hidden: refreshToken } as const;
    const { json } = await http.send(request).catch(refused);
    const granted = Granted.safeParse(json).data;
    if (!granted) throw new RetryableError('Pipedrive answered without an access token');
    const { access_token: token, expires_in: seconds, refresh_token: next } = granted;
    if (next !== undefined && next !== refreshToken) await secrets.save(name, next);
    return { token, seconds };
  }

  return async () => {
    const used = await stored();
    try {
      return await exchange(used);
    } catch (error) {
      // Another process may have exchanged it in the same moment.
      const now = await stored();
      if (!(error instanceof AuthExpiredError) || now === used) throw error;
      return exchange(now);
    }
  };
}

/** Without its answer, which may quote the request. https://pipedrive.readme.io/docs/marketplace-oauth-and-api-proxy-status-codes */
function refused(error: unknown): never {
  const status = error instanceof TributaryError ? error.response?.status : undefined;
  if (status !== 400 && status !== 401 && status !== 403) throw error;
  throw new AuthExpiredError(`Pipedrive gives no access token (${status})`, {
    hint: 'Allow the app again, and enter the new refresh token as auth.refreshToken; compare clientId and clientSecret.',
  });
}
