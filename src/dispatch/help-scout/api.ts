import { Readable } from 'node:stream';
import { z } from 'zod';
import { keepAccessTokens, withAccessToken } from '../../core/access-tokens.ts';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Config } from './config.ts';

/**
 * Help Scout's Inbox API, version 2, as far as it is used.
 * https://developer.helpscout.com/mailbox-api/
 */

const LIST_BYTES = 16 * 1024 * 1024;
/** A file of 10 MB comes in base64 within JSON. */
const FILE_BYTES = 24 * 1024 * 1024;
const UPLOAD_MS = 60_000;

/** Ids are numbers there; as strings here, whatever their length. */
const Id = z.union([z.number(), z.string().min(1)]).transform(String);
const Time = z.iso.datetime({ offset: true });

const File = z.object({
  id: Id,
  filename: z.string().nullish(),
  mimeType: z.string().nullish(),
  size: z.number().int().min(0).nullish(),
});
export type File = z.output<typeof File>;

export const Thread = z.object({
  id: Id,
  type: z.string(),
  status: z.string().nullish(),
  state: z.string().nullish(),
  body: z.string().nullish(),
  source: z.object({ type: z.string().nullish() }).nullish(),
  createdBy: z
    .object({ id: Id.nullish(), type: z.string().nullish(), first: z.string().nullish(), last: z.string().nullish() })
    .nullish(),
  createdAt: Time,
  _embedded: z.object({ attachments: z.array(File).nullish() }).nullish(),
});
export type Thread = z.output<typeof Thread>;

export const Conversation = z.object({
  id: Id,
  status: z.string(),
  createdAt: Time,
  userUpdatedAt: Time.nullish(),
  primaryCustomer: z.object({ id: Id.nullish() }).nullish(),
  _embedded: z.object({ threads: z.array(Thread).nullish() }).nullish(),
});
export type Conversation = z.output<typeof Conversation>;

const Page = z.object({
  _embedded: z.object({ conversations: z.array(Conversation).nullish() }).nullish(),
  page: z.object({ totalPages: z.number() }).nullish(),
});
const Granted = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive().default(7200) });
const Refused = z.object({ error: z.string() });
const Me = z.object({ id: Id, firstName: z.string().nullish(), lastName: z.string().nullish() });

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http, clock }: Pick<Context, 'http' | 'clock'>) {
  const tokens = keepAccessTokens(clock, async () => {
    const hidden = config.appSecret.reveal();
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: config.appId,
      client_secret: hidden,
    }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
    const url = `${config.apiRoot}/v2/oauth2/token`;
    const { json } = await http.send({ method: 'POST', url, headers, body, hidden }).catch(refusedApp);
    const granted = Granted.safeParse(json).data;
    if (!granted) throw new RetryableError('Help Scout answered without an access token');
    return { token: granted.access_token, seconds: granted.expires_in };
  });

  /** The answer, and its headers, which say what was made. */
  const ask = (path: string, request: Partial<HttpRequest> = {}) =>
    withAccessToken(tokens, (token) =>
      http.send({
        maxBytes: LIST_BYTES,
        waitOf,
        ...request,
        url: `${config.apiRoot}/v2${path}`,
        headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      }),
    );
  async function read<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const found = schema.safeParse((await ask(path, request)).json);
    if (found.success) return found.data;
    throw new RetryableError(`Help Scout answered GET ${path.split('?')[0]} with something else than it documents`, {
      hint: 'Compare `apiRoot`: it is https://api.helpscout.net when left out.',
    });
  }
  const conversationPath = (id: string) => `/conversations/${encodeURIComponent(id)}`;

  return {
    conversation: (id: string) => read(Conversation, `${conversationPath(id)}?embed=threads`),
    /** A page of conversations with all that was said in them. */
    async list(query: Readonly<Record<string, string>>, page: number, signal?: AbortSignal) {
      const search = new URLSearchParams({ status: 'all', embed: 'threads', ...query, page: String(page) }).toString();
      const found = await read(Page, `/conversations?${search}`, { ...(signal && { signal }) });
      return { conversations: found._embedded?.conversations ?? [], isLast: page >= (found.page?.totalPages ?? 1) };
    },
    /** The number of the new conversation, and where agents see it. */
    async create(conversation: object): Promise<{ id: string; url: string | undefined }> {
      const { headers } = await ask('/conversations', { method: 'POST', body: conversation, timeoutMs: UPLOAD_MS });
      return { id: madeIn(headers), url: headers['web-location'] };
    },
    async add(id: string, kind: 'customer' | 'notes' | 'reply', thread: object): Promise<void> {
      const path = `${conversationPath(id)}/${kind}`;
      madeIn((await ask(path, { method: 'POST', body: thread, timeoutMs: UPLOAD_MS })).headers);
    },
    async setStatus(id: string, value: string): Promise<void> {
      await ask(conversationPath(id), { method: 'PATCH', body: { op: 'replace', path: '/status', value } });
    },
    me: () => read(Me, '/users/me'),
    mailbox: (id: number) => read(z.object({ name: z.string() }), `/mailboxes/${id}`),
    async file(conversation: string, id: string): Promise<Readable> {
      const path = `${conversationPath(conversation)}/attachments/${encodeURIComponent(id)}/data`;
      const { data } = await read(z.object({ data: z.string() }), path, { maxBytes: FILE_BYTES });
      return Readable.from([Buffer.from(data, 'base64')]);
    },
  };
}

/** https://developer.helpscout.com/mailbox-api/overview/rate-limiting/ */
const waitOf: HttpRequest['waitOf'] = ({ headers }) => headers['x-ratelimit-retry-after'];

/** What only a person can repair (RFC 6749, section 5.2); without the answer, which may quote the request. */
function refusedApp(error: unknown): never {
  const isRefusal = error instanceof AuthExpiredError || error instanceof PermanentError;
  if (!isRefusal || !error.response) throw error;
  const said = Refused.safeParse(jsonOf(Buffer.from(error.response.text))).data?.error;
  const isApp = said !== undefined && ['invalid_client', 'invalid_grant', 'unauthorized_client'].includes(said);
  if (!isApp && error instanceof PermanentError) throw error;
  throw new AuthExpiredError(`Help Scout gives no access token${isApp ? ` (${said})` : ''}`, {
    hint: 'Compare `appId` and `appSecret` with Your Profile → My apps.',
  });
}

/** The number of what was made, a conversation or a part of one. */
function madeIn({ 'resource-id': id = '' }: Readonly<Record<string, string>>): string {
  if (/^\d+$/.test(id)) return id;
  throw new RetryableError('Help Scout made something and did not say which it is', { outcomeUnknown: true });
}
