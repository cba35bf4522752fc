import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hmac } from '../../src/core/signature.ts';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

export const TOKEN = 'not-a-real-access-token-of-hubspot';
export const CLIENT_SECRET = 'not-a-real-client-secret-of-hubspot';
/** The app that the token belongs to, the account, and an agent. */
export const APP = 4711;
export const HUB = 620015;
export const IVAN = 901;

/** What describes which paths. */
const DESCRIPTIONS: readonly (readonly [RegExp, string])[] = [
  [/^\/crm\/v3\/objects\/tickets/, 'hubspot/tickets-v3.json'],
  [/^\/crm\/v3\/objects\/notes/, 'hubspot/notes-v3.json'],
  [/^\/crm\/v3\/objects\/contacts/, 'hubspot/contacts-v3.json'],
  [/^\/crm\/v4\/(objects|associations)/, 'hubspot/associations-v4.json'],
  [/^\/crm\/v3\/properties/, 'hubspot/properties-v3.json'],
  [/^\/crm\/v3\/pipelines/, 'hubspot/pipelines-v3.json'],
  [/^\/files\/v3/, 'hubspot/files-v3.json'],
];

export type Descriptions = ReadonlyMap<string, Description>;

/** HubSpot's descriptions, where they are beside the repository. */
export const readHubspot = (): Descriptions =>
  new Map(DESCRIPTIONS.filter(([, file]) => isDescribed(file)).map(([, file]) => [file, readDescription(file)]));

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
type Answer = { readonly status: number; readonly body: object | Buffer };

export interface HubspotThing {
  readonly id: string;
  readonly kind: string;
  readonly properties: Record<string, string>;
  readonly history: {
    value: string;
    timestamp: string;
    sourceType: string;
    sourceId: string;
    updatedByUserId?: number;
  }[];
  readonly belongsTo: string[];
}

/** A stand-in for HubSpot that checks itself and what it is asked against HubSpot's descriptions. */
export interface FakeHubspot {
  readonly root: string;
  readonly calls: Asked[];
  readonly things: HubspotThing[];
  /** What didn't fit the descriptions, on either side; must stay empty. */
  readonly violations: string[];
  readonly files: Map<string, { name: string; bytes: Buffer }>;
  now: () => number;
  /** What was made or changed since isn't shown in a search yet. */
  indexedUntil: number;
  /** Whether values of our property must be unique. */
  unique: boolean;
  of(kind: string): HubspotThing[];
  /** The next calls so (`POST /crm/v3/objects/tickets`) end so. */
  end(call: string, ...endings: Ending[]): void;
  /** A note that somebody writes, or an integration that isn't ours. */
  note(ticketId: string, html: string, given?: { files?: readonly string[]; by?: number; source?: string }): string;
  /** Somebody moves a ticket to another stage. */
  move(ticketId: string, stage: string, given?: { by?: number; app?: number }): void;
  /** Texts of the notes of a ticket, oldest first. */
  notes(ticketId: string): string[];
  /** Tells a webhook that a ticket changed, signed. */
  notify(url: string, how?: { secret?: string; at?: number; body?: unknown; signedUrl?: string }): Promise<number>;
  close(): Promise<void>;
}

/** Reading the descriptions takes a moment: tests that start many share them. */
export async function startHubspot(descriptions: Descriptions = readHubspot()): Promise<FakeHubspot> {
  const endings = new Map<string, Ending[]>();
  let next = 1000;
  let listed: readonly HubspotThing[] = [];

  const fake: FakeHubspot = {
    root: '',
    calls: [],
    things: [],
    violations: [],
    files: new Map(),
    now: Date.now,
    indexedUntil: Infinity,
    unique: true,
    of: (kind) => fake.things.filter((thing) => thing.kind === kind),
    end: (call, ...list) => void endings.set(call, list),
    note(ticketId, html, { files = [], by = IVAN, source = 'CRM_UI' } = {}) {
      const properties: Record<string, string> = { hs_note_body: html, hs_timestamp: time() };
      if (files.length > 0) properties['hs_attachment_ids'] = files.join(';');
      return make('notes', properties, [ticketId], { source, by }).id;
    },
    move(ticketId, stage, { by = IVAN, app } = {}) {
      const by2 = app === undefined ? { source: 'CRM_UI', by } : { source: 'INTEGRATION', app };
      change(
        fake.of('tickets').find(({ id }) => id === ticketId)!,
        { hs_pipeline_stage: stage },
        by2,
      );
    },
    notes: (ticketId) =>
      fake
        .of('notes')
        .filter(({ belongsTo }) => belongsTo.includes(ticketId))
        .map(({ properties }) => properties['hs_note_body']!),
    async notify(url, { secret = CLIENT_SECRET, at = fake.now(), body, signedUrl = url } = {}) {
      const event = { eventId: 1, portalId: HUB, appId: APP, occurredAt: at, attemptNumber: 0, objectId: 1 };
      const text = JSON.stringify(body ?? [{ ...event, subscriptionType: 'ticket.propertyChange' }]);
      const signed = hmac('sha256', secret, 'POST', signedUrl, text, String(at)).toString('base64');
      const headers = {
        'content-type': 'application/json',
        'x-hubspot-signature-v3': signed,
        'x-hubspot-request-timestamp': String(at),
      };
      const answer = await fetch(url, { method: 'POST', headers, body: text });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  const time = () => new Date(fake.now()).toISOString();
  type By = { readonly source: string; readonly by?: number; readonly app?: number };

  function make(kind: string, properties: Record<string, string>, belongsTo: string[], by: By): HubspotThing {
    const own = {
      hs_createdate: time(),
      hs_object_source: by.source,
      ...(by.by && { hs_created_by_user_id: String(by.by) }),
    };
    const thing: HubspotThing = { id: String(next++), kind, properties: { ...own }, history: [], belongsTo };
    fake.things.push(thing);
    change(thing, properties, by);
    // A note moves the ticket that it is written on.
    for (const id of belongsTo) {
      const ticket = fake.things.find((each) => each.kind === 'tickets' && each.id === id);
      if (ticket) ticket.properties['hs_lastmodifieddate'] = time();
    }
    return thing;
  }

  function change(thing: HubspotThing, properties: Record<string, string>, { source, by, app }: By): void {
    const { hs_pipeline_stage: stage } = properties;
    if (stage !== undefined) {
      const who = by === undefined ? { sourceId: String(app) } : { sourceId: `userId:${by}`, updatedByUserId: by };
      thing.history.unshift({ value: stage, timestamp: time(), sourceType: source, ...who });
    }
    Object.assign(thing.properties, properties, { hs_lastmodifieddate: time() });
  }

  const refusal = (status: number, category: string): Answer => ({
    status,
    body: { status: 'error', category, message: category, correlationId: 'c033cdaa-2c40-4a64-ae48-b4cec88dad24' },
  });
  const shown = ({ id, properties }: HubspotThing, names: readonly string[] = []): Json => ({
    id,
    properties: Object.fromEntries(
      ['hs_object_id', ...names].flatMap((name) => {
        const value = name === 'hs_object_id' ? id : properties[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    createdAt: properties['hs_createdate'],
    updatedAt: properties['hs_lastmodifieddate'],
    archived: false,
  });
  const completed = (results: readonly object[]): Answer => ({
    status: 200,
    body: { status: 'COMPLETE', results, startedAt: time(), completedAt: time() },
  });

  function createThing(kind: string, body: unknown): Answer {
    const { properties, associations } = body as {
      properties: Record<string, string>;
      associations: { to: { id: string }; types: { associationTypeId: number }[] }[];
    };
    const taken = (name: string) =>
      properties[name] !== undefined && fake.of(kind).some((each) => each.properties[name] === properties[name]);
    if (kind === 'contacts' && taken('email')) return refusal(409, 'CONFLICT');
    if (fake.unique && taken('tributary_id')) return refusal(400, 'VALIDATION_ERROR');
    const wrong = associations.find(({ to, types }) => {
      const there = fake.things.find(({ id }) => id === to.id);
      const names = { 16: 'contacts', 227: 'notes', 228: 'tickets' } as Record<number, string>;
      return there === undefined || names[types[0]!.associationTypeId] !== there.kind;
    });
    if (wrong) return refusal(400, 'INVALID_ASSOCIATION');
    const ids = associations.map(({ to }) => to.id);
    const thing = make(kind, properties, ids, { source: 'INTEGRATION', app: APP });
    if (kind === 'tickets')
      for (const note of fake.of('notes')) if (ids.includes(note.id)) note.belongsTo.push(thing.id);
    return { status: 201, body: shown(thing, Object.keys(properties)) };
  }

  function search(kind: string, body: unknown): Answer {
    const { filterGroups, sorts, properties, limit, after } = body as {
      filterGroups: { filters: { propertyName: string; operator: string; value?: string }[] }[];
      sorts: string[];
      properties: string[];
      limit: number;
      after: string;
    };
    const fits = ({ properties: own }: HubspotThing) =>
      filterGroups[0]!.filters.every(({ propertyName, operator, value }) =>
        operator === 'GTE'
          ? Date.parse(own[propertyName] ?? '') >= Number(value)
          : own[propertyName] !== undefined && own[propertyName] !== '',
      );
    const indexed = ({ properties: own }: HubspotThing) => Date.parse(own['hs_lastmodifieddate']!) <= fake.indexedUntil;
    const by = ({ properties: own }: HubspotThing) => Date.parse(own[sorts[0]!]!);
    // The pages of one search are of one list.
    if (after === '0')
      listed = fake
        .of(kind)
        .filter(indexed)
        .filter(fits)
        .sort((a, b) => by(a) - by(b));
    const all = listed;
    const to = Number(after) + limit;
    const page = all.slice(Number(after), to).map((each) => shown(each, properties));
    const paging = to < all.length ? { paging: { next: { after: String(to) } } } : {};
    return { status: 200, body: { total: all.length, results: page, ...paging } };
  }

  function readMany(kind: string, body: unknown): Answer {
    const { inputs, properties, propertiesWithHistory } = body as {
      inputs: { id: string }[];
      properties: string[];
      propertiesWithHistory: string[];
    };
    if (inputs.length > (propertiesWithHistory.length > 0 ? 50 : 100)) return refusal(400, 'VALIDATION_ERROR');
    const found = fake.of(kind).filter(({ id }) => inputs.some((each) => each.id === id));
    const [named] = propertiesWithHistory;
    return completed(
      found.map((each) => ({
        ...shown(each, properties),
        ...(named !== undefined && { propertiesWithHistory: { [named]: each.history } }),
      })),
    );
  }

  function readThing(kind: string, id: string, query: URLSearchParams): Answer {
    const by = query.get('idProperty');
    const thing = fake.of(kind).find((each) => (by === null ? each.id : each.properties[by]) === id);
    return thing ? { status: 200, body: shown(thing, query.getAll('properties')) } : refusal(404, 'OBJECT_NOT_FOUND');
  }

  function objectCall({ method, body }: Asked, kind: string, id: string, query: URLSearchParams): Answer {
    if (id === '') return createThing(kind, body);
    if (id === 'search') return search(kind, body);
    if (id === 'batch/read') return readMany(kind, body);
    if (method === 'GET') return readThing(kind, id, query);
    const thing = fake.of(kind).find((each) => each.id === id);
    if (!thing) return refusal(404, 'OBJECT_NOT_FOUND');
    const { properties } = body as { properties: Record<string, string> };
    change(thing, properties, { source: 'INTEGRATION', app: APP });
    return { status: 200, body: shown(thing, Object.keys(properties)) };
  }

  const label = { associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId: 228 }] };
  function associationCall(path: string, body: unknown): Answer {
    const [, ticket] = /^\/crm\/v4\/objects\/tickets\/([^/]+)\/associations\/notes$/.exec(path) ?? [];
    if (ticket !== undefined) {
      const notes = fake.of('notes').filter(({ belongsTo }) => belongsTo.includes(ticket));
      return { status: 200, body: { results: notes.map(({ id }) => ({ toObjectId: id, ...label })) } };
    }
    const { inputs } = body as { inputs: { id: string }[] };
    const places = (note: HubspotThing) =>
      fake.of('tickets').filter(({ id, belongsTo }) => note.belongsTo.includes(id) || belongsTo.includes(note.id));
    const pairs = fake
      .of('notes')
      .filter(({ id }) => inputs.some((each) => each.id === id))
      .map((note) => ({ from: { id: note.id }, to: places(note).map(({ id }) => ({ toObjectId: id, ...label })) }));
    return completed(pairs.filter(({ to }) => to.length > 0));
  }

  function fileCall({ method }: Asked, id: string, rest: string, form: string): Answer {
    const about = { access: 'PRIVATE', archived: false, createdAt: time(), updatedAt: time() };
    if (method === 'POST') {
      const made = String(next++);
      const [, name = ''] = /name="fileName"\r\n\r\n([^\r]*)/.exec(form) ?? [];
      const [, text = ''] = /filename="[^"]*"\r\n[^\r]*\r\n\r\n([^]*)\r\n--/.exec(form) ?? [];
      fake.files.set(made, { name, bytes: Buffer.from(text) });
      return { status: 201, body: { id: made, name, ...about } };
    }
    const file = fake.files.get(id);
    if (!file) return refusal(404, 'OBJECT_NOT_FOUND');
    const [name, extension = ''] = file.name.split('.');
    const facts = { name, extension, size: file.bytes.length, type: 'DOCUMENT' };
    if (rest === '') return { status: 200, body: { id, ...facts, ...about } };
    return { status: 200, body: { ...facts, url: `${fake.root}/signed/${id}`, expiresAt: time() } };
  }

  function carryOut(asked: Asked, form: string): Answer {
    const { pathname, searchParams } = new URL(asked.path, fake.root);
    const [, kind, id = ''] = /^\/crm\/v3\/objects\/(\w+)\/?(.*)$/.exec(pathname) ?? [];
    if (kind !== undefined) return objectCall(asked, kind, decodeURIComponent(id), searchParams);
    if (pathname.startsWith('/crm/v4/')) return associationCall(pathname, asked.body);
    const [, file, rest = ''] = /^\/files\/v3\/files\/?(\d*)(.*)$/.exec(pathname) ?? [];
    if (file !== undefined) return fileCall(asked, file, rest, form);
    const [, property] = /^\/crm\/v3\/properties\/\w+\/(\w+)$/.exec(pathname) ?? [];
    if (property === 'tributary_id') return { status: 200, body: propertyOf(property, fake.unique) };
    if (pathname === '/crm/v3/pipelines/tickets/0') return { status: 200, body: pipelineOf(time()) };
    if (pathname === '/oauth/v2/private-apps/get/access-token-info')
      return { status: 200, body: { userId: 1, hubId: HUB, appId: APP, scopes: ['tickets'] } };
    if (pathname === `/crm/v3/owners/${IVAN}`)
      return {
        status: 200,
        body: { id: '77', userId: IVAN, firstName: 'Ivan', lastName: 'Koval', email: 'i@example.com' },
      };
    return refusal(404, 'NOT_FOUND');
  }

  function answerTo(asked: Asked, form: string): Answer {
    const [, file] = /^\/signed\/(\d+)$/.exec(asked.path) ?? [];
    if (file !== undefined) {
      if (asked.headers['authorization'] !== undefined) fake.violations.push('credentials for an address of a file');
      return { status: 200, body: fake.files.get(file)!.bytes };
    }
    if (asked.headers['authorization'] !== `Bearer ${TOKEN}`) return refusal(401, 'INVALID_AUTHENTICATION');
    const [, name = ''] = DESCRIPTIONS.find(([path]) => path.test(asked.path)) ?? [];
    const description = descriptions.get(name);
    fake.violations.push(...(description?.request(asked) ?? []));
    const answer = carryOut(asked, form);
    if (answer.status < 300) fake.violations.push(...(description?.response(asked, answer.status, answer.body) ?? []));
    return answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await read(request);
    const path = request.url ?? '';
    const headers = request.headers as Record<string, string>;
    const isJson = headers['content-type'] === 'application/json';
    const form = bytes.toString();
    const body = isJson ? (JSON.parse(form) as unknown) : bytes.length > 0 ? fieldsOf(form) : undefined;
    const asked: Asked = { method: request.method ?? '', path, headers, body };
    fake.calls.push(asked);
    const ending = endings.get(`${asked.method} ${path.split('?')[0]!.replaceAll(/\/\d+/g, '/{id}')}`)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const answer =
      typeof ending === 'object' ? { status: ending.http, body: ending.body ?? {} } : answerTo(asked, form);
    if (ending === 'lost') return void request.socket.destroy();
    const isFile = Buffer.isBuffer(answer.body);
    const type = isFile ? 'application/octet-stream' : 'application/json;charset=utf-8';
    response.writeHead(answer.status, { 'content-type': type, ...(typeof ending === 'object' && ending.headers) });
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

function propertyOf(name: string, hasUniqueValue: boolean): object {
  const told = {
    label: 'Tributary',
    description: '',
    type: 'string',
    fieldType: 'text',
    groupName: 'ticketinformation',
  };
  return { name, ...told, options: [], hasUniqueValue };
}

function pipelineOf(at: string): object {
  const about = { archived: false, createdAt: at, updatedAt: at, displayOrder: 0 };
  const stages = ['1', '2', '3', '4'].map((id) => ({ id, label: `Stage ${id}`, metadata: {}, ...about }));
  return { id: '0', label: 'Support Pipeline', stages, ...about };
}

/** The fields of an upload by name, its file as any text. */
function fieldsOf(form: string): Json {
  const names = [...form.matchAll(/name="(\w+)"/g)].map((match) => match[1]!);
  return Object.fromEntries(names.map((name) => [name, '(text)']));
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
