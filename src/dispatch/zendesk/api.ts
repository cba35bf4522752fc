import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Config } from './config.ts';

/**
 * Zendesk's Ticketing API, as far as it is used.
 * https://developer.zendesk.com/api-reference/ticketing/introduction/
 */

const LIST_BYTES = 16 * 1024 * 1024;
const UPLOAD_MS = 60_000;

/** Ids are numbers there; as strings here, whatever their length. */
const Id = z.union([z.number(), z.string().min(1)]).transform(String);

export const Ticket = z.object({
  id: Id,
  status: z.string(),
  priority: z.string().nullish(),
  external_id: z.string().nullish(),
  requester_id: Id.nullish(),
  updated_at: z.string(),
});
export type Ticket = z.output<typeof Ticket>;

export const User = z.object({
  id: Id,
  name: z.string().nullish(),
  email: z.string().nullish(),
  external_id: z.string().nullish(),
  role: z.string().nullish(),
});

/** Only what is read of it: the rest says where agents sit, and isn't ours to keep. */
export const Audit = z.object({
  id: Id,
  author_id: Id.nullish(),
  created_at: z.string(),
  metadata: z.object({ custom: z.object({ tributary: z.string().nullish() }).nullish().catch(undefined) }).nullish(),
  events: z.array(z.unknown()).default([]),
});
export type Audit = z.output<typeof Audit>;

const Page = z.object({ meta: z.object({ has_more: z.boolean(), after_cursor: z.string().nullish() }).nullish() });

const Answers = {
  ticket: z.object({ ticket: Ticket }),
  tickets: Page.extend({ tickets: z.array(Ticket) }),
  users: z.object({ users: z.array(User) }),
  user: z.object({ user: User }),
  me: z.object({ user: z.object({ id: Id.nullish(), name: z.string().nullish() }) }),
  audits: z.object({ audits: z.array(Audit), next_page: z.string().nullish() }),
  upload: z.object({ upload: z.object({ token: z.string().min(1) }) }),
  attachment: z.object({ attachment: z.object({ content_url: z.url({ protocol: /^https?$/ }) }) }),
};

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  const root = rootOf(config);

  async function call<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const { method = 'GET' } = request;
    const headers = { authorization: authorization(config), accept: 'application/json', ...request.headers };
    const { json } = await http
      .send({ maxBytes: LIST_BYTES, ...request, method, url: `${root}/api/v2${path}`, headers })
      .catch(conflict);
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`Zendesk answered ${method} ${path.split('?')[0]} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `subdomain` (or `apiRoot`) with the address of your Zendesk.',
    });
  }

  return {
    ticket: async (id: string) => (await call(Answers.ticket, `/tickets/${encodeURIComponent(id)}`)).ticket,
    async ticketsNamed(externalId: string) {
      return (await call(Answers.tickets, `/tickets?external_id=${encodeURIComponent(externalId)}`)).tickets;
    },
    /** Those that changed last first. `after`: where the page before it ended. */
    async changed(size: number, after: string | undefined, signal: AbortSignal) {
      const from = after === undefined ? '' : `&page[after]=${encodeURIComponent(after)}`;
      const { tickets, meta } = await call(Answers.tickets, `/tickets?sort=-updated_at&page[size]=${size}${from}`, {
        signal,
      });
      return { tickets, after: meta?.has_more ? (meta.after_cursor ?? undefined) : undefined };
    },
    create: async (ticket: object, key: string) =>
      (
        await call(Answers.ticket, '/tickets', {
          method: 'POST',
          headers: { 'idempotency-key': key },
          body: { ticket },
        })
      ).ticket,
    async update(id: string, ticket: object): Promise<void> {
      await call(Answers.ticket, `/tickets/${encodeURIComponent(id)}`, { method: 'PUT', body: { ticket } });
    },
    /** Newest first where Zendesk keeps to the order that is asked for; `more`: there are others behind them. */
    async audits(id: string, page: number, signal?: AbortSignal) {
      const path = `/tickets/${encodeURIComponent(id)}/audits?sort_order=desc&per_page=100&page=${page}`;
      const { audits, next_page: next } = await call(Answers.audits, path, { ...(signal && { signal }) });
      return { audits, more: next !== null && next !== undefined };
    },
    usersNamed: async (by: 'query' | 'external_id', value: string) =>
      (await call(Answers.users, `/users/search?${by}=${encodeURIComponent(value)}`)).users,
    user: async (id: string, signal?: AbortSignal) =>
      (await call(Answers.user, `/users/${encodeURIComponent(id)}`, { ...(signal && { signal }) })).user,
    saveUser: async (user: object) =>
      (await call(Answers.user, '/users/create_or_update', { method: 'POST', body: { user } })).user,
    me: async () => (await call(Answers.me, '/users/me')).user,
    async upload(name: string, mediaType: string, body: Buffer): Promise<string> {
      const { upload } = await call(Answers.upload, `/uploads?filename=${encodeURIComponent(name)}`, {
        method: 'POST',
        headers: { 'content-type': mediaType },
        body,
        timeoutMs: UPLOAD_MS,
      });
      return upload.token;
    },
    /** The bytes of a file. Its address may lead to another host, which gets no credentials. */
    async download(id: string, maxBytes: number) {
      const { attachment } = await call(Answers.attachment, `/attachments/${encodeURIComponent(id)}`);
      const url = attachment.content_url;
      const own = new URL(url).origin === new URL(root).origin;
      if (!own && !isZendesks(new URL(url))) {
        throw new PermanentError(`Zendesk names ${new URL(url).host} as the place of a file, which is none of its own`);
      }
      const headers: Record<string, string> = own ? { authorization: authorization(config) } : {};
      const { body } = await http.stream({ url, maxBytes, headers, mayFollow: isZendesks });
      return body;
    },
  };
}

/** Without a slash at the end. */
export function rootOf({ apiRoot, subdomain }: Config): string {
  return (apiRoot ?? `https://${subdomain}.zendesk.com`).replace(/\/$/, '');
}

/** https://developer.zendesk.com/api-reference/introduction/security-and-auth/ */
function authorization({ auth }: Config): string {
  if (auth.type === 'oauth') return `Bearer ${auth.accessToken.reveal()}`;
  return `Basic ${Buffer.from(`${auth.email}/token:${auth.token.reveal()}`).toString('base64')}`;
}

/** Files lie at `<account>.zendesk.com` and, behind a redirect, at `*.zdusercontent.com`. */
function isZendesks({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' && /(^|\.)(zendesk|zdusercontent)\.com$/.test(hostname);
}

/** Two writers at once: theirs to settle, ours to come again. */
function conflict(error: unknown): never {
  if (!(error instanceof PermanentError) || error.response?.status !== 409) throw error;
  throw new RetryableError(`${error.message}: somebody changes the same there`, {
    cause: error,
    response: error.response,
    outcomeUnknown: true,
  });
}

const Refusal = z.object({ error: z.string() });

/** The key was used before, for a request that said something else. */
export function isOtherRequest(error: unknown): boolean {
  if (!(error instanceof PermanentError) || error.response?.status !== 400) return false;
  const said = Refusal.safeParse(jsonOf(Buffer.from(error.response.text)));
  return said.success && said.data.error === 'IdempotentRequestError';
}
