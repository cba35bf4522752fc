import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Ending = { readonly status?: number; readonly body: string } | 'cut';

export interface FakeBinotel {
  readonly root: string;
  /** What was asked, in order: the method, and what it was given without key and secret. */
  readonly asked: { readonly method: string; readonly params: Readonly<Record<string, unknown>> }[];
  /** What is not as documented: a test fails when there is any. */
  readonly violations: string[];
  /** Calls of the company: a period is answered with those that began in it. */
  readonly calls: { readonly generalCallID: string; readonly startTime: string }[];
  /** Where recordings lie, by call. */
  readonly links: Map<string, string>;
  readonly files: Map<string, Buffer>;
  /** The next answers, in place of the right ones. */
  readonly endings: Ending[];
  close(): Promise<void>;
}

export const KEY = '5a1b2c-3d4e5f6';
export const SECRET = '7a8b9c-0d1e2f-3a4b5c-6d7e8f-90a1b2c3';
const DAY_SEC = 86_400;

const refusal = (code: number, message: string) => JSON.stringify({ status: 'error', code, message });
export { refusal as binotelRefusal };

const isTime = (value: unknown) => Number.isInteger(value) && String(value).length === 10;
const isDigits = (value: unknown) => typeof value === 'string' && /^\d{1,15}$/.test(value);
/** What each method is given: https://developers.binotel.ua/#rest-api */
const METHODS: Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>> = {
  'stats/list-of-calls-for-period': { startTime: isTime, stopTime: isTime },
  'stats/call-record': { generalCallID: isDigits },
  'calls/internal-number-to-external-number': {
    internalNumber: (value) => typeof value === 'string' && /^\d{3,4}$/.test(value),
    externalNumber: (value) => typeof value === 'string' && /^\d{10,15}$/.test(value),
    callTimeToExt: Number.isInteger,
    async: (value) => typeof value === 'boolean',
  },
};

/** Binotel's REST API 4.0 as its documentation describes it, as a closed world. */
export async function startBinotel(): Promise<FakeBinotel> {
  const asked: FakeBinotel['asked'] = [];
  const violations: string[] = [];
  const calls: FakeBinotel['calls'] = [];
  const links = new Map<string, string>();
  const files = new Map<string, Buffer>();
  const endings: Ending[] = [];

  function answer(method: string, params: Readonly<Record<string, unknown>>): string {
    if (method === 'stats/call-record') {
      const url = links.get(String(params['generalCallID']));
      return url === undefined ? refusal(104, 'Wrong data') : JSON.stringify({ status: 'success', url });
    }
    if (method !== 'stats/list-of-calls-for-period')
      return JSON.stringify({ status: 'success', generalCallID: 6536099001 });
    const [start, stop] = [Number(params['startTime']), Number(params['stopTime'])];
    if (stop - start > DAY_SEC) return refusal(104, 'Wrong data');
    const within = calls.filter(({ startTime }) => Number(startTime) >= start && Number(startTime) <= stop);
    const callDetails = Object.fromEntries(within.map((call) => [call.generalCallID, call]));
    return JSON.stringify({ status: 'success', callDetails: within.length === 0 ? [] : callDetails });
  }

  function check(method: string, params: Readonly<Record<string, unknown>>): void {
    const rules = METHODS[method];
    if (!rules) return void violations.push(`no such method: ${method}`);
    for (const [name, value] of Object.entries(params)) {
      if (!rules[name]?.(value)) violations.push(`${method}: ${name}=${String(value)}`);
    }
    for (const name of Object.keys(rules)) if (!(name in params)) violations.push(`${method}: no ${name}`);
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      if (path.includes(KEY) || path.includes(SECRET)) violations.push('the key is in an address');
      const file = files.get(path);
      if (file && request.method === 'GET') return void response.end(file);
      const method = /^\/api\/4\.0\/([\w/-]+)\.json$/.exec(path)?.[1] ?? path;
      const text = Buffer.concat(chunks).toString();
      const { key, secret, ...params } = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
      asked.push({ method, params });
      const ending = endings.shift();
      if (ending === 'cut') return void request.socket.destroy();
      if (ending) return void response.writeHead(ending.status ?? 200).end(ending.body);
      if (request.method !== 'POST') return void response.writeHead(404).end();
      check(method, params);
      const isKnown = key === KEY && secret === SECRET;
      response.end(isKnown ? answer(method, params) : refusal(121, 'Your key or secret is wrong'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    root: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ asked, violations, calls, links, files, endings },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
