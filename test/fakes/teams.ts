import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { endServer, listenHere } from './listening.ts';

export const APP_ID = '3f1c2d4e-5a6b-4c7d-8e9f-0a1b2c3d4e5f';
export const PASSWORD = 'not-a-real-client-secret~0123456789';
export const TENANT = '7b1e0f52-3c4d-4e5f-8a6b-9c0d1e2f3a4b';
export const SERVICE = 'https://smba.trafficmanager.net/emea/';

/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending = { readonly http: number; readonly body?: object } | 'cut' | 'lost';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A key that the Bot Framework signs with. */
export interface SigningPair {
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** As it is published. */
  readonly jwk: object;
}

/** `endorsements`: the channels that it may speak for; null: it doesn't say. */
export function createPair(kid: string, endorsements: readonly string[] | null = ['msteams']): SigningPair {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n, e } = publicKey.export({ format: 'jwk' });
  const jwk = { kty: 'RSA', use: 'sig', kid, x5t: kid, n, e, ...(endorsements && { endorsements }) };
  return { kid, privateKey, jwk };
}

/** A token as the Bot Framework makes it for a request that it sends at `at`, milliseconds. */
export function tokenOf(
  { kid, privateKey }: SigningPair,
  at: number,
  claims: object = {},
  header: object = {},
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sec = Math.floor(at / 1000);
  const all = { serviceurl: SERVICE, nbf: sec - 60, exp: sec + 3600, iss: 'https://api.botframework.com', aud: APP_ID };
  const signed = `${part({ alg: 'RS256', typ: 'JWT', kid, x5t: kid, ...header })}.${part({ ...all, ...claims })}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

/** What Microsoft's pages describe of an activity that a bot sends, as a closed world. */
const Sent = z.union([
  z.strictObject({
    type: z.literal('message'),
    from: z.strictObject({ id: z.literal(`28:${APP_ID}`) }),
    conversation: z.strictObject({ id: z.string().min(1) }),
    textFormat: z.literal('plain'),
    text: z.string().min(1).max(20_000),
  }),
  z.strictObject({
    type: z.literal('message'),
    from: z.strictObject({ id: z.literal(`28:${APP_ID}`) }),
    conversation: z.strictObject({ id: z.string().min(1) }),
    attachments: z.tuple([
      z.strictObject({
        contentType: z.enum(['image/png', 'image/jpeg', 'image/gif']),
        contentUrl: z.string().regex(/^data:image\/(png|jpeg|gif);base64,[A-Za-z0-9+/]+=*$/),
        name: z.string().min(1),
      }),
    ]),
  }),
]);
export const sentProblems = (body: unknown): string[] =>
  Sent.safeParse(body).error?.issues.map((issue) => JSON.stringify(issue)) ?? [];

/** A stand-in for Microsoft: what it signs with, access tokens, the Bot Framework's REST API, files. */
export interface FakeTeams {
  readonly root: string;
  readonly calls: Asked[];
  /** What reached a chat. */
  readonly delivered: {
    readonly id: string;
    readonly chat: string;
    readonly text?: string;
    readonly attachments?: readonly object[];
  }[];
  /** What was asked in another way than Microsoft describes; must stay empty. */
  readonly violations: string[];
  /** What it publishes; the first one signs. */
  pairs: SigningPair[];
  readonly files: Map<string, Buffer>;
  /** The next calls whose path ends so end so. */
  end(pathEnd: string, ...endings: Ending[]): void;
  /** Sends an activity to a channel's webhook, signed at `at`. */
  deliver(url: string, activity: object, given?: { readonly at?: number; readonly claims?: object }): Promise<number>;
  /** Access tokens that it still takes. */
  readonly granted: Set<string>;
  close(): Promise<void>;
}

export async function startTeams(): Promise<FakeTeams> {
  const endings = new Map<string, Ending[]>();
  let next = 1_795_341_700_000;

  const fake: FakeTeams = {
    root: '',
    calls: [],
    delivered: [],
    violations: [],
    pairs: [createPair('key-1')],
    files: new Map(),
    granted: new Set(),
    end: (pathEnd, ...list) => void endings.set(pathEnd, list),
    async deliver(url, activity, { at = Date.now(), claims = {} } = {}) {
      const { serviceUrl: serviceurl } = activity as { serviceUrl?: string };
      const token = tokenOf(fake.pairs[0]!, at, { ...(serviceurl !== undefined && { serviceurl }), ...claims });
      const headers = { 'content-type': 'application/json; charset=utf-8', authorization: `Bearer ${token}` };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(activity) });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  type Answer = { readonly status: number; readonly body: object | Buffer };
  const ok = (body: object | Buffer): Answer => ({ status: 200, body });
  const refusal = (status: number, code: string, message = code): Answer => ({
    status,
    body: { error: { code, message } },
  });

  function grant(body: string): Answer {
    const asked = Object.fromEntries(new URLSearchParams(body));
    const expected = {
      grant_type: 'client_credentials',
      client_id: APP_ID,
      scope: 'https://api.botframework.com/.default',
    };
    const { client_secret, ...rest } = asked;
    if (JSON.stringify(rest) !== JSON.stringify(expected)) fake.violations.push(`token: ${JSON.stringify(rest)}`);
    if (client_secret !== PASSWORD) {
      const error_description = 'AADSTS7000215: Invalid client secret provided. Ensure the secret value. Trace ID: 0';
      return { status: 401, body: { error: 'invalid_client', error_description } };
    }
    const token = `granted-${next++}`;
    fake.granted.add(token);
    return ok({ token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token });
  }

  function send(chat: string, body: string): Answer {
    const activity = JSON.parse(body) as { conversation: { id: string }; text?: string; attachments?: object[] };
    fake.violations.push(...sentProblems(activity));
    if (activity.conversation.id !== chat) fake.violations.push(`${chat} is not ${activity.conversation.id}`);
    const { text, attachments } = activity;
    const id = String(next++);
    fake.delivered.push({ id, chat, ...(text !== undefined && { text }), ...(attachments && { attachments }) });
    return { status: 201, body: { id } };
  }

  function answerTo({ method, path, headers, body }: Asked): Answer {
    if (path === '/v1/.well-known/openidconfiguration') return ok({ jwks_uri: `${fake.root}/v1/.well-known/keys` });
    if (path === '/v1/.well-known/keys') return ok({ keys: fake.pairs.map(({ jwk }) => jwk) });
    if (path === `/${TENANT}/oauth2/v2.0/token`) return grant(body);
    const [, chat] = /^\/v3\/conversations\/([^/]+)\/activities$/.exec(path) ?? [];
    const file = fake.files.get(path);
    if (!fake.granted.has(headers.authorization?.replace(/^Bearer /, '') ?? '')) {
      return refusal(401, 'Unauthorized', 'Authorization has been denied for this request.');
    }
    if (chat !== undefined && method === 'POST') return send(decodeURIComponent(chat), body);
    return file ? ok(file) : refusal(404, 'NotFound');
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked: Asked = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(chunks).toString(),
    };
    fake.calls.push(asked);
    const ending = [...endings].find(([pathEnd]) => asked.path.endsWith(pathEnd))?.[1].shift();
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
