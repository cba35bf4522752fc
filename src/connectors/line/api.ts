import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import type { ErrorDetails } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

const ROOT = 'https://api.line.me';
/** Files lie elsewhere: https://developers.line.biz/en/reference/messaging-api/#domain-name */
const DATA_ROOT = 'https://api-data.line.me';

/** The most that is kept of a file. */
const MAX_BYTES = 100 * 1024 * 1024;
/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;
const HOUR_MS = 60 * 60_000;

/** LINE's calls, by path; throws one of the five errors, in LINE's words. */
export interface LineApi {
  send(path: string, request?: Omit<HttpRequest, 'url'>): Promise<unknown>;
  /** As `send`, where files are asked about. */
  sendData(path: string): Promise<unknown>;
  stream(path: string): Promise<Readable>;
}

export function createApi(deps: {
  readonly token: Secret;
  readonly apiRoot: string | undefined;
  readonly http: Http;
}): LineApi {
  const { token, apiRoot, http } = deps;
  const authorized = (headers: HttpRequest['headers'] = {}) => ({
    ...headers,
    authorization: `Bearer ${token.reveal()}`,
  });

  async function call(url: string, { headers, ...request }: Omit<HttpRequest, 'url'> = {}): Promise<unknown> {
    try {
      return (await http.send({ ...request, url, headers: authorized(headers) })).json;
    } catch (error) {
      throw inItsWords(error);
    }
  }

  return {
    send: (path, request) => call((apiRoot ?? ROOT) + path, request),
    sendData: (path) => call((apiRoot ?? DATA_ROOT) + path),
    async stream(path) {
      const request = { url: (apiRoot ?? DATA_ROOT) + path, headers: authorized() };
      try {
        return (await http.stream({ ...request, maxBytes: MAX_BYTES, timeoutMs: FILE_MS })).body;
      } catch (error) {
        throw inItsWords(error);
      }
    },
  };
}

/** https://developers.line.biz/en/reference/messaging-api/#error-responses */
const Refusal = z.object({
  message: z.string(),
  details: z.array(z.object({ message: z.string().optional(), property: z.string().optional() })).default([]),
});

/** The same error, saying what LINE said. */
function inItsWords(error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response, message } = error;
  const words = wordsOf(response.text);
  const text = words === '' ? message : `${message}: ${words}`;
  // Whatever LINE answers with 410 is a file that is gone, not the channel.
  const isGone = error instanceof PermanentError && error.gone;
  const details: ErrorDetails = { response, ...(!isGone && error.hint !== undefined && { hint: error.hint }) };
  if (error instanceof RateLimitedError) {
    if (!/monthly limit/i.test(words)) return new RateLimitedError(text, error.retryAfterMs, details);
    const hint = "The plan's messages for this month are used up: change it in the LINE Official Account Manager.";
    return new RateLimitedError(text, HOUR_MS, { ...details, hint });
  }
  if (error instanceof AuthExpiredError) {
    const hint = 'Issue a channel access token in the LINE Developers Console (Messaging API), enter it.';
    return new AuthExpiredError(text, { ...details, hint });
  }
  if (error instanceof RetryableError) {
    return new RetryableError(text, { ...details, outcomeUnknown: error.outcomeUnknown });
  }
  return error instanceof PermanentError ? new PermanentError(text, details) : error;
}

function wordsOf(body: string): string {
  const { data } = Refusal.safeParse(jsonOf(body));
  if (!data) return '';
  const details = data.details.map(({ message, property }) => [property, message].filter(Boolean).join(': '));
  return details.length > 0 ? `${data.message} (${details.join('; ')})` : data.message;
}

/** What LINE said beside a status outside 2xx. */
export function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
