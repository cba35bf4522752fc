import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Http } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';

const ROOT = 'https://login.microsoftonline.com';
const SCOPE = 'https://api.botframework.com/.default';
/** Tokens are renewed this long before they end. */
const MARGIN_MS = 5 * 60_000;

/** The bot's own tokens, for calls to Microsoft. */
export interface Access {
  /** One that is good for some minutes. */
  token(): Promise<string>;
  /** It was refused before its time. */
  forget(token: string): void;
}

/** `expires_in` in seconds. */
const Granted = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive() });
const Refused = z.object({ error: z.string().max(100), error_description: z.string().default('') });

/** https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
const HINTS: Readonly<Record<string, string>> = {
  AADSTS7000215: 'Enter the value of the client secret as `appPassword`, not its id.',
  AADSTS7000222: 'The client secret has expired: make a new one at the app’s registration, enter it as `appPassword`.',
  AADSTS700016: 'The app is not in that tenant: check `appId` and `tenantId` (a bot of a single tenant needs it).',
  AADSTS90002: 'There is no such tenant: check `tenantId`.',
};

/** One call for all that wait, one token as long as it lasts. */
export function createAccess(deps: {
  readonly appId: string;
  readonly appPassword: Secret;
  readonly tenantId: string;
  /** Of a stand-in, without a slash at the end. */
  readonly apiRoot: string | undefined;
  readonly http: Http;
  readonly clock: Clock;
}): Access {
  const { appId, appPassword, tenantId, apiRoot, http, clock } = deps;
  let held: { readonly token: string; readonly until: number } | undefined;
  let pending: Promise<string> | undefined;

  async function renew(): Promise<string> {
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: appId,
      client_secret: appPassword.reveal(),
      scope: SCOPE,
    }).toString();
    const url = `${apiRoot ?? ROOT}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await http.send({ method: 'POST', url, headers, body }).catch((error: unknown) => {
      throw refusalOf(error);
    });
    const { data } = Granted.safeParse(answer.json);
    if (!data) throw new RetryableError('Microsoft answered without an access token');
    held = { token: data.access_token, until: clock.now() + data.expires_in * 1000 - MARGIN_MS };
    return held.token;
  }

  return {
    token() {
      if (held && clock.now() < held.until) return Promise.resolve(held.token);
      pending ??= renew().finally(() => (pending = undefined));
      return pending;
    },
    forget(token) {
      if (held?.token === token) held = undefined;
    },
  };
}

/** In Microsoft's words, without its answer, which may quote the request. Whatever it is, no message went out. */
function refusalOf(error: unknown): unknown {
  if (error instanceof RateLimitedError) return new RateLimitedError(error.message, error.retryAfterMs);
  if (error instanceof RetryableError) return new RetryableError(error.message, hintOf(error.hint));
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { data } = Refused.safeParse(readable(error.response.text));
  if (!data) return new PermanentError(error.message, hintOf(error.hint));
  const code = /^AADSTS\d+/.exec(data.error_description)?.[0] ?? '';
  const words = [data.error, data.error_description.split(/\. |[\r\n]/, 1)[0]].filter(Boolean).join(': ');
  return new AuthExpiredError(`Microsoft gives no access token (${words.slice(0, 300)})`, {
    hint: HINTS[code] ?? 'Check `appId`, `appPassword` and `tenantId`.',
  });
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function readable(text: string): unknown {
  try {
    return parseJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}
