import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Context, HttpRequest } from '../../core/connector.ts';
import { NotFoundError, PermanentError, RetryableError } from '../../core/errors.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import type { UploadFile } from '../../core/upload-form.ts';
import { TICKET } from './config.ts';
import type { Config } from './config.ts';

/**
 * Chatwoot's application API, as far as it is used.
 * https://developers.chatwoot.com/api-reference/introduction
 */

const LIST_BYTES = 16 * 1024 * 1024;
const UPLOAD_MS = 60_000;
/** Messages that Chatwoot gives at once. */
export const MESSAGES = 20;

/** Ids are numbers there; as strings here, whatever their length. */
const Id = z.union([z.number(), z.string().min(1)]).transform(String);

const File = z.object({
  id: Id,
  data_url: z.string().nullish(),
  file_size: z.number().int().min(0).nullish(),
});
export type File = z.output<typeof File>;

export const Message = z.object({
  id: Id,
  content: z.string().nullish(),
  /** 0 from the customer, 1 to him, 2 what happened to the conversation, 3 what Chatwoot says by itself. */
  message_type: z.number(),
  created_at: z.number(),
  private: z.boolean().nullish(),
  source_id: z.string().nullish(),
  content_attributes: z.object({ deleted: z.boolean().nullish() }).nullish().catch(undefined),
  sender: z.object({ name: z.string().nullish() }).nullish().catch(undefined),
  attachments: z.array(File).nullish(),
});
export type Message = z.output<typeof Message>;

export const Conversation = z.object({
  id: Id,
  status: z.string(),
  priority: z.string().nullish(),
  last_activity_at: z.number().nullish(),
  /** 0 where nobody answered yet. */
  first_reply_created_at: z.union([z.number(), z.string()]).nullish(),
  custom_attributes: z.record(z.string(), z.unknown()).nullish(),
});
export type Conversation = z.output<typeof Conversation>;

const Conversations = z.object({ payload: z.array(Conversation) });
const Contact = z.object({ id: Id, identifier: z.string().nullish(), email: z.string().nullish() });

const Answers = {
  conversation: Conversation,
  made: z.object({ id: Id }),
  said: z.object({ id: Id, source_id: z.string().nullish() }),
  conversations: z.object({ data: Conversations }),
  // It describes the one and answers the other.
  filtered: z.union([Conversations, z.object({ data: Conversations }).transform(({ data }) => data)]),
  contacts: z.object({ payload: z.array(Contact) }),
  contact: z.object({ payload: z.object({ contact: z.object({ id: Id }) }) }),
  messages: z.object({ payload: z.array(Message) }),
  inbox: z.object({ name: z.string(), channel_type: z.string() }),
  any: z.unknown(),
};

/** A message on its way there. */
export interface Said {
  readonly content: string;
  readonly message_type: 'incoming' | 'outgoing';
  readonly private?: true;
  readonly source_id: string;
}

export type Api = ReturnType<typeof createApi>;

export function createApi(config: Config, { http }: Pick<Context, 'http'>) {
  const account = accountOf(config);

  async function call<T extends z.ZodType>(schema: T, path: string, request: Partial<HttpRequest> = {}) {
    const { method = 'GET' } = request;
    const headers = { api_access_token: config.accessToken.reveal(), accept: 'application/json', ...request.headers };
    const { json } = await http.send({ maxBytes: LIST_BYTES, ...request, method, url: `${account}${path}`, headers });
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    throw new RetryableError(`Chatwoot answered ${method} with something else than it documents`, {
      outcomeUnknown: method !== 'GET',
      hint: 'Compare `apiRoot` with the address of your Chatwoot.',
    });
  }
  const post = <T extends z.ZodType>(schema: T, path: string, body: object) =>
    call(schema, path, { method: 'POST', body });
  const of = (id: string) => `/conversations/${encodeURIComponent(id)}`;
  const messages = async (id: string, before: string | undefined, signal?: AbortSignal) => {
    const from = before === undefined ? '' : `?before=${before}`;
    return (await call(Answers.messages, `${of(id)}/messages${from}`, { ...(signal && { signal }) })).payload;
  };

  return {
    /** At most 20, oldest first, the newest there are; or those before one of them. */
    messages,
    /** Conversations with our id in their custom attribute; all of them where Chatwoot doesn't know it. */
    named: async (ticketId: string) =>
      (await post(Answers.filtered, '/conversations/filter', equal(TICKET, ticketId))).payload,
    contacts: async (by: 'identifier' | 'email', value: string) =>
      (await post(Answers.contacts, '/contacts/filter', equal(by, value))).payload,
    makeContact: async (contact: object) => (await post(Answers.contact, '/contacts', contact)).payload.contact.id,
    begin: async (conversation: object) => (await post(Answers.made, '/conversations', conversation)).id,
    conversation: (id: string, signal?: AbortSignal) =>
      call(Answers.conversation, of(id), { ...(signal && { signal }) }),
    /** A page of the inbox, those in which something happened last first. */
    async list(page: number, signal: AbortSignal) {
      const query = `inbox_id=${config.inboxId}&status=all&assignee_type=all&page=${page}`;
      return (await call(Answers.conversations, `/conversations?${query}`, { signal })).data.payload;
    },
    async say(id: string, message: Said, files: readonly UploadFile[]): Promise<void> {
      const texts = Object.entries(message).map(([name, value]) => [name, String(value)]);
      const form = files.length > 0 && toUploadForm(Object.fromEntries(texts) as Record<string, string>, ...files);
      const written = form ? { body: form.body, headers: { 'content-type': form.type } } : { body: message };
      const request = { method: 'POST', timeoutMs: UPLOAD_MS, ...written } as const;
      const made = await call(Answers.said, `${of(id)}/messages`, request).catch(later);
      if (made.source_id === message.source_id) return;
      // It would come back as an agent's answer.
      throw new PermanentError('this Chatwoot does not keep the names of our messages (source_id): it is too old', {
        hint: 'Bring it up to date, then replay this delivery.',
      });
    },
    async setStatus(id: string, status: string): Promise<void> {
      await post(Answers.any, `${of(id)}/toggle_status`, { status });
    },
    async setPriority(id: string, priority: string): Promise<void> {
      await post(Answers.any, `${of(id)}/toggle_priority`, { priority });
    },
    async setLabels(id: string, labels: readonly string[]): Promise<void> {
      await post(Answers.any, `${of(id)}/labels`, { labels });
    },
    async setAttributes(id: string, attributes: object): Promise<void> {
      await post(Answers.any, `${of(id)}/custom_attributes`, { custom_attributes: attributes });
    },
    inbox: () => call(Answers.inbox, `/inboxes/${config.inboxId}/`),
    /** The bytes of a file of a message, from an address that needs no credentials and gets none. */
    async file(conversation: string, message: string, id: string, maxBytes: number): Promise<Readable> {
      const found = (await messages(conversation, String(Number(message) + 1))).find((each) => each.id === message);
      const address = found?.attachments?.find((each) => each.id === id)?.data_url;
      if (!address || !URL.canParse(address)) throw new NotFoundError('the file is no longer in Chatwoot');
      const url = placeOf(config, new URL(address));
      const isFit = (to: URL) => to.protocol === 'https:' || to.origin === new URL(config.apiRoot).origin;
      if (!isFit(url)) throw new PermanentError(`Chatwoot names ${url.host} as the place of a file, without TLS`);
      return (await http.stream({ url: url.href, maxBytes, mayFollow: isFit })).body;
    },
  };
}

export function accountOf({ apiRoot, accountId }: Config): string {
  return `${apiRoot}/api/v1/accounts/${accountId}`;
}

function equal(key: string, value: string): object {
  return { payload: [{ attribute_key: key, filter_operator: 'equal_to', values: [value] }] };
}

/** Its own files are where it is, also where it calls itself by another name (FRONTEND_URL) than we do. */
function placeOf({ apiRoot }: Config, address: URL): URL {
  const isOwn = address.pathname.startsWith('/rails/active_storage/');
  return isOwn ? new URL(`${new URL(apiRoot).origin}${address.pathname}${address.search}`) : address;
}

/** A conversation takes 200 messages a minute, and says so as if the message were at fault. */
function later(error: unknown): never {
  const isFull = error instanceof PermanentError && error.response?.status === 422;
  if (!isFull || !error.response?.text.includes('Too many messages')) throw error;
  throw new RetryableError(`${error.message}: too many messages within a minute`, {
    cause: error,
    response: error.response,
  });
}
