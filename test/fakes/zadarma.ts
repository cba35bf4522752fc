import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';
import { startReceiver } from './receiver.ts';
import type { Answer, Received } from './receiver.ts';

export const KEY = '0a1b2c3d4e5f60718293';
export const SECRET = 'f0e1d2c3b4a5968778695a4b3c2d1e0f';

const FILE = 'zadarma/openapi.json';
const PAGE = 1000;

type Json = Record<string, unknown>;
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: { readonly properties?: Record<string, unknown>; readonly required?: readonly string[] };
}

/** What `/v1/statistics/pbx` answers with, all of it required. */
const line = (schema: Json) => ({ type: 'object', required: Object.keys(schema), properties: schema });
const text = { type: 'string' };

/** The vendor's description of its API, where it is beside the repository. */
export function readZadarma(): Description | undefined {
  if (!isDescribed(FILE)) return undefined;
  const shared = join(import.meta.dirname, '../../../shared/specs');
  const root = JSON.parse(readFileSync(join(shared, FILE), 'utf8')) as Json & {
    paths: Record<string, Record<string, { parameters?: Parameter[] }>>;
  };
  // An object in the query stands there property by property: that is what OpenAPI means by it where nothing is said.
  for (const operation of Object.values(root.paths).flatMap((item) => Object.values(item))) {
    operation.parameters = operation.parameters?.flatMap((one) => {
      if (one.in !== 'query' || one.schema.properties === undefined) return [one];
      const required = one.schema.required ?? [];
      return Object.entries(one.schema.properties).map(
        ([name, schema]) => ({ name, in: 'query', required: required.includes(name), schema }) as Parameter,
      );
    });
  }
  const record = root.paths['/v1/pbx/record/request']?.['get']?.parameters ?? [];
  // "Provide either `call_id` or `pbx_call_id`", say its words; its schema wants both.
  for (const one of record) Object.assign(one, { required: false });
  const answer = 'get/responses/200/content/application~1json/schema';
  return readDescription(root, {
    // Extensions may be called from, and so are answered: the pattern has no room for them.
    [`/paths/~1v1~1request~1callback/${answer}/properties/from`]: text,
    // Numbers of customers and extensions are one field, and callers may withhold theirs.
    [`/paths/~1v1~1statistics~1pbx/${answer}/properties/stats/items`]: line({
      ...{ call_id: { type: 'number' }, sip: {}, callstart: text, clid: {}, destination: {} },
      ...{ disposition: text, seconds: { type: 'integer' }, is_recorded: { type: 'boolean' }, pbx_call_id: text },
    }),
  });
}

/** A line of the statistics; `call_id` as the digits that stand in the answer. */
export interface Leg {
  readonly pbx_call_id: string;
  readonly call_id: string;
  readonly callstart: string;
  readonly is_recorded?: boolean;
}

export interface FakeZadarma {
  readonly root: string;
  /** What was asked, in order: the path with its query. */
  readonly asked: string[];
  /** What is not as described, on either side: a test fails when there is any. */
  readonly violations: string[];
  legs: readonly Leg[];
  clocks: { readonly unixtime: number; readonly datetime: string; readonly timezone: string };
  /** Links to recordings, by `call_id`. */
  readonly links: Map<string, string>;
  readonly files: Map<string, Buffer>;
  /** The next call ends so instead of being carried out; a dropped connection until something else is said. */
  end(next: Answer | 'drop'): void;
  close(): Promise<void>;
}

export const refusal = (status: number, message: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ status: 'error', message }),
});

/** A stand-in for the API, which checks what it is asked, and itself, against the vendor's description. */
export async function startZadarma(description = readZadarma()): Promise<FakeZadarma> {
  const receiver = await startReceiver();
  const endings: Answer[] = [];
  const fake: FakeZadarma = {
    root: receiver.origin,
    asked: [],
    violations: [],
    legs: [],
    clocks: { unixtime: 0, datetime: '', timezone: 'UTC+2' },
    links: new Map(),
    files: new Map(),
    end(next) {
      // A dropped connection is the receiver's to do.
      const isDropped = next === 'drop';
      receiver.behave(isDropped ? 'drop' : answer);
      if (!isDropped) endings.push(next);
    },
    close: () => receiver.close(),
  };
  receiver.behave(answer);

  function answer(request: Received): Answer {
    const [path = '', query = ''] = request.url.split('?');
    const file = fake.files.get(request.url);
    if (file) {
      if (request.headers.authorization) fake.violations.push('the key goes to the store');
      return { status: 200, body: file };
    }
    fake.asked.push(request.url);
    const ending = endings.shift();
    if (ending) return ending;
    if (request.headers.authorization !== signed(path, query)) return refusal(401, 'Not authorized');
    // The description has no slash at the end; the documentation and the vendor's own libraries have.
    const described = { method: request.method, path: `${path.replace(/\/$/, '')}${query && `?${query}`}` };
    fake.violations.push(...(description?.request(described) ?? []));
    const body = carryOut(path, new URLSearchParams(query));
    if (body === undefined) return refusal(404, 'no such recording');
    fake.violations.push(...(description?.response(described, 200, JSON.parse(body)) ?? []));
    return { status: 200, headers: { 'content-type': 'application/json' }, body };
  }

  function carryOut(path: string, query: URLSearchParams): string | undefined {
    if (path === '/v1/info/timezone/') return JSON.stringify({ status: 'success', ...fake.clocks });
    if (path === '/v1/request/callback/') {
      return JSON.stringify({ status: 'success', from: query.get('from'), to: query.get('to'), time: 1795421100 });
    }
    if (path === '/v1/pbx/record/request/') {
      const link = fake.links.get(query.get('call_id') ?? '');
      return link && JSON.stringify({ status: 'success', link, lifetime_till: '2026-11-23 11:35:00' });
    }
    if (path !== '/v1/statistics/pbx/') return undefined;
    const [start, end] = [query.get('start') ?? '', query.get('end') ?? ''];
    const found = fake.legs.filter(({ callstart }) => callstart >= start && callstart <= end);
    const skip = Number(query.get('skip'));
    const limit = Math.min(Number(query.get('limit') ?? PAGE), PAGE);
    const stats = found.slice(skip, skip + limit).map(toLine);
    return `{"status":"success","start":"${start}","end":"${end}","version":2,"stats":[${stats.join()}]}`;
  }

  return fake;
}

function toLine({ call_id, ...leg }: Leg): string {
  const rest = { sip: 380671234567, clid: '380671234567', destination: 100, disposition: 'answered', seconds: 5 };
  return `{"call_id":${call_id},${JSON.stringify({ ...rest, is_recorded: false, ...leg }).slice(1)}`;
}

/** As the documentation says it, apart from the connector: https://zadarma.com/en/support/api/#intro_authorization */
function signed(path: string, query: string): string {
  const sorted = query.split('&').toSorted().join('&');
  const mac = createHmac('sha1', SECRET).update(path + sorted + createHash('md5').update(sorted).digest('hex'));
  return `${KEY}:${Buffer.from(mac.digest('hex')).toString('base64')}`;
}

/** The `Signature` of a notification whose signed parameters these are. */
export function signNotification(...values: readonly string[]): string {
  return Buffer.from(createHmac('sha1', SECRET).update(values.join('')).digest('hex')).toString('base64');
}
