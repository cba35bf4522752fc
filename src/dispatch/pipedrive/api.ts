import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { AuthExpiredError, RateLimitedError, RetryableError, TributaryError } from '../../core/errors.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import { createAccess } from './access.ts';
import type { Config } from './config.ts';
import { answer, Change, Deal, Field, Files, Items, Notes, One, page, Person, Stage, User } from './shapes.ts';

/** Pipedrive's API, version 2 as far as that goes, else version 1: https://developers.pipedrive.com/docs/api/v1 */

const MOST_READ = 16 * 1024 * 1024;
const UPLOAD_MS = 60_000;
const PAGE = '500';
const MOST_PAGES = 20;
/** The budget is for a day; when that ends where the account is isn't told. */
const BUDGET_MS = 60 * 60_000;
/** Whoever goes on in spite of a 429 is kept out for a while; how long isn't told. */
const KEPT_OUT_MS = 10 * 60_000;

export type Api = ReturnType<typeof createApi>;
type Query = Readonly<Record<string, string | undefined>>;
interface File {
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}
/** The beginning of a list; `isCut`: there is more of it than was looked through. */
interface Listed<T> {
  readonly all: readonly T[];
  readonly isCut: boolean;
}

export function rootOf({ apiRoot, companyDomain }: Pick<Config, 'apiRoot' | 'companyDomain'>): string {
  return apiRoot ?? `https://${companyDomain}.pipedrive.com`;
}

export function createApi(config: Config, context: Pick<Context, 'http' | 'clock' | 'secrets'>) {
  const signed = createAccess(config, context);

  async function call<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const { method = 'GET' } = request;
    const url = `${rootOf(config)}${path}`;
    const { json } = await signed((credentials) => {
      const headers = { accept: 'application/json', ...request.headers, ...credentials };
      return context.http.send({ maxBytes: MOST_READ, ...request, method, url, headers }).catch(inTheirWords);
    });
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`Pipedrive answered ${method} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `companyDomain` with the address of your Pipedrive.',
    });
  }

  async function one<T extends z.ZodType>(schema: T, path: string, request?: Partial<HttpRequest>) {
    const { data } = (await call(answer(schema), path, request)) as { data: z.output<T> };
    return data;
  }

  /** A list, page by page, while `goesOn` says so of the last one of each. */
  async function list<T extends z.ZodType>(
    schema: T,
    path: string,
    query: Query,
    { goesOn, signal }: { goesOn?: (last: z.output<T>) => boolean; signal?: AbortSignal } = {},
  ): Promise<Listed<z.output<T>>> {
    const all: z.output<T>[] = [];
    let cursor: string | undefined;
    for (let at = 0; at < MOST_PAGES; at++) {
      const search = queryOf({ ...query, limit: PAGE, cursor });
      const { data, additional_data: more } = await call(page(schema), `${path}?${search}`, given(signal));
      all.push(...data);
      cursor = more?.next_cursor ?? undefined;
      const last = data.at(-1);
      if (cursor === undefined || last === undefined || goesOn?.(last) === false) return { all, isCut: false };
    }
    return { all, isCut: true };
  }

  const search = async (path: string, query: Query) =>
    (await one(Items, `${path}?${queryOf({ ...query, exact_match: 'true' })}`)).items.map(({ item }) => item);

  async function notes(query: Query, start: number, signal?: AbortSignal) {
    const path = `/v1/notes?${queryOf({ ...query, start: String(start), limit: PAGE })}`;
    const { data, additional_data: more } = await call(Notes, path, given(signal));
    return { notes: data ?? [], more: more?.pagination?.more_items_in_collection ?? false };
  }

  const newest = { sort_by: 'id', sort_direction: 'desc' };
  const withOurs = { custom_fields: config.dealIdField };

  return {
    deal: (id: string) => one(Deal, `/api/v2/deals/${encodeURIComponent(id)}`),
    createDeal: async (body: object) => (await one(One, '/api/v2/deals', { method: 'POST', body })).id,
    async updateDeal(id: string, body: object): Promise<void> {
      await one(One, `/api/v2/deals/${encodeURIComponent(id)}`, { method: 'PATCH', body });
    },
    /** Those that were made since, newest first, also where no search shows them yet. */
    dealsMade: (since: number) =>
      list(
        Deal,
        '/api/v2/deals',
        { ...newest, ...withOurs },
        { goesOn: ({ add_time: at }) => Date.parse(at) >= since },
      ),
    personsMade: (since: number) =>
      list(
        Person,
        '/api/v2/persons',
        { ...newest, custom_fields: config.personIdField },
        { goesOn: ({ add_time: at }) => Date.parse(at) >= since },
      ),
    /** Those that were changed since, in the order of that. */
    dealsChanged(since: number, signal: AbortSignal) {
      const query = { updated_since: toTime(since), sort_by: 'update_time', sort_direction: 'asc' };
      return list(Deal, '/api/v2/deals', { ...query, ...withOurs }, { signal });
    },
    /** At most 100 of them. */
    deals: async (ids: readonly string[], signal?: AbortSignal) =>
      (await list(Deal, '/api/v2/deals', { ids: ids.join(','), ...withOurs }, given(signal))).all,
    searchDeals: (term: string) => search('/api/v2/deals/search', { term, fields: 'custom_fields' }),
    searchPersons: (fields: string, term: string) => search('/api/v2/persons/search', { term, fields }),
    createPerson: async (body: object) => (await one(One, '/api/v2/persons', { method: 'POST', body })).id,
    /** Notes of a deal, newest first. */
    notesOf: (dealId: string, start: number) => notes({ deal_id: dealId, sort: 'id DESC' }, start),
    /** Notes that were written or changed since, in the order of that. */
    notesSince: (since: number, start: number, signal: AbortSignal) =>
      notes({ updated_since: toTime(since), sort: 'update_time ASC' }, start, signal),
    async createNote(dealId: string, content: string): Promise<void> {
      await one(One, '/v1/notes', { method: 'POST', body: { content, deal_id: Number(dealId) } });
    },
    /** The newest files of a deal; Pipedrive gives at most 100. */
    async filesOf(dealId: string) {
      const path = `/v1/deals/${encodeURIComponent(dealId)}/files?${queryOf({ sort: 'id DESC', limit: '100' })}`;
      return (await call(Files, path)).data ?? [];
    },
    async upload(dealId: string, file: File): Promise<void> {
      const { body, type } = toUploadForm({ deal_id: dealId }, { field: 'file', ...file });
      await one(One, '/v1/files', { method: 'POST', headers: { 'content-type': type }, body, timeoutMs: UPLOAD_MS });
    },
    /** What was changed of a deal, and by whom. */
    changes: (id: string, signal: AbortSignal) =>
      one(z.array(Change), `/v1/deals/${encodeURIComponent(id)}/changelog?limit=${PAGE}`, { signal }),
    user: (id: string, signal: AbortSignal) => one(User, `/v1/users/${encodeURIComponent(id)}`, { signal }),
    me: () => one(User, '/v1/users/me'),
    fields: async (kind: 'deal' | 'person') => (await list(Field, `/api/v2/${kind}Fields`, {})).all,
    stages: async () => (await list(Stage, '/api/v2/stages', {})).all,
  };
}

function given(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

function queryOf(query: Query): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return new URLSearchParams(pairs).toString();
}

function toTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** https://pipedrive.readme.io/docs/core-api-concepts-http-status-codes and …-rate-limiting */
function inTheirWords(error: unknown): never {
  if (!(error instanceof TributaryError) || !error.response) throw error;
  const { message, response } = error;
  const details = { cause: error, response };
  if (error instanceof RateLimitedError) throw new RateLimitedError(message, pauseOf(error), details);
  if (response.status === 402) {
    throw new AuthExpiredError(message, { ...details, hint: 'Pipedrive has closed the account until it is paid for.' });
  }
  // A page of the guard before it, rather than an answer of its own.
  if (response.status === 403 && response.text.trimStart().startsWith('<')) {
    throw new RateLimitedError(`${message} with a page`, KEPT_OUT_MS, details);
  }
  throw error;
}

/** Until the window of two seconds is over, or the budget of the day may have been filled again. */
function pauseOf({ retryAfterMs, response }: RateLimitedError): number | undefined {
  const { limits = {} } = response ?? {};
  const left = limits['x-daily-ratelimit-token-remaining'];
  if (left !== undefined && Number(left) <= 0) return BUDGET_MS;
  if (retryAfterMs !== undefined) return retryAfterMs;
  const reset = limits['x-ratelimit-reset'] ?? '';
  return /^\d{1,3}$/.test(reset) ? Math.max(Number(reset), 1) * 1000 : undefined;
}
