import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

export const TOKEN = 'not-a-real-api-token-of-pipedrive';
export const CLIENT = { id: 'an-app', secret: 'not-a-real-client-secret-of-pipedrive' };
export const FIRST_REFRESH_TOKEN = 'not-a-real-refresh-token-of-pipedrive-0';
export const HOOK = { user: 'pipedrive', password: 'not-a-real-password-of-the-webhook' };
/** Custom fields. */
export const DEAL_ID = 'd1'.repeat(20);
export const PERSON_ID = 'e2'.repeat(20);
export const ORDER = 'a3'.repeat(20);
export const COUNT = 'a4'.repeat(20);
export const TOPICS = 'a5'.repeat(20);
export const KIND = 'a6'.repeat(20);
/** The user of the token, and a colleague. */
export const ME = 11;
export const IVAN = 12;

/** Which paths are described where; what isn't listed was left out of the part of the descriptions that is kept. */
const DESCRIPTIONS: readonly (readonly [RegExp, string, string])[] = [
  [/^\/v1\/(notes|files|users\/\d+)/, '/v1', 'pipedrive/v1.json'],
  [/^\/api\/v2\/(deals|persons)\b/, '/api/v2', 'pipedrive/v2.json'],
];

/** What the descriptions leave out, and their own texts say. */
const NULLABLE: Readonly<Record<string, readonly string[]>> = {
  // "The value will be null if you have reached the end".
  'pipedrive/v2.json': ['/deals', '/persons', '/deals/search', '/persons/search'].map(
    (path) => `${schemaAt(path)}/allOf/1/properties/additional_data/properties/next_cursor/nullable`,
  ),
  // Version 1 has null for a list without entries.
  'pipedrive/v1.json': [`${schemaAt('/notes')}/properties/data/nullable`],
};

function schemaAt(path: string): string {
  return `/paths/${path.replaceAll('/', '~1')}/get/responses/200/content/application~1json/schema`;
}

export type Descriptions = ReadonlyMap<string, Description>;

/** Pipedrive's descriptions, where they are beside the repository. */
export function readPipedrive(): Descriptions {
  const files = DESCRIPTIONS.map(([, , file]) => file).filter(isDescribed);
  const amended = (file: string) => Object.fromEntries((NULLABLE[file] ?? []).map((pointer) => [pointer, true]));
  return new Map(files.map((file) => [file, readDescription(file, amended(file))]));
}

type Json = Record<string, unknown>;
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}
/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending =
  | { readonly http: number; readonly headers?: Record<string, string>; readonly body?: object | string }
  | 'cut'
  | 'lost';
type Answer = { readonly status: number; readonly body: object };

export interface PipedriveThing extends Json {
  id: number;
  /** Milliseconds. */
  made: number;
  changed: number;
  custom_fields: Json;
}
export interface PipedriveDeal extends PipedriveThing {
  status: string;
  stage_id: number;
  moved: number | undefined;
  changelog: Json[];
}
export interface PipedriveNote {
  readonly id: number;
  readonly deal_id: number;
  content: string;
  readonly made: number;
  changed: number;
  readonly by: number;
  isThere: boolean;
}

/** A stand-in for Pipedrive that checks itself and what it is asked against Pipedrive's descriptions. */
export interface FakePipedrive {
  readonly root: string;
  readonly calls: Asked[];
  readonly deals: PipedriveDeal[];
  readonly persons: PipedriveThing[];
  readonly notes: PipedriveNote[];
  readonly files: { readonly deal: number; readonly name: string; readonly text: string }[];
  /** What didn't fit the descriptions, on either side; must stay empty. */
  readonly violations: string[];
  now: () => number;
  /** What was made since isn't shown in a search yet. */
  indexedUntil: number;
  /** Whether the changelog shows what was changed. */
  hasChangelog: boolean;
  /** The refresh token that is good, and the access token. */
  refreshToken: string;
  accessToken: string;
  /** The next calls so (`POST /api/v2/deals`, `GET /v1/deals/{id}/changelog`) end so. */
  end(call: string, ...endings: Ending[]): void;
  /** A colleague writes a note. */
  note(dealId: number, html: string, given?: { by?: number; at?: number }): PipedriveNote;
  /** Somebody changes a deal. */
  move(dealId: number, to: { status?: string; stage_id?: number }, given?: { by?: number; source?: string }): void;
  /** Notes of a deal, oldest first. */
  said(dealId: number): string[];
  /** Tells a webhook. */
  notify(url: string, notice: object, auth?: { user: string; password: string }): Promise<number>;
  close(): Promise<void>;
}

/** Reading the descriptions takes a moment: tests that start many share them. */
export async function startPipedrive(descriptions: Descriptions = readPipedrive()): Promise<FakePipedrive> {
  const endings = new Map<string, Ending[]>();
  const kept: { readonly deal: number; readonly shown: Json }[] = [];
  let next = 100;

  const fake: FakePipedrive = {
    root: '',
    calls: [],
    deals: [],
    persons: [],
    notes: [],
    files: [],
    violations: [],
    now: Date.now,
    indexedUntil: Infinity,
    hasChangelog: true,
    refreshToken: FIRST_REFRESH_TOKEN,
    accessToken: '',
    end: (call, ...list) => void endings.set(call, list),
    note(dealId, content, { by = IVAN, at = fake.now() } = {}) {
      const note = { id: next++, deal_id: dealId, content, made: at, changed: at, by, isThere: true };
      fake.notes.push(note);
      return note;
    },
    move(dealId, to, { by = IVAN, source = 'app' } = {}) {
      change(
        fake.deals.find(({ id }) => id === dealId)!,
        to,
        by,
        source,
      );
    },
    said: (dealId) => fake.notes.filter(({ deal_id: id }) => id === dealId).map(({ content }) => content),
    async notify(url, notice, { user, password } = HOOK) {
      const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
      const headers = { 'content-type': 'application/json', authorization };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(notice) });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  function change(deal: PipedriveDeal, to: Json, by: number, source: string): void {
    for (const key of ['status', 'stage_id']) {
      if (to[key] === undefined || to[key] === deal[key]) continue;
      const about = {
        actor_user_id: by,
        change_source: source,
        change_source_user_agent: 'x',
        is_bulk_update_flag: false,
      };
      const values = {
        field_key: key,
        old_value: `${deal[key] as string}`,
        new_value: `${to[key] as string}`,
      };
      deal.changelog.unshift({ ...values, time: clockTime(fake.now()), ...about });
      if (key === 'stage_id') deal.moved = fake.now();
    }
    for (const [key, value] of Object.entries(to)) deal[key] = value;
    deal.changed = fake.now();
  }

  const done = (data: unknown, more: object = {}): Answer => ({ status: 200, body: { success: true, data, ...more } });
  const refusal = (status: number, error: string): Answer => ({ status, body: { success: false, error } });
  const shown = ({ id, made, changed, custom_fields: custom, ...rest }: PipedriveThing, field: string | null): Json => {
    const { changelog: _changelog, moved, ...plain } = rest;
    return {
      id,
      ...plain,
      add_time: rfcTime(made),
      update_time: rfcTime(changed),
      ...(typeof moved === 'number' && { stage_change_time: rfcTime(moved) }),
      custom_fields: field === null ? custom : { [field]: custom[field] ?? null },
    };
  };

  function listed(things: readonly PipedriveThing[], query: URLSearchParams): Answer {
    const ids = query.get('ids')?.split(',').map(Number);
    const since = Date.parse(query.get('updated_since') ?? '1970-01-01T00:00:00Z');
    const by = query.get('sort_by') === 'update_time' ? 'changed' : 'id';
    const sign = query.get('sort_direction') === 'desc' ? -1 : 1;
    const all = things
      .filter(({ id, changed }) => (ids?.includes(id) ?? true) && Math.floor(changed / 1000) * 1000 >= since)
      .sort((a, b) => sign * (a[by] - b[by]));
    const from = Number(query.get('cursor') ?? 0);
    const to = from + Number(query.get('limit') ?? 100);
    const data = all.slice(from, to).map((each) => shown(each, query.get('custom_fields')));
    return done(data, { additional_data: { next_cursor: to < all.length ? String(to) : null } });
  }

  function searched(things: readonly PipedriveThing[], query: URLSearchParams): Answer {
    const field = query.get('fields')!;
    const values = (thing: PipedriveThing): string[] =>
      field === 'custom_fields'
        ? Object.values(thing.custom_fields).map(String)
        : ((thing[`${field}s`] as { value: string }[] | undefined) ?? []).map(({ value }) => value);
    const items = things
      .filter(({ made }) => made <= fake.indexedUntil)
      .filter((thing) => values(thing).some((each) => each.toLowerCase() === query.get('term')!.toLowerCase()))
      .map((thing) => ({
        result_score: 1,
        item: { id: thing.id, type: 'x', [field === 'custom_fields' ? field : `${field}s`]: values(thing) },
      }));
    return done({ items }, { additional_data: { next_cursor: null } });
  }

  function dealCall({ method, body }: Asked, id: string, query: URLSearchParams): Answer {
    if (id === 'search') return searched(fake.deals, query);
    if (id === '' && method === 'GET') return listed(fake.deals, query);
    const given = body as Json;
    if (id === '') {
      const { custom_fields: custom, status = 'open', stage_id: stage = 1, ...rest } = given;
      if (!fake.persons.some(({ id: person }) => person === given['person_id'])) return refusal(400, 'no such person');
      const state = { status: status as string, stage_id: stage as number, moved: undefined, changelog: [] };
      const deal = {
        ...rest,
        id: next++,
        made: fake.now(),
        changed: fake.now(),
        ...state,
        custom_fields: custom as Json,
      };
      fake.deals.push(deal);
      return done(shown(deal, null));
    }
    const deal = fake.deals.find((each) => each.id === Number(id));
    if (!deal) return refusal(404, 'Deal not found');
    if (method === 'PATCH') change(deal, given, ME, 'api');
    return done(shown(deal, null));
  }

  function personCall({ method, body }: Asked, id: string, query: URLSearchParams): Answer {
    if (id === 'search') return searched(fake.persons, query);
    if (method === 'GET') return listed(fake.persons, query);
    const { custom_fields: custom = {}, ...rest } = body as Json;
    const person = { ...rest, id: next++, made: fake.now(), changed: fake.now(), custom_fields: custom as Json };
    fake.persons.push(person);
    return done(shown(person, null));
  }

  function noteCall({ method, body }: Asked, query: URLSearchParams): Answer {
    if (method === 'POST') {
      const { deal_id: id, content } = body as { deal_id: number; content: string };
      if (!fake.deals.some((deal) => deal.id === id)) return refusal(404, 'Deal not found');
      return done(noteOf(fake.note(id, content, { by: ME })));
    }
    const since = Date.parse(query.get('updated_since') ?? '1970-01-01T00:00:00Z');
    const isAsked = ({ deal_id: id, changed }: PipedriveNote) =>
      (query.get('deal_id') ?? String(id)) === String(id) && Math.floor(changed / 1000) * 1000 >= since;
    const sorted = fake.notes
      .filter(isAsked)
      .sort((a, b) => (query.get('sort') === 'id DESC' ? b.id - a.id : a.changed - b.changed || a.id - b.id));
    const [start, limit] = [Number(query.get('start')), Number(query.get('limit'))];
    const data = sorted.slice(start, start + limit).map(noteOf);
    const more = start + limit < sorted.length;
    const pagination = { start, limit, more_items_in_collection: more, ...(more && { next_start: start + limit }) };
    return done(data.length > 0 ? data : null, { additional_data: { pagination } });
  }

  function fileCall(form: string): Answer {
    const [, name = ''] = /filename="([^"]*)"/.exec(form) ?? [];
    const [, text = ''] = /filename="[^"]*"\r\n[^\r]*\r\n\r\n([^]*)\r\n--/.exec(form) ?? [];
    const deal = Number(fieldsOf(form)['deal_id']);
    fake.files.push({ deal, name, text });
    const shown = {
      id: next++,
      deal_id: deal,
      name,
      file_size: Buffer.byteLength(text),
      add_time: clockTime(fake.now()),
    };
    kept.unshift({ deal, shown });
    return done(shown);
  }

  function carryOut(asked: Asked, form: string): Answer {
    const { pathname, searchParams: query } = new URL(asked.path, fake.root);
    const [, kind, id = ''] = /^\/api\/v2\/(deals|persons)\/?(\w*)$/.exec(pathname) ?? [];
    if (kind === 'deals') return dealCall(asked, id, query);
    if (kind === 'persons') return personCall(asked, id, query);
    if (pathname === '/v1/notes') return noteCall(asked, query);
    if (pathname === '/v1/files') return fileCall(form);
    const [, holder] = /^\/v1\/deals\/(\d+)\/files$/.exec(pathname) ?? [];
    const held = kept.filter(({ deal }) => deal === Number(holder)).map(({ shown: file }) => file);
    if (holder !== undefined) return done(held.length > 0 ? held : null);
    const [, changed] = /^\/v1\/deals\/(\d+)\/changelog$/.exec(pathname) ?? [];
    const deal = fake.deals.find((each) => each.id === Number(changed));
    if (deal) return done(fake.hasChangelog ? deal.changelog : [], { additional_data: { next_cursor: null } });
    if (pathname === '/v1/users/me') return done({ id: ME, name: 'Tributary', company_domain: 'acme' });
    if (pathname === `/v1/users/${IVAN}`) return done({ id: IVAN, name: 'Ivan Koval', is_you: false });
    if (pathname === '/api/v2/stages') return done([1, 2, 3].map((stage) => ({ id: stage, pipeline_id: 1 })));
    if (pathname === '/api/v2/dealFields') return done(DEAL_FIELDS);
    if (pathname === '/api/v2/personFields') return done([{ field_code: PERSON_ID, field_type: 'varchar' }]);
    return refusal(404, 'Not found');
  }

  function grant({ headers, body }: Asked): Answer {
    const { refresh_token: given } = body as Json;
    const basic = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`;
    if (headers['authorization'] !== basic || given !== fake.refreshToken)
      return refusal(400, `Invalid grant: ${String(given)}`);
    fake.refreshToken = `${FIRST_REFRESH_TOKEN.slice(0, -1)}${next++}`;
    fake.accessToken = `not-a-real-access-token-${next++}`;
    const about = { token_type: 'Bearer', expires_in: 3600, scope: 'base', api_domain: fake.root };
    return { status: 200, body: { access_token: fake.accessToken, refresh_token: fake.refreshToken, ...about } };
  }

  function answerTo(asked: Asked, form: string): Answer {
    if (asked.path === '/oauth/token') return grant(asked);
    const { 'x-api-token': token, authorization } = asked.headers;
    const isKnown = token === TOKEN || (fake.accessToken !== '' && authorization === `Bearer ${fake.accessToken}`);
    if (!isKnown) return refusal(401, 'unauthorized access');
    const [, prefix = '', file = ''] = DESCRIPTIONS.find(([path]) => path.test(asked.path)) ?? [];
    const description = descriptions.get(file);
    const described = { ...asked, path: asked.path.slice(prefix.length) };
    fake.violations.push(...(description?.request(described) ?? []));
    const answer = carryOut(asked, form);
    if (answer.status < 300)
      fake.violations.push(...(description?.response(described, answer.status, answer.body) ?? []));
    return answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = (await read(request)).toString();
    const path = request.url ?? '';
    const headers = request.headers as Record<string, string>;
    const asked: Asked = {
      method: request.method ?? '',
      path,
      headers,
      body: bodyOf(headers['content-type'] ?? '', form),
    };
    fake.calls.push(asked);
    const ending = endings.get(`${asked.method} ${path.split('?')[0]!.replaceAll(/\/\d+/g, '/{id}')}`)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const answer =
      typeof ending === 'object' ? { status: ending.http, body: ending.body ?? {} } : answerTo(asked, form);
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, {
      'content-type': 'application/json; charset=utf-8',
      ...(typeof ending === 'object' && ending.headers),
    });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

const DEAL_FIELDS: readonly object[] = [
  { field_code: 'title', field_type: 'varchar', options: null },
  { field_code: DEAL_ID, field_type: 'varchar', options: null },
  { field_code: ORDER, field_type: 'varchar', options: null },
  { field_code: COUNT, field_type: 'double', options: null },
  { field_code: TOPICS, field_type: 'set', options: ['Late', 'Broken'].map((label, id) => ({ id: id + 7, label })) },
  { field_code: KIND, field_type: 'enum', options: [{ id: 31, label: 'Chat' }] },
];

function noteOf({ id, deal_id: deal, content, made, changed, by, isThere }: PipedriveNote): Json {
  const user = { name: by === ME ? 'Tributary' : 'Ivan Koval', email: 'x@example.com', is_you: by === ME };
  const times = { add_time: clockTime(made), update_time: clockTime(changed) };
  return { id, deal_id: deal, content, active_flag: isThere, ...times, user_id: by, user };
}

function rfcTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function clockTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

function bodyOf(type: string, text: string): unknown {
  if (text === '') return undefined;
  if (type === 'application/json') return JSON.parse(text) as unknown;
  return type.startsWith('multipart/') ? fieldsOf(text) : Object.fromEntries(new URLSearchParams(text));
}

/** The fields of an upload by name, its file as any text. */
function fieldsOf(form: string): Json {
  const fields = [...form.matchAll(/name="(\w+)"\r\n\r\n([^\r]*)/g)].map((match) => [match[1]!, match[2]!]);
  return { ...Object.fromEntries(fields), ...(form.includes('filename="') && { file: '(bytes)' }) } as Json;
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
