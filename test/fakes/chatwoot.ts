import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { hmac } from '../../src/core/signature.ts';
import { readForm } from './form-parts.ts';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

export const DESCRIPTION = 'chatwoot/swagger.json';
export const TOKEN = 'not-a-real-access-token-of-chatwoot';
export const WEBHOOK_SECRET = 'not-a-real-secret-of-a-webhook';
export const WEBHOOK_TOKEN = 'not-a-real-secret-part-of-the-address';
export const ACCOUNT = 3;
export const INBOX = 7;
/** Where it says that it is: another address than the one it is called at. */
export const SITE = 'https://chat.example.com';

const text = { type: 'string' };
const number = { type: 'integer' };
const ACCOUNTS = '/paths/~1api~1v1~1accounts~1{account_id}';
const MESSAGES = `${ACCOUNTS}~1conversations~1{conversation_id}~1messages`;
const nullable = { ...text, nullable: true };

/** What Chatwoot's description of 4.11.1 leaves out or gets wrong, each with where its makers say so. */
const AMENDED = {
  // "The API is using a cursor based pagination … pass a before params": chatwoot/chatwoot#9488.
  [`${MESSAGES}/get/parameters`]: [{ name: 'before', in: 'query', schema: number }],
  // Taken and given back, as chatwoot/chatwoot#15910 documents.
  '/components/schemas/conversation_message_create_payload/properties/source_id': text,
  // A form with `attachments[]` where there are files: its guide to API channels.
  [`${MESSAGES}/post/requestBody/content/multipart~1form-data`]: {
    schema: {
      type: 'object',
      required: ['content'],
      properties: {
        content: text,
        message_type: { enum: ['incoming', 'outgoing'] },
        private: { enum: ['true'] },
        source_id: text,
        'attachments[]': { type: 'array', items: text },
      },
    },
  },
  // What is answered, as its views have it (app/views/api/v1): the description has lists where one is made.
  '/components/schemas/extended_contact': {
    type: 'object',
    properties: {
      payload: { type: 'object', properties: { contact: { type: 'object' }, contact_inbox: { type: 'object' } } },
    },
  },
  [`${ACCOUNTS}~1conversations~1filter/post/responses/200/content/application~1json/schema`]: {
    type: 'object',
    properties: {
      meta: { type: 'object' },
      payload: { type: 'array', items: { $ref: '#/components/schemas/conversation_show' } },
    },
  },
  '/components/schemas/conversation/properties/status/enum': ['open', 'resolved', 'pending', 'snoozed'],
  '/components/schemas/conversation/properties/priority/nullable': true,
  '/components/schemas/message/properties/source_id/nullable': true,
  '/components/schemas/message/properties/content': nullable,
  '/components/schemas/message/properties/message_type/enum': [0, 1, 2, 3],
  '/components/schemas/message/properties/attachments': { type: 'array', items: { type: 'object' } },
};

/** Chatwoot's description, where it is beside the repository. */
export const readChatwoot = (): Description | undefined =>
  isDescribed(DESCRIPTION) ? readDescription(DESCRIPTION, AMENDED) : undefined;

type Json = Record<string, unknown>;
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}
/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending =
  { readonly http: number; readonly headers?: Record<string, string>; readonly body?: object } | 'cut' | 'lost';
type Answer = { readonly status: number; readonly body: unknown };

export interface ChatwootMessage {
  readonly id: number;
  content: string | null;
  readonly message_type: number;
  readonly private: boolean;
  readonly source_id: string | null;
  readonly sender: Json | undefined;
  readonly attachments: Json[];
  content_attributes: Json;
  readonly created_at: number;
}

export interface ChatwootConversation {
  readonly id: number;
  readonly contact: number;
  readonly source: string;
  status: string;
  priority: string | null;
  labels: string[];
  custom_attributes: Json;
  answered: number;
  last_activity_at: number;
  readonly messages: ChatwootMessage[];
}

/** A stand-in for Chatwoot that checks itself and what it is asked against Chatwoot's description. */
export interface FakeChatwoot {
  readonly root: string;
  readonly calls: Asked[];
  readonly conversations: ChatwootConversation[];
  readonly contacts: Json[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  readonly files: Map<string, Buffer>;
  now: () => number;
  /** What happens while a call so (`GET /conversations`) is on its way. */
  meanwhile: (call: string) => void;
  /** Whether there is a custom attribute for our id; where not, an old one filters nothing. */
  attribute: 'known' | 'refused' | 'passed over';
  inboxType: string;
  /** Where files lie, and where they are led to, if that isn't Chatwoot. */
  storage: string;
  leadsTo: string | undefined;
  /** The next calls so (`POST /conversations`) end so. */
  end(call: string, ...endings: Ending[]): void;
  /** What somebody does there. */
  act(
    id: number,
    act: {
      readonly body?: string;
      readonly private?: boolean;
      readonly type?: number;
      readonly by?: string;
      /** What another integration calls it. */
      readonly source?: string;
      readonly files?: readonly string[];
      readonly status?: string;
      /** No line says so: a timer did it. */
      readonly silent?: boolean;
      /** Some other line. */
      readonly line?: string;
    },
  ): void;
  /** What stands in a conversation but for its lines, marked with who wrote it and for whom. */
  said(id: number): string[];
  /** Calls a webhook, signed. */
  notify(url: string, body: object, how?: { secret?: string; at?: number; signature?: string | null }): Promise<number>;
  /** What it says when a message was written last, and of a status. */
  noticeOf(id: number, event: string): Json;
  close(): Promise<void>;
}

/** Reading the description takes a moment: tests that start many share it. */
export async function startChatwoot(description: Description | undefined = readChatwoot()): Promise<FakeChatwoot> {
  const endings = new Map<string, Ending[]>();
  let next = 1000;

  const fake: FakeChatwoot = {
    root: '',
    calls: [],
    conversations: [],
    contacts: [],
    violations: [],
    files: new Map(),
    now: Date.now,
    meanwhile: () => undefined,
    attribute: 'known',
    inboxType: 'Channel::Api',
    storage: `${SITE}/rails/active_storage/blobs/redirect`,
    leadsTo: undefined,
    end: (call, ...list) => void endings.set(call, list),
    act(id, { body, by = 'Ivan', files = [], status, silent, line, type = 1, source = null, private: inside = false }) {
      const there = conversationOf(id);
      const sender = { id: 5, name: by, type: 'user' };
      if (body !== undefined)
        talk(there, { content: body, message_type: type, private: inside, sender, source_id: source }, files);
      if (status !== undefined && silent) there.status = status;
      else if (status !== undefined) setStatus(there, status, by);
      if (line !== undefined) talk(there, { content: line, message_type: 2 });
    },
    said: (id) =>
      conversationOf(id)
        .messages.filter((each) => each.message_type !== 2)
        .map(
          ({ sender, private: inside, content }) =>
            `${String(sender?.['name'])}${inside ? ' (inside)' : ''}: ${String(content).replaceAll(/\s+/g, ' ')}`,
        ),
    async notify(url, body, { secret = WEBHOOK_SECRET, at = Math.floor(fake.now() / 1000), signature } = {}) {
      const written = JSON.stringify(body);
      const signed = signature ?? `sha256=${hmac('sha256', secret, `${at}.`, written).toString('hex')}`;
      const headers = {
        'content-type': 'application/json',
        ...(signature !== null && { 'x-chatwoot-signature': signed, 'x-chatwoot-timestamp': String(at) }),
      };
      const answer = await fetch(url, { method: 'POST', headers, body: written });
      await answer.arrayBuffer();
      return answer.status;
    },
    noticeOf(id, event) {
      const there = conversationOf(id);
      const at = there.last_activity_at;
      const conversation = { ...shown(there), timestamp: at, updated_at: at + 0.25 };
      if (event !== 'message_created') return { event, ...conversation, changed_attributes: [] };
      const { message_type: type, ...message } = there.messages.at(-1)!;
      return { event, ...message, message_type: ['incoming', 'outgoing', 'activity', 'template'][type], conversation };
    },
    close: () => endServer(server),
  };

  const time = () => Math.floor(fake.now() / 1000);
  const conversationOf = (id: number) => fake.conversations.find((each) => each.id === id)!;
  const contactOf = (id: number) => fake.contacts.find((each) => each['id'] === id)!;

  function talk(there: ChatwootConversation, given: Partial<ChatwootMessage>, files: readonly string[] = []) {
    const id = next++;
    const attachments = files.map((name) => ({
      id: next++,
      message_id: id,
      file_type: /\.(png|jpg)$/.test(name) ? 'image' : 'file',
      data_url: `${fake.storage}/${id}/${encodeURIComponent(name)}`,
      file_size: fake.files.get(name)?.length ?? 0,
    }));
    const own = { private: false, source_id: null, sender: undefined, content: null, message_type: 1 };
    const message = { ...own, ...given, id, attachments, content_attributes: {}, created_at: time() };
    there.messages.push(message);
    there.last_activity_at = time();
    if (message.message_type === 1 && !message.private && there.answered === 0) there.answered = time();
    // Whatever comes from a customer opens it again.
    if (message.message_type === 0 && ['resolved', 'snoozed'].includes(there.status))
      setStatus(there, 'open', 'System');
    return message;
  }

  function setStatus(there: ChatwootConversation, status: string, by: string): void {
    if (there.status === status) return;
    there.status = status;
    talk(there, { content: `Conversation was marked ${status} by ${by}`, message_type: 2 });
  }

  const refusal = (status: number, body: object = { message: 'Invalid' }): Answer => ({ status, body });
  const done = (body: unknown = {}): Answer => ({ status: 200, body });

  function shown({ id, contact, status, priority, labels, custom_attributes, ...there }: ChatwootConversation): Json {
    return {
      id,
      account_id: ACCOUNT,
      inbox_id: INBOX,
      status,
      priority,
      labels,
      custom_attributes,
      first_reply_created_at: there.answered,
      last_activity_at: there.last_activity_at,
      timestamp: String(there.last_activity_at),
      messages: there.messages.slice(-1).map(said),
      meta: { sender: { id: contact, name: contactOf(contact)['name'] }, channel: 'Channel::Api' },
    };
  }

  const said = ({ sender, attachments, ...rest }: ChatwootMessage): Json => ({
    ...rest,
    inbox_id: INBOX,
    ...(sender && { sender }),
    ...(attachments.length > 0 && { attachments }),
  });

  function filter(kind: string, body: unknown): Answer {
    const [condition] = (body as { payload: { attribute_key: string; values: string[] }[] }).payload;
    const { attribute_key: key, values } = condition!;
    const is = (value: unknown) => typeof value === 'string' && value.toLowerCase() === values[0]!.toLowerCase();
    if (kind === 'contacts')
      return done({ meta: { count: 1 }, payload: fake.contacts.filter((each) => is(each[key])) });
    if (fake.attribute === 'refused') return refusal(422, { error: `Invalid attribute key - [${key}]` });
    const known = fake.attribute === 'known';
    const found = fake.conversations.filter((each) => !known || is(each.custom_attributes[key]));
    return done({ meta: { all_count: found.length }, payload: found.slice(0, 25).map(shown) });
  }

  function makeContact(given: Json): Answer {
    const { inbox_id: _inbox, ...contact } = given;
    const taken = ['identifier', 'email', 'phone_number'].some(
      (key) => contact[key] !== undefined && fake.contacts.some((each) => each[key] === contact[key]),
    );
    if (taken) return refusal(422, { message: 'Identifier has already been taken', attributes: ['identifier'] });
    const made = { id: next++, ...contact };
    fake.contacts.push(made);
    return done({ payload: { contact: made, contact_inbox: { source_id: 'a-random-one' } } });
  }

  function begin(given: Json): Answer {
    const { source_id: source, contact_id: contact, custom_attributes: own } = given;
    if (!fake.contacts.some(({ id }) => id === contact)) return refusal(404);
    const about = { status: 'open', priority: null, labels: [], answered: 0, last_activity_at: time(), messages: [] };
    const there = { id: next++, contact: Number(contact), source: String(source), ...about };
    fake.conversations.push({ ...there, custom_attributes: own as Json });
    return done({ id: there.id, account_id: ACCOUNT, inbox_id: INBOX });
  }

  function list(query: URLSearchParams): Answer {
    if (query.get('inbox_id') !== String(INBOX) || query.get('status') !== 'all') return refusal(422);
    const sorted = fake.conversations.toSorted((a, b) => b.last_activity_at - a.last_activity_at || b.id - a.id);
    const from = (Number(query.get('page')) - 1) * 25;
    return done({ data: { meta: { all_count: sorted.length }, payload: sorted.slice(from, from + 25).map(shown) } });
  }

  function messages(there: ChatwootConversation, asked: Asked, query: URLSearchParams, files: readonly string[]) {
    if (asked.method === 'GET') {
      const before = Number(query.get('before') ?? Infinity);
      const page = there.messages.filter(({ id }) => id < before).slice(-20);
      return done({ meta: { labels: there.labels }, payload: page.map(said) });
    }
    const { message_type: type, private: inside, source_id, content } = asked.body as Record<string, string>;
    const sender = type === 'incoming' ? contactOf(there.contact) : { id: 1, name: 'Gateway', type: 'user' };
    const own = { content: content!, private: inside !== undefined, source_id: source_id!, sender };
    return done(said(talk(there, { ...own, message_type: type === 'incoming' ? 0 : 1 }, files)));
  }

  function conversationCall(asked: Asked, rest: string, query: URLSearchParams, files: readonly string[]): Answer {
    const [, id = '', what = ''] = /^\/(\d+)\/?(.*)$/.exec(rest) ?? [];
    const there = fake.conversations.find((each) => String(each.id) === id);
    if (!there) return refusal(404, { error: 'Resource could not be found' });
    if (what === '') return done(shown(there));
    if (what === 'messages') return messages(there, asked, query, files);
    const given = asked.body as { status: string; priority: string; labels: string[]; custom_attributes: Json };
    if (what === 'toggle_status') {
      setStatus(there, given.status, 'Gateway');
      return done({ meta: {}, payload: { success: true, current_status: there.status, conversation_id: there.id } });
    }
    if (what === 'toggle_priority') there.priority = given.priority;
    if (what === 'labels') there.labels = given.labels;
    // All of them, not those that are named.
    if (what === 'custom_attributes') there.custom_attributes = given.custom_attributes;
    return done(what === 'labels' ? { payload: there.labels } : {});
  }

  function carryOut(asked: Asked, files: readonly string[]): Answer {
    const { pathname, searchParams } = new URL(asked.path, fake.root);
    const [, kind = '', rest = ''] = /^\/api\/v1\/accounts\/3\/(\w+)(.*)$/.exec(pathname) ?? [];
    if (rest === '/filter') return filter(kind, asked.body);
    if (kind === 'contacts') return makeContact(asked.body as Json);
    if (kind === 'inboxes') return done({ id: INBOX, name: 'Tributary', channel_type: fake.inboxType });
    if (kind !== 'conversations') return refusal(404);
    if (rest !== '') return conversationCall(asked, rest, searchParams, files);
    return asked.method === 'POST' ? begin(asked.body as Json) : list(searchParams);
  }

  function answerTo(asked: Asked, files: readonly string[]): Answer {
    if (asked.headers['api_access_token'] !== TOKEN) return refusal(401, { error: 'Invalid Access Token' });
    fake.violations.push(...(description?.request(asked) ?? []));
    const answer = carryOut(asked, files);
    const isJudged = answer.status < 300 && !asked.path.endsWith('/toggle_priority');
    if (isJudged) fake.violations.push(...(description?.response(asked, answer.status, answer.body) ?? []));
    return answer;
  }

  function serveFile(path: string, request: IncomingMessage, response: ServerResponse): void {
    if (request.headers['api_access_token']) fake.violations.push('the token went along to a file');
    if (path.includes('/blobs/redirect/')) {
      const location = fake.leadsTo ?? path.replace('/blobs/redirect/', '/disk/');
      return void response.writeHead(302, { location }).end();
    }
    response.end(fake.files.get(decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))) ?? '');
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    const path = request.url ?? '';
    if (path.startsWith('/rails/')) return serveFile(path, request, response);
    const headers = request.headers as Record<string, string>;
    const { body, files } = await readBody(headers['content-type'] ?? '', bytes);
    for (const each of files) fake.files.set(each.name, each.bytes);
    const asked: Asked = { method: request.method ?? '', path, headers, body };
    fake.calls.push(asked);
    const name = `${asked.method} ${callOf(path)}`;
    fake.meanwhile(name);
    const ending = endings.get(name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const names = files.map((each) => each.name);
    const answer =
      typeof ending === 'object' ? { status: ending.http, body: ending.body ?? {} } : answerTo(asked, names);
    if (ending === 'lost') return void request.socket.destroy();
    const type = { 'content-type': 'application/json; charset=utf-8' };
    response.writeHead(answer.status, { ...type, ...(typeof ending === 'object' && ending.headers) });
    response.end(JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

/** `/conversations/{id}/messages`, whatever the account. */
export function callOf(path: string): string {
  return path.split('?')[0]!.replace(`/api/v1/accounts/${ACCOUNT}`, '').replaceAll(/\/\d+/g, '/{id}');
}

/** A form says the same as JSON; files of an upload as any text. */
async function readBody(type: string, bytes: Buffer) {
  if (bytes.length === 0) return { body: undefined, files: [] };
  if (!type.startsWith('multipart/')) return { body: JSON.parse(bytes.toString()) as unknown, files: [] };
  const { fields, files } = await readForm(type, bytes);
  const texts = Object.fromEntries(Object.entries(fields).map(([name, values]) => [name, values[0]]));
  const uploads: Record<string, string[]> = {};
  for (const { field } of files) (uploads[field] ??= []).push('(text)');
  return { body: { ...texts, ...uploads }, files };
}
