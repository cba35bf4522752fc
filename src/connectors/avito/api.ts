import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Access } from './access.ts';
import { id } from './seen.ts';

/** https://developers.avito.ru/api-catalog */
export const AVITO = 'https://api.avito.ru';

/** A page of a hundred chats or messages. */
const MAX_BYTES = 16 * 1024 * 1024;
const PAGE_MS = 60_000;
/** Images have at most 24 MB. */
const MAX_FILE = 32 * 1024 * 1024;
const FILE_MS = 5 * 60_000;

const PLAN =
  'Avito opens its messenger to programs with the subscription Maximal (goods, jobs), Extended or Maximal (services): change it, or leave the part out of `parts`.';

export interface Call {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Below the API; `{user}` is the account's number. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object | Buffer;
  readonly signal?: AbortSignal;
}

export interface AvitoApi {
  ask<T>(call: Call, answer: z.ZodType<T>): Promise<T>;
  /** The account's number. */
  user(signal?: AbortSignal): Promise<string>;
  /** A file that Avito named an address of: it says nothing of who asks. */
  file(url: string): Promise<Readable>;
}

const Self = z.object({ id });

export function createApi(deps: { readonly http: Http; readonly access: Access; readonly apiRoot: string }): AvitoApi {
  const { http, access, apiRoot } = deps;
  let self: string | undefined;

  async function user(signal?: AbortSignal): Promise<string> {
    self ??= (await ask({ path: '/core/v1/accounts/self', ...(signal && { signal }) }, Self)).id;
    return self;
  }

  async function ask<T>(call: Call, answer: z.ZodType<T>): Promise<T> {
    const path = call.path.includes('{user}') ? call.path.replace('{user}', await user(call.signal)) : call.path;
    const token = await access.token();
    try {
      return await send({ ...call, path }, token, answer);
    } catch (error) {
      if (!(error instanceof AuthExpiredError)) throw error;
      // A token ends before its time when another program gets a new one: once, with another.
      access.forget(token);
      return send({ ...call, path }, await access.token(), answer);
    }
  }

  async function send<T>(call: Call, token: string, answer: z.ZodType<T>): Promise<T> {
    const { method = 'GET', path, headers, body, signal } = call;
    const name = `${method} ${shownPath(path)}`;
    const request: HttpRequest = {
      ...{ method, url: `${apiRoot}${path}`, maxBytes: MAX_BYTES, timeoutMs: PAGE_MS },
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(body && { body }),
      ...(signal && { signal }),
    };
    const { json } = await http.send(request).catch((error: unknown) => {
      throw refusalOf(name, error);
    });
    const { data, success } = answer.safeParse(json);
    if (success) return data;
    throw new RetryableError(`${name}: the answer can't be read`, { outcomeUnknown: true });
  }

  return {
    ask,
    user,
    async file(url) {
      if (!isFetchable(url, apiRoot)) throw new PermanentError('the address that Avito named is none of the web');
      return (await http.stream({ url, maxBytes: MAX_FILE, timeoutMs: FILE_MS })).body;
    },
  };
}

/** Addresses of files are made by Avito, not by who writes: any of the web will do. */
function isFetchable(address: string, root: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, host, port } = new URL(address);
  return host === new URL(root).host || (protocol === 'https:' && port === '');
}

/** Without the numbers of accounts, chats and messages. */
const shownPath = (path: string): string =>
  (path.split('?')[0] ?? '')
    .split('/')
    .map((part) => (/^([a-zA-Z]+|v\d)$/.test(part) || part === '' ? part : '…'))
    .join('/');

const Words = z.object({ error: z.object({ message: z.string() }) });

function refusalOf(name: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const words = Words.safeParse(jsonOf(Buffer.from(response.text))).data?.error.message ?? '';
  const text = `${name} answered ${response.status}${words && `: ${words}`}`.slice(0, 500);
  if (error instanceof AuthExpiredError) {
    return new AuthExpiredError(text, { cause: error, response, ...(error.hint && { hint: error.hint }) });
  }
  if (!(error instanceof PermanentError)) return error;
  const isPlan = response.status === 402 || response.status === 403;
  const hint = isPlan ? PLAN : error.hint;
  return new PermanentError(text, { cause: error, response, ...(hint !== undefined && { hint }) });
}

export function search(query: Readonly<Record<string, string | number>>): string {
  return new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}
