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
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import { codeHint, codeText } from './codes.ts';

const MB = 1024 * 1024;
/** The most that is kept of a file anywhere. */
const MAX_FILE = 100 * MB;
const FILE_MS = 5 * 60_000;
const PAGE = 100;

/** What is asked of Twilio about one account, with our errors. Paths are those below the account: `/Messages.json`. */
export interface Account {
  get<T>(schema: z.ZodType<T>, path: string, signal?: AbortSignal): Promise<T>;
  /**
   * Has Twilio send or call: the id of what it made. An unknown outcome is `UncertainError`: Twilio knows no
   * idempotency key.
   */
  create(path: string, form: Readonly<Record<string, string>>): Promise<string>;
  /** Everything that a list has, page by page, in Twilio's order: newest first. */
  list<T>(
    path: string,
    query: Readonly<Record<string, string>>,
    of: { readonly key: string; readonly item: z.ZodType<T> },
    signal: AbortSignal,
  ): AsyncIterable<T>;
  /** Our number as the account has it, or undefined when it hasn't. */
  number(number: string): Promise<OwnNumber | undefined>;
  /** A file, by the path of its address. */
  file(path: string): Promise<Readable>;
}

const Created = z.object({ sid: z.string().min(1) });
const OwnNumber = z.object({
  phone_number: z.string(),
  sms_url: z.string().nullish(),
  voice_url: z.string().nullish(),
  status_callback: z.string().nullish(),
});
export type OwnNumber = z.output<typeof OwnNumber>;
const Numbers = z.object({ incoming_phone_numbers: z.array(OwnNumber) });

export function openAccount(deps: {
  readonly http: Http;
  readonly apiRoot: string;
  readonly accountSid: string;
  readonly authToken: Secret;
}): Account {
  const { http, apiRoot, accountSid } = deps;
  const base = `/2010-04-01/Accounts/${accountSid}`;
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
    get: (schema, path, signal) => call(schema, `${base}${path}`, signal && { signal }),
    async create(path, form) {
      const type = { 'content-type': 'application/x-www-form-urlencoded' };
      const body = new URLSearchParams(form).toString();
      try {
        return (await call(Created, `${base}${path}`, { method: 'POST', headers: type, body })).sid;
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Twilio may have done it all the same`, {
          cause: error,
          hint: 'Look into the logs in the Twilio Console: if it is not there, it can be repeated.',
        });
      }
    },
    async *list(path, query, { key, item }, signal) {
      const Page = z.looseObject({ [key]: z.array(item), next_page_uri: z.string().nullish() });
      const search = new URLSearchParams({ ...query, PageSize: String(PAGE) }).toString();
      let next: string | undefined = `${base}${path}?${search}`;
      while (next !== undefined) {
        const page: Record<string, unknown> = await call(Page, next, { signal });
        yield* page[key] as z.output<typeof item>[];
        // A path below this account and nothing else: what is asked carries the credentials.
        const following: string = typeof page.next_page_uri === 'string' ? page.next_page_uri : '';
        next = following.startsWith(`${base}/`) ? following : undefined;
      }
    },
    async number(number) {
      const search = new URLSearchParams({ PhoneNumber: number }).toString();
      const found = await call(Numbers, `${base}/IncomingPhoneNumbers.json?${search}`);
      return found.incoming_phone_numbers.find(({ phone_number }) => phone_number === number);
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
  const refusal = Refusal.safeParse(jsonOf(Buffer.from(response.text))).data;
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
