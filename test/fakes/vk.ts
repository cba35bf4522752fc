import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import busboy from 'busboy';
import { readVkSchema } from './vk-schema.ts';
import type { VkSchema } from './vk-schema.ts';

export const GROUP = 123456;
export const KEY = 'vk1.a.not-a-real-key-of-a-community';
export const USER_KEY = 'vk1.a.not-a-real-key-of-a-person';
export const AT = 1_795_341_600;

export interface VkCall {
  readonly method: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly token: string;
}

/** How a call ends instead of being carried out. */
export type VkEnding = { readonly error_code: number; readonly error_msg: string } | 'cut' | 'lost' | 'html';

/** A stand-in for VK, which checks itself and what it is asked against VK's description. */
export interface FakeVk {
  readonly root: string;
  /** In order. */
  readonly calls: VkCall[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  /** Numbers that polls asked from, in order. */
  readonly positions: string[];
  readonly uploads: { readonly field: string; readonly name: string; readonly sha256: string }[];
  /** What was said in the chats, oldest first. */
  readonly history: Map<number, Record<string, unknown>[]>;
  /** Addresses of files and what lies there; `to` is where it is handed out instead. */
  readonly files: Map<string, { readonly bytes?: Buffer; readonly to?: string }>;
  /** What the next polls are answered with instead of events. */
  readonly failures: ({ readonly failed: number; readonly ts?: number } | 'cut')[];
  /** The upload server says it about pictures. */
  refusesPhotos: boolean;
  /** Where files are to be uploaded, if not here. */
  uploadsTo?: string;
  /** What stands in the answer for the one customer. */
  refusesInside?: { readonly code: number; readonly description: string };
  servers: { readonly url: string; readonly status: string }[];
  /** Waits to be polled. */
  push(...events: { readonly type: string; readonly object: unknown }[]): void;
  /** Pushes an event to the gateway at `origin`, with the secret key. */
  deliver(
    origin: string,
    event: { readonly type: string; readonly object?: unknown },
    secret?: string,
  ): Promise<{ readonly status: number; readonly body: string }>;
  /** The next calls of the method end so, one after the other. */
  end(method: string, ...endings: VkEnding[]): void;
  callsOf(method: string): VkCall[];
  close(): Promise<void>;
}

export async function startVk(schema: VkSchema = readVkSchema()): Promise<FakeVk> {
  const queue: object[] = [];
  const endings = new Map<string, VkEnding[]>();
  const waiting = new Set<() => void>();
  /** Messages by the key against doubles. */
  const sent = new Map<string, { peer_id: number; message_id: number; conversation_message_id: number }>();
  let key = 'key-1';
  let next = 900;

  const fake: FakeVk = {
    root: '',
    calls: [],
    violations: [],
    positions: [],
    uploads: [],
    history: new Map(),
    files: new Map(),
    failures: [],
    refusesPhotos: false,
    servers: [],
    push(...events) {
      for (const { type, object } of events) {
        fake.violations.push(...schema.event(type, object));
        queue.push({ type, object, group_id: GROUP, event_id: `event-${queue.length}`, v: '5.199' });
      }
      for (const wake of waiting) wake();
    },
    async deliver(origin, { type, object }, secret = 'aSecretKey') {
      if (object !== undefined) fake.violations.push(...schema.event(type, object));
      const body = JSON.stringify({ type, object, group_id: GROUP, event_id: 'event-x', v: '5.199', secret });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${origin}/webhooks/community`, { method: 'POST', headers, body });
      return { status: answer.status, body: await answer.text() };
    },
    end: (method, ...list) => void endings.set(method, list),
    callsOf: (method) => fake.calls.filter((call) => call.method === method),
    async close() {
      for (const wake of waiting) wake();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  function send(parameters: VkCall['parameters']) {
    const peer_id = Number(parameters.peer_ids);
    if (fake.refusesInside) {
      return [{ peer_id, message_id: 0, conversation_message_id: 0, error: fake.refusesInside }];
    }
    const double = `${peer_id} ${parameters.random_id}`;
    const number = next++;
    const known = sent.get(double) ?? {
      peer_id,
      message_id: peer_id > 2e9 ? 0 : number,
      conversation_message_id: number,
    };
    sent.set(double, known);
    return [known];
  }

  const page = <T>(all: readonly T[], { offset = '0', count = '20' }: VkCall['parameters']) =>
    all.slice(Number(offset), Number(offset) + Number(count));
  const uploadUrl = () => fake.uploadsTo ?? `${fake.root}/upload`;
  const saved = () => ({ id: 55, owner_id: 7001 });

  const methods: Readonly<Record<string, (parameters: VkCall['parameters']) => unknown>> = {
    'messages.send': send,
    'messages.getConversations': (asked) => {
      const chats = [...fake.history].toSorted(([, a], [, b]) => Number(b.at(-1)?.date) - Number(a.at(-1)?.date));
      const items = chats.map(([id, said]) => ({
        conversation: conversationOf(id, said.length),
        last_message: said.at(-1),
      }));
      return { count: items.length, items: page(items, asked) };
    },
    'messages.getHistory': (asked) => {
      const said = fake.history.get(Number(asked.peer_id)) ?? [];
      return { count: said.length, items: page(said.toReversed(), asked) };
    },
    'messages.getByConversationMessageId': (asked) => {
      const said = fake.history.get(Number(asked.peer_id)) ?? [];
      const items = said.filter((each) => String(each.conversation_message_id) === asked.conversation_message_ids);
      return { count: items.length, items };
    },
    'users.get': ({ user_ids }) =>
      user_ids === '7404'
        ? [{ id: 7404, first_name: 'DELETED', last_name: '', deactivated: 'deleted' }]
        : [
            {
              id: Number(user_ids),
              first_name: 'Olena',
              last_name: 'Example',
              can_access_closed: true,
              is_closed: false,
            },
          ],
    'groups.getById': () => ({ groups: [{ id: GROUP, name: 'Sample Shop', screen_name: 'sample' }], profiles: [] }),
    'groups.getLongPollServer': () => ({ key, server: `${fake.root}/whp/${GROUP}`, ts: String(queue.length) }),
    'groups.setLongPollSettings': () => 1,
    'groups.getCallbackServers': () => ({ count: fake.servers.length, items: fake.servers }),
    'photos.getMessagesUploadServer': () => ({
      album_id: -64,
      upload_url: uploadUrl(),
      user_id: 0,
      group_id: GROUP,
    }),
    'photos.saveMessagesPhoto': () => [saved()],
    'docs.getMessagesUploadServer': () => ({ upload_url: uploadUrl() }),
    'docs.save': ({ title = '' }) => ({
      type: 'doc',
      doc: { ...saved(), title, size: 5, ext: 'pdf', date: AT, type: 1, url: 'https://vk.com/doc7001_55' },
    }),
    'board.createComment': () => next++,
    'market.createComment': () => next++,
    'photos.createComment': () => next++,
    'video.createComment': () => next++,
    'wall.createComment': () => ({ comment_id: next++, parents_stack: [] }),
  };

  async function answerCall(method: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { access_token: token = '', v, ...parameters } = Object.fromEntries(new URLSearchParams(await text(request)));
    fake.violations.push(...schema.request(method, parameters));
    if (v !== '5.199') fake.violations.push(`${method} in version ${v}`);
    fake.calls.push({ method, parameters, token });
    const ending = endings.get(method)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (ending === 'html') return void response.writeHead(502).end('<html>Bad Gateway</html>');
    if (typeof ending === 'object') {
      return json(response, ending.error_code === undefined ? ending : { error: { ...ending, request_params: [] } });
    }
    if (token !== KEY && token !== USER_KEY) {
      const error_msg = `User authorization failed: invalid access_token ${token}`;
      return json(response, { error: { error_code: 5, error_msg, request_params: [] } });
    }
    const answer = { response: methods[method]?.(parameters) };
    fake.violations.push(...schema.response(method, answer));
    // Carried out, but nobody hears of it.
    if (ending === 'lost') return void request.socket.destroy();
    json(response, answer);
  }

  async function answerPoll(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const ts = url.searchParams.get('ts') ?? '';
    fake.positions.push(ts);
    const failure = fake.failures.shift();
    if (failure === 'cut') return void request.socket.destroy();
    if (failure?.failed === 2) key = 'key-2';
    if (failure) return json(response, failure);
    if (url.searchParams.get('key') !== key) return json(response, { failed: 2 });
    if (Number(ts) >= queue.length) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), Number(url.searchParams.get('wait')) * 1000);
        const wake = () => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
        request.socket.once('close', wake);
      });
    }
    json(response, { ts: String(queue.length), updates: queue.slice(Number(ts)) });
  }

  async function takeUpload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = busboy({ headers: request.headers, defParamCharset: 'utf8' });
    form.on('file', (field, stream, { filename }) => {
      const hash = createHash('sha256');
      stream.on('data', (chunk: Buffer) => hash.update(chunk));
      stream.on('end', () => fake.uploads.push({ field, name: filename ?? '', sha256: hash.digest('hex') }));
    });
    await once(request.pipe(form), 'close');
    const { field, name = '' } = fake.uploads.at(-1) ?? {};
    if (field === 'photo')
      return json(response, { server: 1, photo: fake.refusesPhotos ? '[]' : '[{"a":1}]', hash: 'h' });
    json(response, name.endsWith('.exe') ? { error: 'wrong_ext' } : { file: `1|${name}` });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', fake.root);
    if (url.pathname.startsWith('/method/')) return answerCall(url.pathname.slice(8), request, response);
    if (url.pathname.startsWith('/whp/')) return answerPoll(url, request, response);
    if (url.pathname === '/upload') return takeUpload(request, response);
    const file = fake.files.get(url.pathname);
    if (file?.to !== undefined) return void response.writeHead(302, { location: file.to }).end();
    response.writeHead(file ? 200 : 404).end(file?.bytes);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.writeHead(500).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(fake, { root: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

function json(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function conversationOf(id: number, length: number) {
  const type = id > 2e9 ? 'chat' : id < 0 ? 'group' : 'user';
  const numbers = {
    last_message_id: length,
    last_conversation_message_id: length,
    in_read: 0,
    out_read: 0,
    version: 1,
  };
  return { peer: { id, type }, ...numbers };
}
