import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { hmac } from '../../src/core/signature.ts';
import { endServer, listenHere } from './listening.ts';

/** Of the shape that Viber's are. */
export const TOKEN = '44dafb7e0f40021e-61a47a1e6778d187-f2c5a676a07050b3';

const EVENT = z.enum(['delivered', 'seen', 'failed', 'subscribed', 'unsubscribed', 'conversation_started']);

/** What Viber's page says of each method, as a closed world: what it doesn't name is wrong. */
const METHODS: Readonly<Record<string, z.ZodType>> = {
  set_webhook: z.strictObject({
    url: z.union([z.url({ protocol: /^https$/ }), z.literal('')]),
    event_types: z.array(EVENT).optional(),
    send_name: z.boolean().optional(),
    send_photo: z.boolean().optional(),
  }),
  get_account_info: z.strictObject({}),
  send_message: z.strictObject({
    receiver: z.string().min(1),
    min_api_version: z.number().int().min(1).max(10).optional(),
    sender: z.strictObject({ name: z.string().min(1).max(28), avatar: z.url().optional() }),
    tracking_data: z.string().max(4000).optional(),
    type: z.literal('text'),
    text: z.string().min(1).max(7000),
  }),
};
const MAX_REQUEST = 30 * 1024;

/** What is wrong with a call of a method. */
export function problemsOf(method: string, body: string): string[] {
  const described = METHODS[method];
  if (!described) return [`there is no method ${method}`];
  if (Buffer.byteLength(body) > MAX_REQUEST) return [`${method}: more than 30 KB`];
  const { error } = described.safeParse(JSON.parse(body));
  return (error?.issues ?? []).map(({ path, message }) => `${method}/${path.join('/')}: ${message}`);
}

/** How a call ends instead of being carried out: Viber's own no, or what happens on the way. */
export type Ending =
  { readonly status: number; readonly message?: string } | { readonly http: number } | 'cut' | 'html';

/** A stand-in for Viber that checks what it is asked. */
export interface FakeViber {
  readonly root: string;
  readonly calls: { readonly method: string; readonly body: Readonly<Record<string, unknown>> }[];
  /** What didn't fit the description; must stay empty. */
  readonly violations: string[];
  /** What the bot registered. */
  webhook: string;
  /** Where the gateway is really reached; `set_webhook` tries it, and waits for it to be told. */
  reach(origin: string): void;
  /** Posts an event, signed, to the webhook; `body` as text where digits matter. */
  deliver(body: object | string, token?: string): Promise<{ readonly status: number; readonly body: string }>;
  /** The next calls of the method (`file` for a download) end so. */
  end(method: string, ...endings: Ending[]): void;
  /** A file to download, and its address. */
  addFile(path: string, bytes: Buffer): string;
  callsOf(method: string): Readonly<Record<string, unknown>>[];
  close(): Promise<void>;
}

export async function startViber(): Promise<FakeViber> {
  const files = new Map<string, Buffer>();
  const endings = new Map<string, Ending[]>();
  let told: (origin: string) => void;
  const gateway = new Promise<string>((resolve) => (told = resolve));
  let next = 100;

  const fake: FakeViber = {
    root: '',
    calls: [],
    violations: [],
    webhook: '',
    reach: (origin) => told(origin),
    async deliver(body, token = TOKEN) {
      return post(await gateway, fake.webhook, typeof body === 'string' ? body : JSON.stringify(body), token);
    },
    end: (method, ...list) => void endings.set(method, list),
    addFile(path, bytes) {
      files.set(path, bytes);
      return `${fake.root}/media/${path}`;
    },
    callsOf: (method) => fake.calls.filter((call) => call.method === method).map(({ body }) => body),
    close: () => endServer(server),
  };

  async function carryOut(method: string, body: Readonly<Record<string, unknown>>): Promise<string> {
    if (method === 'send_message') return `"message_token":5916837654388304${next++}`;
    const account = `"id":"pa:75346594275468546724","name":"Example Desk","uri":"example_desk","webhook":"${fake.webhook}"`;
    if (method === 'get_account_info') return account;
    const url = String(body['url']);
    const tried = await post(await gateway, url, '{"event":"webhook","timestamp":4977069964384421269}', TOKEN);
    if (tried.status !== 200) return '"status":1,"status_message":"Result: failed"';
    fake.webhook = url;
    return '"event_types":["delivered"]';
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, kind, name = ''] = (request.url ?? '').split('/');
    const ending = endings.get(kind === 'media' ? 'file' : name)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (ending === 'html') return void response.writeHead(200).end('<html>maintenance</html>');
    if (ending && 'http' in ending) return void response.writeHead(ending.http).end();
    const file = files.get(name.replace(/\?.*$/, ''));
    if (kind === 'media') return void response.writeHead(file ? 200 : 404).end(file);
    const text = await read(request);
    const body = JSON.parse(text) as Record<string, unknown>;
    fake.violations.push(...problemsOf(name, text));
    fake.calls.push({ method: name, body });
    const said = (status: number, message: string) => `"status":${status},"status_message":${JSON.stringify(message)}`;
    const answer = ending
      ? said(ending.status, ending.message ?? '')
      : request.headers['x-viber-auth-token'] !== TOKEN
        ? said(2, 'invalidAuthToken')
        : await carryOut(name, body);
    const all = answer.includes('"status":') ? answer : `${said(0, 'ok')},${answer}`;
    response.writeHead(200, { 'content-type': 'application/json' }).end(`{${all},"chat_hostname":"SN-CHAT-01_"}`);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

async function post(origin: string, webhook: string, body: string, token: string) {
  const headers = {
    'content-type': 'application/json',
    'x-viber-content-signature': hmac('sha256', token, body).toString('hex'),
  };
  const answer = await fetch(origin + new URL(webhook).pathname, { method: 'POST', headers, body });
  return { status: answer.status, body: await answer.text() };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
