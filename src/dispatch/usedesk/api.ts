import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../../core/errors.ts';
import type { TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { momentOf, wordsOf } from '../../core/local-time.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import type { UploadFile } from '../../core/upload-form.ts';
import type { Config } from './config.ts';

/**
 * Usedesk's API, as far as it is used. Everything is a POST, with the token in the body.
 * https://api.usedocs.com/, older: https://usedeskkb.atlassian.net/wiki/spaces/APIDOC
 */

const LIST_BYTES = 16 * 1024 * 1024;
const UPLOAD_MS = 60_000;
/** Most that Usedesk lists at once. */
export const PAGE = 100;

/** Ids are numbers or texts there; as strings here, whatever their length. */
const Id = z.union([z.number(), z.string().min(1)]).transform(String);
/** `2026-11-22 10:00:00`: the API works in UTC, whatever the company's clocks say. */
const Time = z.string().refine((text) => momentOf(text, 'UTC') !== undefined);

const Ticket = z.object({
  id: Id,
  status_id: Id,
  priority: z.string().nullish(),
  additional_id: z.union([z.string(), z.number()]).nullish(),
  published_at: Time,
});
export type Ticket = z.output<typeof Ticket>;

export const Comment = z.object({
  id: Id,
  message: z.string().nullish(),
  /** `client`, `user` (an agent) or `trigger` (a rule). */
  from: z.string(),
  /** `public` or `private`. */
  type: z.string().nullish(),
  user_id: Id.nullish(),
  published_at: Time,
  /** What stands in them isn't documented. */
  files: z.array(z.unknown()).nullish(),
  user: z.object({ name: z.string().nullish() }).nullish().catch(undefined),
});
export type Comment = z.output<typeof Comment>;

export const Change = z.object({
  id: Id,
  /** The rule that did it. */
  trigger_id: Id.nullish(),
  user_id: Id.nullish(),
  changed_at: Time,
  /** 0, as the one below: it changed no status. */
  old_status: Id.nullish(),
  new_status: Id.nullish(),
  data: z
    .array(z.object({ target: z.string().nullish() }))
    .nullish()
    .catch(undefined),
});
export type Change = z.output<typeof Change>;

const Whole = z.object({
  ticket: Ticket,
  comments: z.array(Comment),
  changes: z.array(Change).nullish(),
});
export type Whole = z.output<typeof Whole>;

const Listed = z.object({ id: Id, last_updated_at: Time });
export type Listed = z.output<typeof Listed>;

/** `emails` is a text of one or more. */
const Client = z.object({ id: Id, emails: z.unknown().optional(), tickets: z.array(Id).nullish() });
/** Names are no reason to fail. */
const Agents = z.array(z.object({ id: Id, name: z.string().nullish() })).catch([]);

const Done = z.object({ status: z.union([z.literal('success'), z.literal(true)]) });

const Refusal = z.object({
  error: z.union([z.string().min(1), z.looseObject({})]),
  code: z.union([z.number(), z.string()]).nullish(),
});

const ABOUT_TOKEN = /token|токен/i;

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  const token = config.apiToken.reveal();

  type Given = Partial<HttpRequest> & { readonly files?: readonly UploadFile[] };
  async function ask<T extends z.ZodType>(schema: T, path: string, body: object, { files = [], ...request }: Given) {
    const asked = {
      url: `${config.apiRoot}${path}`,
      hidden: token,
      ...toRequest({ api_token: token, ...body }, files),
    };
    const about = { path, token, isQuoted: speaksOfTokens(body) };
    const sent = http.send({ maxBytes: LIST_BYTES, method: 'POST', ...request, ...asked });
    const { json } = await sent.catch((error: unknown) => refused(error, about));
    const refusal = Refusal.safeParse(json).data;
    if (refusal) throw errorOf(refusal, about);
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`Usedesk answered ${path} with something else than it documents`, {
      outcomeUnknown: true,
      hint: 'Compare `apiRoot`: it is https://api.usedesk.ru when left out.',
    });
  }
  async function tryToken(): Promise<void> {
    await ask(z.unknown(), '/users', { user_id: config.user }, {}).catch((error: unknown) => {
      if (!(error instanceof PermanentError)) throw error;
    });
  }
  async function call<T extends z.ZodType>(schema: T, path: string, body: object, request: Given = {}) {
    try {
      return await ask(schema, path, body, request);
    } catch (error) {
      // An error may quote what it refuses, a customer's words too: what says nothing of tokens shows whether ours is meant.
      if (speaksOfTokens(body) && isAboutToken(error)) await tryToken();
      throw error;
    }
  }
  const during = (signal: AbortSignal | undefined) => (signal ? { signal } : {});
  const written = (files: readonly UploadFile[]) => ({ files, timeoutMs: UPLOAD_MS });

  return {
    /** https://api.usedocs.com/article/51377: with all comments and changes. */
    ticket: (id: string, signal?: AbortSignal) => call(Whole, '/ticket', { ticket_id: Number(id) }, during(signal)),
    /** A page of those of the channel that moved at `since` or later, those that moved first first: article/51376. */
    moved: (since: number, page: number, signal: AbortSignal) => {
      const after = wordsOf(since, 'UTC').slice(0, 'yyyy-mm-dd hh:mm'.length);
      const order = { sort: 'last_updated_at', order: 'asc', offset: page * PAGE };
      const asked = { fchannel: String(config.channel), updated_after: after, ...order };
      return call(z.array(Listed), '/tickets', asked, during(signal));
    },
    /** article/51378 */
    create: async (ticket: object, files: readonly UploadFile[]) =>
      (await call(z.object({ ticket_id: Id }), '/create/ticket', ticket, written(files))).ticket_id,
    /** article/51381 */
    async comment(comment: object, files: readonly UploadFile[]): Promise<void> {
      await call(Done, '/create/comment', comment, written(files));
    },
    /** article/51379 */
    async update(change: object): Promise<void> {
      await call(Done, '/update/ticket', change);
    },
    /** https://usedeskkb.atlassian.net/wiki/spaces/APIDOC/pages/648348533/Clients */
    clients: (address: string) => call(z.array(Client), '/clients', { query: address, search_type: 'full_match' }),
    /** article/51385 */
    makeClient: async (client: object) => (await call(z.object({ client_id: Id }), '/create/client', client)).client_id,
    /** article/51414: by default it tells of the role `employee` alone, perhaps also where one agent is asked for. */
    async agent(id: string, signal?: AbortSignal) {
      for (const role of [{}, { user_type: 'admin' }, { user_type: 'support' }]) {
        const found = await call(Agents, '/users', { user_id: Number(id), ...role }, during(signal));
        const agent = found.find((each) => each.id === id);
        if (agent) return agent;
      }
      return undefined;
    },
    /** The bytes at an address that Usedesk gave, which are asked for without the token. */
    async bytes(url: string, maxBytes: number) {
      const isTheirs = (address: string) => isUsedesks(address, config);
      if (!isTheirs(url)) {
        throw new PermanentError(`Usedesk names ${hostOf(url)} as the place of a file, which is none of its own`, {
          hint: 'If it belongs to your Usedesk, name it in `fileHosts`.',
        });
      }
      return (await http.stream({ url, maxBytes, mayFollow: (to) => isTheirs(to.href) })).body;
    },
  };
}

export function timeOf(text: string): number {
  return momentOf(text, 'UTC') ?? 0;
}

/** JSON, or a form where there are files. */
function toRequest(body: object, files: readonly UploadFile[]): Pick<HttpRequest, 'body' | 'headers'> {
  const accept = { accept: 'application/json' };
  if (files.length === 0) return { body, headers: accept };
  const fields = Object.entries(body).map(([name, value]) => [name, String(value)] as const);
  const form = toUploadForm(Object.fromEntries(fields), ...files);
  return { body: form.body, headers: { ...accept, 'content-type': form.type } };
}

function speaksOfTokens(body: object): boolean {
  return ABOUT_TOKEN.test(JSON.stringify(body));
}

function isAboutToken(error: unknown): boolean {
  return error instanceof PermanentError && ABOUT_TOKEN.test(error.response?.text ?? '');
}

/** The call that was refused, and whether it speaks of tokens itself. */
interface About {
  readonly path: string;
  readonly token: string;
  readonly isQuoted: boolean;
}

/** What a refusal says may be worth more than its status. */
function refused(error: unknown, about: About): never {
  if (!(error instanceof PermanentError) || !error.response) throw error;
  const refusal = Refusal.safeParse(jsonOf(Buffer.from(error.response.text))).data;
  const meant = refusal && errorOf(refusal, about);
  throw meant && !(meant instanceof PermanentError) ? meant : error;
}

/** `{"error": …, "code": …}`, mostly with 200. Which codes there are isn't documented: those of HTTP are believed. */
function errorOf({ error, code }: z.output<typeof Refusal>, { path, token, isQuoted }: About): TributaryError {
  const said = (typeof error === 'string' ? error : JSON.stringify(error)).replaceAll(token, '[secret]').slice(0, 500);
  const text = `Usedesk refused ${path}: ${said}`;
  const status = Number(code ?? 0);
  if (status === 429) return new RateLimitedError(text);
  if (status >= 500 && status < 600) return new RetryableError(text, { outcomeUnknown: true });
  if (status === 401 || (!isQuoted && ABOUT_TOKEN.test(said))) {
    return new AuthExpiredError(text, { hint: 'Compare `apiToken` with the app secret key of the API channel.' });
  }
  const response = { status: status >= 400 && status < 500 ? status : 400, text: said };
  return new PermanentError(text, { response });
}

function isUsedesks(address: string, { apiRoot, fileHosts }: Config): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, origin } = new URL(address);
  if (origin === new URL(apiRoot).origin) return true;
  const isOwn = /(^|\.)usedesk\.(ru|com)$/.test(hostname);
  return protocol === 'https:' && (isOwn || fileHosts.includes(hostname));
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'no address at all';
}
