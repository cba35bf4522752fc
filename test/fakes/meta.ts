import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import busboy from 'busboy';
import { z } from 'zod';
import { endServer, listenHere } from './listening.ts';
import { signed } from './whatsapp.ts';

export const TOKEN = 'EAAG-not-a-real-token-of-a-page-0123456789';

interface Call {
  readonly method: string;
  /** Below the version, with its query. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** How a call ends instead of being carried out. */
type Ending = { readonly status: number; readonly error: object } | { readonly answer: object } | 'cut';

/** A stand-in for Meta's Graph API of Pages and Instagram accounts, which takes only what Meta's documentation names. */
export interface FakeGraph {
  readonly root: string;
  readonly calls: Call[];
  readonly uploads: { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }[];
  /** What was asked that the documentation doesn't name; must stay empty. */
  readonly violations: string[];
  /** The next calls of this method end so. */
  end(method: 'GET' | 'POST', ...endings: Ending[]): void;
  /** What GET answers, by path and query. */
  readonly nodes: Map<string, object>;
  /** Below `/files/`: bytes, where they are instead, or a status; others answer 403, as addresses do whose time is over. */
  readonly files: Map<string, Buffer | string | number>;
  /** Pushes a body to the gateway as Meta would; the status of its answer. */
  deliver(address: string, body: unknown): Promise<number>;
  close(): Promise<void>;
}

const digits = z.string().regex(/^\d+$/);
const kind = z.enum(['image', 'audio', 'video', 'file']);
const attachment = z.strictObject({ type: kind, payload: z.strictObject({ attachment_id: digits }) });
const tag = { messaging_type: z.literal('MESSAGE_TAG'), tag: z.literal('HUMAN_AGENT') };
const recipient = z.strictObject({ id: digits });
const words = (max: number, bytes: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => Buffer.byteLength(text) <= bytes);
const messageOf = (text: z.ZodType, more: object = {}) =>
  z.union([z.strictObject({ text, ...more }), z.strictObject({ attachment, ...more })]);

/** https://developers.facebook.com/docs/messenger-platform/reference/send-api */
export const MESSENGER = {
  messages: ((message) =>
    z.union([
      z.strictObject({ recipient, messaging_type: z.literal('RESPONSE'), message }),
      z.strictObject({ recipient, ...tag, message }),
    ]))(messageOf(words(2000, 8000), { metadata: z.string().max(1000) })),
  message_attachments: z.strictObject({
    message: z.strictObject({
      attachment: z.strictObject({ type: kind, payload: z.strictObject({ is_reusable: z.literal(true) }) }),
    }),
    filedata: z.string(),
  }),
  comments: z.strictObject({ message: words(8000, 32_000) }),
  subscribed_apps: z.strictObject({ subscribed_fields: z.string().regex(/^[a-z_]+(,[a-z_]+)*$/) }),
} satisfies Readonly<Record<string, z.ZodType>>;

/** https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/send-message */
export const INSTAGRAM = {
  messages: ((message) =>
    z.union([z.strictObject({ recipient, message }), z.strictObject({ recipient, ...tag, message })]))(
    messageOf(words(1000, 1000)),
  ),
  message_attachments: MESSENGER.message_attachments.extend({ platform: z.literal('instagram') }),
  replies: z.strictObject({ message: words(2200, 8800) }),
  subscribed_apps: MESSENGER.subscribed_apps,
} satisfies Readonly<Record<string, z.ZodType>>;

export async function startGraph(edges: Readonly<Record<string, z.ZodType>> = MESSENGER): Promise<FakeGraph> {
  const endings = { GET: [] as Ending[], POST: [] as Ending[] };
  let nextId = 1;

  const fake: FakeGraph = {
    root: '',
    calls: [],
    uploads: [],
    violations: [],
    end: (method, ...next) => void endings[method].push(...next),
    nodes: new Map(),
    files: new Map(),
    async deliver(address, body) {
      const bytes = JSON.stringify(body);
      const answer = await fetch(address, { method: 'POST', headers: signed(bytes), body: bytes });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  function carryOut({ method, path, body }: Call): object | undefined {
    if (method === 'GET') return fake.nodes.get(path);
    const edge = path.slice(path.lastIndexOf('/') + 1);
    const schema = Object.hasOwn(edges, edge) ? edges[edge] : undefined;
    const problem = schema ? schema.safeParse(body).error?.message : 'no such edge';
    if (problem !== undefined) fake.violations.push(`POST ${path}: ${problem}`);
    switch (edge) {
      case 'messages':
        return { recipient_id: '1', message_id: `m_OUT${nextId++}` };
      case 'message_attachments':
        return { attachment_id: String(1000 + nextId++) };
      case 'subscribed_apps':
        return { success: true };
      default:
        return { id: `500_90${nextId++}` };
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    const method = request.method ?? '';
    const body = await bodyOf(request, fake);
    const file = /^\/files\/([\w.-]+)$/.exec(url)?.[1];
    if (file !== undefined) {
      if (request.headers.authorization) fake.violations.push(`the token went to ${url}`);
      const found = fake.files.get(file) ?? 403;
      if (typeof found === 'string') return void response.writeHead(302, { location: found }).end();
      const [status, bytes] = typeof found === 'number' ? [found, 'URL signature expired'] : [200, found];
      return void response.writeHead(status).end(bytes);
    }
    if (request.headers.authorization !== `Bearer ${TOKEN}`)
      return respond(response, refusal(401, 190, 'Invalid token'));
    if (!url.startsWith('/v25.0/')) fake.violations.push(`${url} has no version`);
    const call = { method, path: url.replace('/v25.0/', ''), body };
    fake.calls.push(call);
    const ending = endings[method as 'GET' | 'POST'].shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (ending) return respond(response, ending);
    const result = carryOut(call);
    respond(response, result ? { answer: result } : refusal(400, 100, 'Object does not exist', 33));
  }

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

/** How Meta says no. */
export function refusal(status: number, code: number, message: string, subcode?: number) {
  const more = subcode === undefined ? {} : { error_subcode: subcode };
  return {
    status,
    error: { message: `(#${code}) ${message}`, type: 'OAuthException', code, ...more, fbtrace_id: 'A1' },
  };
}

function respond(response: ServerResponse, ending: Exclude<Ending, 'cut'>): void {
  const [status, body] = 'answer' in ending ? [200, ending.answer] : [ending.status, { error: ending.error }];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The parsed JSON, or the fields of an upload, whose file is kept. */
async function bodyOf(request: IncomingMessage, { uploads }: FakeGraph): Promise<Record<string, unknown>> {
  if (!request.headers['content-type']?.startsWith('multipart/')) {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
  }
  const fields: Record<string, unknown> = {};
  const form = busboy({ headers: request.headers, defParamCharset: 'utf8' });
  form.on('field', (name, value) => (fields[name] = value.startsWith('{') ? (JSON.parse(value) as unknown) : value));
  form.on('file', (name, stream, { filename, mimeType }) => {
    fields[name] = filename ?? '';
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => uploads.push({ name: filename ?? '', mediaType: mimeType, bytes: Buffer.concat(chunks) }));
  });
  request.pipe(form);
  await once(form, 'close');
  return fields;
}
