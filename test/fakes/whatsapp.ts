import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import busboy from 'busboy';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

const SPEC = 'whatsapp/business-messaging-v23.json';
export const ACCESS_TOKEN = 'EAAG-not-a-real-token-0123456789';
export const APP_SECRET = '0123456789abcdef0123456789abcdef';
export const VERIFY_TOKEN = 'chosen-words';
export const NUMBER = '106540352240001';
export const ACCOUNT = '102290129340001';

const schemas = '/components/schemas';
const text = { type: 'string' };
const list = '/paths/~1{Version}~1{WABA-ID}~1message_templates/get';
const listed = `${list}/responses/200/content/application~1json/schema/properties`;

/** Where the description contradicts its own examples, or Meta's documentation. */
const AMENDED = {
  // Its own examples of documents have both.
  [`${schemas}/MediaObject/oneOf/0/properties/caption`]: text,
  [`${schemas}/MediaObject/oneOf/0/properties/filename`]: text,
  // Its own examples of templates have no policy.
  [`${schemas}/LanguageObject/required`]: ['code'],
  // A character class that was meant as a list of numbers; its own example is "0".
  [`${schemas}/TemplateComponent/properties/index/pattern`]: '^\\d{1,2}$',
  [`${schemas}/ButtonComponent/allOf/1/properties/index/pattern`]: '^\\d{1,2}$',
  // Templates with named places came after it: templates/components, "Named parameters".
  [`${schemas}/TextParameter/allOf/1/properties/parameter_name`]: text,
  // So did people without a number: business-scoped user ids, "Send messages".
  [`${schemas}/BaseMessageProperties/required`]: ['messaging_product', 'recipient_type', 'type'],
  [`${schemas}/BaseMessageProperties/anyOf`]: [{ required: ['to'] }, { required: ['recipient'] }],
  [`${schemas}/BaseMessageProperties/properties/recipient`]: text,
  // Every list of the Graph API is paged so, and this answer was drawn from one example.
  [`${list}/parameters/3`]: { name: 'limit', in: 'query', schema: { type: 'integer' } },
  [`${list}/parameters/4`]: { name: 'after', in: 'query', schema: text },
  [`${listed}/paging/properties/next`]: text,
  [`${listed}/data/items/properties/parameter_format`]: text,
  [`${listed}/data/items/properties/components/items/properties/buttons/items/properties/url`]: text,
};

/** As Meta describes it; undefined where the description isn't beside the repository. */
export function readMeta(): Description | undefined {
  return isDescribed(SPEC) ? readDescription(SPEC, AMENDED) : undefined;
}

interface MetaCall {
  readonly method: string;
  /** Below the version, with its query. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Upload {
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** How a call ends instead of being carried out. */
type Ending = { readonly status: number; readonly error: object } | 'cut' | 'html';

/** A stand-in for Meta's Graph API for one number, which checks what it is asked and answers against Meta's description. */
export interface FakeMeta {
  readonly root: string;
  readonly calls: MetaCall[];
  readonly uploads: Upload[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  /** The next calls of this method end so. */
  end(method: 'GET' | 'POST', ...endings: Ending[]): void;
  readonly files: Map<string, Buffer>;
  /** Where files are said to lie instead of here. */
  elsewhere: string | undefined;
  subscribed: readonly object[];
  templates: readonly object[];
  /** Pushes a body to the gateway as Meta would; the status of its answer. */
  deliver(gateway: string, body: unknown): Promise<number>;
  close(): Promise<void>;
}

/** As Meta signs. */
export function signed(body: string | Buffer, secret = APP_SECRET): Record<string, string> {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` };
}

/** A notification about messages as Meta sends it. */
export function notice(value: object, field = 'messages'): object {
  const metadata = { display_phone_number: '12025550100', phone_number_id: NUMBER };
  const change = { field, value: { messaging_product: 'whatsapp', metadata, ...value } };
  return { object: 'whatsapp_business_account', entry: [{ id: ACCOUNT, changes: [change] }] };
}

export async function startMeta(description = readMeta()): Promise<FakeMeta> {
  const endings = { GET: [] as Ending[], POST: [] as Ending[] };
  let nextId = 1;

  const fake: FakeMeta = {
    root: '',
    calls: [],
    uploads: [],
    violations: [],
    end: (method, ...next) => void endings[method].push(...next),
    files: new Map(),
    elsewhere: undefined,
    subscribed: [{ id: '1', name: 'Sample app' }],
    templates: [],
    async deliver(gateway, body) {
      const bytes = JSON.stringify(body);
      const answer = await fetch(`${gateway}/webhooks/whatsapp`, {
        method: 'POST',
        headers: signed(bytes),
        body: bytes,
      });
      await answer.arrayBuffer();
      return answer.status;
    },
    close: () => endServer(server),
  };

  function carryOut(call: MetaCall): unknown {
    const { pathname, searchParams } = new URL(call.path, 'http://meta.test');
    const [, id = '', edge] = pathname.split('/');
    switch (edge) {
      case 'messages': {
        const to = String(call.body['to'] ?? call.body['recipient']);
        const contacts = [{ input: to, wa_id: to.replace('+', '') }];
        return { messaging_product: 'whatsapp', contacts, messages: [{ id: `wamid.OUT${nextId++}` }] };
      }
      case 'media':
        return { id: `media-${nextId++}` };
      case 'subscribed_apps':
        return { data: fake.subscribed };
      case 'message_templates': {
        const named = fake.templates.filter(
          (one) => !searchParams.has('name') || (one as { name: string }).name === searchParams.get('name'),
        );
        const from = Number(searchParams.get('after') ?? 0);
        const next = from + Number(searchParams.get('limit') ?? 25);
        const paging = next < named.length ? { cursors: { after: String(next) }, next: 'https://meta.test/next' } : {};
        return { data: named.slice(from, next), paging };
      }
      default:
        return id === NUMBER
          ? { id, display_phone_number: '+1 202-555-0100', verified_name: 'Example Shop' }
          : mediaOf(id);
    }
  }

  function mediaOf(id: string): unknown {
    const file = fake.files.get(id);
    if (!file) return refusal(400, 100, `Object with ID '${id}' does not exist`);
    const url = fake.elsewhere ?? `${fake.root}/files/${id}`;
    return {
      id,
      messaging_product: 'whatsapp',
      mime_type: 'image/jpeg',
      sha256: 'c2FtcGxl',
      file_size: String(file.length),
      url,
    };
  }

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const method = request.method ?? '';
    const body = await bodyOf(request, fake);
    if (request.headers.authorization !== `Bearer ${ACCESS_TOKEN}`) {
      return respond(response, 401, {
        error: { message: 'Invalid OAuth access token', type: 'OAuthException', code: 190 },
      });
    }
    const id = /^\/files\/([\w-]+)$/.exec(path)?.[1];
    if (id !== undefined) {
      response.writeHead(200, { 'content-type': 'image/jpeg' }).end(fake.files.get(id));
      return;
    }
    const headers = request.headers as Record<string, string>;
    fake.violations.push(...(description?.request({ method, path, headers, body }) ?? []));
    const call = { method, path: path.replace(/^\/v23\.0/, ''), body: (body ?? {}) as Record<string, unknown> };
    fake.calls.push(call);
    const ending = endings[method as 'GET' | 'POST'].shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (ending === 'html')
      return void response.writeHead(502, { 'content-type': 'text/html' }).end('<p>Bad gateway</p>');
    if (ending) return respond(response, ending.status, { error: ending.error });
    const result = carryOut(call);
    if (isRefusal(result)) return respond(response, result.status, { error: result.error });
    fake.violations.push(...(description?.response({ method, path }, 200, result) ?? []));
    respond(response, 200, result);
  }

  return Object.assign(fake, { root: await listenHere(server) });
}

/** How Meta says no. */
export function refusal(status: number, code: number, message: string, details?: string): Exclude<Ending, string> {
  const data = details === undefined ? {} : { error_data: { messaging_product: 'whatsapp', details } };
  return {
    status,
    error: { message: `(#${code}) ${message}`, type: 'OAuthException', code, ...data, fbtrace_id: 'A1' },
  };
}

function isRefusal(result: unknown): result is Exclude<Ending, string> {
  return typeof result === 'object' && result !== null && 'status' in result && 'error' in result;
}

function respond(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The parsed JSON, or the fields of an upload, whose file is kept. */
async function bodyOf(request: IncomingMessage, { uploads }: FakeMeta): Promise<unknown> {
  if (!request.headers['content-type']?.startsWith('multipart/')) {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
  }
  const fields: Record<string, string> = {};
  const form = busboy({ headers: request.headers, defParamCharset: 'utf8' });
  form.on('field', (name, value) => (fields[name] = value));
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
