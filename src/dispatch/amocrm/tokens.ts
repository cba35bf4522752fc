import { createHash } from 'node:crypto';
import { z } from 'zod';
import { keepAccessTokens, withAccessToken } from '../../core/access-tokens.ts';
import type { AccessToken } from '../../core/access-tokens.ts';
import type { Context } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Config, OAuth2 } from './config.ts';

/** A refresh token can be exchanged once: https://www.amocrm.ru/developers/content/oauth/step-by-step */
const Granted = z.object({
  access_token: z.string().min(1),
  /** Seconds. */
  expires_in: z.coerce.number().positive().default(86_400),
  refresh_token: z.string().min(1),
});
/** What of a token tells whose it is. */
const Claims = z.object({ aud: z.string().min(1) });

export interface Tokens {
  /** A call with a token that is good. */
  use<T>(call: (token: string) => Promise<T>): Promise<T>;
  /** The number of our integration; undefined where the token doesn't tell. */
  readonly client: string | undefined;
}

export function createTokens({ apiRoot, accessToken, oauth2 }: Config, context: Context): Tokens {
  if (!oauth2) {
    const token = accessToken?.reveal() ?? '';
    return { use: (call) => call(token), client: clientIn(token) };
  }
  const tokens = keepAccessTokens(context.clock, createRenewal(apiRoot, oauth2, context));
  return { use: (call) => withAccessToken(tokens, call), client: oauth2.clientId };
}

function clientIn(token: string): string | undefined {
  const [, claims] = token.split('.');
  return Claims.safeParse(jsonOf(Buffer.from(claims ?? '', 'base64url'))).data?.aud;
}

function createRenewal(apiRoot: string, oauth2: OAuth2, { http, secrets }: Pick<Context, 'http' | 'secrets'>) {
  const configured = oauth2.refreshToken.reveal();
  // Named after what is configured: an operator who enters a new token is not given the old one's successor.
  const hash = createHash('sha256').update(`${apiRoot}\n${configured}`).digest('hex');
  const name = `refresh_token_${hash.slice(0, 16)}`;

  async function ask(refreshToken: string): Promise<AccessToken> {
    const body = {
      client_id: oauth2.clientId,
      client_secret: oauth2.clientSecret.reveal(),
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      redirect_uri: oauth2.redirectUri,
    };
    const url = `${apiRoot}/oauth2/access_token`;
    const headers = { accept: 'application/json' };
    const hidden = [refreshToken, body.client_secret];
    const { json } = await http.send({ method: 'POST', url, headers, body, hidden });
    const granted = Granted.safeParse(json).data;
    if (!granted) {
      throw new RetryableError('amoCRM answered without an access token', {
        hint: 'Compare `apiRoot` with the address of your account.',
      });
    }
    // The one that was exchanged is worth nothing from now on.
    await secrets.save(name, granted.refresh_token);
    return { token: granted.access_token, seconds: granted.expires_in };
  }

  return async () => {
    const refreshToken = (await secrets.load(name)) ?? configured;
    try {
      return await ask(refreshToken);
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    // Another process may have exchanged it a moment ago.
    const newer = await secrets.load(name);
    if (newer === undefined || newer === refreshToken) throw refused();
    return ask(newer).catch((error: unknown) => {
      throw isRefusal(error) ? refused() : error;
    });
  };
}

/** 400, 401 and 403 are what it says to tokens that are used up, revoked or of another integration, or may do nothing. */
function isRefusal(error: unknown): boolean {
  if (error instanceof AuthExpiredError) return true;
  if (!(error instanceof PermanentError) || !error.response) return false;
  const { status, text } = error.response;
  return status === 400 || (status === 403 && text.trimStart().startsWith('{'));
}

/** Without the answer, which may quote the request. */
function refused(): AuthExpiredError {
  return new AuthExpiredError('amoCRM gives no access token for the refresh token', {
    hint: 'Allow the integration again, and enter its new refresh token as oauth2.refreshToken; compare clientId, clientSecret and redirectUri.',
  });
}
