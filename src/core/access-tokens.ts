import type { Clock } from './clock.ts';
import { AuthExpiredError } from './errors.ts';

/** Before a token ends it is no longer used, milliseconds. */
const MARGIN_MS = 60_000;

/** A token that a vendor gives for a while. */
export interface AccessToken {
  readonly token: string;
  readonly seconds: number;
}

/** Access tokens of one account: kept while they are good, asked for one at a time. */
export interface AccessTokens {
  /** One that is good for at least a minute. */
  current(): Promise<string>;
  /** The vendor refused this one before its time. */
  forget(token: string): void;
}

export function keepAccessTokens(clock: Clock, ask: () => Promise<AccessToken>): AccessTokens {
  let held: { readonly token: string; readonly until: number } | undefined;
  let pending: Promise<string> | undefined;

  async function renew(): Promise<string> {
    const { token, seconds } = await ask();
    held = { token, until: clock.now() + seconds * 1000 - MARGIN_MS };
    return token;
  }

  return {
    current() {
      if (held && clock.now() < held.until) return Promise.resolve(held.token);
      pending ??= renew().finally(() => (pending = undefined));
      return pending;
    },
    forget(token) {
      if (held?.token === token) held = undefined;
    },
  };
}

/** A call with a token. One that ended before its time says nothing about the account: a fresh one does. */
export async function withAccessToken<T>(tokens: AccessTokens, call: (token: string) => Promise<T>): Promise<T> {
  const first = await tokens.current();
  try {
    return await call(first);
  } catch (error) {
    if (!(error instanceof AuthExpiredError)) throw error;
    tokens.forget(first);
  }
  const fresh = await tokens.current();
  return call(fresh).catch((error: unknown) => {
    if (error instanceof AuthExpiredError) tokens.forget(fresh);
    throw error;
  });
}
