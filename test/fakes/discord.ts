import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { readDiscord } from './discord-description.ts';
import type { Description } from './openapi.ts';

export const BOT_TOKEN = 'not-a-real-bot-token-at-all.Gabcde.it-only-looks-like-one-of-them';
/** Of RFC 8032, 7.1. */
export const PUBLIC_KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const PRIVATE_KEY = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
export const SELF = '1100000000000000999';
export const SERVER = '1200000000000000001';
export const CHANNEL = '1300000000000000001';
export const DIRECT = '1300000000000000009';
/** Milliseconds; messages get ids from here on. */
export const AT = Date.parse('2026-11-22T10:00:00Z');

/** An id of something that came to be at a time. */
export function idOf(ms: number, nth = 0): string {
  return String((BigInt(ms - 1_420_070_400_000) << 22n) + BigInt(nth));
}

export interface DiscordCall {
  readonly what: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage['headers'];
}

/** How a call ends, if not as asked: by a status; not reached; or carried out with the answer lost. */
export type DiscordEnding =
  | {
      readonly http: number;
      readonly json?: object;
      readonly headers?: Readonly<Record<string, string>>;
      /** Carried out all the same. */
      readonly done?: true;
    }
  | { readonly fate: 'cut' | 'lost' };

export type DiscordMessage = Record<string, unknown> & { readonly id: string };

interface Place {
  readonly id: string;
  readonly type: number;
  readonly name?: string;
  readonly last_message_id?: string | null;
}

interface DiscordFile {
  readonly bytes: Buffer;
  readonly status?: number;
}

export interface Frame {
  readonly op: number;
  readonly d: Readonly<Record<string, unknown>> | number | null;
}

/** What Discord does with whoever begins or goes on with a session: the usual, a close code, or another frame. */
type Start = 'ready' | number | object | 'nothing';

/** A stand-in for Discord which checks what it is asked against Discord's description. */
export interface FakeDiscord {
  readonly root: string;
  readonly calls: DiscordCall[];
  readonly violations: string[];
  /** What was said in each channel, oldest first, answers of ours included. */
  readonly said: Map<string, DiscordMessage[]>;
  readonly servers: Map<string, { readonly channels: readonly Place[]; readonly active: readonly Place[] }>;
  readonly archived: Map<string, (Place & { readonly archivedAt: number })[]>;
  readonly names: Map<string, string>;
  readonly files: Map<string, DiscordFile>;
  readonly uploads: { readonly name: string; readonly bytes: Buffer }[];
  flags: number;
  limit: { remaining: number; reset_after: number };
  /** Where the Gateway is, and where sessions go on, if not here. */
  gateway?: string;
  resumeAt?: string;
  pageSize: number;
  /** Connections, in order, with the address that was asked for; those that were closed too. */
  readonly connections: { readonly socket: WebSocket; readonly path: string; readonly frames: Frame[] }[];
  greets: boolean;
  acks: boolean;
  heartbeatMs: number;
  /** What becomes of the next identify or resume. */
  readonly starts: Start[];
  /** Tells an event on the last connection. */
  tell(t: string, d: object): void;
  end(what: string, ...endings: DiscordEnding[]): void;
  callsOf(what: string): DiscordCall[];
  /** Posts to a channel's webhook, signed. */
  push(
    url: string,
    body: object,
    given?: { readonly forged?: true; readonly ago?: number },
  ): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

export async function startDiscord(description: Description | undefined = readDiscord()): Promise<FakeDiscord> {
  const endings = new Map<string, DiscordEnding[]>();
  let next = 1;
  let seq = 0;

  const fake: FakeDiscord = {
    root: '',
    calls: [],
    violations: [],
    said: new Map(),
    servers: new Map(),
    archived: new Map(),
    names: new Map(),
    files: new Map(),
    uploads: [],
    flags: 1 << 19,
    limit: { remaining: 1000, reset_after: 0 },
    pageSize: 100,
    connections: [],
    greets: true,
    acks: true,
    heartbeatMs: 40_000,
    starts: [],
    tell(t, d) {
      fake.connections.at(-1)!.socket.send(JSON.stringify({ op: 0, t, s: ++seq, d }));
    },
    end: (what, ...list) => void endings.set(what, list),
    callsOf: (what) => fake.calls.filter((call) => call.what === what),
    async push(url, body, { forged, ago = 0 } = {}) {
      const text = JSON.stringify(body);
      const at = String(Math.floor(Date.now() / 1000) - ago);
      const der = Buffer.from(`302e020100300506032b657004220420${PRIVATE_KEY}`, 'hex');
      const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
      const signature = sign(null, Buffer.from(`${at}${text}${forged ? ' ' : ''}`), key).toString('hex');
      const signed = { 'x-signature-ed25519': signature, 'x-signature-timestamp': at };
      const headers = { 'content-type': 'application/json', ...signed };
      const answer = await fetch(url, { method: 'POST', headers, body: text });
      return { status: answer.status, text: await answer.text() };
    },
    async close() {
      for (const { socket } of fake.connections) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  function post(channel: string, body: DiscordCall['body']): object {
    const said = fake.said.get(channel) ?? [];
    const known = said.find(({ nonce }) => body.enforce_nonce === true && nonce !== undefined && nonce === body.nonce);
    if (known) return known;
    const author = { id: SELF, username: 'help-desk', bot: true };
    const message = { type: 0, author, ...body, id: idOf(AT + 1_000_000, next++), channel_id: channel };
    fake.said.set(channel, [...said, message]);
    return message;
  }

  function archivedIn(channel: string, { before, limit }: DiscordCall['query']) {
    const all = (fake.archived.get(channel) ?? []).toSorted((a, b) => b.archivedAt - a.archivedAt);
    const older = all.filter(({ archivedAt }) => before === undefined || archivedAt < Date.parse(before));
    const most = Math.min(Number(limit), fake.pageSize);
    const threads = older.slice(0, most).map(({ archivedAt, ...place }) => {
      return { ...place, thread_metadata: { archive_timestamp: new Date(archivedAt).toISOString() } };
    });
    return { threads, has_more: older.length > most };
  }

  const routes: readonly (readonly [RegExp, (call: DiscordCall, ...ids: string[]) => object | undefined])[] = [
    [/^GET \/gateway\/bot$/, () => ({ url: fake.gateway ?? wsRoot(), shards: 1, session_start_limit: fake.limit })],
    [/^GET \/users\/@me$/, () => ({ id: SELF, username: 'help-desk' })],
    [/^GET \/applications\/@me$/, () => ({ id: SELF, flags: fake.flags })],
    [
      /^GET \/users\/@me\/guilds$/,
      ({ query }) => {
        const after = [...fake.servers.keys()].toSorted().filter((id) => BigInt(id) > BigInt(query.after ?? 0));
        return after.slice(0, Number(query.limit)).map((id) => ({ id }));
      },
    ],
    [/^GET \/guilds\/(\d+)\/channels$/, (_call, id) => fake.servers.get(id)?.channels],
    [/^GET \/guilds\/(\d+)\/threads\/active$/, (_call, id) => ({ threads: fake.servers.get(id)?.active ?? [] })],
    [/^GET \/channels\/(\d+)\/threads\/archived\/public$/, ({ query }, id) => archivedIn(id, query)],
    [
      /^GET \/channels\/(\d+)$/,
      (_call, id) => (fake.names.has(id) ? { id, type: 11, name: fake.names.get(id) } : undefined),
    ],
    [
      /^GET \/channels\/(\d+)\/messages$/,
      ({ query }, id) => {
        const said = (fake.said.get(id) ?? []).filter((each) => BigInt(each.id) > BigInt(query.after ?? 0));
        // The newest of them come first.
        return said.slice(0, Math.min(Number(query.limit), fake.pageSize)).toReversed();
      },
    ],
    [
      /^GET \/channels\/(\d+)\/messages\/(\d+)$/,
      (_call, channel, id) => fake.said.get(channel)?.find((each) => each.id === id),
    ],
    [/^POST \/channels\/(\d+)\/messages$/, ({ body }, id) => post(id, body)],
  ];
  const wsRoot = () => fake.root.replace('http', 'ws');

  function answerTo(call: DiscordCall): { readonly status: number; readonly json: object } {
    if (call.headers.authorization !== `Bot ${BOT_TOKEN}`) {
      return { status: 401, json: { code: 0, message: '401: Unauthorized' } };
    }
    for (const [shape, answer] of routes) {
      const [whole, ...ids] = shape.exec(call.what) ?? [];
      const json = whole === undefined ? undefined : answer(call, ...ids);
      if (json) return { status: 200, json };
    }
    return { status: 404, json: { code: 10_003, message: 'Unknown Channel' } };
  }

  function readForm(bytes: Buffer, type: string): Record<string, unknown> {
    const boundary = /boundary=(.+)$/.exec(type)?.[1] ?? '';
    const fields: Record<string, unknown> = {};
    for (const part of bytes.toString('latin1').split(`--${boundary}`).slice(1, -1)) {
      const [head = '', ...rest] = part.slice(2, -2).split('\r\n\r\n');
      const content = Buffer.from(rest.join('\r\n\r\n'), 'latin1');
      const name = /; name="([^"]*)"/.exec(head)?.[1] ?? '';
      if (name === 'payload_json') Object.assign(fields, JSON.parse(content.toString()));
      else {
        const file = Buffer.from(/filename="([^"]*)"/.exec(head)?.[1] ?? '', 'latin1').toString();
        fake.uploads.push({ name: file, bytes: content });
        fields[name] = 'bytes';
      }
    }
    return fields;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    const path = request.url ?? '';
    const { pathname, searchParams } = new URL(path, 'http://discord.test');
    const file = fake.files.get(pathname);
    if (file) {
      if (request.headers.authorization !== undefined) fake.violations.push('a file was asked for with the token');
      return void response.writeHead(file.status ?? 200).end(file.bytes);
    }
    const type = request.headers['content-type'] ?? '';
    const isForm = type.startsWith('multipart/form-data');
    const json = () => JSON.parse(bytes.toString()) as Record<string, unknown>;
    const body = bytes.length === 0 ? {} : isForm ? readForm(bytes, type) : json();
    const method = request.method ?? '';
    const call = {
      what: `${method} ${pathname}`,
      query: Object.fromEntries(searchParams),
      body,
      headers: request.headers,
    };
    fake.calls.push(call);
    if (!/^DiscordBot \(\S+, \d/.test(request.headers['user-agent'] ?? '')) fake.violations.push('an unknown program');
    const headers = request.headers as Record<string, string>;
    fake.violations.push(...(description?.request({ method, path, headers, ...(bytes.length > 0 && { body }) }) ?? []));
    const ending = endings.get(call.what)?.shift();
    if (ending && 'http' in ending && !ending.done) {
      response.writeHead(ending.http, { 'content-type': 'application/json', ...ending.headers });
      return void response.end(ending.json && JSON.stringify(ending.json));
    }
    if (ending && 'fate' in ending && ending.fate === 'cut') return void request.socket.destroy();
    const answer = answerTo(call);
    if (ending && 'fate' in ending) return void request.socket.destroy();
    response.writeHead(ending?.http ?? answer.status, { 'content-type': 'application/json', ...ending?.headers });
    response.end(JSON.stringify(ending?.json ?? answer.json));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });

  function begin(socket: WebSocket, { op }: Frame): void {
    const start = fake.starts.shift() ?? 'ready';
    if (start === 'nothing') return;
    if (typeof start === 'number') return socket.close(start);
    if (typeof start === 'object') return socket.send(JSON.stringify(start));
    if (op === 6) return fake.tell('RESUMED', {});
    const resume_gateway_url = fake.resumeAt ?? `${wsRoot()}/again`;
    fake.tell('READY', { v: 10, session_id: `session-${next++}`, resume_gateway_url, user: { id: SELF }, guilds: [] });
  }

  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    const frames: Frame[] = [];
    fake.connections.push({ socket, path: request.url ?? '', frames });
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Frame;
      frames.push(frame);
      if (frame.op === 2 || frame.op === 6) begin(socket, frame);
      if (frame.op === 1 && fake.acks) socket.send(JSON.stringify({ op: 11 }));
    });
    if (fake.greets) socket.send(JSON.stringify({ op: 10, d: { heartbeat_interval: fake.heartbeatMs } }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(fake, { root: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

export interface Saying {
  readonly at?: number;
  readonly nth?: number;
  readonly [key: string]: unknown;
}

/** A message as Discord tells it. */
export function saying(content: string, { at = AT, nth = 0, ...more }: Saying = {}): DiscordMessage {
  return {
    type: 0,
    tts: false,
    timestamp: new Date(at).toISOString(),
    edited_timestamp: null,
    pinned: false,
    mentions: [],
    mention_roles: [],
    mention_everyone: false,
    flags: 0,
    embeds: [],
    components: [],
    attachments: [],
    content,
    id: idOf(at, nth),
    channel_id: CHANNEL,
    author: { id: '1100000000000000111', username: 'olena', global_name: 'Olena' },
    ...more,
  };
}
