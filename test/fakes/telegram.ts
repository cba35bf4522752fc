import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import busboy from 'busboy';
import { readSchema } from './telegram-schema.ts';
import type { BotApiSchema } from './telegram-schema.ts';

export const TOKEN = '123456:AAF-not-a-real-token_0123456789abcdef';

/** A call that arrived. */
export interface BotCall {
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Uploaded files by their name in the form. */
  readonly files: Readonly<Record<string, { readonly name: string; readonly size: number; readonly sha256: string }>>;
}

export interface Refusal {
  readonly status: number;
  readonly description: string;
  readonly parameters?: Readonly<Record<string, number>>;
}

/** How a call ends instead of being carried out. */
export type Ending = Refusal | 'cut' | 'html';

/** A stand-in for Telegram's Bot API, which checks itself and what it is asked against Telegram's description. */
export interface FakeTelegram {
  readonly root: string;
  /** In order, without `getUpdates`. */
  readonly calls: BotCall[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  /** `offset` of each `getUpdates`, in order. */
  readonly offsets: (number | undefined)[];
  webhook: { url: string; secret: string; pending: number; error?: string };
  /** Waits to be fetched. */
  push(...updates: object[]): void;
  /** Posts an update to the address of the webhook, on the gateway at `origin`. */
  deliver(origin: string, update: object): Promise<{ readonly status: number; readonly body: string }>;
  /** The next call of the method (`file` for a download) ends so; the ones after it, the next entry each. */
  end(method: string, ...endings: Ending[]): void;
  /** A file that bots may fetch; `path: undefined` as a server with --local says it. */
  addFile(id: string, bytes: Buffer, path?: string): void;
  /** Links to files that were handed out are no longer valid. */
  expireLinks(): void;
  callsOf(method: string): BotCall[];
  close(): Promise<void>;
}

const BOT = { id: 123456, is_bot: true, first_name: 'Sample Desk', username: 'sample_desk_bot' };
const ME = { ...BOT, can_join_groups: true, can_read_all_group_messages: false, supports_inline_queries: false };
const AT = 1_795_341_600;

/** Reading the description takes a second: tests that start many share it. */
export async function startTelegram(schema: BotApiSchema = readSchema()): Promise<FakeTelegram> {
  const queue: { update_id: number }[] = [];
  const files = new Map<string, { bytes: Buffer; path: string }>();
  const links = new Set<string>();
  const endings = new Map<string, Ending[]>();
  const waiting = new Set<() => void>();
  let nextMessage = 900;

  const fake: FakeTelegram = {
    root: '',
    calls: [],
    violations: [],
    offsets: [],
    webhook: { url: '', secret: '', pending: 0 },
    push(...updates) {
      for (const update of updates) {
        fake.violations.push(...schema.update(update));
        queue.push(update as { update_id: number });
      }
      for (const wake of waiting) wake();
    },
    async deliver(origin, update) {
      fake.violations.push(...schema.update(update));
      const { pathname } = new URL(fake.webhook.url);
      const headers = { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': fake.webhook.secret };
      const answer = await fetch(origin + pathname, { method: 'POST', headers, body: JSON.stringify(update) });
      const body = await answer.text();
      if (body) {
        const { method, ...parameters } = JSON.parse(body) as { method: string };
        fake.violations.push(...schema.request(method, parameters));
      }
      return { status: answer.status, body };
    },
    end: (method, ...next) => void endings.set(method, next),
    addFile: (id, bytes, path = `documents/file_${files.size}.bin`) => void files.set(id, { bytes, path }),
    expireLinks: () => links.clear(),
    callsOf: (method) => fake.calls.filter((call) => call.method === method),
    async close() {
      for (const wake of waiting) wake();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  /** As Telegram's own server: an offset far behind or ahead of what there is starts at the beginning. */
  async function getUpdates({ offset, timeout = 0 }: { offset?: number; timeout?: number }, request: IncomingMessage) {
    fake.offsets.push(offset);
    const skip = () => {
      const last = queue.at(-1);
      if (offset === undefined || !last || offset > last.update_id + 10) return;
      while (queue[0] && queue[0].update_id < offset) queue.shift();
    };
    skip();
    if (queue.length === 0 && timeout > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), timeout * 1000);
        const wake = () => {
          clearTimeout(timer);
          waiting.delete(wake);
          request.socket.off('close', wake);
          resolve();
        };
        waiting.add(wake);
        request.socket.once('close', wake);
      });
    }
    return queue.slice(0, 100);
  }

  function sent(parameters: Readonly<Record<string, unknown>>, content: object) {
    const id = Number(parameters['chat_id']);
    const chat =
      id < 0 ? { id, type: 'supergroup', title: 'Sample customers' } : { id, type: 'private', first_name: 'Olena' };
    return { message_id: nextMessage++, date: AT, chat, from: BOT, ...content };
  }

  const upload = ({ files: [file] }: { files: { name: string; size: number }[] }) => ({
    file_id: `sent-${file?.name}`,
    file_unique_id: 'sent',
    file_name: file?.name ?? '',
    file_size: file?.size ?? 0,
  });

  function carryOut({ method, parameters, files: uploads }: BotCall): unknown {
    const file = upload({ files: Object.values(uploads) });
    const shape = { ...file, width: 1, height: 1, duration: 1 };
    switch (method) {
      case 'getMe':
        return ME;
      case 'getWebhookInfo': {
        const { url, pending, error } = fake.webhook;
        const failed = error === undefined ? {} : { last_error_date: AT, last_error_message: error };
        return { url, has_custom_certificate: false, pending_update_count: pending, ...failed };
      }
      case 'setWebhook':
        fake.webhook = { url: String(parameters['url']), secret: String(parameters['secret_token']), pending: 0 };
        return true;
      case 'deleteWebhook':
        fake.webhook = { url: '', secret: '', pending: 0 };
        return true;
      case 'sendMessage':
        return sent(parameters, { text: parameters['text'] });
      case 'sendDocument':
        return sent(parameters, { document: file });
      case 'sendPhoto':
        return sent(parameters, { photo: [shape] });
      case 'sendVideo':
        return sent(parameters, { video: shape });
      case 'sendVoice':
        return sent(parameters, { voice: shape });
      case 'sendAudio':
        return sent(parameters, { audio: shape });
      case 'getFile': {
        const id = String(parameters['file_id']);
        const found = files.get(id);
        if (!found) throw refusal(400, 'Bad Request: invalid file_id');
        links.add(found.path);
        return { file_id: id, file_unique_id: id, file_size: found.bytes.length, file_path: found.path };
      }
      default:
        return true;
    }
  }

  async function answerCall(call: BotCall, request: IncomingMessage, response: ServerResponse): Promise<void> {
    fake.violations.push(...schema.request(call.method, call.parameters));
    if (call.method !== 'getUpdates') fake.calls.push(call);
    const ending = endings.get(call.method)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (ending === 'html') return void response.writeHead(502).end('<html>Bad Gateway</html>');
    if (ending) throw new Refused(ending);
    if (call.method === 'getUpdates' && fake.webhook.url) {
      throw refusal(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      );
    }
    const result = call.method === 'getUpdates' ? await getUpdates(call.parameters, request) : carryOut(call);
    fake.violations.push(...schema.result(call.method, result));
    json(response, 200, { ok: true, result });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, kind = '', method = '', ...rest] = decodeURIComponent(request.url ?? '').split('/');
    if (kind === 'file' && method === `bot${TOKEN}`) return serveFile(rest.join('/'), response);
    if (!kind.startsWith('bot') || !/^bot\d+:[\w-]{30,}$/.test(kind)) throw refusal(404, 'Not Found');
    if (kind !== `bot${TOKEN}`) throw refusal(401, 'Unauthorized');
    const { fields, uploads } = await readBody(request);
    const parameters = uploads ? schema.fieldsOf(method, fields as Record<string, string>) : fields;
    await answerCall({ method, parameters, files: uploads ?? {} }, request, response);
  }

  function serveFile(path: string, response: ServerResponse): void {
    const ending = endings.get('file')?.shift();
    if (typeof ending === 'object') throw new Refused(ending);
    const found = [...files.values()].find((file) => file.path === path);
    if (!found || !links.has(path)) throw refusal(404, 'Not Found');
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(found.bytes);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!(error instanceof Refused)) fake.violations.push(String(error));
      const told = error instanceof Refused ? error.refusal : { status: 500, description: String(error) };
      const { status, description, parameters } = told;
      json(response, status, { ok: false, error_code: status, description, ...(parameters && { parameters }) });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(fake, { root: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.description);
    this.refusal = refusal;
  }
}

function refusal(status: number, description: string): Refused {
  return new Refused({ status, description });
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage) {
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('multipart/')) return readUpload(request);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return { fields: (text ? JSON.parse(text) : {}) as Record<string, unknown>, uploads: undefined };
}

async function readUpload(request: IncomingMessage) {
  const fields: Record<string, unknown> = {};
  const uploads: Record<string, { name: string; size: number; sha256: string }> = {};
  const form = busboy({ headers: request.headers, defParamCharset: 'utf8' });
  form.on('field', (name, value) => (fields[name] = value));
  form.on('file', (name, stream, { filename }) => {
    const hash = createHash('sha256');
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      hash.update(chunk);
    });
    stream.on('end', () => (uploads[name] = { name: filename ?? '', size, sha256: hash.digest('hex') }));
  });
  await once(request.pipe(form), 'close');
  return { fields, uploads };
}
