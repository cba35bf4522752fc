import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { AuthExpiredError, RateLimitedError, RetryableError, TributaryError, isRefused } from '../../core/errors.ts';
import type { Config } from './config.ts';
import { createPace } from './pace.ts';
import { Account, Lead } from './things.ts';
import { createTokens } from './tokens.ts';

/**
 * amoCRM's API, version 4, which is Kommo's too, as far as it is used.
 * https://www.amocrm.ru/developers/content/crm_platform/api-reference
 */

const LIST_BYTES = 16 * 1024 * 1024;
/** Numbers in one address. */
const AT_ONCE = 50;
/** Whoever goes beyond it again and again is shut out altogether. */
const SHUT_OUT_MS = 15 * 60_000;

const Links = z.object({ next: z.object({ href: z.string() }).nullish() }).nullish();

/** Which list it is, and the most that a page of it holds. */
const LISTS = {
  leads: { path: '/api/v4/leads', limit: 250 },
  contacts: { path: '/api/v4/contacts', limit: 250 },
  events: { path: '/api/v4/events', limit: 100 },
  notes: { path: '/api/v4/leads/notes', limit: 250 },
  custom_fields: { path: '/api/v4/leads/custom_fields', limit: 250 },
} as const;
type Kind = keyof typeof LISTS;

export type Query = Readonly<Record<string, string | readonly string[]>>;
interface Asked {
  readonly path?: string;
  readonly signal?: AbortSignal;
}
export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, context: Context) {
  const tokens = createTokens(config, context);
  const turn = createPace(context.clock);

  async function send(url: string, request: Partial<HttpRequest> = {}) {
    return tokens
      .use(async (token) => {
        await turn(request.signal);
        const headers = { authorization: `Bearer ${token}`, accept: 'application/json', ...request.headers };
        return context.http.send({ maxBytes: LIST_BYTES, ...request, url, headers });
      })
      .catch(inTheirWords);
  }

  /** What was answered; undefined: 204, there is nothing of the kind. */
  async function read<T extends z.ZodType>(schema: T, at: string, request: Partial<HttpRequest> = {}) {
    const { status, json } = await send(at.startsWith('/') ? `${config.apiRoot}${at}` : at, request);
    if (status === 204) return undefined;
    const found = schema.safeParse(json);
    if (found.success) return found.data;
    const { method = 'GET' } = request;
    throw new RetryableError(`amoCRM answered ${method} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `apiRoot` with the address of your account, such as https://acme.amocrm.ru.',
    });
  }

  /** A list, page by page. */
  async function* pages<T extends z.ZodType>(
    kind: Kind,
    schema: T,
    query: Query,
    { path, signal }: Asked = {},
  ): AsyncGenerator<z.output<T>[]> {
    const { path: usual, limit } = LISTS[kind];
    const Page = z.object({ _embedded: z.object({ [kind]: z.array(schema) }), _links: Links });
    for (let page = 1; ; page++) {
      const search = toSearch({ ...query, limit: String(limit), page: String(page) });
      const found = await read(Page, `${path ?? usual}?${search}`, { ...(signal && { signal }) });
      if (!found) return;
      const things = (found._embedded as Record<string, z.output<T>[]>)[kind] ?? [];
      yield things;
      if (!found._links?.next) return;
    }
  }

  /** The first page of a list. */
  async function first<T extends z.ZodType>(
    kind: Kind,
    schema: T,
    query: Query,
    asked?: Asked,
  ): Promise<z.output<T>[]> {
    for await (const things of pages(kind, schema, query, asked)) return things;
    return [];
  }

  /**
   * Those of a list with these numbers. Where an account's plan has no filters, the list is another one: what it lacks is
   * asked for by itself, and left out where it isn't there for us.
   */
  async function byIds<T extends z.ZodType<{ id: string }>>(
    kind: 'leads' | 'notes',
    schema: T,
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<Map<string, z.output<T>>> {
    const all = new Map<string, z.output<T>>();
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const some = ids.slice(from, from + AT_ONCE);
      const listed = await first(kind, schema, { 'filter[id][]': some }, { signal });
      for (const thing of listed) all.set(thing.id, thing);
      for (const id of some.filter((each) => !all.has(each))) {
        const thing = await read(schema, `${LISTS[kind].path}/${id}`, { signal }).catch(unless(403, 404));
        if (thing) all.set(id, thing);
      }
    }
    return all;
  }

  return {
    read,
    pages,
    first,
    byIds,
    client: tokens.client,
    /** The account, each time anew until it was told once. */
    account: once(async () => {
      const account = await read(Account, '/api/v4/account?with=drive_url');
      if (account) return account;
      throw new RetryableError('amoCRM says nothing of the account');
    }),
    async lead(id: string): Promise<Lead | undefined> {
      return read(Lead, `/api/v4/leads/${encodeURIComponent(id)}`).catch(unless(404));
    },
    /** Bytes of a file there, with our credentials, which go no further. */
    stream: (url: string, maxBytes: number) =>
      tokens
        .use(async (token) => {
          await turn(undefined);
          const mayFollow = ({ protocol }: URL) => protocol === 'https:';
          return context.http.stream({ url, maxBytes, mayFollow, headers: { authorization: `Bearer ${token}` } });
        })
        .catch(inTheirWords),
  };
}

/** A list repeats its name. */
function toSearch(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  return new URLSearchParams(pairs as [string, string][]).toString();
}

/** https://www.amocrm.ru/developers/content/crm_platform/error-codes */
function inTheirWords(error: unknown): never {
  if (!(error instanceof TributaryError) || !error.response) throw error;
  const { response } = error;
  if (response.status === 402) {
    throw new AuthExpiredError(`${error.message}: the account is not paid`, {
      cause: error,
      response,
      hint: 'Pay for the account in amoCRM: Settings → Billing.',
    });
  }
  // Its API says in JSON what a user may not do; a page of the web server says that nobody may anything from here.
  if (response.status === 403 && !response.text.trimStart().startsWith('{')) {
    throw new RateLimitedError(`${error.message}: amoCRM has shut us out, as after too many calls`, SHUT_OUT_MS, {
      cause: error,
      response,
      hint: 'If it lasts, ask amoCRM’s support to let this address in again; look which other programs call the account.',
    });
  }
  throw error;
}

/** What isn't there for us is undefined. */
export function unless(...statuses: readonly number[]): (error: unknown) => undefined {
  return (error) => {
    if (!isRefused(error, ...statuses)) throw error;
  };
}

/** Asks again only where the last time failed. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
}
