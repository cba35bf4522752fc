import { createHash } from 'node:crypto';
import { startReceiver } from './receiver.ts';
import type { Answer, Received } from './receiver.ts';

export const KEY = '4f1a8c20d97b3e65a0c2';
export const SALT = '9d0e7c5b3a1f48266b8d0f2e4c6a8b1d';

/** As API Mango Office 1.9, 2.4.3 says it, apart from the connector. */
export const signMango = (json: string, key = KEY, salt = SALT) =>
  createHash('sha256')
    .update(key + json + salt)
    .digest('hex');

export const mangoAnswer = (answer: object, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(answer),
});

type Params = Readonly<Record<string, unknown>>;

/** A call of the statistics. */
export interface ListedCall {
  readonly entry_id: string;
  readonly context_start_time: number | string | null;
}

export interface FakeMango {
  readonly root: string;
  /** What was asked, in order. */
  readonly asked: { readonly method: string; readonly params: Params }[];
  /** What is not as documented: a test fails when there is any. */
  readonly violations: string[];
  calls: readonly ListedCall[];
  /** By how much the clocks that periods are told by are before UTC, hours. */
  zone: number;
  /** How often it says that the statistics are being made, before it hands them out. */
  work: number;
  /** Where recordings lie, by id. */
  readonly links: Map<string, string>;
  readonly files: Map<string, Buffer>;
  /** The next calls end so instead of being carried out. */
  readonly endings: Answer[];
  /** Connections are closed without an answer from now on. */
  drop(): void;
  close(): Promise<void>;
}

const LIMITS = [1, 5, 10, 20, 50, 100, 500, 1000, 2000, 5000];
const MONTH_MS = 31 * 86_400_000;
const isText = (value: unknown) => typeof value === 'string' && value.length > 0 && value.length <= 128;
const isDate = (value: unknown) => /^\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}:\d{2}$/.test(String(value));

/** What each method is given, and nothing else. */
const METHODS: Readonly<Record<string, Readonly<Record<string, (value: unknown) => boolean>>>> = {
  '/stats/calls/request/': {
    start_date: isDate,
    end_date: isDate,
    limit: (value) => LIMITS.includes(Number(value)),
    offset: (value) => Number.isInteger(value),
  },
  '/stats/calls/result/': { key: isText },
  '/queries/recording/post': { recording_id: isText, action: (value) => value === 'download' },
  '/commands/callback': {
    command_id: isText,
    from: (value) => /^\{"extension":"\d+"\}$/.test(JSON.stringify(value)),
    to_number: (value) => /^\d{5,15}$/.test(String(value)),
  },
  '/account/balance': {},
};

/** A stand-in for the API, as a closed world: what it isn't documented to be asked is a violation. */
export async function startMango(): Promise<FakeMango> {
  const receiver = await startReceiver();
  const waiting = new Map<string, { readonly page: readonly ListedCall[]; left: number }>();
  const fake: FakeMango = {
    ...{ root: receiver.origin, asked: [], violations: [], calls: [], zone: 3, work: 1, endings: [] },
    links: new Map(),
    files: new Map(),
    drop: () => receiver.behave('drop'),
    close: () => receiver.close(),
  };
  receiver.behave(answer);

  function answer({ method, url, body }: Received): Answer {
    const file = fake.files.get(url);
    if (file) {
      if (method !== 'GET' || body.length > 0) fake.violations.push('what was asked for goes along to the file');
      return { status: 200, headers: { 'content-type': 'audio/mpeg' }, body: file };
    }
    const form = new URLSearchParams(body.toString());
    const json = form.get('json') ?? '';
    const rules = METHODS[url];
    const params = (rules && json ? JSON.parse(json) : {}) as Record<string, unknown>;
    fake.asked.push({ method: url, params });
    const ending = fake.endings.shift();
    if (ending) return ending;
    if (form.get('vpbx_api_key') !== KEY) return mangoAnswer({ result: 3105, message: 'Invalid access key' });
    if (form.get('sign') !== signMango(json)) return mangoAnswer({ result: 3102, message: 'Invalid sign' });
    if (!rules || method !== 'POST') {
      fake.violations.push(`${method} ${url}`);
      return { status: 404 };
    }
    for (const [name, value] of Object.entries(params)) {
      if (!rules[name]?.(value)) fake.violations.push(`${url}: ${name}=${JSON.stringify(value)}`);
    }
    for (const name of Object.keys(rules)) if (!(name in params)) fake.violations.push(`${url}: no ${name}`);
    return carryOut(url, params);
  }

  function carryOut(method: string, params: Params): Answer {
    if (method === '/stats/calls/request/') return request(params);
    if (method === '/stats/calls/result/') return result(String(params['key']));
    if (method !== '/queries/recording/post') return mangoAnswer({ result: 1000 });
    const location = fake.links.get(String(params['recording_id']));
    return location ? { status: 302, headers: { location } } : mangoAnswer({ result: 3320 }, 404);
  }

  function request({ start_date, end_date, limit, offset }: Params): Answer {
    const [from, to] = [momentOf(String(start_date)), momentOf(String(end_date))];
    if (to - from > MONTH_MS) return mangoAnswer({ result: 3111 }, 400);
    const within = fake.calls.filter(({ context_start_time: second }) => {
      const moment = Number(second) * 1000;
      return Number.isNaN(moment) || moment === 0 || (moment >= from && moment <= to);
    });
    const page = within.slice(Number(offset), Number(offset) + Number(limit));
    const key = `key${waiting.size}+/=`;
    waiting.set(key, { page, left: fake.work });
    return mangoAnswer({ key });
  }

  function result(key: string): Answer {
    const found = waiting.get(key);
    if (!found) return mangoAnswer({ result: 1000, status: 'not-found', data: [] });
    if (found.left-- > 0) return mangoAnswer({ result: 1000, status: 'work', data: [] });
    // Day by day, the last one first.
    const days = found.page.toReversed().map((call) => ({ list: [call], period: '2026-11-23' }));
    return mangoAnswer({ result: 1000, status: 'complete', data: days });
  }

  function momentOf(words: string): number {
    const [, day, month, year, clock] = /^(\d+)\.(\d+)\.(\d+) (.+)$/.exec(words) ?? [];
    return Date.parse(`${year}-${month}-${day}T${clock}Z`) - fake.zone * 3_600_000;
  }

  return fake;
}
