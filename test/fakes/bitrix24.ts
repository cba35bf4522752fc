import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBitrix24 } from './bitrix24-description.ts';
import type { Bitrix24Description } from './bitrix24-description.ts';
import { endServer, listenHere } from './listening.ts';

export const CODE = 'notarealcode';
export const APPLICATION_TOKEN = 'not-a-real-application-token';
/** Whose webhook it is, a colleague, and who is responsible. */
export const GATEWAY = 1;
export const IVAN = 5;
export const ANNA = 6;

type Json = Record<string, unknown>;
/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending = { readonly http: number; readonly body?: object } | 'cut' | 'lost';
type Kind = 'lead' | 'deal' | 'contact';

interface Comment {
  readonly id: number;
  readonly kind: string;
  readonly item: number;
  readonly author: number;
  readonly text: string;
  readonly at: string;
  readonly files: readonly number[];
}

/** A stand-in for Bitrix24 that checks what it is asked against Bitrix24's description. */
export interface FakeBitrix24 {
  readonly root: string;
  /** Methods in order; those of a batch behind it. */
  readonly calls: { readonly method: string; readonly params: Json }[];
  readonly items: Record<Kind, Json[]>;
  readonly violations: string[];
  readonly files: Map<number, { readonly name: string; readonly bytes: Buffer }>;
  now: () => number;
  /** The next calls of a method end so; `batch>crm.item.list` is one within a batch. */
  end(method: string, ...endings: Ending[]): void;
  /** What a colleague does. */
  act(kind: Kind, id: number, act: { author?: number; comment?: string; files?: string[]; stage?: string }): void;
  comments(kind: Kind, id: number): string[];
  notify(url: string, event: string, token?: string): Promise<number>;
  close(): Promise<void>;
}

const KINDS: Record<string, Kind> = { '1': 'lead', '2': 'deal', '3': 'contact' };
const FINAL: Record<string, string> = { WON: 'S', CONVERTED: 'S', LOSE: 'F', JUNK: 'F' };
const USERS = [
  { ID: String(GATEWAY), NAME: 'Gateway', LAST_NAME: '' },
  { ID: String(IVAN), NAME: 'Ivan', LAST_NAME: 'Petrov' },
  { ID: String(ANNA), NAME: 'Anna', LAST_NAME: null },
];
const PAGE = 50;

class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

export async function startBitrix24(
  description: Bitrix24Description | undefined = readBitrix24(),
): Promise<FakeBitrix24> {
  const endings = new Map<string, Ending[]>();
  const comments: Comment[] = [];
  let next = 100;

  const fake: FakeBitrix24 = {
    root: '',
    calls: [],
    items: { lead: [], deal: [], contact: [] },
    violations: [],
    files: new Map(),
    now: Date.now,
    end: (method, ...list) => void endings.set(method, list),
    act(kind, id, { author = IVAN, comment, files = [], stage }) {
      const item = itemOf(kind, id);
      if (comment !== undefined)
        say(
          kind,
          id,
          author,
          comment,
          files.map((name) => keep(name, Buffer.from(`bytes of ${name}`))),
        );
      if (stage !== undefined) moveTo(item, stage, author);
    },
    comments: (kind, id) =>
      comments.filter((each) => each.kind === kind && each.item === id).map(({ author, text }) => `${author}: ${text}`),
    async notify(url, event, token = APPLICATION_TOKEN) {
      const body = new URLSearchParams({
        event,
        event_handler_id: '975',
        'data[FIELDS][ID]': String(next),
        ts: '1766047124',
        'auth[domain]': 'acme.bitrix24.test',
        'auth[member_id]': 'a223c6b3710f85df22e9377d6c4f7553',
        'auth[application_token]': token,
      });
      const answer = await fetch(url, { method: 'POST', body });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  const time = () => `${new Date(fake.now() + 3 * 3_600_000).toISOString().slice(0, 19)}+03:00`;
  function itemOf(kind: Kind, id: unknown): Json {
    const item = fake.items[kind].find((each) => each['id'] === Number(id));
    if (!item) throw new Refused(400, 'NOT_FOUND');
    return item;
  }
  function keep(name: string, bytes: Buffer): number {
    fake.files.set(next, { name, bytes });
    return next++;
  }
  function say(kind: string, id: number, author: number, text: string, files: readonly number[]): number {
    comments.push({ id: next, kind, item: id, author, text, at: time(), files });
    const item = fake.items[kind as Kind].find((each) => each['id'] === id);
    // Only others than who is responsible move it: Bitrix\Crm\Service\Timeline\Monitor.
    if (item && item['assignedById'] !== author) item['lastActivityTime'] = time();
    return next++;
  }
  function moveTo(item: Json, stage: string, by: number): void {
    const semantics = FINAL[stage] ?? 'P';
    Object.assign(item, {
      stageId: stage,
      stageSemanticId: semantics,
      movedTime: time(),
      movedBy: by,
      updatedTime: time(),
    });
  }

  function add({ entityTypeId, fields }: Json): Json {
    const kind = KINDS[String(entityTypeId)]!;
    const at = { createdTime: time(), updatedTime: time(), lastActivityTime: time() };
    const item: Json = { id: next++, assignedById: GATEWAY, ...at, ...(fields as Json) };
    moveTo(item, textOf((fields as Json)['stageId']) || 'NEW', GATEWAY);
    fake.items[kind].push(item);
    return { item };
  }
  function fits(item: Json, filter: Json): boolean {
    const one = ([key, wanted]: [string, unknown]): boolean => {
      if (key === 'logic') return true;
      if (/^\d+$/.test(key)) return fits(item, wanted as Json);
      if (key.startsWith('>=')) return Date.parse(String(item[key.slice(2)])) >= Date.parse(String(wanted));
      return textOf(item[key]) === textOf(wanted);
    };
    const checks = Object.entries(filter);
    if (filter['logic'] === 'OR') return checks.some(([key, wanted]) => key !== 'logic' && one([key, wanted]));
    return checks.every(one);
  }
  function listed(params: Json, all: readonly Json[]): { found: Json[]; next?: number } {
    const [[field, direction]] = Object.entries((params['order'] ?? { id: 'ASC' }) as Record<string, string>) as [
      [string, string],
    ];
    const valueOf = (each: Json) =>
      field.toUpperCase() === 'ID' ? Number(each[field]) : Date.parse(String(each[field]));
    const sorted = all.toSorted((a, b) => (valueOf(a) - valueOf(b)) * (direction === 'DESC' ? -1 : 1));
    const start = Number(params['start'] ?? 0);
    const isMore = start + PAGE < sorted.length;
    return { found: sorted.slice(start, start + PAGE), ...(isMore && { next: start + PAGE }) };
  }
  const shown = ({ id, kind, item, author, text, at, files }: Comment): Json => ({
    ID: String(id),
    ENTITY_ID: String(item),
    ENTITY_TYPE: kind,
    CREATED: at,
    COMMENT: text,
    AUTHOR_ID: String(author),
    FILES: files.length === 0 ? [] : Object.fromEntries(files.map((file) => [file, fileOf(file)])),
  });
  const fileOf = (id: number): Json => ({
    id: id + 5000,
    name: fake.files.get(id)!.name,
    size: fake.files.get(id)!.bytes.length,
    urlDownload: `${fake.root}/disk/downloadFile/${id}/?&ncc=1&filename=x`,
  });

  type Result = { readonly result: unknown; readonly next?: number };
  function itemsFor(params: Json): Result {
    const kind = KINDS[String(params['entityTypeId'])]!;
    const { found, ...more } = listed(
      params,
      fake.items[kind].filter((item) => fits(item, params['filter'] as Json)),
    );
    return { result: { items: found }, ...more };
  }
  function commentsFor(params: Json): Result {
    const { ENTITY_ID: id, ENTITY_TYPE: kind } = params['filter'] as Json;
    const own = comments.filter((each) => each.kind === kind && each.item === Number(id)).map(shown);
    const { found, ...more } = listed(params, own);
    const select = Object.values(params['select'] ?? {});
    const part = (each: Json) => Object.fromEntries(Object.entries(each).filter(([name]) => select.includes(name)));
    return { result: select.length > 0 ? found.map(part) : found, ...more };
  }
  function addComment({ fields }: Json): Result {
    const { ENTITY_ID: id, ENTITY_TYPE: kind, COMMENT: text, FILES: files = [] } = fields as Json;
    if (!text) throw new Refused(400, 'INVALID_ARG_VALUE');
    const kept = (files as [string, string][]).map(([name, content]) => keep(name, Buffer.from(content, 'base64')));
    return { result: say(String(kind), Number(id), GATEWAY, textOf(text), kept) };
  }
  function duplicates({ type, values, entity_type: kind }: Json): Result {
    const wanted = Object.values(values as object).map(String);
    const has = (item: Json) =>
      ((item['fm'] ?? []) as { typeId: string; value: string }[]).some(
        (one) => one.typeId === type && wanted.includes(one.value),
      );
    const ids = fake.items[String(kind).toLowerCase() as Kind].filter(has).map(({ id }) => id);
    return { result: ids.length > 0 ? { [String(kind)]: ids } : [] };
  }
  const METHODS: Record<string, (params: Json) => Result> = {
    'crm.item.add': (params) => ({ result: add(params) }),
    'crm.item.get': ({ entityTypeId, id }) => ({ result: { item: itemOf(KINDS[String(entityTypeId)]!, id) } }),
    'crm.item.update': ({ entityTypeId, id, fields }) => {
      const item = itemOf(KINDS[String(entityTypeId)]!, id);
      const { stageId, ...rest } = fields as Json;
      Object.assign(item, rest, { updatedTime: time() });
      if (stageId !== undefined) moveTo(item, textOf(stageId), GATEWAY);
      return { result: { item } };
    },
    'crm.item.list': itemsFor,
    'crm.item.fields': () => ({
      result: {
        fields: {
          sourceDescription: { isReadOnly: false, upperName: 'SOURCE_DESCRIPTION' },
          createdTime: { isReadOnly: true, upperName: 'CREATED_TIME' },
          ufCrm_1720019876534: { isReadOnly: false, upperName: 'UF_CRM_1720019876534' },
        },
      },
    }),
    'crm.duplicate.findbycomm': duplicates,
    'crm.timeline.comment.add': addComment,
    'crm.timeline.comment.list': commentsFor,
    'crm.timeline.comment.get': ({ id }) => {
      const comment = comments.find((each) => each.id === Number(id));
      if (!comment) throw new Refused(400, 'NOT_FOUND');
      return { result: shown(comment) };
    },
    'user.get': ({ FILTER: filter }) => {
      const wanted = Object.values((filter as Json)['ID'] as object).map(String);
      return { result: USERS.filter(({ ID: id }) => wanted.includes(id)) };
    },
    'disk.file.get': ({ id }) => {
      if (!fake.files.has(Number(id))) throw new Refused(400, 'ERROR_NOT_FOUND');
      return {
        result: { ID: String(id), DOWNLOAD_URL: `${fake.root}/rest/1/${CODE}/download/?token=disk%7C${String(id)}` },
      };
    },
  };

  function carryOut(method: string, params: Json): Result {
    fake.calls.push({ method, params });
    if (method === 'batch') return batch(params);
    fake.violations.push(...(description?.call(method, params) ?? []));
    const work = METHODS[method];
    if (!work) throw new Refused(404, 'ERROR_METHOD_NOT_FOUND');
    return work(params);
  }
  function batch({ cmd }: Json): Result {
    const [results, errors]: [Json, Json] = [{}, {}];
    for (const [key, text] of Object.entries(cmd as Record<string, string>)) {
      const [method, query = ''] = text.split(/\?(.*)/s) as [string, string?];
      const ending = endings.get(`batch>${method}`)?.shift();
      try {
        if (typeof ending === 'object') throw new Refused(ending.http, String((ending.body as Json)['error']));
        results[key] = carryOut(method, fromQuery(query)).result;
      } catch (error) {
        errors[key] = { error: (error as Refused).code, error_description: 'in the language of the account' };
      }
    }
    const map = (value: Json) => (Object.keys(value).length > 0 ? value : []);
    return {
      result: { result: map(results), result_error: map(errors), result_total: [], result_next: [], result_time: [] },
    };
  }

  function answerTo(path: string, body: Json): { readonly status: number; readonly body: object } {
    const [, user, code, method = ''] = /^\/rest\/(\d+)\/(\w+)\/(.+)$/.exec(path) ?? [];
    if (user !== String(GATEWAY) || code !== CODE)
      return { status: 401, body: { error: 'NO_AUTH_FOUND', error_description: '' } };
    try {
      return { status: 200, body: { ...carryOut(method, body), time: { operating: 0 } } };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { status: error.status, body: { error: error.code, error_description: 'in the language of the account' } };
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { pathname, searchParams } = new URL(request.url ?? '', fake.root);
    const token = searchParams.get('token');
    if (pathname.endsWith('/download/') && token) {
      return void response.end(fake.files.get(Number(token.split('|')[1]))!.bytes);
    }
    const ending = endings.get(pathname.split('/').at(-1)!)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Json;
    const answer =
      typeof ending === 'object' ? { status: ending.http, body: ending.body ?? {} } : answerTo(pathname, body);
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8' });
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

/** As PHP reads a query: `filter[originId]=…`. */
export function fromQuery(query: string): Json {
  const root: Json = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const [first = '', ...rest] = name.replaceAll(']', '').split('[');
    const path = [first, ...rest];
    let at = root;
    for (const step of path.slice(0, -1)) at = (at[step] ??= {}) as Json;
    at[path.at(-1)!] = value;
  }
  return root;
}
