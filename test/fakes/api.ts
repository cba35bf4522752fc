import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from '../../src/api/api.ts';
import type { Api, ApiOptions } from '../../src/api/api.ts';
import { Secret } from '../../src/core/secret.ts';
import { fakeGateway } from './gateway.ts';
import type { FakeGateway } from './gateway.ts';

export const ADMIN_KEY = 'an-admin-key-for-tests-0123456789abcdef';
export const PUBLIC_URL = 'https://desk.example.com';

export interface CallOptions {
  /** Null: without any. ADMIN_KEY when left out. */
  readonly key?: string | null;
  readonly cookie?: string;
  /** An object is sent as JSON, a string as it stands. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; undefined when it isn't. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into bodies of every shape
  readonly json: any;
}

export interface StartedApi {
  readonly api: Api;
  readonly gateway: FakeGateway;
  readonly server: Server;
  readonly url: string;
  /** Below `/api/v1`; a success must be as its operation promises. */
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** Any path. */
  send(method: string, path: string, options?: CallOptions): Promise<Reply>;
  /** A key with these scopes. */
  key(...scopes: string[]): Promise<string>;
  /** The cookie of a session of the first admin. */
  signIn(): Promise<string>;
  stop(): Promise<void>;
}

/** The API over a gateway in memory, on a port of its own. */
export async function startApi(given: Partial<ApiOptions> & { readonly publicUrl?: string } = {}): Promise<StartedApi> {
  const { publicUrl = PUBLIC_URL, ...options } = given;
  const gateway = fakeGateway({ publicUrl });
  const consoleDir = mkdtempSync(join(tmpdir(), 'console-'));
  writeFileSync(join(consoleDir, 'index.html'), '<title>The console</title>');
  writeFileSync(join(consoleDir, 'app.js'), 'start()');
  const api = createApi(gateway, {
    fullKeys: [new Secret(ADMIN_KEY)],
    consoleDir,
    ready: async () => ({ ok: true, detail: { store: 'sqlite' } }),
    examine: () => [{ name: 'node', state: 'ok', text: '20.19.0' }],
    ...options,
  });
  const server = createServer(api.app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send = (method: string, path: string, call: CallOptions = {}) => sendTo(url, method, path, call);

  const started: StartedApi = {
    api,
    gateway,
    server,
    url,
    send,
    async call(method, path, call) {
      const reply = await send(method, `/api/v1${path}`, call);
      if (reply.status < 300) check(api, method, path, reply);
      return reply;
    },
    async key(...scopes) {
      const { json } = await started.call('POST', '/keys', { body: { name: 'a key', scopes } });
      return json.key;
    },
    async signIn() {
      const link = (await started.call('POST', '/admin/link', { body: {} })).json.url as string;
      const form = new URLSearchParams({ t: new URL(link).searchParams.get('t') ?? '', name: 'Ada' });
      const reply = await send('POST', '/setup', {
        key: null,
        body: form.toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: publicUrl },
      });
      return reply.headers['set-cookie']![0]!.split(';')[0]!;
    },
    async stop() {
      api.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(consoleDir, { recursive: true });
    },
  };
  return started;
}

/** Throws unless the answer is as the description of the operation says. */
function check(api: Api, method: string, path: string, reply: Reply): void {
  const [plain = ''] = path.split('?');
  const operation = api.operations.find((candidate) => candidate.method === method && fits(candidate.path, plain));
  if (!operation) throw new Error(`${method} ${path} is answered, but no operation`);
  if (reply.status !== (operation.status ?? 200)) throw new Error(`${method} ${path} answered ${reply.status}`);
  operation.answer?.parse(reply.json);
}

function fits(template: string, path: string): boolean {
  const parts = path.split('/');
  const wanted = template.split('/');
  return parts.length === wanted.length && wanted.every((part, i) => part.startsWith('{') || part === parts[i]);
}

function sendTo(
  url: string,
  method: string,
  path: string,
  { key, cookie, body, headers }: CallOptions,
): Promise<Reply> {
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const bearer = key === undefined && cookie === undefined ? ADMIN_KEY : key;
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}${path}`,
      {
        method,
        agent: false,
        headers: {
          ...(bearer != null && { authorization: `Bearer ${bearer}` }),
          ...(cookie !== undefined && { cookie }),
          ...(bytes && { 'content-type': 'application/json', 'content-length': bytes.length }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const json = /json/.test(response.headers['content-type'] ?? '') ? JSON.parse(text) : undefined;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      },
    );
    sent.on('error', reject);
    sent.end(bytes);
  });
}
