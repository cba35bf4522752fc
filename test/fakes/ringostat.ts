import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Twelve fields of the call log, as a project has them. */
export type LoggedCall = Readonly<Record<string, string | number | null>>;

export interface FakeRingostat {
  readonly root: string;
  /** What was asked, in order: path with its query, and the body. */
  readonly asked: { readonly path: string; readonly query: URLSearchParams; readonly body: string }[];
  /** What is not as documented: a test fails when there is any. */
  readonly violations: string[];
  /** The call log: what is within the bounds is answered, by its date without the offset, 6,500 at most. */
  readonly log: LoggedCall[];
  readonly recordings: Map<string, Buffer>;
  /** The next answers, in place of the right ones: a status with a body, or the connection cut. */
  readonly endings: ({ readonly status: number; readonly body?: string } | 'cut')[];
  close(): Promise<void>;
}

export const AUTH_KEY = '3kPz8QmXv1RtYb7LwE5NcHs9GdJ2uFa6';
const MOST = 6500;
const FIELDS = (
  'caller,dst,pool_name,disposition,calldate,category_mark,duration,call_type,waittime,billsec,connected_with,' +
  'call_counter,proper_flag,repeated_flag,uniqueid,category_number,employee_number,employee_fio,employee_mark,' +
  'recording,recording_wav,call_card,additional_number,has_recording,scheme_name,duration_ms,department'
).split(',');

/** Ringostat's API as its help describes it, as a closed world: https://help.ringostat.com/uk/articles/6312678 */
export async function startRingostat(): Promise<FakeRingostat> {
  const asked: FakeRingostat['asked'] = [];
  const violations: string[] = [];
  const log: LoggedCall[] = [];
  const recordings = new Map<string, Buffer>();
  const endings: FakeRingostat['endings'] = [];

  function list(query: URLSearchParams): string {
    const time = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/;
    const rules: Record<string, (value: string) => boolean> = {
      export_type: (value) => value === 'json',
      from: (value) => time.test(value),
      to: (value) => time.test(value),
      fields: (value) => value.split(',').every((field) => FIELDS.includes(field)),
      merge: (value) => ['0', '1', '2'].includes(value),
      order: (value) => /^\w+ (asc|desc)$/.test(value),
    };
    for (const [name, value] of query) if (!rules[name]?.(value)) violations.push(`calls/list: ${name}=${value}`);
    const [from = '', to = ''] = [query.get('from') ?? '', query.get('to') ?? ''];
    const within = log.filter(({ calldate }) => {
      const at = String(calldate).slice(0, 19).replace('T', ' ');
      return at >= from && at <= to;
    });
    return JSON.stringify(within.slice(0, MOST));
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      asked.push({ path: url.pathname, query: url.searchParams, body });
      const ending = endings.shift();
      if (ending === 'cut') return void request.socket.destroy();
      if (ending) return void response.writeHead(ending.status).end(ending.body ?? '');
      const file = recordings.get(url.pathname);
      if (file) {
        if (request.headers['auth-key'] !== undefined) violations.push('the key goes along to a recording');
        return void response.end(file);
      }
      if (request.headers['auth-key'] !== AUTH_KEY) return void response.writeHead(401).end('Unauthorized');
      if (url.pathname === '/calls/list' && request.method === 'GET') return void response.end(list(url.searchParams));
      if (url.pathname === '/callback/outward_call' && request.method === 'POST') {
        const names = [...new URLSearchParams(body).keys()].toSorted().join();
        if (names !== 'destination,extension') violations.push(`outward_call: ${names}`);
        return void response.end('{"status":"success"}');
      }
      violations.push(`${request.method} ${url.pathname}`);
      response.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    root: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ asked, violations, log, recordings, endings },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
