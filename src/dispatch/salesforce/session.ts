import { z } from 'zod';
import { keepAccessTokens } from '../../core/access-tokens.ts';
import type { AccessTokens } from '../../core/access-tokens.ts';
import type { Context } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { signJwt } from '../../core/jwt.ts';
import { keyOf } from './config.ts';
import type { Config } from './config.ts';

/**
 * Who we are there, and where that is.
 * https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
 * https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
 */

const JWT_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** An assertion is good for so long; Salesforce takes at most five minutes. */
const ASSERTION_SEC = 180;
/** How long a token is good is a setting of the organisation and isn't told: it is asked for anew, at the latest, after this. */
const SESSION_SEC = 3600;
const LOGIN_PAUSE_MS = 10 * 60_000;
/** Where organisations live, besides the address in the configuration. */
const VENDOR = '.salesforce.com';

const Granted = z.object({
  access_token: z.string().min(1),
  instance_url: z.url({ protocol: /^https?$/ }),
  /** `https://login.salesforce.com/id/<organisation>/<user>` */
  id: z.string().max(500),
});
const Refused = z.object({ error: z.string().max(100) });

export interface Session {
  readonly tokens: AccessTokens;
  /** Where the organisation is, without a slash at the end; known once there is a token. */
  root(): string;
  /** Whom the token belongs to. */
  user(): Promise<string>;
}

export function createSession(config: Config, { http, clock }: Pick<Context, 'http' | 'clock'>): Session {
  let place = { root: config.apiRoot, user: '' };

  const tokens = keepAccessTokens(clock, async () => {
    const { form, hidden } = credentials(config, clock.now());
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
    const url = `${config.apiRoot}/services/oauth2/token`;
    const body = new URLSearchParams(form).toString();
    const { json } = await http.send({ method: 'POST', url, headers, body, hidden }).catch(refusedApp);
    const granted = Granted.safeParse(json).data;
    const user = granted?.id.split('/').at(-1) ?? '';
    if (!granted || !/^\w{15,18}$/.test(user)) throw new RetryableError('Salesforce answered without an access token');
    place = { root: rootOf(config.apiRoot, granted.instance_url), user };
    return { token: granted.access_token, seconds: SESSION_SEC };
  });

  return {
    tokens,
    root: () => place.root,
    async user() {
      await tokens.current();
      return place.user;
    },
  };
}

function credentials(config: Config, now: number): { form: Record<string, string>; hidden: string } {
  const { clientId, clientSecret, username = '', privateKey, audience } = config;
  if (clientSecret) {
    const hidden = clientSecret.reveal();
    return { form: { grant_type: 'client_credentials', client_id: clientId, client_secret: hidden }, hidden };
  }
  const key = privateKey && keyOf(privateKey);
  if (!key) throw new AuthExpiredError('there is neither a consumer secret nor a private key');
  const claims = { iss: clientId, sub: username, aud: audience, exp: Math.floor(now / 1000) + ASSERTION_SEC };
  const assertion = signJwt({ alg: 'RS256' }, claims, key);
  return { form: { grant_type: JWT_GRANT, assertion }, hidden: assertion };
}

/** The token goes to the address that the operator named, or to one of Salesforce's own, and nowhere else. */
function rootOf(apiRoot: string, instance: string): string {
  const { origin, protocol, hostname } = new URL(instance);
  if (origin === new URL(apiRoot).origin) return apiRoot;
  if (protocol === 'https:' && hostname.endsWith(VENDOR)) return origin;
  throw new AuthExpiredError(`the organisation is said to be at ${origin}, which is not Salesforce's`, {
    hint: 'Set `apiRoot` to the My Domain address of your organisation (Setup → My Domain).',
  });
}

/** What only a person can repair (RFC 6749, section 5.2); without the answer, which may quote the request. */
function refusedApp(error: unknown): never {
  const isRefusal = error instanceof AuthExpiredError || error instanceof PermanentError;
  if (!isRefusal || !error.response) throw error;
  const said = Refused.safeParse(jsonOf(Buffer.from(error.response.text))).data?.error;
  if (said === 'rate_limit_exceeded') throw new RateLimitedError('too many logins to Salesforce', LOGIN_PAUSE_MS);
  if (said === undefined && error instanceof PermanentError) throw error;
  throw new AuthExpiredError(`Salesforce gives no access token${said === undefined ? '' : ` (${said})`}`, {
    hint: 'Compare the consumer key and secret (or user and key); the app needs the flow enabled and a user to run as.',
  });
}
