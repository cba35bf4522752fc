import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A call as the report has it. */
export type ReportedCall = Readonly<Record<string, unknown>>;

/** The next answer, in place of the right one: a status with a body, or the connection cut. */
type Ending =
  { readonly status: number; readonly body?: string; readonly type?: string; readonly location?: string } | 'cut';

export interface FakeUis {
  readonly root: string;
  /** What was asked, in order. */
  readonly asked: { readonly path: string; readonly method: string; readonly params: Record<string, unknown> }[];
  /** What is not as documented: a test fails when there is any. */
  readonly violations: string[];
  /** The report: what began within the bounds is answered, by the clocks of the account. */
  readonly report: ReportedCall[];
  /** By how many hours the clocks that the bounds are read by are before the account's. */
  readonly clocks: { hours: number };
  readonly recordings: Map<string, Buffer>;
  readonly endings: Ending[];
  close(): Promise<void>;
}

export const ACCESS_TOKEN = 'c7f0a31d5e9b48267f0dc7f0a31d5e9b48267f0d';

type Rule = (value: unknown) => boolean;
const time: Rule = (value) => typeof value === 'string' && /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/.test(value);
const text: Rule = (value) => typeof value === 'string' && value !== '';
const upTo =
  (most: number): Rule =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) <= most;
const flag: Rule = (value) => typeof value === 'boolean';
const number: Rule = (value) => typeof value === 'string' && /^\d{7,15}$/.test(value);
const oneOf =
  (...values: readonly string[]): Rule =>
  (value) =>
    values.includes(value as string);

/** Columns that all four portals describe. */
const COLUMNS = (
  'id,start_time,finish_time,finish_reason,direction,cpn_region_id,cpn_region_name,scenario_operations,source,is_lost,' +
  'communication_number,communication_page_url,contact_phone_number,communication_id,communication_type,wait_duration,' +
  'total_wait_duration,lost_call_processing_duration,talk_duration,clean_talk_duration,total_duration,' +
  'postprocess_duration,call_records,full_record_file_link,voice_mail_records,virtual_phone_number,is_transfer,tags,' +
  'employees,last_answered_employee_id,last_answered_employee_full_name,first_answered_employee_id,' +
  'first_answered_employee_full_name,scenario_name,contact_id,contact_full_name,call_api_external_id'
).split(',');

const columns: Rule = (value) => Array.isArray(value) && value.every((name) => COLUMNS.includes(name as string));
const sorting: Rule = (value) => JSON.stringify(value) === '[{"field":"start_time","order":"asc"}]';
const employee: Rule = (value) =>
  JSON.stringify(Object.keys(value as object)) === '["id"]' && upTo(2 ** 31)((value as { id: unknown }).id);

/** Parameters by method, with what they may be; those that must be there are in `NEEDED`. */
const PARAMS: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  '/v2.0 get.calls_report': {
    ...{ access_token: text, date_from: time, date_till: time, include_ongoing_calls: flag, fields: columns },
    ...{ limit: upTo(10_000), offset: upTo(100_000), sort: sorting },
  },
  '/v4.0 start.employee_call': {
    ...{ access_token: text, first_call: oneOf('contact', 'employee'), direction: oneOf('in', 'out') },
    ...{ virtual_phone_number: number, contact: number, external_id: text, employee },
  },
};
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  '/v2.0 get.calls_report': ['access_token', 'date_from', 'date_till'],
  '/v4.0 start.employee_call': ['access_token', 'first_call', 'virtual_phone_number', 'contact', 'employee'],
};
const MONTHS_MS = 92 * 86_400_000;

export function refusal(code: number, mnemonic: string, limits?: object): string {
  const data = { mnemonic, metadata: limits === undefined ? {} : { limits } };
  return JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message: 'Refused', data } });
}

/** Both APIs as their vendor describes them, as a closed world: https://callgear.github.io/data_api/, …/call_api/ */
export async function startUis(): Promise<FakeUis> {
  const asked: FakeUis['asked'] = [];
  const violations: string[] = [];
  const report: ReportedCall[] = [];
  const clocks = { hours: 0 };
  const recordings = new Map<string, Buffer>();
  const endings: FakeUis['endings'] = [];

  function check(name: string, params: Readonly<Record<string, unknown>>): void {
    const rules = PARAMS[name];
    if (!rules) return void violations.push(`${name}: no such method`);
    for (const needed of NEEDED[name] ?? []) if (!(needed in params)) violations.push(`${name}: no ${needed}`);
    for (const [key, value] of Object.entries(params)) {
      if (!rules[key]?.(value)) violations.push(`${name}: ${key}=${JSON.stringify(value)}`);
    }
  }

  function page({ date_from, date_till, offset = 0, limit = 1000 }: Record<string, unknown>): string {
    const [from, till] = [String(date_from), String(date_till)];
    if (Date.parse(till) - Date.parse(from) > MONTHS_MS) violations.push(`more than three months: ${from}, ${till}`);
    const at = (words: unknown) => Date.parse(`${String(words)}Z`);
    const [first, last] = [from, till].map((words) => at(words) - clocks.hours * 3_600_000);
    const within = report
      .filter((call) => at(call['start_time']) >= first! && at(call['start_time']) <= last!)
      .toSorted((a, b) => (String(a['start_time']) < String(b['start_time']) ? -1 : 1));
    const data = within.slice(offset as number, (offset as number) + (limit as number));
    return JSON.stringify({ jsonrpc: '2.0', id: '1', result: { data, metadata: { total_items: within.length } } });
  }

  function answer(path: string, body: string): string {
    const call = JSON.parse(body) as { jsonrpc: string; id: string; method: string; params: Record<string, unknown> };
    if (call.jsonrpc !== '2.0' || !text(call.id)) violations.push(`no JSON-RPC: ${Object.keys(call).join()}`);
    asked.push({ path, method: call.method, params: call.params });
    check(`${path} ${call.method}`, call.params);
    if (call.params['access_token'] !== ACCESS_TOKEN) return refusal(-32_001, 'access_token_invalid');
    if (call.method === 'get.calls_report') return page(call.params);
    return JSON.stringify({ jsonrpc: '2.0', id: call.id, result: { data: { call_session_id: 237859081 } } });
  }

  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      if (path.includes(ACCESS_TOKEN)) violations.push('the key is in an address');
      const ending = endings.shift();
      if (ending === 'cut') return void request.socket.destroy();
      if (ending) {
        const type = ending.type ?? 'application/json';
        const headers = { 'content-type': type, ...(ending.location && { location: ending.location }) };
        return void response.writeHead(ending.status, headers).end(ending.body ?? '');
      }
      if (request.method === 'GET') {
        if (JSON.stringify(request.headers).includes(ACCESS_TOKEN)) violations.push('the key goes to a recording');
        const file = recordings.get(path);
        return void response.writeHead(file ? 200 : 404, { 'content-type': 'audio/mpeg' }).end(file);
      }
      response.setHeader('content-type', 'application/json; charset=UTF-8');
      response.end(answer(path, body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    root: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ asked, violations, report, clocks, recordings, endings },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
