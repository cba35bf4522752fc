import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hmac } from '../../src/core/signature.ts';
import { endServer, listenHere } from './listening.ts';

export const TOKEN = 'not-a-real-access-token-of-zammad';
export const SIGNATURE_TOKEN = 'not-a-real-signature-token-of-zammad';
/** Whom the token acts as, and an agent. */
export const GATEWAY = 3;
export const IVAN = 4;

type Json = Record<string, unknown>;
interface Asked {
  readonly name: string;
  readonly body: Json;
}
/** How a call ends: another answer; not reached; or carried out with the answer lost. */
export type Ending =
  { readonly http: number; readonly headers?: Record<string, string>; readonly body?: unknown } | 'cut' | 'lost';

export interface ZammadTicket {
  readonly id: number;
  readonly attributes: Json;
  state: string;
  updatedAt: number;
  readonly articles: Json[];
  readonly history: Json[];
}

/** What somebody does there in one go. */
export interface Act {
  readonly by?: number;
  readonly article?: {
    readonly body: string;
    readonly internal?: boolean;
    readonly sender?: 'Agent' | 'Customer' | 'System';
    readonly more?: Json;
    readonly files?: Readonly<Record<string, string>>;
    /** The bytes of a picture within the text, which isn't listed as a file. */
    readonly picture?: string;
  };
  readonly state?: string;
}

export interface FakeZammad {
  readonly root: string;
  readonly calls: Asked[];
  readonly tickets: ZammadTicket[];
  readonly users: Json[];
  /** Attributes of tickets that were added. */
  readonly attributes: Set<string>;
  /** What didn't fit; must stay empty. */
  readonly violations: string[];
  now: () => number;
  /** Milliseconds by which its clock is ahead. */
  ahead: number;
  /** Conditions on an attribute that isn't there count for nothing, where they would be refused. */
  careless: boolean;
  /** What happens behind a page of a search. */
  meanwhile: () => void;
  /** The next calls so (`POST /tickets`) end so. */
  end(name: string, ...endings: Ending[]): void;
  act(ticketId: number, act: Act): void;
  merge(ticketId: number, into: number): void;
  /** One of a colleague's, or a copy. */
  addTicket(attributes: Json): ZammadTicket;
  articles(ticketId: number): string[];
  notify(url: string, ticketId: number, token?: string): Promise<number>;
  close(): Promise<void>;
}

const STATES = ['new', 'open', 'pending reminder', 'pending close', 'closed', 'merged', 'waiting'];
const PRIORITIES = ['1 low', '2 normal', '3 high'];
/** What the pages name; anything else is wrong. */
const KNOWN = ['title', 'group', 'state', 'priority', 'pending_time', 'customer', 'tags', 'article'];
const KNOWN_OF_ARTICLE = [
  ...['ticket_id', 'body', 'content_type', 'type', 'sender', 'internal'],
  ...['message_id', 'origin_by_id', 'attachments'],
];

/** Answers as Zammad's documentation and the sources of 6.5 do. */
export async function startZammad(): Promise<FakeZammad> {
  const endings = new Map<string, Ending[]>();
  const files = new Map<number, { readonly bytes: Buffer; readonly type: string }>();
  let next = 10;

  const fake: FakeZammad = {
    root: '',
    calls: [],
    tickets: [],
    users: [
      { id: GATEWAY, firstname: 'Gateway', lastname: '', login: 'gateway' },
      { id: IVAN, firstname: 'Ivan', lastname: 'Petrenko', login: 'ivan', email: 'ivan@example.com' },
    ],
    attributes: new Set(['tributary_id', 'order_number']),
    violations: [],
    now: Date.now,
    ahead: 0,
    careless: false,
    meanwhile: () => undefined,
    end: (name, ...list) => void endings.set(name, list),
    act(ticketId, { by = IVAN, article, state }) {
      const ticket = ticketOf(ticketId)!;
      if (article) {
        const { body, internal = false, sender = 'Agent', more, files: attached = {}, picture } = article;
        const attachments = Object.entries(attached).map(([filename, data]) => ({
          filename,
          data: Buffer.from(data).toString('base64'),
          'mime-type': 'text/plain',
        }));
        const html = { type: 'note', content_type: 'text/html' };
        addArticle(ticket, by, { body, internal, sender, ...html, attachments, ...more }, picture);
      }
      if (state) setState(ticket, by, state);
    },
    merge(ticketId, into) {
      const [from, to] = [ticketOf(ticketId)!, ticketOf(into)!];
      for (const article of from.articles.splice(0)) to.articles.push({ ...article, ticket_id: into });
      const line = { object: 'Ticket', attribute: null, id_from: ticketId, id_to: into };
      addLine(to, IVAN, { ...line, o_id: into, type: 'received_merge' });
      addLine(from, IVAN, { ...line, o_id: ticketId, type: 'merged_into' });
      fake.act(ticketId, { article: { body: 'merged' }, state: 'merged' });
    },
    addTicket(attributes) {
      const ticket = { id: next++, attributes, state: 'open', updatedAt: now(), articles: [], history: [] };
      fake.tickets.push(ticket);
      return ticket;
    },
    articles: (ticketId) =>
      ticketOf(ticketId)!.articles.map((each) => {
        const words = String(each['body']).replaceAll(/<[^>]*>/g, ' ');
        const who = `${String(each['from'])} as ${String(each['sender'])}${each['internal'] === true ? ' (inside)' : ''}`;
        return `${who}: ${words.replaceAll(/\s+/g, ' ').trim()}`;
      }),
    async notify(url, ticketId, token = SIGNATURE_TOKEN) {
      const body = JSON.stringify({ ticket: shown(ticketOf(ticketId)!), article: { id: 1 } });
      const signature = `sha1=${hmac('sha1', token, body).toString('hex')}`;
      const headers = { 'content-type': 'application/json; charset=utf-8', 'x-hub-signature': signature };
      const answer = await fetch(url, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  const now = () => fake.now() + fake.ahead;
  const time = () => new Date(now()).toISOString();
  const ticketOf = (id: unknown) => fake.tickets.find((ticket) => String(ticket.id) === String(id));
  const nameOf = (id: unknown) => {
    const user = fake.users.find((each) => each['id'] === id);
    return user ? [user['firstname'], user['lastname']].filter(Boolean).join(' ') : String(id);
  };

  function addLine(ticket: ZammadTicket, by: number, line: Json): void {
    ticket.updatedAt = now();
    ticket.history.push({ id: next++, created_by_id: by, created_at: time(), ...line });
  }

  function setState(ticket: ZammadTicket, by: number, state: string): void {
    if (ticket.state === state) return;
    const change = { type: 'updated', attribute: 'state', value_from: ticket.state, value_to: state };
    ticket.state = state;
    addLine(ticket, by, { object: 'Ticket', o_id: ticket.id, ...change });
  }

  /** What is said to be a customer's is the ticket's customer's; somebody else's than who is signed in is a customer's. */
  function addArticle(ticket: ZammadTicket, by: number, given: Json, picture?: string): Json {
    const id = next++;
    const { attachments = [], origin_by_id: named, ...rest } = given;
    const origin = named ?? (rest['sender'] === 'Customer' ? ticket.attributes['customer_id'] : undefined);
    const kept = (attachments as Record<string, string>[]).map((file) => {
      const fileId = next++;
      const [bytes, type] = [Buffer.from(file['data']!, 'base64'), file['mime-type']!];
      files.set(fileId, { bytes, type });
      return { id: fileId, filename: file['filename'], size: String(bytes.length), preferences: { 'Mime-Type': type } };
    });
    if (picture !== undefined) files.set(next++, { bytes: Buffer.from(picture), type: 'image/png' });
    const image = `<img src="/api/v1/ticket_attachment/${ticket.id}/${id}/${next - 1}?view=inline">`;
    const article = {
      message_id: null,
      preferences: {},
      to: '',
      ...rest,
      body: `${String(rest['body'])}${picture === undefined ? '' : image}`,
      id,
      ticket_id: ticket.id,
      sender: origin === undefined ? rest['sender'] : 'Customer',
      from: rest['from'] ?? nameOf(origin ?? by),
      created_at: time(),
      created_by_id: by,
      attachments: kept,
    };
    ticket.articles.push(article);
    addLine(ticket, by, { object: 'Ticket::Article', o_id: id, type: 'created', attribute: null, value_to: '' });
    return article;
  }

  type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> };
  const refusal = (status: number, error: string): Answer => ({ status, body: { error, error_human: error } });
  const shown = ({ id, attributes, state, updatedAt }: ZammadTicket): Json => ({
    id,
    ...attributes,
    state,
    updated_at: new Date(updatedAt).toISOString(),
  });

  function unknownIn(given: Json, known: readonly string[]): void {
    for (const name of Object.keys(given))
      if (!known.includes(name) && !fake.attributes.has(name)) fake.violations.push(`no such field: ${name}`);
  }

  function check({ state, priority, pending_time: until }: Json): Answer | undefined {
    if (state !== undefined && !STATES.includes(state as string))
      return refusal(422, 'No lookup value found for state');
    if (priority !== undefined && !PRIORITIES.includes(priority as string))
      return refusal(422, 'No lookup value found for priority');
    if (String(state).startsWith('pending') && !until)
      return refusal(422, 'Missing required value for field pending_time');
    return undefined;
  }

  function customerOf(given: Json): unknown {
    const by = given['email'] ? 'email' : 'login';
    const known = fake.users.find((user) => user[by] === given[by]);
    const user = known ?? { id: next++, lastname: '', ...given };
    if (!known) fake.users.push(user);
    return user['id'];
  }

  function createTicket(given: Json): Answer {
    const { article, customer, state = 'new', tags, ...rest } = given;
    const { tributary_id: _, ...named } = given;
    unknownIn(named, KNOWN);
    unknownIn(article as Json, KNOWN_OF_ARTICLE);
    const wrong = check(given);
    if (wrong) return wrong;
    const email = (customer as { email?: string }).email;
    if (email !== undefined && !/^[\w.+-]{1,64}@[\w.-]{1,200}$/.test(email)) return refusal(422, 'Invalid email');
    const kept = Object.entries(rest).filter(([name]) => KNOWN.includes(name) || fake.attributes.has(name));
    const customer_id = customerOf(customer as Json);
    const ticket = fake.addTicket({ ...Object.fromEntries(kept), customer_id, tags });
    ticket.state = state as string;
    addLine(ticket, GATEWAY, { object: 'Ticket', o_id: ticket.id, type: 'created', attribute: null, value_to: null });
    addArticle(ticket, GATEWAY, article as Json);
    return { status: 201, body: shown(ticket) };
  }

  function updateTicket(ticket: ZammadTicket, given: Json): Answer {
    unknownIn(given, KNOWN);
    const wrong = check(given);
    if (wrong) return wrong;
    const { state, ...rest } = given;
    for (const [name, value] of Object.entries(rest)) ticket.attributes[name] = value;
    ticket.updatedAt = now();
    if (state !== undefined) setState(ticket, GATEWAY, state as string);
    return { status: 200, body: shown(ticket) };
  }

  function search({ condition }: Json, query: URLSearchParams): Answer {
    if (query.has('query')) fake.violations.push('asks Elasticsearch');
    if (query.get('sort_by') !== 'updated_at,id') fake.violations.push('gets them in another order');
    const conditions = Object.entries(condition as Record<string, { operator: string; value: string }>);
    const names = conditions.map(([name]) => name.replace('ticket.', '')).filter((name) => name !== 'updated_at');
    if (!fake.careless && !names.every((name) => fake.attributes.has(name))) return refusal(422, 'Error ID x');
    const fits = (ticket: ZammadTicket) =>
      conditions.every(([name, { operator, value }]) => {
        if (operator === 'after (absolute)') return ticket.updatedAt >= Date.parse(value);
        if (fake.careless) return true;
        const there = (ticket.attributes[name.replace('ticket.', '')] ?? '') as string;
        return operator === 'is' ? there === value : there.includes(value);
      });
    const [page, limit] = [Number(query.get('page')), Number(query.get('limit'))];
    const found = fake.tickets.filter(fits).sort((a, b) => a.updatedAt - b.updatedAt || a.id - b.id);
    const body = found.slice((page - 1) * limit, page * limit).map(shown);
    fake.meanwhile();
    return { status: 200, body };
  }

  function articleCall(method: string, id: string, rest: string, body: Json): Answer {
    if (method === 'POST') {
      unknownIn(body, KNOWN_OF_ARTICLE);
      const ticket = ticketOf(body['ticket_id']);
      if (!ticket) return refusal(404, 'Couldn’t find Ticket');
      if (ticket.state === 'merged') fake.violations.push('writes where nobody reads');
      return { status: 201, body: addArticle(ticket, GATEWAY, body) };
    }
    if (id === 'by_ticket') return { status: 200, body: ticketOf(rest)!.articles };
    const article = fake.tickets.flatMap(({ articles }) => articles).find((each) => String(each['id']) === id);
    return article ? { status: 200, body: article } : refusal(404, 'Couldn’t find Ticket::Article');
  }

  function carryOut(method: string, path: string, query: URLSearchParams, body: Json): Answer {
    const [, kind = '', id = '', rest = ''] = /^\/api\/v1\/(\w+)(?:\/(\w+))?(?:\/(.+))?$/.exec(path) ?? [];
    if (kind === 'users') return { status: 200, body: fake.users[0]! };
    if (kind === 'tickets' && id === 'search') return search(body, query);
    if (kind === 'tickets' && method === 'POST') return createTicket(body);
    if (kind === 'ticket_articles') return articleCall(method, id, rest, body);
    if (kind === 'ticket_attachment') {
      const file = files.get(Number(rest.split('/')[1]));
      return file
        ? { status: 200, body: file.bytes, headers: { 'content-type': file.type } }
        : refusal(404, 'No such file');
    }
    const ticket = ticketOf(id);
    if (!ticket) return refusal(404, 'Couldn’t find Ticket');
    if (kind === 'tickets') return method === 'PUT' ? updateTicket(ticket, body) : { status: 200, body: shown(ticket) };
    if (kind !== 'ticket_history') return refusal(404, 'No route matches');
    const users = Object.fromEntries(fake.users.map((user) => [String(user['id']), user]));
    return { status: 200, body: { history: ticket.history, assets: { User: users } } };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://z');
    const method = request.method ?? '';
    const body = (bytes.length > 0 ? JSON.parse(bytes.toString()) : {}) as Json;
    const name = `${method} ${pathname.replace('/api/v1', '').replaceAll(/\/\d+/g, '/{id}')}`;
    fake.calls.push({ name, body });
    const ending = endings.get(name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const isKnown = request.headers.authorization === `Token token=${TOKEN}`;
    const given = typeof ending === 'object' ? { status: ending.http, body: {}, ...ending } : undefined;
    const answer: Answer =
      given ?? (isKnown ? carryOut(method, pathname, searchParams, body) : refusal(401, 'Invalid token'));
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(Buffer.isBuffer(answer.body) ? answer.body : JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}
