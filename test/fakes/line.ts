import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hmac } from '../../src/core/signature.ts';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

export const SECRET = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
export const TOKEN = 'not-a-real-channel-access-token+0123456789/abcdef=';

const DESCRIPTION = 'line/messaging-api.json';

/** LINE's description of what it takes, where it is beside the repository. */
export const readLine = (): Description | undefined =>
  isDescribed(DESCRIPTION) ? readDescription(DESCRIPTION) : undefined;

/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending = { readonly http: number; readonly body?: object } | 'cut' | 'lost';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A stand-in for LINE that checks itself and what it is asked against LINE's description. */
export interface FakeLine {
  readonly root: string;
  readonly calls: Asked[];
  /** What reached customers, each message once. */
  readonly delivered: { readonly to: string; readonly text: string }[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  webhook: { endpoint: string; active: boolean };
  readonly profiles: Map<string, { readonly displayName: string; readonly language?: string }>;
  readonly files: Map<string, Buffer>;
  /** What becomes of a file that has to be made ready; `succeeded` when it isn't here. */
  readonly preparing: Map<string, 'processing' | 'failed'>;
  /** The next calls whose path ends so end so. */
  end(pathEnd: string, ...endings: Ending[]): void;
  /** Posts events to a channel's webhook, signed. */
  deliver(url: string, events: readonly object[], secret?: string): Promise<number>;
  close(): Promise<void>;
}

/** Reading the description takes a moment: tests that start many share it. */
export async function startLine(description: Description | undefined = readLine()): Promise<FakeLine> {
  const endings = new Map<string, Ending[]>();
  /** Accepted requests by their retry key. */
  const accepted = new Map<string, object>();
  let next = 461230966842064897n;

  const fake: FakeLine = {
    root: '',
    calls: [],
    delivered: [],
    violations: [],
    webhook: { endpoint: 'https://elsewhere.example.com/hook', active: true },
    profiles: new Map(),
    files: new Map(),
    preparing: new Map(),
    end: (pathEnd, ...list) => void endings.set(pathEnd, list),
    async deliver(url, events, secret = SECRET) {
      const body = JSON.stringify({ destination: 'U9001dddd0000000000000000000000dd', events });
      const signature = hmac('sha256', secret, body).toString('base64');
      const headers = { 'content-type': 'application/json', 'x-line-signature': signature };
      const answer = await fetch(url, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  type Answer = { readonly status: number; readonly body: object | Buffer };
  const refusal = (status: number, message: string): Answer => ({ status, body: { message } });

  function push({ headers, body }: Asked): Answer {
    const { to, messages } = body as { to: string; messages: { text: string }[] };
    const key = headers['x-line-retry-key'] ?? String(next);
    const before = accepted.get(key);
    if (before) return { status: 409, body: { message: 'The retry key is already accepted', ...before } };
    const sent = { sentMessages: messages.map(() => ({ id: String(next++), quoteToken: 'q3Plxr4AgKd-example' })) };
    accepted.set(key, sent);
    fake.delivered.push(...messages.map(({ text }) => ({ to, text })));
    return { status: 200, body: sent };
  }

  function carryOut(asked: Asked): Answer {
    const { method, path, body } = asked;
    if (path === '/v2/bot/message/push') return push(asked);
    if (path === '/v2/bot/info') {
      const name = { userId: 'U9001dddd0000000000000000000000dd', basicId: '@216example', displayName: 'Example Desk' };
      return { status: 200, body: { ...name, chatMode: 'bot', markAsReadMode: 'auto' } };
    }
    if (path === '/v2/bot/channel/webhook/endpoint') {
      if (method === 'GET') return { status: 200, body: fake.webhook };
      fake.webhook = { ...fake.webhook, ...(body as { endpoint: string }) };
      return { status: 200, body: {} };
    }
    const [, kind, id = '', rest = ''] = /^\/v2\/bot\/(message|profile)\/([^/]+)\/?(.*)$/.exec(path) ?? [];
    const profile = fake.profiles.get(id);
    if (kind === 'profile') {
      return profile ? { status: 200, body: { userId: id, ...profile } } : refusal(404, 'Not found');
    }
    if (rest === 'content/transcoding') return { status: 200, body: { status: fake.preparing.get(id) ?? 'succeeded' } };
    if (fake.preparing.has(id)) return { status: 202, body: Buffer.alloc(0) };
    const file = fake.files.get(id);
    return file ? { status: 200, body: file } : refusal(404, 'Not found');
  }

  function answerTo(asked: Asked): Answer {
    if (asked.headers.authorization !== `Bearer ${TOKEN}`) return refusal(401, 'Authentication failed.');
    fake.violations.push(...(description?.request(asked) ?? []));
    const answer = carryOut(asked);
    if (answer.status === 200 && !Buffer.isBuffer(answer.body)) {
      fake.violations.push(...(description?.response(asked, 200, answer.body) ?? []));
    }
    return answer;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await read(request);
    const path = decodeURIComponent(request.url ?? '');
    const headers = request.headers as Record<string, string>;
    const asked: Asked = { method: request.method ?? '', path, headers, body: text ? JSON.parse(text) : undefined };
    fake.calls.push(asked);
    const ending = [...endings].find(([pathEnd]) => path.endsWith(pathEnd))?.[1].shift();
    if (ending === 'cut') return void request.socket.destroy();
    const { status, body } =
      typeof ending === 'object' ? { status: ending.http, body: ending.body ?? {} } : answerTo(asked);
    if (ending === 'lost') return void request.socket.destroy();
    const isFile = Buffer.isBuffer(body);
    response.writeHead(status, { 'content-type': isFile ? 'application/octet-stream' : 'application/json' });
    response.end(isFile ? body : JSON.stringify(body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
