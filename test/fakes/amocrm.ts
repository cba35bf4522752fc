import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { AmocrmAsked, type NewNote } from './amocrm-asked.ts';
import { serveDrive, type Answer } from './amocrm-drive.ts';
import { list, listEvents, shown, type Json, type Thing } from './amocrm-lists.ts';
import { endServer, listenHere } from './listening.ts';

export const CLIENT_ID = '11111111-2222-4333-8444-555555555555';
export const CLIENT_SECRET = 'not-a-real-secret-key-of-an-integration';
export const REDIRECT = 'https://desk.example.com/amocrm';
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** Tokens are JWT that say whose they are. */
export const TOKEN = `${part({ typ: 'JWT' })}.${part({ aud: CLIENT_ID, sub: '900' })}.not-a-real-signature`;
export const WEBHOOK_TOKEN = 'not-a-real-secret-part-of-an-address';
export const ID_FIELD = 900100;
export const CONTACT_FIELD = 900200;
export const PIPELINE = 3104455;
/** Whose token it is, and another colleague. */
export const GATEWAY = 900;
export const IVAN = 901;

export type Ending =
  | { readonly http: number; readonly headers?: Record<string, string>; readonly body?: object | string }
  | 'cut'
  | 'lost';

/** A stand-in for an account of amoCRM that takes nothing that its pages don't name. */
export interface FakeAmocrm {
  readonly root: string;
  /** `at`: by its clock. */
  readonly calls: { readonly method: string; readonly path: string; readonly body: unknown; readonly at: number }[];
  readonly leads: Thing[];
  readonly contacts: Thing[];
  readonly notes: Thing[];
  readonly events: Json[];
  readonly files: Map<string, { readonly name: string; readonly bytes: Buffer }>;
  /** What didn't fit; must stay empty. */
  readonly violations: string[];
  /** Refresh tokens that may be exchanged, and access tokens that are good. */
  readonly refreshTokens: Set<string>;
  readonly tokens: Set<string>;
  now: () => number;
  /** Whether a search finds it yet. */
  indexed: (lead: Thing) => boolean;
  /** Whether its plan has filters. */
  filters: boolean;
  /** How an event says who caused it: the integration by number, or not at all. */
  says: { readonly client: boolean; readonly author: number };
  /** The address of its files. */
  drive: string | undefined;
  partSize: number;
  end(call: string, ...endings: Ending[]): void;
  /** What somebody does in a lead. */
  act(
    lead: number,
    act: {
      readonly by?: number;
      readonly text?: string;
      readonly file?: string;
      readonly words?: string;
      readonly stage?: number;
    },
  ): void;
  /** What stands in the feed of a lead, each with its kind. */
  said(lead: number): string[];
  notify(url: string, form?: string): Promise<number>;
  close(): Promise<void>;
}

export async function startAmocrm(): Promise<FakeAmocrm> {
  const endings = new Map<string, Ending[]>();
  let next = 15_000_000;
  const fake: FakeAmocrm = {
    root: '',
    calls: [],
    leads: [],
    contacts: [],
    notes: [],
    events: [],
    files: new Map(),
    violations: [],
    refreshTokens: new Set(['not-a-real-refresh-token-0']),
    tokens: new Set([TOKEN]),
    now: Date.now,
    indexed: () => true,
    filters: true,
    says: { client: true, author: 0 },
    drive: undefined,
    partSize: 524_288,
    end: (call, ...list) => void endings.set(call, list),
    act(lead, { by = IVAN, text, file, words, stage }) {
      const own = { client: null, author: by };
      if (text !== undefined) note(lead, { note_type: 'common', params: { text } }, own);
      if (file !== undefined) {
        const uuid = keep(file, Buffer.from(`bytes of ${file}`));
        const params = {
          is_drive_attachment: true,
          text: words ?? file,
          original_name: file,
          file_uuid: uuid,
          file_name: sanitized(file),
        };
        note(lead, { note_type: 'attachment', params }, own);
      }
      if (stage !== undefined) move(find(lead), stage, own);
    },
    said: (lead) =>
      fake.notes
        .filter((each) => each['entity_id'] === lead)
        .map(({ note_type: type, params }) => {
          const { text, original_name: name, phone } = params as Json;
          return `${String(type)}: ${String(text ?? name ?? phone)}`;
        }),
    async notify(url, form = 'leads[note][0][note][id]=1&account[subdomain]=acme') {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const answer = await fetch(url, { method: 'POST', headers, body: form });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  const seconds = () => Math.floor(fake.now() / 1000);
  const find = (id: number) => fake.leads.find((each) => each.id === id)!;
  const sanitized = (name: string) => name.replaceAll(/[^\w.-]/g, '_');
  const keep = (name: string, bytes: Buffer) => {
    const uuid = `00000000-0000-4000-8000-${String(next++).padStart(12, '0')}`;
    fake.files.set(uuid, { name, bytes });
    return uuid;
  };

  type By = { readonly client: string | null | undefined; readonly author: number };
  const ours = (): By => ({ client: fake.says.client ? CLIENT_ID : undefined, author: fake.says.author });

  function tell(type: string, lead: number, after: object, { client, author }: By): void {
    const about = { entity_id: lead, entity_type: 'lead', created_by: author, created_at: seconds(), account_id: 1 };
    const id = `01kaq${String(next++).padStart(21, '0')}`;
    const named = fake.says.client && client !== undefined ? { oauth_client_uuid: client } : {};
    // The newest come first.
    fake.events.unshift({ id, type, ...about, ...named, value_after: [after], value_before: [] });
  }

  function note(lead: number, { note_type: type, params }: { note_type: string; params: Json }, by: By): Thing {
    const made = { id: next++, entity_id: lead, created_by: by.author, created_at: seconds(), note_type: type, params };
    fake.notes.push(made);
    const kinds: Record<string, string> = { common: 'common_note_added', attachment: 'attachment_note_added' };
    tell(kinds[type] ?? 'incoming_call', lead, { note: { id: made.id } }, by);
    return made;
  }

  function move(lead: Thing, stage: number, by: By): void {
    lead['status_id'] = stage;
    tell('lead_status_changed', lead.id, { lead_status: { id: stage, pipeline_id: lead['pipeline_id'] } }, by);
  }

  function complex([given]: ReturnType<(typeof AmocrmAsked)['POST /api/v4/leads/complex']['parse']>): Answer {
    const { _embedded: embedded, status_id: stage = 31_881_109, ...lead } = given!;
    const [contact] = embedded.contacts;
    const known = 'id' in contact! ? contact.id : next++;
    if (!('id' in contact!)) fake.contacts.push({ id: known, ...contact });
    const made = {
      id: next++,
      pipeline_id: PIPELINE,
      ...lead,
      status_id: stage,
      created_at: seconds(),
      contact: known,
      tags: embedded.tags,
    };
    fake.leads.push(made);
    return {
      status: 200,
      body: [{ id: made.id, contact_id: known, company_id: null, request_id: ['0'], merged: false }],
    };
  }

  function addNotes(lead: number, given: readonly NewNote[]): Answer {
    const made = given.map(({ note_type: type, params }) => {
      const uuid = 'file_uuid' in params ? params.file_uuid : '';
      const name = 'file_name' in params ? params.file_name : '';
      const kept =
        type === 'attachment'
          ? { text: name, original_name: name, file_uuid: uuid, file_name: sanitized(name) }
          : { ...params };
      return note(lead, { note_type: type, params: kept }, ours());
    });
    return {
      status: 200,
      body: { _embedded: { notes: made.map(({ id }) => ({ id, entity_id: lead, request_id: '0' })) } },
    };
  }

  const ok = (body: unknown): Answer => ({ status: 200, body });
  const upload = serveDrive(() => ({ ...fake, keep }));

  function grant(given: { client_secret: string; refresh_token: string }): Answer {
    if (given.client_secret !== CLIENT_SECRET || !fake.refreshTokens.delete(given.refresh_token)) {
      return {
        status: 400,
        body: { hint: 'Token has been revoked', title: 'Bad Request', status: 400, detail: given.refresh_token },
      };
    }
    const [token, refresh] = [`${TOKEN}-${next++}`, `not-a-real-refresh-token-${next++}`];
    fake.tokens.add(token);
    fake.refreshTokens.add(refresh);
    return ok({ token_type: 'Bearer', expires_in: 86_400, access_token: token, refresh_token: refresh });
  }

  function carryOut(method: string, { pathname: path, searchParams: search }: URL, body: unknown): Answer {
    if (path.startsWith('/v1.0/') || path.startsWith('/download/')) return upload(method, path, body);
    const [, , , of, id, notes, noteId] = path.split('/');
    const account = { id: 1, name: 'Acme', current_user_id: GATEWAY, drive_url: fake.drive ?? fake.root };
    if (of === 'account') return ok(account);
    if (of === 'events') return listEvents(fake.events, search);
    if (of === 'users')
      return Number(id) === IVAN ? { status: 200, body: { id: IVAN, name: 'Ivan Petrov' } } : { status: 403, body: {} };
    if (of === 'contacts' && id === undefined) return list(fake.contacts, 'contacts', search, fake);
    if (id === 'custom_fields') {
      const fields = of === 'leads' ? [ID_FIELD, 900_101, 900_102] : [CONTACT_FIELD];
      return shown(
        fields.map((field) => ({ id: field, type: field === 900_102 ? 'numeric' : 'text' })),
        'custom_fields',
        search,
      );
    }
    if (id === 'pipelines') {
      const statuses = [31_881_109, 31_881_112, 31_881_115, 142, 143].map((each) => ({ id: each }));
      return Number(notes) === PIPELINE
        ? { status: 200, body: { id: PIPELINE, name: 'Support', _embedded: { statuses } } }
        : { status: 404, body: {} };
    }
    if (id === 'complex') return complex(AmocrmAsked['POST /api/v4/leads/complex'].parse(body));
    if (id === 'notes') {
      const one = fake.notes.find((each) => each.id === Number(notes));
      if (notes === undefined) return list(fake.notes, 'notes', search, fake);
      return one ? { status: 200, body: one } : { status: 204 };
    }
    if (id === undefined) return list(fake.leads, 'leads', search, fake);
    return withLead(Number(id), method, notes === 'notes' && noteId === undefined, search, body);
  }

  function withLead(id: number, method: string, isNotes: boolean, search: URLSearchParams, body: unknown): Answer {
    const lead = fake.leads.find((each) => each.id === id);
    if (!lead) return method === 'GET' ? { status: 204 } : { status: 404, body: { title: 'Not Found', status: 404 } };
    if (isNotes && method === 'GET')
      return list(
        fake.notes.filter((each) => each['entity_id'] === id),
        'notes',
        search,
        fake,
      );
    if (isNotes) return addNotes(id, AmocrmAsked['POST /api/v4/leads/{id}/notes'].parse(body));
    if (method === 'GET') return { status: 200, body: lead };
    const { status_id: stage, pipeline_id: pipeline } = AmocrmAsked['PATCH /api/v4/leads/{id}'].parse(body);
    lead['pipeline_id'] = pipeline;
    move(lead, stage, ours());
    return { status: 200, body: { id, updated_at: seconds() } };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    const url = new URL(request.url ?? '', fake.root);
    const method = request.method ?? '';
    const isJson = request.headers['content-type']?.includes('json') === true;
    const body: unknown = isJson ? JSON.parse(bytes.toString()) : bytes;
    fake.calls.push({ method, path: url.pathname + url.search, body, at: fake.now() });
    const name = `${method} ${url.pathname.replaceAll(/\/\d+(?=\/|$)/g, '/{id}').replace(/upload\/.*/, 'upload/{token}')}`;
    const ending = endings.get(name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    const isGrant = url.pathname === '/oauth2/access_token';
    const given = (): Answer =>
      isGrant ? grant(AmocrmAsked['POST /oauth2/access_token'].parse(body)) : carryOut(method, url, body);
    const isKnown = isGrant || fake.tokens.has(token);
    const refused: Answer = { status: 401, body: { title: 'Unauthorized', status: 401, detail: token } };
    const answer: Answer =
      typeof ending === 'object' ? { status: ending.http, body: ending.body ?? {} } : isKnown ? given() : refused;
    if (ending === 'lost') return void request.socket.destroy();
    const headers = typeof ending === 'object' ? ending.headers : undefined;
    response.writeHead(answer.status, { 'content-type': 'application/hal+json', ...headers });
    const text = answer.body === undefined || typeof answer.body === 'string' || Buffer.isBuffer(answer.body);
    response.end(text ? answer.body : JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(`${request.method ?? ''} ${request.url ?? ''}: ${String(error)}`);
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}
