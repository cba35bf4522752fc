import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { readForm } from './form-parts.ts';
import { endServer, listenHere } from './listening.ts';

export const API_TOKEN = 'not-a-real-token-of-usedesk';
export const WEBHOOK_SECRET = 'not-a-real-app-id-of-usedesk';
export const DOMAIN = 'customers.example.com';
export const CHANNEL = 66;
/** The agent whom the gateway writes as, and another one. */
export const GATEWAY = 558;
export const IVAN = 559;

const PAGE = 100;

/**
 * What the pages name of https://api.usedocs.com/ (articles 51376 to 51385 and 51414), as a closed world: what they don't name
 * is wrong. A form says everything as texts.
 */
const id = z.union([z.number().int().positive(), z.string().regex(/^[1-9]\d*$/)]).transform(Number);
const line = z.string().min(1).max(255);
const words = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= 64 * 1024);
const isTrue = z.union([z.literal(true), z.literal('true')]);
const priority = z.enum(['low', 'medium', 'urgent', 'extreme']);
const minute = z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d$/);
const Asked = {
  '/create/ticket': z.strictObject({
    subject: line,
    message: words,
    client_id: id,
    private_comment: isTrue.optional(),
    additional_id: line,
    type: z.enum(['question', 'task', 'problem', 'incident']).optional(),
    priority,
    status: id,
    tag: line.optional(),
    assignee_id: id.optional(),
    group_id: id.optional(),
    company_name: line.optional(),
    channel_id: id,
    field_id: line.optional(),
    field_value: z.string().optional(),
    from: z.enum(['client', 'user']),
    user_id: id.optional(),
  }),
  '/create/comment': z.strictObject({
    ticket_id: id,
    message: words,
    type: z.enum(['public', 'private']),
    from: z.enum(['client', 'user']),
    user_id: id.optional(),
  }),
  '/update/ticket': z.strictObject({
    ticket_id: id,
    user_id: id,
    status: id.optional(),
    priority: priority.optional(),
    silent: isTrue.optional(),
  }),
  '/ticket': z.strictObject({ ticket_id: id }),
  '/tickets': z.strictObject({
    fchannel: z.string(),
    updated_after: minute,
    sort: z.literal('last_updated_at'),
    order: z.literal('asc'),
    offset: z.number().int().min(0),
  }),
  '/clients': z.strictObject({ query: z.string().min(1), search_type: z.literal('full_match') }),
  '/create/client': z.strictObject({ name: line, emails: z.array(z.email()).length(1) }),
  '/users': z.strictObject({ user_id: id, user_type: z.enum(['admin', 'employee', 'support']).optional() }),
} as const;
type Path = keyof typeof Asked;
type Given<P extends Path> = z.output<(typeof Asked)[P]>;

type Json = Record<string, unknown>;
type Ending =
  { readonly http: number; readonly headers?: Record<string, string>; readonly body?: object } | 'cut' | 'lost';

interface Said {
  readonly id: number;
  readonly message: string;
  readonly from: string;
  readonly type: string;
  readonly user_id: number | null;
  readonly published_at: string;
  files: unknown[];
}

interface UsedeskTicket {
  readonly id: number;
  readonly fields: Omit<Given<'/create/ticket'>, 'message' | 'from' | 'user_id' | 'private_comment'>;
  readonly client: number;
  status: number;
  priority: string | undefined;
  additional: string | null;
  readonly published_at: string;
  last_updated_at: string;
  readonly comments: Said[];
  readonly changes: Json[];
}

/** A stand-in for Usedesk that takes nothing that its pages don't name. */
export interface FakeUsedesk {
  readonly root: string;
  readonly calls: { readonly path: string; readonly body: Json }[];
  readonly tickets: UsedeskTicket[];
  readonly clients: { readonly id: number; readonly name: string; emails: string; tickets: number[] }[];
  /** What didn't fit; must stay empty. */
  readonly violations: string[];
  readonly files: Map<string, Buffer>;
  /** Files that lie elsewhere: name → address. */
  readonly moved: Map<string, string>;
  /** Agents by role: a list says nothing of the others. */
  readonly agents: Map<number, { readonly name: string; readonly role: string }>;
  now: () => number;
  /** What happens behind a page of a list. */
  meanwhile: () => void;
  /** The order of a list, where it isn't the one that was asked for. */
  shuffle: ((all: UsedeskTicket[]) => UsedeskTicket[]) | undefined;
  end(path: Path, ...endings: Ending[]): void;
  /** What somebody does there: says something, or changes the status, or both. */
  act(
    id: number,
    act: {
      readonly by?: number;
      readonly from?: string;
      readonly type?: string;
      readonly message?: string;
      readonly status?: number;
      readonly rule?: number;
      readonly files?: readonly unknown[];
    },
  ): void;
  /** What stands in a ticket, marked with who wrote it and for whom. */
  said(id: number): string[];
  /** Tells a webhook. */
  notify(url: string, secret?: string): Promise<number>;
  close(): Promise<void>;
}

export async function startUsedesk(): Promise<FakeUsedesk> {
  const endings = new Map<string, Ending[]>();
  let next = 1000;
  const fake: FakeUsedesk = {
    root: '',
    calls: [],
    tickets: [],
    clients: [],
    violations: [],
    files: new Map(),
    moved: new Map(),
    agents: new Map([
      [GATEWAY, { name: 'Gateway', role: 'employee' }],
      [IVAN, { name: 'Ivan', role: 'admin' }],
    ]),
    now: Date.now,
    meanwhile: () => undefined,
    shuffle: undefined,
    end: (path, ...list) => void endings.set(path, list),
    act(about, { by: given, from = 'user', type = 'public', message, status, rule, files = [] }) {
      const ticket = find(about);
      const by = given ?? (rule === undefined ? IVAN : null);
      if (message !== undefined) say(ticket, { from, type, message, by: from === 'user' ? by : null, files });
      if (status !== undefined) change(ticket, status, { by, rule, targets: ['status_id'] });
      ticket.last_updated_at = time();
    },
    said: (about) =>
      find(about).comments.map((each) => `${whoOf(find(about), each)} (${each.type}): ${plain(each.message)}`),
    async notify(url, secret = WEBHOOK_SECRET) {
      const body = JSON.stringify({ secret, comment: { id: '1', ticket_id: '1', from: 'user' }, assignee_id: null });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  const time = () => new Date(fake.now()).toISOString().slice(0, 19).replace('T', ' ');
  const find = (about: number) => fake.tickets.find((each) => each.id === about)!;
  const plain = (html: string) =>
    html
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ')
      .trim();
  const whoOf = (ticket: UsedeskTicket, { from, user_id: by }: Said) =>
    from === 'client'
      ? fake.clients.find((each) => each.id === ticket.client)!.name
      : (fake.agents.get(by ?? 0)?.name ?? 'a rule');

  function say(
    ticket: UsedeskTicket,
    given: { from: string; type: string; message: string; by: number | null; files: readonly unknown[] },
  ): number {
    const { from, type, message, by, files } = given;
    ticket.comments.push({ id: next++, message, from, type, user_id: by, published_at: time(), files: [...files] });
    ticket.last_updated_at = time();
    return next - 1;
  }

  function change(
    ticket: UsedeskTicket,
    status: number,
    { by, rule, targets }: { by: number | null; rule?: number | undefined; targets: readonly string[] },
  ): void {
    const isOther = ticket.status !== status;
    ticket.changes.push({
      id: String(next++),
      trigger_id: rule === undefined ? null : String(rule),
      user_id: by,
      ticket_id: String(ticket.id),
      data: targets.map((target) => ({ target, value: status })),
      changed_at: time(),
      old_status: isOther ? String(ticket.status) : '0',
      new_status: isOther ? String(status) : '0',
      company_id: '1',
    });
    ticket.status = status;
    ticket.last_updated_at = time();
  }

  /** Whatever is done to a new ticket opens it, and so does the client. */
  function touch(ticket: UsedeskTicket, by: number | null): void {
    const opens = by === null ? [2, 5, 6, 8] : [8];
    const targets = [by === null ? 'message_from_client' : 'comment_from_agent'];
    change(ticket, opens.includes(ticket.status) ? 1 : ticket.status, { by, targets });
  }

  const keep = (names: readonly string[]) => names.map((name) => ({ name, file: `${fake.root}/files/${name}` }));

  const carryOut: { readonly [P in Path]: (given: Given<P>, files: readonly string[]) => unknown } = {
    '/create/ticket'({ message, from, user_id: user, private_comment: hidden, ...fields }, files) {
      const client = fake.clients.find((each) => each.id === fields.client_id);
      if (!client) return { error: 'Client not found', code: 404 };
      if (from === 'user' && user === undefined) return { error: 'user_id is required', code: 422 };
      const ticket: UsedeskTicket = {
        id: next++,
        fields,
        client: client.id,
        status: fields.status,
        priority: fields.priority,
        additional: fields.additional_id,
        published_at: time(),
        last_updated_at: time(),
        comments: [],
        changes: [],
      };
      fake.tickets.push(ticket);
      client.tickets.push(ticket.id);
      change(ticket, ticket.status, { by: user ?? null, targets: ['ticket_created'] });
      say(ticket, { from, type: hidden ? 'private' : 'public', message, by: user ?? null, files: keep(files) });
      return { status: 'success', ticket_id: ticket.id };
    },
    '/create/comment'({ ticket_id: about, message, type, from, user_id: user }, files) {
      const ticket = find(about);
      if (from === 'user' && user === undefined) return { error: 'user_id is required', code: 422 };
      const comment = say(ticket, { from, type, message, by: user ?? null, files: keep(files) });
      touch(ticket, from === 'client' ? null : (user ?? null));
      return { status: 'success', comment_id: comment };
    },
    '/update/ticket'({ ticket_id: about, user_id: by, status, priority: rank, silent }) {
      const ticket = find(about);
      if (rank !== undefined) ticket.priority = rank;
      const opened = ticket.status === 8 && !silent ? 1 : ticket.status;
      change(ticket, status ?? opened, { by, targets: ['status_id'] });
      return { status: 'success' };
    },
    '/ticket'({ ticket_id: about }) {
      const ticket = fake.tickets.find((each) => each.id === about);
      return ticket ? shown(ticket) : { error: 'Ticket not found', code: 404 };
    },
    '/tickets'({ fchannel, updated_after: after, offset }) {
      const all = fake.tickets
        .filter(({ fields }) => String(fields.channel_id) === fchannel)
        .filter(({ last_updated_at: at }) => at.slice(0, 16) >= after)
        .sort((a, b) =>
          a.last_updated_at < b.last_updated_at ? -1 : a.last_updated_at > b.last_updated_at ? 1 : a.id - b.id,
        );
      const page = (fake.shuffle?.(all) ?? all).slice(offset, offset + PAGE);
      const listed = page.map(({ id: own, status, last_updated_at: at }) => ({ id: own, status, last_updated_at: at }));
      fake.meanwhile();
      return listed;
    },
    '/clients': ({ query }) => fake.clients.filter(({ emails }) => emails.toLowerCase().includes(query)),
    '/create/client'({ name, emails }) {
      fake.clients.push({ id: next++, name, emails: emails[0]!, tickets: [] });
      return { client_id: next - 1, status: true };
    },
    '/users'({ user_id: about, user_type: role = 'employee' }) {
      const agent = fake.agents.get(about);
      return agent?.role === role ? [{ id: String(about), ...agent, email: 'agent@example.com' }] : [];
    },
  };

  const shown = (ticket: UsedeskTicket): Json => ({
    ticket: {
      id: String(ticket.id),
      status_id: String(ticket.status),
      subject: ticket.fields.subject,
      ...(ticket.priority !== undefined && { priority: ticket.priority }),
      client_id: String(ticket.client),
      last_updated_at: ticket.last_updated_at,
      published_at: ticket.published_at,
      additional_id: ticket.additional,
    },
    comments: ticket.comments.map((each) => ({ ...each, id: String(each.id), ticket_id: String(ticket.id) })),
    changes: ticket.changes,
    tags: [],
  });

  async function bodyOf(request: IncomingMessage): Promise<{ body: Json; files: readonly string[] }> {
    const bytes = await buffer(request);
    const type = request.headers['content-type'] ?? '';
    if (!type.startsWith('multipart/')) return { body: JSON.parse(bytes.toString()) as Json, files: [] };
    const { fields, files } = await readForm(type, bytes);
    for (const { field, name, bytes: content } of files) {
      if (field !== 'files[]') fake.violations.push(`a file in ${field}`);
      fake.files.set(name, content);
    }
    const single = Object.entries(fields).map(([name, values]) => [name, values[0]] as const);
    return { body: Object.fromEntries(single), files: files.map(({ name }) => name) };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', fake.root);
    if (request.method === 'GET') {
      const name = url.pathname.replace('/files/', '');
      const location = fake.moved.get(name);
      if (location !== undefined) return void response.writeHead(302, { location }).end();
      const file = fake.files.get(name);
      return void response.writeHead(file ? 200 : 404).end(file);
    }
    const { body: whole, files } = await bodyOf(request);
    const { api_token: token, ...body } = whole;
    const path = url.pathname as Path;
    fake.calls.push({ path, body });
    const ending = endings.get(path)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const act = carryOut[path] as ((given: unknown, files: readonly string[]) => unknown) | undefined;
    const refused = { error: 'Invalid api_token', code: 403 };
    const answer =
      typeof ending === 'object'
        ? (ending.body ?? {})
        : token === API_TOKEN
          ? act!(Asked[path].parse(body), files)
          : refused;
    if (ending === 'lost') return void request.socket.destroy();
    const { http: status = 200, headers = {} } = typeof ending === 'object' ? ending : {};
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(answer));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(`${request.method ?? ''} ${request.url ?? ''}: ${String(error)}`);
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}
