import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { hmac } from '../../src/core/signature.ts';
import { endServer, listenHere } from './listening.ts';

export const APP_ID = 'not-a-real-app-id';
export const APP_SECRET = 'not-a-real-app-secret-of-help-scout';
export const WEBHOOK_SECRET = 'not-a-real-secret-key-of-a-webhook';
export const DOMAIN = 'customers.example.com';
export const MAILBOX = 85;
/** Whose application it is, and another agent. */
export const GATEWAY = 900;
export const IVAN = 901;

const PAGE = 25;
const MOST_THREADS = 100;

/**
 * What the pages name of https://developer.helpscout.com/mailbox-api/endpoints/conversations/, as a closed world: what they
 * don't name is wrong.
 */
const file = z.strictObject({ fileName: z.string().min(1), mimeType: z.string().min(1), data: z.base64() });
const customer = z.strictObject({ email: z.email(), firstName: z.string().min(1).max(40) });
const status = z.enum(['active', 'closed', 'pending']);
const words = { text: z.string().min(1), attachments: z.array(file).optional() };
const Asked = {
  'POST /conversations': z.strictObject({
    subject: z.string().min(1),
    customer,
    mailboxId: z.number().int(),
    type: z.enum(['chat', 'email', 'phone']),
    status,
    autoReply: z.boolean(),
    tags: z.array(z.string()),
    fields: z.array(z.strictObject({ id: z.number().int(), value: z.string() })).optional(),
    assignTo: z.number().int().optional(),
    threads: z.array(
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('customer'), customer, ...words }),
        z.strictObject({ type: z.literal('note'), ...words }),
      ]),
    ),
  }),
  'POST /conversations/{id}/customer': z.strictObject({ customer, ...words }),
  'POST /conversations/{id}/notes': z.strictObject({ status: status.optional(), ...words }),
  'POST /conversations/{id}/reply': z.strictObject({
    customer,
    imported: z.literal(true),
    status: status.optional(),
    ...words,
  }),
  'PATCH /conversations/{id}': z.strictObject({ op: z.literal('replace'), path: z.literal('/status'), value: status }),
} as const;
type Written = z.output<(typeof Asked)['POST /conversations/{id}/notes']>;

type Json = Record<string, unknown>;
export type Ending =
  { readonly http: number; readonly headers?: Record<string, string>; readonly body?: object } | 'cut' | 'lost';

interface Thread extends Json {
  readonly id: number;
  readonly type: string;
  readonly body: string;
  readonly createdAt: string;
  state: string;
}

export interface HelpScoutConversation {
  readonly id: number;
  readonly fields: Json;
  status: string;
  readonly createdAt: string;
  readonly customer: { readonly email: string; readonly name: string };
  readonly threads: Thread[];
}

/** A stand-in for Help Scout that takes nothing that its pages don't name. */
export interface FakeHelpScout {
  readonly root: string;
  readonly calls: { readonly method: string; readonly path: string; readonly body: unknown }[];
  readonly conversations: HelpScoutConversation[];
  /** What didn't fit; must stay empty. */
  readonly violations: string[];
  readonly files: Map<string, Buffer>;
  now: () => number;
  /** Whether a search finds it. */
  indexed: (id: number) => boolean;
  /** What happens behind a page of a list. */
  meanwhile: () => void;
  /** Tokens that were given, and whether they are still good. */
  readonly tokens: Map<string, boolean>;
  end(call: string, ...endings: Ending[]): void;
  /** What somebody does there; `type`: `message` an answer, `note`, `lineitem` a status alone. */
  act(
    id: number,
    act: {
      readonly by?: number;
      readonly type?: string;
      readonly body?: string;
      readonly status?: string;
      readonly state?: string;
      readonly files?: readonly string[];
      readonly source?: string;
      readonly customer?: true;
    },
  ): void;
  /** What stands in a conversation, marked with who wrote it and as what; line items aren't. */
  said(id: number): string[];
  /** Tells a webhook, signed. */
  notify(url: string, secret?: string): Promise<number>;
  close(): Promise<void>;
}

export async function startHelpScout(): Promise<FakeHelpScout> {
  const endings = new Map<string, Ending[]>();
  let next = 1000;
  const fake: FakeHelpScout = {
    root: '',
    calls: [],
    conversations: [],
    violations: [],
    files: new Map(),
    now: Date.now,
    indexed: () => true,
    meanwhile: () => undefined,
    tokens: new Map(),
    end: (call, ...list) => void endings.set(call, list),
    act: (id, { by = IVAN, type = 'message', body = '', files = [], customer: isCustomer, ...given }) =>
      talk(find(id), { by, type, body, files, source: 'web', person: isCustomer ? 'customer' : 'user', ...given }),
    said: (id) =>
      find(id)
        .threads.filter(({ type }) => type !== 'lineitem')
        .map((thread) => `${String(thread['who'])} (${thread.type}): ${plain(thread.body)}`),
    async notify(url, secret = WEBHOOK_SECRET) {
      const body = JSON.stringify({ id: fake.conversations[0]?.id });
      const signature = hmac('sha1', secret, body).toString('base64');
      const headers = { 'x-helpscout-event': 'convo.agent.reply.created', 'x-helpscout-signature': signature };
      const answer = await fetch(url, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  const time = () => `${new Date(fake.now()).toISOString().slice(0, 19)}Z`;
  const find = (id: number) => fake.conversations.find((each) => each.id === id)!;
  const names: Readonly<Record<number, string>> = { [GATEWAY]: 'Gateway', [IVAN]: 'Ivan' };
  const plain = (html: string) =>
    html
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ')
      .trim();

  function talk(
    conversation: HelpScoutConversation,
    given: {
      by: number;
      person: string;
      type: string;
      body: string;
      source: string;
      status?: string;
      state?: string;
      files: readonly string[];
    },
  ): number {
    const changed = given.status !== undefined && given.status !== conversation.status;
    if (given.status !== undefined) conversation.status = given.status;
    const who = given.person === 'customer' ? conversation.customer.name : (names[given.by] ?? '');
    const attachments = given.files.map((filename) => ({
      id: next++,
      filename,
      mimeType: 'text/plain',
      size: fake.files.get(filename)?.length ?? 0,
    }));
    const id = next++;
    conversation.threads.push({
      id,
      who,
      type: given.type,
      status: changed || conversation.threads.length === 0 ? conversation.status : 'nochange',
      state: given.state ?? 'published',
      body: given.body === '' ? '' : `<div>${given.body}</div>`,
      source: { type: given.source, via: given.person },
      createdBy: { id: given.by, type: given.person, first: who, last: '', email: 'someone@example.com' },
      createdAt: time(),
      _embedded: { attachments },
    });
    return id;
  }

  const shown = ({ id, fields, status: now, createdAt, threads }: HelpScoutConversation): Json => ({
    id,
    ...fields,
    status: now,
    createdAt,
    primaryCustomer: { id: 5 },
    _embedded: { threads: threads.toReversed().map(({ who: _who, ...rest }) => rest) },
  });

  type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> };

  function keep(given: Written): string[] {
    return (given.attachments ?? []).map(({ fileName, data }) => {
      fake.files.set(fileName, Buffer.from(data, 'base64'));
      return fileName;
    });
  }

  function create(given: z.output<(typeof Asked)['POST /conversations']>): Answer {
    const { threads, customer: of, status: now, ...fields } = given;
    const customerOf = { email: of.email, name: of.firstName };
    const about = { id: next++, fields, status: now, createdAt: time(), customer: customerOf, threads: [] };
    fake.conversations.push(about);
    for (const thread of threads) {
      const isCustomers = thread.type === 'customer';
      const whose = { by: isCustomers ? 5 : GATEWAY, person: isCustomers ? 'customer' : 'user' };
      talk(about, { ...whose, type: thread.type, body: thread.text, source: 'api', files: keep(thread) });
    }
    const web = `https://secure.helpscout.net/conversation/${about.id}/7/`;
    return { status: 201, headers: { 'resource-id': String(about.id), 'web-location': web } };
  }

  function list(search: URLSearchParams): Answer {
    const [mailbox, tag] = [search.get('mailbox'), search.get('tag')];
    const since = Date.parse(search.get('modifiedSince') ?? '1970-01-01T00:00:00Z');
    const email = /^\(email:"(.*)"\)$/.exec(search.get('query') ?? '')?.[1];
    const by = search.get('sortField') === 'modifiedAt' ? modified : (each: HelpScoutConversation) => each.createdAt;
    if (search.get('status') !== 'all' || search.get('embed') !== 'threads') fake.violations.push(search.toString());
    const found = fake.conversations
      .filter(({ fields }) => mailbox === null || String(fields['mailboxId']) === mailbox)
      .filter(({ fields }) => tag === null || (fields['tags'] as string[]).includes(tag))
      .filter((each) => Date.parse(modified(each)) >= since)
      .filter((each) => email === undefined || (fake.indexed(each.id) && each.customer.email === email))
      .sort((a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : a.id - b.id));
    if (search.get('sortOrder') !== 'asc') found.reverse();
    const from = (Number(search.get('page')) - 1) * PAGE;
    const totalPages = Math.ceil(found.length / PAGE);
    const page = { size: PAGE, totalElements: found.length, totalPages, number: Number(search.get('page')) };
    const conversations = found.slice(from, from + PAGE).map(shown);
    fake.meanwhile();
    return { status: 200, body: { ...(conversations.length > 0 && { _embedded: { conversations } }), page } };
  }

  const modified = ({ createdAt, threads }: HelpScoutConversation) => threads.at(-1)?.createdAt ?? createdAt;

  function carryOut(method: string, url: URL, body: unknown): Answer {
    const path = url.pathname.replace('/v2', '');
    if (path === '/users/me') return { status: 200, body: { id: GATEWAY, firstName: 'Gateway', lastName: '' } };
    if (path === `/mailboxes/${MAILBOX}`) return { status: 200, body: { id: MAILBOX, name: 'Help' } };
    if (path === '/conversations' && method === 'GET') return list(url.searchParams);
    if (path === '/conversations') return create(Asked['POST /conversations'].parse(body));
    const [, id, kind, fileId] = /^\/conversations\/(\d+)(?:\/(\w+)(?:\/(\d+)\/data)?)?$/.exec(path) ?? [];
    const conversation = fake.conversations.find((each) => String(each.id) === id);
    if (!conversation) return { status: 404, body: {} };
    if (kind === 'attachments') {
      const all = conversation.threads.flatMap((each) => (each['_embedded'] as { attachments: Json[] }).attachments);
      const name = all.find((each) => String(each['id']) === fileId)?.['filename'];
      const data = fake.files.get(String(name))?.toString('base64');
      return data === undefined ? { status: 404, body: {} } : { status: 200, body: { data } };
    }
    if (method === 'GET') return { status: 200, body: shown(conversation) };
    return write(conversation, method, kind, body);
  }

  function write(conversation: HelpScoutConversation, method: string, kind: string | undefined, body: unknown): Answer {
    if (method === 'PATCH') {
      const { value } = Asked['PATCH /conversations/{id}'].parse(body);
      talk(conversation, {
        by: GATEWAY,
        person: 'user',
        type: 'lineitem',
        body: '',
        source: 'api',
        status: value,
        files: [],
      });
      return { status: 204 };
    }
    if (conversation.threads.length >= MOST_THREADS) return { status: 412, body: { message: 'too many threads' } };
    const isCustomers = kind === 'customer';
    const name = `POST /conversations/{id}/${kind as 'customer' | 'notes' | 'reply'}` as const;
    const given: Written = Asked[name].parse(body);
    const type = isCustomers ? 'customer' : kind === 'notes' ? 'note' : 'message';
    const whose = { by: isCustomers ? 5 : GATEWAY, person: isCustomers ? 'customer' : 'user' };
    const becomes = isCustomers ? 'active' : (given.status ?? 'active');
    const files = keep(given);
    const id = talk(conversation, { ...whose, type, body: given.text, source: 'api', status: becomes, files });
    return { status: 201, headers: { 'resource-id': String(id) } };
  }

  function grant(form: URLSearchParams): Answer {
    const isApp = form.get('client_id') === APP_ID && form.get('client_secret') === APP_SECRET;
    if (form.get('grant_type') !== 'client_credentials' || !isApp)
      return { status: 400, body: { error: 'invalid_client' } };
    const token = `token-${next++}`;
    fake.tokens.set(token, true);
    return { status: 200, body: { token_type: 'bearer', access_token: token, expires_in: 172_800 } };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await buffer(request)).toString();
    const url = new URL(request.url ?? '', fake.root);
    const method = request.method ?? '';
    const isToken = url.pathname === '/v2/oauth2/token';
    const body: unknown = text === '' || isToken ? undefined : JSON.parse(text);
    fake.calls.push({ method, path: url.pathname.replace('/v2', '') + url.search, body });
    const name = `${method} ${url.pathname.replace('/v2', '').replaceAll(/\/\d+/g, '/{id}')}`;
    const ending = endings.get(name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    const answer: Answer =
      typeof ending === 'object'
        ? { status: ending.http, body: ending.body ?? {}, ...(ending.headers && { headers: ending.headers }) }
        : isToken
          ? grant(new URLSearchParams(text))
          : fake.tokens.get(token)
            ? carryOut(method, url, body)
            : { status: 401, body: {} };
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/hal+json', ...answer.headers });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(`${request.method ?? ''} ${request.url ?? ''}: ${String(error)}`);
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}
