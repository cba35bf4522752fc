import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import type { UploadFile } from '../../core/upload-form.ts';
import type { Config } from './config.ts';

/**
 * Freshdesk's API, version 2, as far as it is used.
 * https://developers.freshdesk.com/api/
 */

const LIST_BYTES = 16 * 1024 * 1024;
const UPLOAD_MS = 60_000;
/** Most that Freshdesk gives at once. */
export const PAGE = 100;

/** Ids are numbers there; as strings here, whatever their length. */
const Id = z.union([z.number(), z.string().min(1)]).transform(String);
const Time = z.iso.datetime({ offset: true });

export const Ticket = z.object({
  id: Id,
  status: z.number(),
  priority: z.number().nullish(),
  requester_id: Id.nullish(),
  custom_fields: z.record(z.string(), z.unknown()).nullish(),
  created_at: Time,
  updated_at: Time,
  stats: z.object({ status_updated_at: Time.nullish() }).nullish(),
});
export type Ticket = z.output<typeof Ticket>;

const File = z.object({
  id: Id,
  name: z.string(),
  content_type: z.string().nullish(),
  size: z.number().int().min(0).nullish(),
  attachment_url: z.string().nullish(),
});
export type File = z.output<typeof File>;

export const Conversation = z.object({
  id: Id,
  user_id: Id.nullish(),
  incoming: z.boolean().nullish(),
  private: z.boolean().nullish(),
  source: z.number().nullish(),
  body: z.string().nullish(),
  body_text: z.string().nullish(),
  created_at: Time,
  attachments: z.array(File).nullish(),
});
export type Conversation = z.output<typeof Conversation>;

const Person = z.object({ id: Id, contact: z.object({ name: z.string().nullish() }).nullish() });
const Contact = z.object({ id: Id });
const Found = z.object({ results: z.array(Ticket) });

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  const root = rootOf(config);
  const authorization = `Basic ${Buffer.from(`${config.apiKey.reveal()}:X`).toString('base64')}`;

  async function call<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const { method = 'GET' } = request;
    const headers = { authorization, accept: 'application/json', ...request.headers };
    const { json } = await http.send({
      maxBytes: LIST_BYTES,
      ...request,
      method,
      url: `${root}/api/v2${path}`,
      headers,
    });
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`Freshdesk answered ${method} ${path.split('?')[0]} with something else than documented`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `subdomain` (or `apiRoot`) with the address of your Freshdesk.',
    });
  }
  const write = <T extends z.ZodType>(schema: T, path: string, body: object, files: readonly UploadFile[]) =>
    call(schema, path, { method: 'POST', timeoutMs: UPLOAD_MS, ...toRequest(body, files) });
  const ticketPath = (id: string) => `/tickets/${encodeURIComponent(id)}`;

  return {
    ticket: (id: string, signal?: AbortSignal) =>
      call(Ticket, `${ticketPath(id)}?include=stats`, { ...(signal && { signal }) }),
    /** A page of those that moved since `since`, those that were made or moved last first. */
    list: (
      about: { readonly since: number; readonly by: 'created_at' | 'updated_at'; readonly page: number },
      signal?: AbortSignal,
    ) => {
      const query = new URLSearchParams({
        updated_since: `${new Date(about.since).toISOString().slice(0, 19)}Z`,
        order_by: about.by,
        order_type: 'desc',
        per_page: String(PAGE),
        page: String(about.page),
      });
      return call(z.array(Ticket), `/tickets?${query.toString()}`, { ...(signal && { signal }) });
    },
    /** What was written some minutes ago isn't found yet. */
    search: async (field: string, value: string) => {
      const query = encodeURIComponent(`"${field}:'${value}'"`);
      return (await call(Found, `/search/tickets?query=${query}`)).results;
    },
    create: (ticket: object, files: readonly UploadFile[]) => write(Ticket, '/tickets', ticket, files),
    update: async (id: string, change: object): Promise<void> => {
      await call(z.unknown(), ticketPath(id), { method: 'PUT', body: change });
    },
    note: async (id: string, note: object, files: readonly UploadFile[]): Promise<void> => {
      await write(Conversation, `${ticketPath(id)}/notes`, note, files);
    },
    conversations: (id: string, page: number, signal?: AbortSignal) =>
      call(z.array(Conversation), `${ticketPath(id)}/conversations?per_page=${PAGE}&page=${page}`, {
        ...(signal && { signal }),
      }),
    contacts: (by: 'email' | 'unique_external_id', value: string) =>
      call(z.array(Contact), `/contacts?${by}=${encodeURIComponent(value)}`),
    makeContact: (contact: object) => call(Contact, '/contacts', { method: 'POST', body: contact }),
    agent: (id: string, signal?: AbortSignal) =>
      call(Person, `/agents/${encodeURIComponent(id)}`, { ...(signal && { signal }) }),
    me: () => call(Person, '/agents/me'),
    /** The bytes at an address that Freshdesk gave, which needs no credentials. */
    async bytes(url: string, maxBytes: number) {
      if (!isFreshdesks(url, root)) {
        throw new PermanentError(`Freshdesk names ${hostOf(url)} as the place of a file, which is none of its own`);
      }
      return (await http.stream({ url, maxBytes, mayFollow: (to) => isFreshdesks(to.href, root) })).body;
    },
  };
}

/** Without a slash at the end. */
export function rootOf({ apiRoot, subdomain }: Config): string {
  return apiRoot ?? `https://${subdomain}.freshdesk.com`;
}

/** JSON, or a form where there are files: `custom_fields[cf_order]`, `tags[]`. */
function toRequest(body: object, files: readonly UploadFile[]): Pick<HttpRequest, 'body' | 'headers'> {
  if (files.length === 0) return { body };
  const fields = Object.entries(body).flatMap(([name, value]: [string, unknown]): [string, string | string[]][] => {
    if (Array.isArray(value)) return [[`${name}[]`, value.map(String)]];
    if (typeof value !== 'object' || value === null) return [[name, String(value)]];
    return Object.entries(value).map(([key, each]) => [`${name}[${key}]`, String(each)]);
  });
  const form = toUploadForm(Object.fromEntries(fields), ...files);
  return { body: form.body, headers: { 'content-type': form.type } };
}

/** Files lie in Amazon's store, or at Freshdesk's own addresses; both take no credentials. */
function isFreshdesks(address: string, root: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, origin } = new URL(address);
  if (origin === new URL(root).origin) return true;
  return (
    protocol === 'https:' &&
    /(^|\.)(freshdesk|freshworks|freshworksapi|amazonaws|cloudfront)\.(com|net)$/.test(hostname)
  );
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'no address at all';
}

const Refusal = z.object({
  errors: z.array(z.object({ additional_info: z.object({ user_id: Id }).nullish().catch(undefined) })),
});

/** Whose the address or the id of a contact is already, where that is why he was refused. */
export function holderOf(error: unknown): string | undefined {
  if (!(error instanceof PermanentError) || error.response?.status !== 409) return undefined;
  const said = Refusal.safeParse(jsonOf(Buffer.from(error.response.text)));
  return said.data?.errors.find((each) => each.additional_info)?.additional_info?.user_id;
}
