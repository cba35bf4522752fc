import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { hmac } from '../../src/core/signature.ts';
import type { Description } from './openapi.ts';
import { readSlack } from './slack-description.ts';

export const BOT_TOKEN = 'xoxb-not-a-real-bot-token';
export const APP_TOKEN = 'xapp-not-a-real-app-token';
export const SIGNING_SECRET = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
export const SELF = 'U0999SELF';
export const TEAM = 'T0001TEAM';
/** Seconds; messages get times from here on. */
export const AT = 1_795_341_600;

export interface SlackCall {
  readonly method: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly token: string;
}

/** How a call ends: refused by an error code or by status; not reached; or carried out with the answer lost. */
export type SlackEnding =
  | string
  | { readonly http: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly fate: 'cut' | 'lost' };

export type SlackMessage = Record<string, unknown> & { readonly ts: string };

interface SlackFile {
  readonly bytes: Buffer;
  readonly mimetype?: string;
  /** What it is handed out as, and from where, if not as it should be. */
  readonly type?: string;
  readonly url?: string;
  readonly status?: number;
}

/** A stand-in for Slack which checks what it is asked against Slack's description. */
export interface FakeSlack {
  readonly root: string;
  readonly calls: SlackCall[];
  readonly violations: string[];
  /** What was said in each conversation, oldest first, answers of ours included. */
  readonly said: Map<string, SlackMessage[]>;
  readonly files: Map<string, SlackFile>;
  readonly uploads: { readonly bytes: Buffer; readonly headers: IncomingMessage['headers'] }[];
  readonly users: Map<string, object>;
  scopes: readonly string[];
  /** Where files are to be uploaded, and where connections are opened, if not here. */
  uploadsTo?: string;
  connectsTo?: string;
  pageSize: number;
  /** Connections, in order; those that were closed too. */
  readonly connections: WebSocket[];
  /** Envelopes that were acknowledged. */
  readonly acknowledged: string[];
  greets: boolean;
  end(method: string, ...endings: SlackEnding[]): void;
  callsOf(method: string): SlackCall[];
  /** Posts an event to a channel's webhook, signed. */
  deliver(url: string, body: object | string, given?: { secret?: string; at?: number; type?: string }): Promise<Answer>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export async function startSlack(description: Description | undefined = readSlack()): Promise<FakeSlack> {
  const endings = new Map<string, SlackEnding[]>();
  let next = 1;

  const fake: FakeSlack = {
    root: '',
    calls: [],
    violations: [],
    said: new Map(),
    files: new Map(),
    uploads: [],
    users: new Map(),
    scopes: [],
    pageSize: 200,
    connections: [],
    acknowledged: [],
    greets: true,
    end: (method, ...list) => void endings.set(method, list),
    callsOf: (method) => fake.calls.filter((call) => call.method === method),
    async deliver(url, body, { secret = SIGNING_SECRET, at = Math.floor(Date.now() / 1000), type } = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const signature = `v0=${hmac('sha256', secret, `v0:${at}:`, text).toString('hex')}`;
      const signed = { 'x-slack-request-timestamp': String(at), 'x-slack-signature': signature };
      const headers = { 'content-type': type ?? 'application/json', ...signed };
      const answer = await fetch(url, { method: 'POST', headers, body: text });
      return { status: answer.status, text: await answer.text() };
    },
    async close() {
      for (const connection of fake.connections) connection.terminate();
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  function say(channel: string, message: object): string {
    const ts = `${AT + 1000 + next++}.000100`;
    fake.said.set(channel, [...(fake.said.get(channel) ?? []), { type: 'message', user: SELF, ...message, ts }]);
    return ts;
  }

  function page(all: readonly unknown[], name: string, { cursor = '0' }: SlackCall['query']) {
    const end = Number(cursor) + fake.pageSize;
    const next_cursor = end < all.length ? String(end) : '';
    return { ok: true, [name]: all.slice(Number(cursor), end), response_metadata: { next_cursor } };
  }

  const isSince = ({ ts }: SlackMessage, { oldest = '0' }: SlackCall['query']) => Number(ts) > Number(oldest);
  const threadIn = (channel: string, ts: string) =>
    (fake.said.get(channel) ?? []).filter((message) => message.ts === ts || message.thread_ts === ts);

  const methods: Readonly<Record<string, (call: SlackCall) => object>> = {
    'auth.test': () => ({
      ok: true,
      url: 'https://example.slack.com/',
      team: 'Example',
      user: 'help-desk',
      team_id: TEAM,
      user_id: SELF,
    }),
    'apps.connections.open': () => ({
      ok: true,
      url: fake.connectsTo ?? `${fake.root.replace('http', 'ws')}/link?ticket=a-t1cket`,
    }),
    'chat.postMessage': ({ body }) => {
      const { channel, ...message } = body as { channel: string };
      return { ok: true, channel, ts: say(channel, message), message };
    },
    'conversations.history': ({ query }) => {
      const said = (fake.said.get(query.channel ?? '') ?? []).filter((message) => isSince(message, query));
      const first = said.filter(({ ts, thread_ts }) => thread_ts === undefined || thread_ts === ts);
      const listed = first.map((message) => {
        const latest_reply = threadIn(query.channel ?? '', message.ts).at(-1)?.ts;
        return latest_reply === message.ts ? message : { ...message, thread_ts: message.ts, latest_reply };
      });
      return page(listed.toReversed(), 'messages', query);
    },
    'conversations.replies': ({ query }) => {
      const thread = threadIn(query.channel ?? '', query.ts ?? '');
      const [first, ...replies] = thread;
      return page([first, ...replies.filter((message) => isSince(message, query))], 'messages', query);
    },
    'users.conversations': ({ query }) => {
      const all = [...fake.said.keys()].map((id) => ({ id, is_im: id.startsWith('D'), is_mpim: id.startsWith('G') }));
      return page(all, 'channels', query);
    },
    'users.info': ({ query }) => {
      const user = fake.users.get(query.user ?? '');
      return user ? { ok: true, user } : { ok: false, error: 'user_not_found' };
    },
    'files.info': ({ query }) => {
      const id = query.file ?? '';
      const file = fake.files.get(id);
      if (!file) return { ok: false, error: 'file_not_found' };
      const url_private_download = file.url ?? `${fake.root}/files/${id}`;
      return { ok: true, file: { id, mimetype: file.mimetype, url_private_download } };
    },
    'files.getUploadURLExternal': () => ({
      ok: true,
      upload_url: fake.uploadsTo ?? `${fake.root}/upload/${next}`,
      file_id: `F${next++}`,
    }),
    'files.completeUploadExternal': ({ body }) => {
      say(String(body.channel_id), { subtype: 'file_share', files: body.files, thread_ts: body.thread_ts });
      return { ok: true, files: body.files };
    },
  };

  function answerTo(call: SlackCall, asked: Parameters<Description['request']>[0]): object {
    const isApp = call.method === 'apps.connections.open';
    if (call.token !== `Bearer ${isApp ? APP_TOKEN : BOT_TOKEN}`) return { ok: false, error: 'invalid_auth' };
    fake.violations.push(...(description?.request(asked) ?? []));
    return methods[call.method]?.(call) ?? { ok: false, error: 'unknown_method' };
  }

  function serveFile(id: string, token: string | undefined, response: ServerResponse): void {
    const file = fake.files.get(id);
    if (!file || token !== `Bearer ${BOT_TOKEN}`) return void response.writeHead(404).end();
    const headers = { 'content-type': file.type ?? file.mimetype ?? 'application/octet-stream', location: '/signin' };
    response.writeHead(file.status ?? 200, headers).end(file.bytes);
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    const path = request.url ?? '';
    const { pathname, searchParams } = new URL(path, 'http://slack.test');
    const [, kind, id = ''] = pathname.split('/');
    if (kind === 'files') return serveFile(id, request.headers.authorization, response);
    if (kind === 'upload') {
      fake.uploads.push({ bytes, headers: request.headers });
      return void response.end('OK');
    }
    const body = bytes.length > 0 ? (JSON.parse(bytes.toString()) as Record<string, unknown>) : {};
    const token = request.headers.authorization ?? '';
    const call = { method: pathname.slice(1), query: Object.fromEntries(searchParams), body, token };
    fake.calls.push(call);
    const ending = endings.get(call.method)?.shift();
    if (typeof ending === 'object' && 'http' in ending)
      return void response.writeHead(ending.http, ending.headers).end();
    if (typeof ending === 'object' && ending.fate === 'cut') return void request.socket.destroy();
    const headers = request.headers as Record<string, string>;
    const asked = { method: request.method ?? '', path, headers, ...(bytes.length > 0 && { body }) };
    const answer = typeof ending === 'string' ? { ok: false, error: ending } : answerTo(call, asked);
    if (typeof ending === 'object') return void request.socket.destroy();
    response.writeHead(200, { 'content-type': 'application/json', 'x-oauth-scopes': fake.scopes.join(',') });
    response.end(JSON.stringify(answer));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    fake.connections.push(socket);
    socket.on('message', (data: Buffer) => {
      fake.acknowledged.push((JSON.parse(data.toString()) as { envelope_id: string }).envelope_id);
    });
    if (fake.greets) socket.send(JSON.stringify({ type: 'hello', num_connections: 1 }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(fake, { root: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

/** An event as Slack wraps it. */
export function wrapped(event: object): object {
  return {
    token: 'an-example',
    team_id: TEAM,
    api_app_id: 'A0001APP',
    event,
    type: 'event_callback',
    event_id: 'Ev01',
    event_time: AT,
    authorizations: [{ team_id: TEAM, user_id: SELF, is_bot: true, is_enterprise_install: false }],
  };
}
