import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError, TributaryError } from '../core/errors.ts';
import type { ErrorDetails, FarAnswer } from '../core/errors.ts';
import type { HttpRequest } from '../core/connector.ts';

/** The one place where an HTTP status or an exception becomes one of the five errors. */

/** What our own refusals and deadlines are told apart by, whatever a client wraps around them. */
export const codes = {
  refused: 'ERR_ADDRESS_REFUSED',
  connectDeadline: 'ERR_CONNECT_DEADLINE',
  deadline: 'ERR_DEADLINE',
  aborted: 'ERR_CALLED_OFF',
} as const;

export function withCode(code: string, text: string, cause?: unknown): Error {
  return Object.assign(new Error(text, { cause }), { code });
}

const KEPT_TEXT = 2048;

/** An answer outside 2xx. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** The error that a status outside 2xx means. `now` is what a date in `Retry-After` is counted from. */
export function failureOfStatus(request: HttpRequest, answer: Refusal, now: number): TributaryError {
  const { status } = answer;
  const text = `${nameOf(request)} answered ${status}`;
  const response = { status, text: withoutSecrets(answer.text, request).slice(0, KEPT_TEXT) };
  const retryAfterMs = readRetryAfter(waitIn(request, answer), now);
  if (isTooMuch(status) || (status === 503 && retryAfterMs !== undefined)) {
    return new RateLimitedError(text, retryAfterMs, { response: { ...response, ...limitsIn(answer) } });
  }
  if (status >= 300 && status < 400) return movedError(request, answer, { response });
  if (status === 401) {
    return new AuthExpiredError(text, { response, hint: 'Its credentials were not accepted: enter new ones.' });
  }
  if (status === 410) {
    return new PermanentError(text, {
      response,
      gone: true,
      hint: 'The far end asks never to be called again at this address: set a new one or remove it.',
    });
  }
  if (status === 408 || status === 425 || status >= 500 || status < 200) {
    return new RetryableError(text, { response, outcomeUnknown: status >= 500 });
  }
  return new PermanentError(text, { response, hint: 'Read its answer, correct what it names, then replay.' });
}

/** Followed, a redirect would carry credentials and messages to whoever it names. A moved address is the operator's to correct. */
function movedError(request: HttpRequest, answer: Refusal, details: ErrorDetails): RetryableError {
  const { location } = answer.headers;
  const target = location !== undefined && URL.canParse(location, request.url) && new URL(location, request.url);
  const where = target && target.origin !== 'null' ? `a redirect to ${target.origin}` : 'a redirect';
  return new RetryableError(`${nameOf(request)} answered ${answer.status}, which is not followed`, {
    ...details,
    hint: `The address answers with ${where}; set the new URL.`,
  });
}

/** 420 is what Yandex Market says instead: https://yandex.ru/dev/market/partner-api/doc/ru/concepts/limits */
const isTooMuch = (status: number) => status === 429 || status === 420;

function waitIn({ waitOf }: HttpRequest, answer: Refusal): string | undefined {
  return answer.headers['retry-after'] ?? waitOf?.(answer);
}

function limitsIn({ headers }: Refusal): Pick<FarAnswer, 'limits'> {
  const told = Object.entries(headers).filter(([name, value]) => name.includes('ratelimit') && value.length <= 100);
  return told.length > 0 ? { limits: Object.fromEntries(told.slice(0, 20)) } : {};
}

/** Seconds or an HTTP date as milliseconds from now; undefined for anything else, for what is past, and for 0. */
function readRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? '';
  const ms = /^\d{1,10}(\.\d{1,3})?$/.test(text)
    ? Number(text) * 1000
    : /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text)
      ? Date.parse(text) - now
      : 0;
  return ms > 0 ? Math.ceil(ms) : undefined;
}

/** How far a call got. */
export interface Progress {
  /** Aborted at a deadline or by the caller; the reason says by which. */
  readonly signal: AbortSignal;
  /** Whether the connection was up, so that the far end may have got something. */
  hasBegun(): boolean;
}

/** The error that an exception on the way means. */
export function failureOf(request: HttpRequest, error: unknown, call: Progress): TributaryError {
  if (error instanceof TributaryError) return error;
  const reason = innermost(call.signal.aborted ? call.signal.reason : error);
  return failureAt(nameOf(request), reason, { outcomeUnknown: call.hasBegun() });
}

/** The error that an exception on the way to somewhere means, whatever is spoken there. */
export function failureAt(
  name: string,
  reason: unknown,
  details: { readonly outcomeUnknown: boolean },
): TributaryError {
  const code = codeOf(reason) ?? '';
  if (code === codes.refused) {
    return new PermanentError(`${name}: this address may not be called`, {
      hint: 'Private and special addresses, and ports other than those of the web (80, 443) or of mail, have to be named in the YAML: as the address of the endpoint or in egress.allow.',
    });
  }
  if (/^ERR_(INVALID|UNESCAPED)/.test(code)) {
    return new PermanentError(`${name}: this is not a valid request (${code})`, {
      hint: 'Check the address and the credentials for characters that do not belong there.',
    });
  }
  const { text, hint } = explain(code, reason);
  return new RetryableError(`${name}: ${text}`, {
    ...details,
    ...(hint && { hint }),
    // Clients' own errors hold the request with its credentials: only what the system said goes on.
    ...(isSystemError(reason) && { cause: reason }),
  });
}

function explain(code: string, reason: unknown): { text: string; hint?: string } {
  if (code === codes.deadline || code === codes.connectDeadline || code === codes.aborted) {
    return { text: (reason as Error).message };
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return {
      text: `its host name can't be resolved (${code})`,
      hint: 'Check how the host is spelled, and that this machine can resolve names.',
    };
  }
  if (/CERT|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^UNABLE_TO|^EPROTO$/.test(code)) {
    return {
      text: `no trusted connection (${code})`,
      hint: 'Check its certificate; one of your own authority is made known with NODE_EXTRA_CA_CERTS.',
    };
  }
  if (code.startsWith('HPE_')) return { text: `the answer is not HTTP (${code})` };
  if (code === 'ECONNREFUSED') {
    return { text: `no connection (${code})`, hint: 'Check that it runs, and that host and port are right.' };
  }
  return { text: code ? `the connection failed (${code})` : 'the call failed' };
}

/** Clients wrap what happened; the reason is at the bottom. */
function innermost(error: unknown): unknown {
  let reason = error;
  for (let depth = 0; depth < 5 && reason instanceof Error && reason.cause instanceof Error; depth++) {
    if (Object.values<string>(codes).includes(codeOf(reason) ?? '')) break;
    reason = reason.cause;
  }
  return reason;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.name === 'Error';
}

/**
 * Method, origin and path, for texts that people read and logs keep. Ids and tokens in the path are left
 * out (some vendors want the credentials there), as are query, user and password.
 */
export function nameOf(request: HttpRequest): string {
  const method = request.method ?? 'GET';
  if (!URL.canParse(request.url)) return `${method} (not an address)`;
  const { origin, host, protocol, pathname } = new URL(request.url);
  const hidden = [request.hidden ?? []].flat();
  const isHidden = (segment: string) => hidden.includes(segment) || isSecretSegment(segment);
  const path = pathname.split('/').map((segment) => (isHidden(segment) ? '…' : segment));
  return `${method} ${origin === 'null' ? `${protocol}//${host}` : origin}${path.join('/')}`;
}

/** Words and versions are told; what has digits, a colon or great length may be an id or a credential. */
function isSecretSegment(segment: string): boolean {
  return !/^(v?\d{1,3}(\.\d{1,3})?|[a-z._-]{0,24})$/i.test(segment);
}

/** Headers that hold no credentials, so that their values may stand in an answer. */
const HARMLESS = /^(accept.*|content-.*|user-agent|webhook-id|webhook-timestamp|idempotency-key)$/;
const SHORTEST_SECRET = 6;

/** An answer may quote the request: what may be a credential in that is masked. */
function withoutSecrets(text: string, { url, hidden, headers = {} }: HttpRequest): string {
  const { searchParams, pathname } = new URL(url);
  const values = Object.entries(headers).flatMap(([name, value]) =>
    HARMLESS.test(name.toLowerCase()) ? [] : [value, ...value.split(' '), ...loginIn(value)],
  );
  const secrets = [...values, ...searchParams.values(), ...pathname.split('/').filter(isSecretSegment), hidden ?? []]
    .flat()
    .filter((value) => value.length >= SHORTEST_SECRET)
    .flatMap(spellingsOf)
    .sort((a, b) => b.length - a.length);
  return secrets.reduce((rest, value) => rest.replaceAll(value, '[secret]'), text);
}

/** As it stands in an address, in a form, and in JSON. */
function spellingsOf(value: string): string[] {
  const form = new URLSearchParams({ value }).toString().slice('value='.length);
  return [value, encodeURIComponent(value.toWellFormed()), form, JSON.stringify(value).slice(1, -1)];
}

/** User and password of a Basic login: an answer may name them as it has read them. */
function loginIn(value: string): string[] {
  const [scheme = '', encoded = ''] = value.split(' ');
  if (scheme.toLowerCase() !== 'basic') return [];
  const login = Buffer.from(encoded, 'base64').toString();
  return [login, ...login.split(':')];
}
