import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { readForm } from './form-parts.ts';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

/** Written by third parties from Freshdesk's documentation: Freshdesk publishes none itself. */
export const DESCRIPTION = 'freshdesk/api-evangelist-generated.json';
export const API_KEY = 'not-a-real-api-key-of-freshdesk';
export const WEBHOOK_TOKEN = 'not-a-real-secret-part-of-the-address';
/** Whose key it is, another agent, and one whom the key may not see. */
export const GATEWAY = 900;
export const IVAN = 901;
export const HIDDEN = 902;

const text = { type: 'string' };
const number = { type: 'integer' };
const parameter = (name: string, where: string, schema: object) => ({ name, in: where, schema });
const person = {
  type: 'object',
  properties: { id: number, contact: { type: 'object', properties: { name: text, email: text } } },
};

/** What that description leaves out of the prose at https://developers.freshdesk.com/api/. */
const AMENDED = {
  '/paths/~1contacts/get/parameters/7': parameter('unique_external_id', 'query', text),
  '/components/schemas/ContactCreate/properties/unique_external_id': text,
  '/components/schemas/NoteCreate/properties/user_id': number,
  '/components/schemas/Contact/properties/unique_external_id': { type: 'string', nullable: true },
  '/components/schemas/Ticket/properties/stats': {
    type: 'object',
    properties: { status_updated_at: text, resolved_at: { type: 'string', nullable: true } },
  },
  // Statuses of the account's own begin at 6.
  '/components/schemas/Ticket/properties/status': number,
  '/components/schemas/TicketUpdate/properties/status': number,
  '/paths/~1agents~1{agent_id}': {
    get: {
      parameters: [{ ...parameter('agent_id', 'path', text), required: true }],
      responses: { 200: { content: { 'application/json': { schema: person } } } },
    },
  },
};

export const readFreshdesk = (): Description | undefined =>
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

export interface FreshdeskTicket {
  readonly id: number;
  readonly fields: Json;
  status: number;
  readonly created_at: string;
  updated_at: string;
  status_updated_at: string;
  readonly conversations: Json[];
}

/** A stand-in for Freshdesk that checks itself and what it is asked against a description. */
export interface FakeFreshdesk {
  readonly root: string;
  readonly calls: Asked[];
  readonly tickets: FreshdeskTicket[];
  readonly contacts: Json[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  readonly files: Map<string, Buffer>;
  now: () => number;
  /** Whether a search finds what is there. */
  indexed: boolean;
  /** The next calls so (`POST /tickets`) end so. */
  end(call: string, ...endings: Ending[]): void;
  /** What somebody does there; `source`: 0 an answer, 2 a note, 8 forwarded. */
  act(
    ticketId: number,
    act: {
      readonly author?: number;
      readonly body?: string;
      readonly private?: boolean;
      readonly incoming?: boolean;
      readonly source?: number;
      readonly files?: readonly string[];
      readonly status?: number;
    },
  ): void;
  /** What stands in a ticket, marked with who wrote it and for whom. */
  said(ticketId: number): string[];
  close(): Promise<void>;
}

/** Reading the description takes a moment: tests that start many share it. */
export async function startFreshdesk(description: Description | undefined = readFreshdesk()): Promise<FakeFreshdesk> {
  const endings = new Map<string, Ending[]>();
  let next = 1000;

  const fake: FakeFreshdesk = {
    root: '',
    calls: [],
    tickets: [],
    contacts: [],
    violations: [],
    files: new Map(),
    now: Date.now,
    indexed: true,
    end: (call, ...list) => void endings.set(call, list),
    act(ticketId, { author = IVAN, body, files = [], status, ...given }) {
      const ticket = ticketOf(ticketId);
      if (body !== undefined) talk(ticket, { user_id: author, body, files, ...given });
      if (status !== undefined) setStatus(ticket, status);
      ticket.updated_at = time();
    },
    said: (ticketId) => {
      const { fields, conversations } = ticketOf(ticketId);
      const first = `${nameOf(fields['requester_id'])}: ${plain(fields['description'])}`;
      const rest = conversations.map(
        (each) => `${nameOf(each['user_id'])}${each['private'] ? ' (inside)' : ''}: ${plain(each['body'])}`,
      );
      return [first, ...rest];
    },
    close: () => endServer(server),
  };

  const time = () => `${new Date(fake.now()).toISOString().slice(0, 19)}Z`;
  const ticketOf = (id: number) => fake.tickets.find((each) => each.id === id)!;
  const plain = (html: unknown) =>
    String(html)
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ')
      .trim();
  const agents: Readonly<Record<number, string>> = { [GATEWAY]: 'Gateway', [IVAN]: 'Ivan', [HIDDEN]: 'Hidden' };
  const nameOf = (id: unknown) =>
    String(agents[Number(id)] ?? fake.contacts.find((each) => each['id'] === id)?.['name'] ?? id);

  function talk(ticket: FreshdeskTicket, { files = [], ...given }: Json & { files?: readonly string[] }): Json {
    const id = next++;
    const attachments = files.map((name) => {
      const file = next++;
      return {
        id: file,
        name,
        content_type: 'text/plain',
        size: fake.files.get(name)?.length ?? 0,
        attachment_url: `${fake.root}/files/${file}/${encodeURIComponent(name)}`,
        created_at: time(),
        updated_at: time(),
      };
    });
    const conversation = {
      id,
      ticket_id: ticket.id,
      incoming: false,
      private: false,
      source: 0,
      support_email: null,
      ...given,
      // What Freshdesk's own editor puts around.
      body: `<div style="font-size:13px">${String(given['body'])}</div>`,
      body_text: plain(given['body']),
      attachments,
      created_at: time(),
      updated_at: time(),
    };
    ticket.conversations.push(conversation);
    return conversation;
  }

  function setStatus(ticket: FreshdeskTicket, status: number): void {
    if (ticket.status === status) return;
    ticket.status = status;
    ticket.status_updated_at = time();
  }

  type Answer = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> };
  const refusal = (status: number, body: object = { description: 'Validation failed', errors: [] }): Answer => ({
    status,
    body,
  });

  function shown({ id, fields, status, created_at, updated_at }: FreshdeskTicket): Json {
    const { description: _long, ...rest } = fields;
    return { id, ...rest, status, created_at, updated_at };
  }

  function createTicket(given: Json): Answer {
    if (!fake.contacts.some(({ id }) => id === given['requester_id'])) return refusal(400);
    const { status, ...fields } = given;
    const at = time();
    const times = { created_at: at, updated_at: at, status_updated_at: at };
    const ticket = { id: next++, fields, status: Number(status), ...times, conversations: [] };
    fake.tickets.push(ticket);
    return { status: 201, body: shown(ticket) };
  }

  function listTickets(search: URLSearchParams): Answer {
    const since = Date.parse(search.get('updated_since')!);
    const by = search.get('order_by') as 'created_at' | 'updated_at';
    const sorted = fake.tickets
      .filter(({ updated_at: at }) => Date.parse(at) >= since)
      .sort((a, b) => b[by].localeCompare(a[by]) || b.id - a.id);
    return { status: 200, body: paged(sorted, search).map(shown) };
  }

  function paged<T>(all: readonly T[], search: URLSearchParams): T[] {
    const size = Number(search.get('per_page'));
    const from = (Number(search.get('page')) - 1) * size;
    return all.slice(from, from + size);
  }

  function search({ searchParams }: URL): Answer {
    const [, field = '', value] = /^"(cf_\w+):'(\w+)'"$/.exec(searchParams.get('query') ?? '') ?? [];
    if (field !== 'cf_tributary_id') return refusal(400);
    const has = ({ fields }: FreshdeskTicket) => (fields['custom_fields'] as Json)[field] === value;
    const results = fake.indexed ? fake.tickets.filter(has).map(shown) : [];
    return { status: 200, body: { total: results.length, results } };
  }

  function contacts({ method, body }: Asked, { searchParams }: URL): Answer {
    if (method === 'GET') {
      const [by = '', value] = [...searchParams][0] ?? [];
      return { status: 200, body: fake.contacts.filter((each) => each[by] === value) };
    }
    const given = body as Json;
    const same = (each: Json) => ['email', 'unique_external_id'].some((key) => given[key] && each[key] === given[key]);
    const holder = fake.contacts.find(same);
    const error = { field: 'email', code: 'duplicate_value', additional_info: { user_id: holder?.['id'] } };
    if (holder) return refusal(409, { description: 'Validation failed', errors: [error] });
    const contact = { id: next++, ...given };
    fake.contacts.push(contact);
    return { status: 201, body: contact };
  }

  function ticketCall({ method, body }: Asked, url: URL, files: readonly string[]): Answer {
    const [, id = '', rest = ''] = /^\/tickets\/(\d+)(.*)$/.exec(url.pathname) ?? [];
    const ticket = fake.tickets.find((each) => String(each.id) === id);
    if (!ticket) return refusal(404, {});
    if (rest === '/conversations') return { status: 200, body: paged(ticket.conversations, url.searchParams) };
    if (rest === '/notes') {
      const made = talk(ticket, { user_id: GATEWAY, private: true, source: 2, ...(body as Json), files });
      ticket.updated_at = time();
      return { status: 201, body: made };
    }
    if (method === 'PUT') {
      const { status, ...fields } = body as Json;
      Object.assign(ticket.fields, fields);
      if (status !== undefined) setStatus(ticket, Number(status));
      ticket.updated_at = time();
    }
    return { status: 200, body: { ...shown(ticket), stats: { status_updated_at: ticket.status_updated_at } } };
  }

  function carryOut(asked: Asked, files: readonly string[]): Answer {
    const url = new URL(asked.path, fake.root);
    const { pathname } = url;
    if (pathname === '/tickets') {
      return asked.method === 'POST' ? createTicket(asked.body as Json) : listTickets(url.searchParams);
    }
    if (pathname === '/search/tickets') return search(url);
    if (pathname === '/contacts') return contacts(asked, url);
    const agent = /^\/agents\/(me|\d+)$/.exec(pathname)?.[1];
    if (agent === undefined) return ticketCall(asked, url, files);
    const id = agent === 'me' ? GATEWAY : Number(agent);
    return id === HIDDEN ? refusal(403, {}) : { status: 200, body: { id, contact: { name: nameOf(id) } } };
  }

  function answerTo(asked: Asked, files: readonly string[]): Answer {
    const key = `Basic ${Buffer.from(`${API_KEY}:X`).toString('base64')}`;
    if (asked.headers['authorization'] !== key) return refusal(401, { code: 'invalid_credentials' });
    fake.violations.push(...(description?.request(asked) ?? []));
    const answer = carryOut(asked, files);
    if (answer.status < 300) fake.violations.push(...(description?.response(asked, answer.status, answer.body) ?? []));
    return answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    const whole = request.url ?? '';
    const file = /^\/files\/\d+\/(.*)$/.exec(whole)?.[1];
    if (file !== undefined) {
      if (request.headers.authorization) fake.violations.push('the key went along to a file');
      return void response.end(fake.files.get(decodeURIComponent(file)) ?? '');
    }
    const { body, files, type } = await readBody(request.headers['content-type'] ?? '', bytes);
    for (const each of files) fake.files.set(each.name, each.bytes);
    const headers = { ...(request.headers as Record<string, string>), 'content-type': type };
    const asked: Asked = { method: request.method ?? '', path: whole.replace('/api/v2', ''), headers, body };
    fake.calls.push(asked);
    const name = `${asked.method} ${asked.path.split('?')[0]!.replaceAll(/\/\d+/g, '/{id}')}`;
    const ending = endings.get(name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const answer: Answer =
      typeof ending === 'object'
        ? { status: ending.http, body: ending.body ?? {}, ...(ending.headers && { headers: ending.headers }) }
        : answerTo(
            asked,
            files.map((each) => each.name),
          );
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8', ...answer.headers });
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

/** A form says the same as JSON, in names: `custom_fields[cf_order]`, `tags[]`. */
async function readBody(type: string, bytes: Buffer) {
  const json = 'application/json';
  if (bytes.length === 0) return { body: undefined, files: [], type: json };
  if (!type.startsWith('multipart/')) return { body: JSON.parse(bytes.toString()) as unknown, files: [], type: json };
  const { fields, files } = await readForm(type, bytes);
  const body: Json = {};
  for (const [name, values] of Object.entries(fields)) {
    const [, holder = '', key] = /^(\w+)\[(\w*)\]$/.exec(name) ?? [];
    if (key === undefined) body[name] = valueOf(values[0]!);
    else if (key === '') body[holder] = values;
    else body[holder] = { ...(body[holder] as Json | undefined), [key]: values[0] };
  }
  if (files.some(({ field }) => field !== 'attachments[]')) throw new Error('a file in another field');
  return { body, files, type: json };
}

function valueOf(value: string): unknown {
  return /^(\d{1,15}|true|false)$/.test(value) ? (JSON.parse(value) as unknown) : value;
}
