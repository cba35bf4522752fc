import { createHash } from 'node:crypto';
import { z } from 'zod';
import { keepAccessTokens } from './access-tokens.ts';
import type { AccessToken, AccessTokens } from './access-tokens.ts';
import type { Context, HttpRequest } from './connector.ts';
import { AuthExpiredError, RetryableError, TributaryError } from './errors.ts';
import { parseJson } from './json.ts';
import type { OAuth2 } from './mail-server.ts';

const Granted = z.object({
  access_token: z.string().min(1),
  /** Seconds. */
  expires_in: z.coerce.number().positive().default(3600),
  refresh_token: z.string().min(1).optional(),
});

const Refused = z.object({ error: z.string().max(100), error_description: z.string().optional() });

/** What only a person can repair (RFC 6749, section 5.2, and OpenID Connect). */
const NEEDS_PERSON = new Set([
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'invalid_scope',
  'access_denied',
  'interaction_required',
  'consent_required',
  'login_required',
]);

/**
 * Renews with the refresh token, one call at a time. A vendor that hands out a new refresh token with it
 * revokes the old one soon, so the new one is stored before the access token is used.
 */
export function createAccessTokens(oauth2: OAuth2, context: Pick<Context, 'clock' | 'http' | 'secrets'>): AccessTokens {
  const configured = oauth2.refreshToken.reveal();
  // Named after what is configured: an operator who enters a new token is not given the old one's successor.
  const name = `refresh_token_${createHash('sha256').update(`${oauth2.tokenUrl}\n${configured}`).digest('hex').slice(0, 16)}`;

  async function renew(): Promise<AccessToken> {
    const refreshToken = (await context.secrets.load(name)) ?? configured;
    const granted = await ask(oauth2, context, refreshToken);
    if (granted.refresh_token !== undefined && granted.refresh_token !== refreshToken) {
      await context.secrets.save(name, granted.refresh_token);
    }
    return { token: granted.access_token, seconds: granted.expires_in };
  }

  return keepAccessTokens(context.clock, renew);
}

async function ask(oauth2: OAuth2, context: Pick<Context, 'http'>, refreshToken: string) {
  const secret = oauth2.clientSecret?.reveal();
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: oauth2.clientId,
    refresh_token: refreshToken,
    ...(secret !== undefined && { client_secret: secret }),
    ...(oauth2.scope !== undefined && { scope: oauth2.scope }),
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const hidden = [refreshToken, ...(secret === undefined ? [] : [secret])];
  const request: HttpRequest = { method: 'POST', url: oauth2.tokenUrl, headers, body, hidden };
  const answer = await context.http.send(request).catch((error: unknown) => {
    throw refusalOf(error, [refreshToken, secret]);
  });
  const granted = Granted.safeParse(answer.json);
  if (granted.success) return granted.data;
  throw new RetryableError('the token address answered without an access token', {
    hint: 'Check tokenUrl: it is the one that takes refresh tokens.',
  });
}

/** A refusal as the standard words it, without the credentials that it may quote. */
function refusalOf(error: unknown, secrets: readonly (string | undefined)[]): unknown {
  if (!(error instanceof TributaryError) || !error.response) return error;
  const refused = Refused.safeParse(readJson(error.response.text));
  if (!refused.success) return error;
  const said = [refused.data.error, refused.data.error_description?.slice(0, 300)].filter(Boolean).join(': ');
  const text = secrets.reduce<string>((rest, value) => (value ? rest.replaceAll(value, '[secret]') : rest), said);
  if (!NEEDS_PERSON.has(refused.data.error)) return new RetryableError(`the token address refused (${text})`);
  return new AuthExpiredError(`the mail account gives no access token (${text})`, {
    hint: 'Allow the application again and enter the new refresh token as oauth2.refreshToken.',
  });
}

function readJson(text: string): unknown {
  try {
    return parseJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}
