import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { endServer, listenHere } from './listening.ts';

export const TOKEN = 'f9LHodD0cOFakeTokenOfABot_0123456789-abcdefgh';
export const SECRET = '6d0f0f8c6b1f4c6c9f3a2f3f2b6f1d57';

const id = z.string().regex(/^-?\d{1,19}$/);
const KIND = z.enum(['image', 'video', 'audio', 'file']);
const UPDATE = z
  .string()
  .regex(
    /^(bot_(added|started|stopped|removed)|chat_title_changed|dialog_(cleared|muted|unmuted|removed)|message_(callback|created|edited|removed)|user_(added|removed))$/,
  );
const token = z.strictObject({ token: z.string().min(1) });
const photos = z.strictObject({ photos: z.record(z.string(), token) });

const NewMessage = z
  .strictObject({
    text: z.string().min(1).max(4000).nullable(),
    attachments: z
      .array(
        z.discriminatedUnion('type', [
          z.strictObject({ type: z.literal('image'), payload: z.union([token, photos]) }),
          z.strictObject({ type: z.enum(['video', 'audio', 'file']), payload: token }),
        ]),
      )
      .nullable(),
    link: z.strictObject({ type: z.enum(['reply', 'forward']), mid: z.string() }).nullable(),
    notify: z.boolean().optional(),
    format: z.enum(['markdown', 'html']).optional(),
  })
  // The description says so of audio and files.
  .refine(({ attachments }) => (attachments ?? []).length < 2 || attachments!.every(({ type }) => type === 'image'))
  .refine(({ text, attachments }) => text !== null || (attachments ?? []).length > 0);

const Subscription = z.strictObject({
  url: z.url({ protocol: /^https$/ }),
  update_types: z.array(UPDATE).optional(),
  secret: z
    .string()
    .regex(/^[\w-]{5,256}$/)
    .optional(),
});

/** What MAX's description says of each method, as a closed world: what it doesn't name is wrong. */
const METHODS: readonly (readonly [method: RegExp, query: z.ZodType, body?: z.ZodType])[] = [
  [/^GET \/me$/, z.strictObject({})],
  [/^GET \/subscriptions$/, z.strictObject({})],
  [/^POST \/subscriptions$/, z.strictObject({}), Subscription],
  [/^DELETE \/subscriptions$/, z.strictObject({ url: z.url() })],
  [/^POST \/uploads$/, z.strictObject({ type: KIND })],
  [
    /^POST \/messages$/,
    z.union([z.strictObject({ chat_id: id }), z.strictObject({ user_id: id.regex(/^\d/) })]),
    NewMessage,
  ],
  [
    /^GET \/messages$/,
    z.strictObject({
      chat_id: id,
      count: z.string().regex(/^([1-9]\d?|100)$/),
      from: z.string().regex(/^\d+$/).optional(),
    }),
  ],
  [/^GET \/messages\/(mid\.)?[\w-]+$/, z.strictObject({})],
  [/^GET \/videos\/[\w-]+$/, z.strictObject({})],
  [
    /^GET \/updates$/,
    z.strictObject({
      limit: z.string().regex(/^([1-9]\d?\d?|1000)$/),
      timeout: z.string().regex(/^[1-8]?\d$|^90$/),
      marker: id.optional(),
      types: z
        .string()
        .transform((text) => text.split(','))
        .pipe(z.array(UPDATE))
        .optional(),
    }),
  ],
];

/** A call as it arrived. */
export interface Call {
  /** `POST /messages` */
  readonly method: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What is wrong with a call. */
export function problemsOf({ method, query, body }: Call): string[] {
  const described = METHODS.find(([pattern]) => pattern.test(method));
  if (!described) return [`${method} is not described`];
  const [, forQuery, forBody = z.undefined()] = described;
  const wrong = (what: string, schema: z.ZodType, value: unknown) =>
    (schema.safeParse(value).error?.issues ?? []).map(
      ({ path, message }) => `${method} ${what}/${path.join('/')}: ${message}`,
    );
  return [...wrong('query', forQuery, query), ...wrong('body', forBody, body)];
}

/** How a call ends instead of being carried out: MAX's own answer, or what happens on the way. */
export type Ending = { readonly status: number; readonly body?: unknown } | 'cut' | 'lost' | 'html';

/** A stand-in for MAX that checks what it is asked. */
export interface FakeMax {
  readonly root: string;
  readonly calls: Call[];
  /** What didn't fit the description; must stay empty. */
  readonly violations: string[];
  /** Where it pushes, with which secret. */
  readonly webhooks: Map<string, string | undefined>;
  /** What was uploaded, by its token. */
  readonly uploads: Map<string, { readonly kind: string; readonly form: string; readonly authorization: unknown }>;
  /** What `GET /messages/{mid}` and `GET /videos/{token}` answer. */
  readonly messages: Map<string, object>;
  readonly videos: Map<string, object>;
  /** What `GET /messages` has of each chat, in any order; of a chat that isn't here the bot may see nothing. */
  readonly said: Map<string, readonly { readonly timestamp: number }[]>;
  /** What the next polls give, one page each; then nothing, after a while. */
  readonly pages: object[];
  /** Posts an update to the first webhook, or as if to it. */
  deliver(origin: string, update: object, secret?: string): Promise<number>;
  /** The next calls of the method (`upload`, `media` for files) end so. */
  end(method: string, ...endings: Ending[]): void;
  /** A file to download, and its address. */
  addFile(path: string, bytes: Buffer): string;
  callsOf(method: string): Call[];
  close(): Promise<void>;
}

export async function startMax(): Promise<FakeMax> {
  const files = new Map<string, Buffer>();
  const endings = new Map<string, Ending[]>();
  let next = 1;

  const fake: FakeMax = {
    root: '',
    calls: [],
    violations: [],
    webhooks: new Map(),
    uploads: new Map(),
    messages: new Map(),
    videos: new Map(),
    said: new Map(),
    pages: [],
    async deliver(origin, update, secret = SECRET) {
      const [url = 'https://desk.example.com/webhooks/max'] = fake.webhooks.keys();
      const headers = { 'content-type': 'application/json', 'x-max-bot-api-secret': secret };
      const init = { method: 'POST', headers, body: JSON.stringify(update) };
      return (await fetch(origin + new URL(url).pathname, init)).status;
    },
    end: (method, ...list) => void endings.set(method, list),
    addFile(path, bytes) {
      files.set(path, bytes);
      return `${fake.root}/media/${path}`;
    },
    callsOf: (method) => fake.calls.filter((call) => call.method === method),
    close: () => endServer(server),
  };

  const subscriptions = () => [...fake.webhooks.keys()].map((url) => ({ url, time: 1, update_types: null }));
  const kindOf = ({ query }: Call) => query['type'] ?? '';
  const ANSWERS: Readonly<Record<string, (call: Call) => unknown>> = {
    'GET /me': () => ({ user_id: 9001, first_name: 'Example Desk', username: 'example_desk_bot', is_bot: true }),
    'GET /subscriptions': () => ({ subscriptions: subscriptions() }),
    'POST /subscriptions': ({ body }) => {
      const { url, secret } = body as { url: string; secret?: string };
      fake.webhooks.set(url, secret);
      return { success: true };
    },
    'DELETE /subscriptions': ({ query }) => ({ success: fake.webhooks.delete(query['url'] ?? '') }),
    'POST /uploads': (call) => {
      const kind = kindOf(call);
      const given = `${kind}-${next++}`;
      const early = kind === 'video' || kind === 'audio';
      return { url: `${fake.root}/upload/${given}`, ...(early && { token: given }) };
    },
    'POST /messages': ({ query, body }) => {
      const message = body as { text: string | null };
      const mid = `mid.${String(next++).padStart(32, '0')}`;
      const recipient = { chat_id: 5001, chat_type: 'dialog', user_id: Number(query['user_id'] ?? 7001) };
      return { message: { recipient, timestamp: 1, body: { mid, seq: 1, text: message.text, attachments: [] } } };
    },
    'GET /updates': () => fake.pages.shift() ?? { updates: [], marker: null },
  };

  /** The newest first, and none that is newer than `from`. */
  function history({ query: { chat_id = '', count, from = 'Infinity' } }: Call): { status: number; body: unknown } {
    const said = fake.said.get(chat_id)?.filter(({ timestamp }) => timestamp <= Number(from));
    if (!said) return refusal(403, 'chat.denied', 'error.dialog.suspended');
    const messages = said.toSorted((one, other) => other.timestamp - one.timestamp).slice(0, Number(count));
    return { status: 200, body: { messages } };
  }

  function answerTo(call: Call): { status: number; body: unknown } {
    if (call.method === 'GET /messages') return history(call);
    const [, kind, name = ''] = /^GET \/(messages|videos)\/(.+)$/.exec(call.method) ?? [];
    const found = kind === 'messages' ? fake.messages.get(name) : fake.videos.get(name);
    if (kind) return found ? { status: 200, body: found } : refusal(404, 'not.found');
    return { status: 200, body: ANSWERS[call.method]?.(call) ?? {} };
  }

  function taken(name: string, request: IncomingMessage, form: string): string {
    const [kind = ''] = name.split('-');
    fake.uploads.set(name, { kind, form, authorization: request.headers.authorization });
    if (kind === 'image') return JSON.stringify({ photos: { 'abc==': { token: name } } });
    if (kind === 'file') return JSON.stringify({ token: name, fileId: 1 });
    return '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<retval>1</retval>';
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://max.invalid');
    const text = await read(request);
    const [, kind = '', name = ''] = pathname.split('/');
    const isFile = kind === 'upload' || kind === 'media';
    const method = isFile ? kind : `${request.method} ${decodeURIComponent(pathname)}`;
    const json = text !== '' && !isFile ? (JSON.parse(text) as unknown) : undefined;
    const call: Call = { method, query: Object.fromEntries(searchParams), body: json };
    fake.calls.push(call);
    const ending = endings.get(method)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (ending === 'html') return void response.end('<html>maintenance</html>');
    if (typeof ending === 'object')
      return void response.writeHead(ending.status).end(JSON.stringify(ending.body ?? {}));
    if (kind === 'upload') return void response.end(taken(name, request, text));
    const file = files.get(name);
    if (kind === 'media') return void response.writeHead(file ? 200 : 403).end(file);
    const isOurs = request.headers.authorization === TOKEN;
    if (isOurs) fake.violations.push(...problemsOf(call));
    const { status, body } = isOurs ? answerTo(call) : refusal(403, 'verify.token', 'Invalid access_token');
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

/** How MAX says no. */
export function refusal(status: number, code: string, message = ''): { status: number; body: object } {
  return { status, body: { code, message } };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
