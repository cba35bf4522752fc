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
import type { Secret } from '../../core/secret.ts';

/** Tokens are valid for 24 hours; they are renewed this long before they end. */
const MARGIN_MS = 5 * 60_000;

const CHECK = 'Check `clientId` and `clientSecret`: avito.ru, For professionals, Avito API.';

/** Tokens for calls: https://developers.avito.ru/api-catalog/auth */
export interface Access {
  /** One that is good for some minutes. */
  token(): Promise<string>;
  /** It was refused before its time. */
  forget(token: string): void;
}

/** `expires_in` in seconds. */
const Granted = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive() });

/** One call for all that wait, one token as long as it lasts. */
export function createAccess(deps: {
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly apiRoot: string;
  readonly http: Http;
  readonly clock: Clock;
}): Access {
  const { clientId, clientSecret, apiRoot, http, clock } = deps;
  let held: { readonly token: string; readonly until: number } | undefined;
  let pending: Promise<string> | undefined;

  async function renew(): Promise<string> {
    const grant = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret.reveal() };
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams(grant).toString();
    const answer = await http
      .send({ method: 'POST', url: `${apiRoot}/token`, headers, body })
      .catch((error: unknown) => {
        throw refusalOf(error);
      });
    const { data } = Granted.safeParse(answer.json);
    // Some refusals come with 200.
    if (!data) throw new AuthExpiredError('Avito answered without an access token', { hint: CHECK });
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

/** Without Avito's answer, which may quote the request. Whatever it is, nothing went out. */
function refusalOf(error: unknown): unknown {
  if (error instanceof RateLimitedError) return new RateLimitedError(error.message, error.retryAfterMs);
  if (error instanceof RetryableError) return new RetryableError(error.message);
  const isRefused = error instanceof PermanentError || error instanceof AuthExpiredError;
  if (!isRefused || !(error instanceof TributaryError) || error.response === undefined) return error;
  return new AuthExpiredError(`Avito gives no access token (${error.response.status})`, { hint: CHECK });
}
