import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hmac } from '../../src/core/signature.ts';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

export const DESCRIPTION = 'zendesk/support-api.json';
export const WEBHOOK_SECRET = 'not-a-real-signing-secret-of-a-webhook';
export const EMAIL = 'gateway@example.com';
export const TOKEN = 'not-a-real-api-token-of-zendesk';
/** Whom the token acts as, an agent, and one who is neither. */
export const GATEWAY = 900;
export const IVAN = 901;

const open = { type: 'object', additionalProperties: true };
const text = { type: 'string' };
const number = { type: 'integer' };
const query = (name: string, schema: object = text) => ({ name, in: 'query', schema });
const anything = ['text/plain', 'image/png', 'application/pdf', 'application/octet-stream'];

/** What Zendesk's description leaves out or gets wrong, each with where it says so itself. */
const AMENDED = {
  // "POST /api/v2/uploads?filename=" with the bytes as they are, in the prose of its page on attachments.
  '/paths/~1api~1v2~1uploads/post/parameters': [{ ...query('filename'), required: true }],
  '/paths/~1api~1v2~1uploads/post/requestBody': { content: Object.fromEntries(anything.map((type) => [type, {}])) },
  // Its page on pagination: cursors for tickets, pages and an order for audits.
  '/paths/~1api~1v2~1tickets/get/parameters': [
    query('external_id'),
    query('sort'),
    query('page[size]', number),
    query('page[after]'),
  ],
  '/paths/~1api~1v2~1tickets~1{ticket_id}~1audits/get/parameters': [
    query('sort_order'),
    query('per_page', number),
    query('page', number),
  ],
  // TicketObject has it as write only, and the example of TicketAuditObject shows it coming back as `custom`.
  '/components/schemas/TicketUpdateInput/properties/metadata': open,
  // It names the definition of a field; what a ticket carries stands in TicketObject.
  '/components/schemas/TicketUpdateInput/properties/custom_fields/items': {
    type: 'object',
    required: ['id', 'value'],
    properties: { id: number, value: { anyOf: [text, { type: 'array', items: text }] } },
  },
  // Anything may be in it, by the description; this is what its prose has and we send.
  '/components/schemas/UserInput': {
    type: 'object',
    required: ['name'],
    properties: { name: text, email: text, external_id: text, skip_verify_email: { type: 'boolean' } },
  },
  // "nullable" is left out where its own examples have null.
  '/components/schemas/TicketObject/properties/external_id/nullable': true,
};

/** Zendesk's description, where it is beside the repository. */
export const readZendesk = (): Description | undefined =>
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

export interface ZendeskTicket {
  readonly id: number;
  status: string;
  updated_at: string;
  readonly fields: Json;
  readonly audits: Json[];
}

interface Act {
  readonly author?: number;
  readonly comment?: { readonly body: string; readonly public: boolean; readonly html?: string };
  readonly files?: readonly string[];
  readonly status?: string;
  /** Made by a trigger, in an update of somebody. */
  readonly rule?: { readonly status: string };
}

/** A stand-in for Zendesk that checks itself and what it is asked against Zendesk's description. */
export interface FakeZendesk {
  readonly root: string;
  readonly calls: Asked[];
  readonly tickets: ZendeskTicket[];
  readonly users: Json[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  readonly files: Map<string, Buffer>;
  now: () => number;
  /** Tickets whose external id isn't shown yet in a search. */
  hidden: boolean;
  /** Keys of requests are forgotten: two hours have passed. */
  forgetKeys(): void;
  /** The next calls so (`POST /tickets`) end so. */
  end(call: string, ...endings: Ending[]): void;
  /** What an agent does. */
  act(ticketId: number, act: Act): void;
  /** Texts of the comments of a ticket, marked with who wrote them and for whom. */
  comments(ticketId: number): string[];
  /** Tells a webhook of a ticket, signed. */
  notify(url: string, ticketId: number, how?: { readonly secret?: string; readonly at?: string }): Promise<number>;
  close(): Promise<void>;
}

const AGENTS = [
  { id: GATEWAY, name: 'Gateway', email: EMAIL, role: 'agent' },
  { id: IVAN, name: 'Ivan', email: 'ivan@example.com', role: 'agent' },
];

/** Reading the description takes a moment: tests that start many share it. */
export async function startZendesk(description: Description | undefined = readZendesk()): Promise<FakeZendesk> {
  const endings = new Map<string, Ending[]>();
  const keys = new Map<string, { body: string; answer: object }>();
  const uploads = new Map<string, { name: string; type: string; bytes: Buffer }>();
  let next = 1000;

  const fake: FakeZendesk = {
    root: '',
    calls: [],
    tickets: [],
    users: AGENTS.map((each) => ({ ...each, external_id: null })),
    violations: [],
    files: new Map(),
    now: Date.now,
    hidden: false,
    forgetKeys: () => keys.clear(),
    end: (call, ...list) => void endings.set(call, list),
    act(ticketId, { author = IVAN, comment, files = [], status, rule }) {
      const ticket = fake.tickets.find(({ id }) => id === ticketId)!;
      const events: Json[] = [];
      if (comment) events.push(commentEvent({ ...comment, author, attachments: files.map(attach) }));
      if (status) events.push(statusEvent(ticket, status));
      if (rule) events.push({ ...statusEvent(ticket, rule.status), via: { channel: 'rule', source: {} } });
      write(ticket, author, events, {});
    },
    comments: (ticketId) =>
      fake.tickets
        .find(({ id }) => id === ticketId)!
        .audits.flatMap(({ events }) => events as Json[])
        .filter(({ type }) => type === 'Comment')
        .map((each) => `${String(nameOf(each.author_id))}${each.public ? '' : ' (note)'}: ${String(each.plain_body)}`),
    async notify(url, ticketId, { secret = WEBHOOK_SECRET, at = new Date(fake.now()).toISOString() } = {}) {
      const { fields } = fake.tickets.find(({ id }) => id === ticketId)!;
      const detail = { id: String(ticketId), external_id: fields['external_id'] ?? '' };
      const body = JSON.stringify({ type: 'zen:event-type:ticket.comment_added', detail, event: {} });
      const signed = hmac('sha256', secret, at, body).toString('base64');
      const headers = {
        'content-type': 'application/json',
        'x-zendesk-webhook-signature': signed,
        'x-zendesk-webhook-signature-timestamp': at,
      };
      const answer = await fetch(url, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  const time = () => `${new Date(fake.now()).toISOString().slice(0, 19)}Z`;
  const nameOf = (id: unknown) => fake.users.find((user) => user['id'] === id)?.['name'] ?? id;

  function attach(name: string): Json {
    const id = next++;
    return {
      id,
      file_name: name,
      content_type: 'text/plain',
      content_url: `${fake.root}/files/${id}/${name}`,
      size: fake.files.get(name)?.length ?? 0,
      inline: false,
    };
  }

  function commentEvent(given: { body: string; html?: string; public: boolean; author: unknown; attachments: Json[] }) {
    const html = given.html ?? `<p>${given.body}</p>`;
    return {
      id: next++,
      type: 'Comment',
      author_id: given.author,
      body: given.body,
      plain_body: given.body,
      html_body: html,
      public: given.public,
      attachments: given.attachments,
      audit_id: next,
    };
  }

  function statusEvent(ticket: ZendeskTicket, value: string): Json {
    const event = { id: next++, type: 'Change', field_name: 'status', previous_value: ticket.status, value };
    ticket.status = value;
    return event;
  }

  function write(ticket: ZendeskTicket, author: unknown, events: readonly Json[], custom: unknown): void {
    const metadata = { system: { client: 'agent/1', ip_address: '192.0.2.1', location: 'Kyiv' }, custom };
    const audit = { id: next++, ticket_id: ticket.id, created_at: time(), author_id: author, metadata, events };
    ticket.audits.push({ ...audit, via: { channel: 'api' } });
    ticket.updated_at = time();
  }

  type Answer = { readonly status: number; readonly body: object | Buffer; readonly headers?: Record<string, string> };
  const refusal = (status: number, error: string): Answer => ({ status, body: { error, description: error } });

  const shown = ({ id, status, updated_at, fields }: ZendeskTicket): Json => ({
    id,
    url: `${fake.root}/api/v2/tickets/${id}.json`,
    external_id: null,
    ...fields,
    status,
    updated_at,
    created_at: updated_at,
  });

  function toEvents(ticket: ZendeskTicket, given: Json, author: unknown): Json[] {
    const said = given['comment'] as { html_body: string; public: boolean; author_id?: number; uploads?: string[] };
    const status = given['status'];
    const events: Json[] = [];
    if (said) {
      const plain = said.html_body
        .replaceAll(/<[^>]*>/g, ' ')
        .replaceAll(/\s+/g, ' ')
        .trim();
      const files = (said.uploads ?? []).map((token) => {
        const file = uploads.get(token)!;
        fake.files.set(file.name, file.bytes);
        return attach(file.name);
      });
      const by = said.author_id ?? author;
      events.push(
        commentEvent({ body: plain, html: said.html_body, public: said.public, author: by, attachments: files }),
      );
    }
    if (typeof status === 'string' && status !== ticket.status) events.push(statusEvent(ticket, status));
    return events;
  }

  function createTicket({ headers, body }: Asked): Answer {
    const { ticket: given } = body as { ticket: Json };
    const key = headers['idempotency-key'] ?? '';
    const earlier = keys.get(key);
    const written = JSON.stringify(body);
    if (earlier && earlier.body !== written) return refusal(400, 'IdempotentRequestError');
    if (earlier) return { status: 201, body: earlier.answer, headers: { 'x-idempotency-lookup': 'hit' } };
    const { comment: _comment, metadata, status = 'new', requester_id: requester, ...rest } = given;
    if (!fake.users.some((user) => user['id'] === requester)) return refusal(422, 'RecordInvalid');
    const ticket: ZendeskTicket = {
      id: next++,
      status: String(status),
      updated_at: time(),
      fields: { ...rest, requester_id: requester },
      audits: [],
    };
    fake.tickets.push(ticket);
    const author = given['submitter_id'] ?? GATEWAY;
    write(
      ticket,
      author,
      [{ id: next++, type: 'Create', field_name: 'subject' }, ...toEvents(ticket, given, author)],
      metadata,
    );
    const answer = { ticket: shown(ticket) };
    keys.set(key, { body: written, answer });
    return { status: 201, body: answer, headers: { 'x-idempotency-lookup': 'miss' } };
  }

  function updateTicket(ticket: ZendeskTicket, { body }: Asked): Answer {
    if (ticket.status === 'closed') return refusal(422, 'RecordInvalid');
    const { ticket: given } = body as { ticket: Json };
    const { comment: _comment, metadata, status: _status, ...rest } = given;
    Object.assign(ticket.fields, rest);
    write(ticket, GATEWAY, toEvents(ticket, given, GATEWAY), metadata);
    return { status: 200, body: { ticket: shown(ticket) } };
  }

  function listTickets(search: URLSearchParams): Answer {
    const name = search.get('external_id');
    if (name !== null) {
      const found = fake.hidden ? [] : fake.tickets.filter(({ fields }) => fields['external_id'] === name);
      return { status: 200, body: { tickets: found.map(shown) } };
    }
    const sorted = [...fake.tickets].sort((a, b) => b.updated_at.localeCompare(a.updated_at) || b.id - a.id);
    const from = Number(search.get('page[after]') ?? 0);
    const to = from + Number(search.get('page[size]'));
    const meta = { has_more: to < sorted.length, after_cursor: to < sorted.length ? String(to) : null };
    return { status: 200, body: { tickets: sorted.slice(from, to).map(shown), meta } };
  }

  function ticketCall(asked: Asked, id: string, rest: string, search: URLSearchParams): Answer {
    const ticket = fake.tickets.find((each) => String(each.id) === id);
    if (!ticket) return refusal(404, 'RecordNotFound');
    if (rest === '/audits') {
      const size = Number(search.get('per_page'));
      const start = (Number(search.get('page')) - 1) * size;
      const ordered = search.get('sort_order') === 'desc' ? ticket.audits.toReversed() : ticket.audits;
      const next_page = start + size < ordered.length ? `${fake.root}/next` : null;
      const page = {
        audits: ordered.slice(start, start + size),
        next_page,
        previous_page: null,
        count: ordered.length,
      };
      return { status: 200, body: page };
    }
    return asked.method === 'PUT' ? updateTicket(ticket, asked) : { status: 200, body: { ticket: shown(ticket) } };
  }

  function userCall({ method, body }: Asked, rest: string, search: URLSearchParams): Answer {
    if (rest === '/me') return { status: 200, body: { user: fake.users[0]! } };
    if (rest === '/search') {
      const [by, value] = search.has('query')
        ? ['email', search.get('query')!.replace(/^email:/, '')]
        : ['external_id', search.get('external_id')];
      return { status: 200, body: { users: fake.users.filter((user) => user[by] === value) } };
    }
    if (method === 'POST') {
      const { skip_verify_email: _quiet, ...given } = (body as { user: Json }).user;
      const by = given['email'] ? 'email' : 'external_id';
      const found = fake.users.find((user) => user[by] === given[by]);
      if (found) return { status: 200, body: { user: Object.assign(found, given) } };
      const user = { id: next++, role: 'end-user', ...given };
      fake.users.push(user);
      return { status: 201, body: { user } };
    }
    const user = fake.users.find(({ id }) => `/${String(id)}` === rest);
    return user ? { status: 200, body: { user } } : refusal(404, 'RecordNotFound');
  }

  function carryOut(asked: Asked, bytes: Buffer): Answer {
    const { method } = asked;
    const { pathname, searchParams } = new URL(asked.path, fake.root);
    const [, kind = '', id = '', rest = ''] = /^\/api\/v2\/(\w+)(?:\/(\d+))?(.*)$/.exec(pathname) ?? [];
    if (kind === 'uploads') {
      const token = `upload-${next++}`;
      const name = searchParams.get('filename')!;
      uploads.set(token, { name, type: asked.headers['content-type']!, bytes });
      return { status: 201, body: { upload: { token, attachment: attach(name), attachments: [] } } };
    }
    if (kind === 'users') return userCall(asked, id ? `/${id}` : rest, searchParams);
    if (kind === 'attachments') {
      const name = fake.tickets
        .flatMap(({ audits }) => audits.flatMap(({ events }) => events as Json[]))
        .flatMap(({ attachments = [] }) => attachments as Json[])
        .find((file) => String(file['id']) === id);
      return name ? { status: 200, body: { attachment: name } } : refusal(404, 'RecordNotFound');
    }
    if (kind !== 'tickets') return refusal(404, 'InvalidEndpoint');
    if (id) return ticketCall(asked, id, rest, searchParams);
    return method === 'POST' ? createTicket(asked) : listTickets(searchParams);
  }

  function answerTo(asked: Asked, bytes: Buffer): Answer {
    const basic = `Basic ${Buffer.from(`${EMAIL}/token:${TOKEN}`).toString('base64')}`;
    const { authorization } = asked.headers;
    if (authorization !== basic && authorization !== `Bearer ${TOKEN}`)
      return refusal(401, "Couldn't authenticate you");
    const file = /^\/files\/\d+\/(.*)$/.exec(asked.path)?.[1];
    if (file !== undefined) return { status: 200, body: fake.files.get(decodeURIComponent(file)) ?? Buffer.alloc(0) };
    fake.violations.push(...(description?.request(asked) ?? []));
    const answer = carryOut(asked, bytes);
    if (answer.status < 300)
      fake.violations.push(...(description?.response(asked, answer.status, bare(answer.body)) ?? []));
    return answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await read(request);
    const path = request.url ?? '';
    const headers = request.headers as Record<string, string>;
    const isJson = headers['content-type'] === 'application/json';
    const body = isJson ? (JSON.parse(bytes.toString()) as unknown) : bytes.length > 0 ? '(bytes)' : undefined;
    const asked: Asked = { method: request.method ?? '', path, headers, body };
    fake.calls.push(asked);
    const name = `${asked.method} ${path.split('?')[0]!.replace('/api/v2', '').replaceAll(/\/\d+/g, '/{id}')}`;
    const ending = endings.get(name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const answer: Answer =
      typeof ending === 'object'
        ? { status: ending.http, body: ending.body ?? {}, ...(ending.headers && { headers: ending.headers }) }
        : answerTo(asked, bytes);
    if (ending === 'lost') return void request.socket.destroy();
    const isFile = Buffer.isBuffer(answer.body);
    const type = isFile ? 'application/octet-stream' : 'application/json; charset=utf-8';
    response.writeHead(answer.status, { 'content-type': type, ...answer.headers });
    response.end(isFile ? answer.body : JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

/** Cursors of a page stand in its prose, not in the descriptions of its answers. */
function bare(body: object): object {
  const { meta: _meta, ...rest } = body as { meta?: unknown };
  return rest;
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
