import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { codeHint, codeText } from './codes.ts';
import { Listed, ListedMedia } from './list.ts';

/** Where accounts live unless they were made for another region. */
export const TWILIO = 'https://api.twilio.com';

const MB = 1024 * 1024;
/** The most that is kept of a file anywhere. */
const MAX_FILE = 100 * MB;
const FILE_MS = 5 * 60_000;
const PAGE = 100;

/** What is asked of Twilio, with our errors. */
export interface TwilioApi {
  /** The id of the message. An unknown outcome is `UncertainError`: Twilio knows no idempotency key. */
  send(message: Readonly<Record<string, string>>): Promise<string>;
  /** Messages of the account, newest first. */
  messages(query: Readonly<Record<string, string>>, signal: AbortSignal): AsyncIterable<Listed>;
  mediaOf(message: Listed, signal: AbortSignal): Promise<readonly ListedMedia[]>;
  /** Our number as the account has it, or undefined when it hasn't. */
  number(number: string): Promise<{ readonly webhook: string } | undefined>;
  /** A file, by the path of its address. */
  file(path: string): Promise<Readable>;
}

const Created = z.object({ sid: z.string().min(1) });
const MessagePage = z.object({ messages: z.array(Listed), next_page_uri: z.string().nullish() });
const MediaPage = z.object({ media_list: z.array(ListedMedia) });
const Numbers = z.object({
  incoming_phone_numbers: z.array(z.object({ phone_number: z.string(), sms_url: z.string().nullish() })),
});

export function createApi(deps: {
  readonly http: Http;
  readonly apiRoot: string;
  readonly accountSid: string;
  readonly authToken: Secret;
}): TwilioApi {
  const { http, apiRoot, accountSid } = deps;
  const account = `/2010-04-01/Accounts/${accountSid}`;
  const headers = () => {
    const credentials = Buffer.from(`${accountSid}:${deps.authToken.reveal()}`).toString('base64');
    return { authorization: `Basic ${credentials}` };
  };

  async function call<T>(schema: z.ZodType<T>, path: string, request: Omit<HttpRequest, 'url'> = {}): Promise<T> {
    const name = `${request.method ?? 'GET'} ${path.split('?')[0]?.split('/').at(-1)}`;
    const url = `${apiRoot}${path}`;
    const answer = await http
      .send({ maxBytes: 4 * MB, ...request, url, headers: { ...headers(), ...request.headers } })
      .catch((error: unknown) => {
        throw refusalOf(name, error);
      });
    const read = schema.safeParse(answer.json);
    if (!read.success) throw new RetryableError(`${name}: the answer can't be read`, { outcomeUnknown: true });
    return read.data;
  }

  return {
    async send(message) {
      const type = { 'content-type': 'application/x-www-form-urlencoded' };
      const body = new URLSearchParams(message).toString();
      try {
        return (await call(Created, `${account}/Messages.json`, { method: 'POST', headers: type, body })).sid;
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Twilio may have sent it all the same`, {
          cause: error,
          hint: 'Look into the log of messages in the Twilio Console: if it is not there, replay the delivery.',
        });
      }
    },
    async *messages(query, signal) {
      const search = new URLSearchParams({ ...query, PageSize: String(PAGE) }).toString();
      let next: string | undefined = `${account}/Messages.json?${search}`;
      while (next !== undefined) {
        const page: z.output<typeof MessagePage> = await call(MessagePage, next, { signal });
        yield* page.messages;
        // A path below this account and nothing else: what is asked carries the credentials.
        next = page.next_page_uri?.startsWith(`${account}/`) ? page.next_page_uri : undefined;
      }
    },
    async mediaOf({ sid }, signal) {
      const path = `${account}/Messages/${encodeURIComponent(sid)}/Media.json`;
      return (await call(MediaPage, path, { signal })).media_list;
    },
    async number(number) {
      const search = new URLSearchParams({ PhoneNumber: number }).toString();
      const found = await call(Numbers, `${account}/IncomingPhoneNumbers.json?${search}`);
      const own = found.incoming_phone_numbers.find(({ phone_number }) => phone_number === number);
      return own && { webhook: own.sms_url ?? '' };
    },
    async file(path) {
      const request = { url: `${apiRoot}${path}`, headers: headers(), maxBytes: MAX_FILE, timeoutMs: FILE_MS };
      const { body } = await http.stream({ ...request, mayFollow: (to) => isStorage(to, apiRoot) });
      return body;
    },
  };
}

/**
 * Twilio hands files out from its CDN, by links that are valid for hours; those of accounts without authentication for
 * media from a store of Amazon: https://help.twilio.com/articles/223183748
 */
function isStorage({ protocol, host, pathname, origin }: URL, apiRoot: string): boolean {
  if (origin === new URL(apiRoot).origin) return true;
  const isAmazon = host === 's3-external-1.amazonaws.com' && pathname.startsWith('/media.twiliocdn.com/');
  return protocol === 'https:' && (host.endsWith('.twiliocdn.com') || isAmazon);
}

/** How Twilio says no: https://www.twilio.com/docs/usage/twilios-response#exceptions */
const Refusal = z.object({ code: z.number(), message: z.string().default('') });

/** Too much at once, whatever the status says. */
const BUSY = [20429, 21611, 14107];
/** The account is closed, suspended, or these are not its credentials. */
const LOCKED = [10001, 20003, 20005, 20006];

function refusalOf(name: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const refusal = Refusal.safeParse(jsonOf(response.text)).data;
  if (!refusal) return error;
  const { code, message } = refusal;
  const text = `${name}: ${codeText(code, message)}`;
  if (BUSY.includes(code) || error instanceof RateLimitedError) {
    return new RateLimitedError(text, error instanceof RateLimitedError ? error.retryAfterMs : undefined, { response });
  }
  if (LOCKED.includes(code)) {
    return new AuthExpiredError(text, {
      response,
      hint: 'Compare Account SID and Auth Token with the Twilio Console, and whether the account is active there.',
    });
  }
  return error instanceof PermanentError ? new PermanentError(text, { response, hint: codeHint(code) }) : error;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
