import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readAvito } from './avito-description.ts';
import { endServer, listenHere } from './listening.ts';
import type { Asked } from './openapi.ts';

export const CLIENT = { clientId: 'client-1', clientSecret: 'the-secret-of-the-client' };
export const USER = 94235311;

export interface Said {
  readonly id: string;
  readonly author_id: number;
  readonly created: number;
  readonly direction: 'in' | 'out';
  type: string;
  content: object;
  read?: number | null;
}
export interface Chat {
  readonly id: string;
  readonly item?: string;
  readonly type?: 'u2i' | 'u2u' | 'a2u';
  messages: Said[];
}
export interface Review {
  readonly id: number;
  text: string;
  createdAt: number;
  answer?: { id: number; text: string; status: string; createdAt: number; reject_reasons?: object[] } | null;
  [key: string]: unknown;
}

/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending = { readonly status: number; readonly body?: object; readonly headers?: object } | 'cut' | 'lost';

export interface FakeAvito {
  readonly root: string;
  readonly chats: Map<string, Chat>;
  /** In the order in which they are listed. */
  readonly reviews: Review[];
  readonly subscriptions: string[];
  /** Chats that were marked as read. */
  readonly marked: string[];
  readonly calls: Asked[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  /** Tokens that are good, with the seconds that each was given. */
  readonly tokens: Set<string>;
  now: number;
  end(call: string, ...endings: Ending[]): void;
  callsOf(call: string): Asked[];
  /** Somebody writes into a chat, which is made where there is none. */
  write(chat: string, given?: Partial<Said>, ofChat?: Partial<Chat>): Said;
  close(): Promise<void>;
}

const refused = (status: number, message: string): Ending => ({ status, body: { error: { code: status, message } } });
export const UNAUTHORIZED = refused(401, 'Unauthorized');
export const NO_PLAN = refused(402, 'Payment required');
export const FORBIDDEN = refused(403, 'Forbidden');
export const TOO_MANY: Ending = { status: 429, body: { error: { code: 429 } } };

export function review(id: number, given: Partial<Review> = {}): Review {
  return {
    ...{
      id,
      score: 5,
      stage: 'done',
      text: 'Всё отлично',
      usedInScore: true,
      canAnswer: true,
      createdAt: 1_571_654_040,
    },
    ...{ sender: { name: 'Владимир' }, item: { id: 1768287444, title: 'Велосипед' }, images: [], answer: null },
    ...given,
  };
}

export async function startAvito(): Promise<FakeAvito> {
  const description = readAvito();
  const endings = new Map<string, Ending[]>();
  let count = 0;
  const nameOf = ({ method, path }: Asked) => `${method} ${path.split('?')[0]!.replace(/\/accounts\/\d+/, '')}`;
  const fake: FakeAvito = {
    ...{ root: '', now: Date.parse('2026-11-23T10:00:00Z') },
    ...{ chats: new Map(), reviews: [], subscriptions: [], marked: [], calls: [], violations: [], tokens: new Set() },
    end: (call, ...list) => void endings.set(call, list),
    callsOf: (call) => fake.calls.filter((asked) => nameOf(asked) === call),
    write(id, given = {}, ofChat = {}) {
      const created = Math.floor(fake.now / 1000);
      const said: Said = {
        ...{ id: `msg-${++count}`, author_id: 5001, created, direction: 'in', type: 'text' },
        ...{ content: { text: 'Здравствуйте' }, ...given },
      };
      const chat = fake.chats.get(id) ?? { id, item: 'Велосипед', messages: [], ...ofChat };
      chat.messages.push(said);
      fake.chats.set(id, chat);
      return said;
    },
    close: () => endServer(server),
  };

  const lastOf = ({ messages }: Chat) => messages.at(-1)!;
  const found = (body: unknown, status = 200) => ({ status, body });
  const missing = found({ error: { code: 404, message: 'Not found' } }, 404);

  function chatOf(chat: Chat) {
    const value = { id: 1768287444, title: chat.item, price_string: '300 ₽', status_id: 10 };
    const last = lastOf(chat);
    return {
      ...{ id: chat.id, created: chat.messages[0]!.created, updated: last.created },
      ...{ context: { type: 'item', value }, last_message: withoutRead(last) },
      users: [
        { id: USER, name: 'Мастерская' },
        { id: 5001, name: 'Гульдан' },
      ],
    };
  }

  function chatsIn(query: URLSearchParams) {
    const types = (query.get('chat_types') ?? 'u2i').split(',');
    const [offset, limit] = [Number(query.get('offset')), Number(query.get('limit'))];
    const sorted = [...fake.chats.values()]
      .filter(({ type = 'u2i' }) => types.includes(type))
      .sort((a, b) => lastOf(b).created - lastOf(a).created);
    return found({ chats: sorted.slice(offset, offset + limit).map(chatOf) });
  }

  function messagesIn(chat: Chat, query: URLSearchParams) {
    const [offset, limit] = [Number(query.get('offset')), Number(query.get('limit'))];
    return found({ messages: chat.messages.toReversed().slice(offset, offset + limit) });
  }

  function send(chat: Chat, type: string, content: object) {
    const { id, created, direction, author_id } = fake.write(chat.id, {
      author_id: USER,
      direction: 'out',
      type,
      content,
    });
    return found({ content, created, direction, id, type, ...(type === 'image' && { author_id }) });
  }

  function inChat(asked: Asked, url: URL): { status: number; body: unknown } {
    const [, id = '', rest = ''] = /\/chats\/([^/]+)\/(.*)$/.exec(url.pathname) ?? [];
    const chat = fake.chats.get(decodeURIComponent(id));
    if (!chat) return missing;
    const given = asked.body as { message: { text: string }; image_id: string };
    if (rest === 'messages/') return messagesIn(chat, url.searchParams);
    if (rest === 'messages') return send(chat, 'text', given.message);
    if (rest === 'messages/image')
      return send(chat, 'image', { image: { sizes: { '1280x960': `${fake.root}/image` } } });
    fake.marked.push(chat.id);
    return found({ ok: true });
  }

  function answered({ reviewId, message }: { reviewId: number; message: string }) {
    const one = fake.reviews.find(({ id }) => id === reviewId);
    if (!one) return missing;
    if (one.answer) return found({ error: { code: 'validation', message: 'Answer already exists' } }, 400);
    const createdAt = Math.floor(fake.now / 1000);
    one.answer = { id: 7000 + ++count, text: message, status: 'moderation', createdAt };
    return found({ id: one.answer.id, createdAt });
  }

  function unanswered(id: number) {
    const one = fake.reviews.find(({ answer }) => answer?.id === id);
    if (!one) return missing;
    one.answer = null;
    return found({ success: true });
  }

  function subscribed({ url }: { url: string }, isOn: boolean) {
    const at = fake.subscriptions.indexOf(url);
    if (at >= 0) fake.subscriptions.splice(at, 1);
    if (isOn) fake.subscriptions.push(url);
    return found({ ok: true });
  }

  function carryOut(asked: Asked): { status: number; body: unknown } {
    const url = new URL(asked.path, 'http://stand-in.invalid');
    const [offset, limit] = [Number(url.searchParams.get('offset')), Number(url.searchParams.get('limit'))];
    const name = nameOf(asked);
    if (name.includes('/ratings/v1/answers/')) return unanswered(Number(url.pathname.split('/').at(-1)));
    if (name.includes('/chats/')) return inChat(asked, url);
    switch (name) {
      case 'GET /core/v1/accounts/self':
        return found({ id: USER, name: 'Мастерская' });
      case 'GET /messenger/v2/chats':
        return chatsIn(url.searchParams);
      case 'POST /messenger/v1/uploadImages':
        return found({ '12345.abc': { '1280x960': `${fake.root}/image` } });
      case 'GET /messenger/v1/getVoiceFiles':
        return found({ voices_urls: { [url.searchParams.get('voice_ids')!]: `${fake.root}/voice` } });
      case 'POST /messenger/v1/subscriptions':
        return found({ subscriptions: fake.subscriptions.map((each) => ({ url: each, version: '3' })) });
      case 'POST /messenger/v3/webhook':
        return subscribed(asked.body as { url: string }, true);
      case 'POST /messenger/v1/webhook/unsubscribe':
        return subscribed(asked.body as { url: string }, false);
      case 'GET /ratings/v1/reviews':
        return found({ total: fake.reviews.length, reviews: fake.reviews.slice(offset, offset + limit) });
      case 'POST /ratings/v1/answers':
        return answered(asked.body as { reviewId: number; message: string });
      default:
        return missing;
    }
  }

  function grant(form: URLSearchParams) {
    const isKnown = form.get('client_id') === CLIENT.clientId && form.get('client_secret') === CLIENT.clientSecret;
    if (!isKnown || form.get('grant_type') !== 'client_credentials') return found({ error: 'invalid_client' }, 401);
    const access_token = `token-${++count}`;
    fake.tokens.add(access_token);
    return found({ access_token, expires_in: 86_400, token_type: 'Bearer' });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { asked, form } = await readRequest(request);
    const files = ['/image', '/voice', '/photo'];
    if (files.includes(asked.path))
      return void response.end(`${asked.path} ${request.headers.authorization ?? 'nobody'}`);
    fake.calls.push(asked);
    const ending = endings.get(nameOf(asked))?.shift();
    const reply = (status: number, body: unknown, headers: object = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    if (ending === 'cut') return void request.socket.destroy();
    if (typeof ending === 'object') return reply(ending.status, ending.body ?? {}, ending.headers);
    if (asked.path === '/token') {
      const { status, body } = grant(form);
      return reply(status, body);
    }
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (!fake.tokens.has(token)) return reply(401, { error: { code: 401, message: 'Unauthorized' } });
    fake.violations.push(...description.request(asked));
    const { status, body } = carryOut(asked);
    if (status === 200) fake.violations.push(...description.response(asked, status, body));
    if (ending === 'lost') return void request.socket.destroy();
    reply(status, body);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

const withoutRead = ({ read: _read, ...rest }: Said) => rest;

async function readRequest(request: IncomingMessage): Promise<{ asked: Asked; form: URLSearchParams }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks).toString();
  const type = request.headers['content-type'] ?? '';
  const isJson = type.startsWith('application/json') && bytes !== '';
  const isUpload = type.startsWith('multipart/');
  const [, field] = /name="([^"]*)"; filename/.exec(bytes) ?? [];
  const body = isJson ? (JSON.parse(bytes) as object) : isUpload ? { [field ?? 'none']: bytes } : undefined;
  const headers = {
    ...(type && { 'content-type': type }),
    ...(request.headers.authorization && { authorization: request.headers.authorization }),
  };
  return {
    asked: { method: request.method ?? '', path: request.url ?? '', headers, ...(body && { body }) },
    form: new URLSearchParams(isJson || isUpload ? '' : bytes),
  };
}
