import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { endServer, listenHere } from './listening.ts';

export const CLIENT = '123456';
export const KEY = '0b6f1c7e-8a2d-4e93-b5f0-3d9c7a1e5b24';

export interface OzonReview {
  readonly id: string;
  text: string;
  published_at: string;
  status: string;
  [key: string]: unknown;
}
export interface OzonQuestion extends OzonReview {
  readonly sku: number;
}
interface Below {
  readonly id: string;
  readonly text: string;
  readonly published_at: string;
  readonly [key: string]: unknown;
}
export interface OzonMessage {
  readonly message_id: string;
  readonly created_at: string;
  readonly data: readonly string[];
  readonly [key: string]: unknown;
}
interface OzonChat {
  readonly type: string;
  readonly messages: OzonMessage[];
}

/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending = { readonly status: number; readonly body?: unknown; readonly headers?: object } | 'cut' | 'lost';

export interface FakeOzon {
  readonly root: string;
  readonly reviews: Map<string, OzonReview>;
  readonly comments: Map<string, Below[]>;
  readonly questions: Map<string, OzonQuestion>;
  readonly answers: Map<string, Below[]>;
  readonly chats: Map<string, OzonChat>;
  readonly calls: { readonly path: string; readonly body: Record<string, unknown> }[];
  /** What no description of Ozon's allows; must stay empty. */
  readonly violations: string[];
  end(path: string, ...endings: Ending[]): void;
  callsOf(path: string): Record<string, unknown>[];
  close(): Promise<void>;
}

export const review = (id: string, given: Partial<OzonReview> = {}): OzonReview => ({
  ...{
    id,
    sku: '148591503',
    text: 'Спасибо',
    published_at: '2026-11-22T07:23:55.970Z',
    rating: 5,
    status: 'UNPROCESSED',
  },
  ...{ comments_amount: 0, photos_amount: 0, videos_amount: 0, order_status: 'DELIVERED', is_rating_participant: true },
  ...given,
});
export const question = (id: string, given: Partial<OzonQuestion> = {}): OzonQuestion => ({
  ...{ id, sku: 646399170, text: 'Есть ли синяя?', published_at: '2026-11-22T12:02:01.889Z', status: 'NEW' },
  ...{ answers_count: 0, author_name: 'Анна П.', product_url: 'https://www.ozon.ru/product/646399170/' },
  ...{ question_link: 'https://www.ozon.ru/product/646399170/questions/?qid=2' },
  ...given,
});
export const comment = (id: string, text: string, given: object = {}): Below => ({
  ...{ id, text, published_at: '2026-11-22T09:00:00Z', is_owner: true, is_official: false, parent_comment_id: '' },
  ...given,
});
export const answer = (id: string, text: string): Below => ({
  ...{ id, text, published_at: '2026-11-22T13:00:00.352Z', author_name: 'ООО Пример', question_id: 'q' },
  ...{ sku: 646399170, status_publication: '' },
});
export const said = (
  message_id: string,
  created_at: string,
  data: readonly string[],
  type = 'Customer',
): OzonMessage => ({
  ...{ message_id, created_at, data, is_image: false, is_read: false, moderate_image_status: '' },
  ...{
    context: { order_number: '123456789', sku: '148591503' },
    user: { id: type === 'Customer' ? '115568' : '7', type },
  },
});

/** Refusals as Ozon words them. */
export const refused = (status: number, code: number, message: string): Ending => ({
  status,
  body: { code, message, details: [] },
});
export const NO_PLAN = refused(
  403,
  7,
  'rpc error: code = PermissionDenied desc = not available with existing subscription',
);
export const NO_ROLE = refused(403, 7, 'Api-Key is missing a required role for the requested method');
export const BAD_KEY = refused(403, 7, 'Invalid Api-Key, please contact support');
export const UNKNOWN_KEY = refused(401, 16, 'Client-Id and Api-Key headers are required');
export const TOO_MANY = refused(429, 8, 'You have reached request rate limit per second');

const dates = z.iso.datetime();
const sort_dir = z.enum(['ASC', 'DESC']).optional();
const last_id = z.string().optional();
const id = z.string().min(1);
/** What each method takes; all are POST. https://docs.ozon.ru/api/seller/ */
const METHODS: Readonly<Record<string, z.ZodType<Record<string, never>>>> = Object.fromEntries(
  Object.entries({
    '/v2/review/list': z.strictObject({
      filters: z.strictObject({
        status: z.enum(['ALL', 'NEW', 'VIEWED', 'PROCESSED', 'UNPROCESSED']),
        order_status: z.enum(['ALL', 'DELIVERED', 'CANCELLED']),
        published_from: dates,
        published_to: dates,
      }),
      limit: z.int().min(20).max(100),
      ...{ sort_dir, last_id },
    }),
    '/v2/review/info': z.strictObject({ review_id: id }),
    '/v2/review/count': z.strictObject({}),
    '/v1/review/comment/list': z.strictObject({
      review_id: id,
      limit: z.int().min(20).max(100),
      offset: z.int().min(0).optional(),
      sort_dir,
    }),
    '/v1/review/comment/create': z.strictObject({
      review_id: id,
      text: z.string().min(1),
      mark_review_as_processed: z.boolean().optional(),
      parent_comment_id: id.optional(),
    }),
    '/v1/question/list': z.strictObject({
      filter: z.strictObject({
        status: z.enum(['ALL', 'NEW', 'VIEWED', 'PROCESSED', 'UNPROCESSED']),
        date_from: dates,
        date_to: dates,
      }),
      limit: z.int().min(1).max(100).optional(),
      ...{ sort_dir, last_id },
    }),
    '/v1/question/info': z.strictObject({ question_id: id }),
    '/v1/question/count': z.strictObject({}),
    '/v1/question/answer/list': z.strictObject({ question_id: id, sku: z.int().positive(), last_id }),
    '/v1/question/answer/create': z.strictObject({
      question_id: id,
      sku: z.int().positive(),
      text: z.string().min(2).max(3000),
    }),
    '/v3/chat/list': z.strictObject({
      filter: z.strictObject({ chat_status: z.enum(['ALL', 'OPENED', 'CLOSED']), unread_only: z.boolean() }).optional(),
      limit: z.int().min(1).max(100),
      cursor: z.string().optional(),
    }),
    '/v3/chat/history': z.strictObject({
      chat_id: id,
      direction: z.enum(['Forward', 'Backward']),
      limit: z.int().min(1).max(1000),
    }),
    '/v1/chat/send/message': z.strictObject({ chat_id: id, text: z.string().min(1).max(1000) }),
    '/v1/chat/send/file': z.strictObject({ chat_id: id, name: z.string().min(1), base64_content: z.base64().min(1) }),
  }),
) as never;

export async function startOzon(): Promise<FakeOzon> {
  const endings = new Map<string, Ending[]>();
  let count = 0;
  const fake: FakeOzon = {
    root: '',
    ...{ reviews: new Map(), comments: new Map(), questions: new Map(), answers: new Map(), chats: new Map() },
    ...{ calls: [], violations: [] },
    end: (path, ...list) => void endings.set(path, list),
    callsOf: (path) => fake.calls.filter((call) => call.path === path).map(({ body }) => body),
    close: () => endServer(server),
  };
  const nothing = refused(404, 5, 'not found') as { status: number; body: unknown };
  const good = (body: unknown) => ({ status: 200, body });

  /** A page of a list, of which `last` is the number of the last one before. */
  function page<T extends OzonReview>(
    all: Map<string, T>,
    [from, to]: readonly string[],
    body: Record<string, unknown>,
  ) {
    const found = [...all.values()]
      .filter(({ published_at: at }) => Date.parse(at) >= Date.parse(from!) && Date.parse(at) <= Date.parse(to!))
      .sort((a, b) => Date.parse(a.published_at) - Date.parse(b.published_at) || (a.id < b.id ? -1 : 1));
    if (body['sort_dir'] !== 'ASC') found.reverse();
    const start = found.findIndex((one) => one.id === body['last_id']) + 1;
    const some = found.slice(start, start + Number(body['limit'] ?? 100));
    return { some, last: some.at(-1)?.id ?? '', more: start + some.length < found.length };
  }

  function carryOut(path: string, body: Record<string, never>): { status: number; body: unknown } {
    const one = fake.reviews.get(body['review_id'] ?? '');
    const asked = fake.questions.get(body['question_id'] ?? '');
    const chat = fake.chats.get(body['chat_id'] ?? '');
    switch (path) {
      case '/v2/review/list': {
        const { published_from, published_to } = body['filters'] as unknown as Record<string, string>;
        const { some, last, more } = page(fake.reviews, [published_from!, published_to!], body);
        return good({ reviews: some, last_id: last, has_next: more });
      }
      case '/v1/question/list': {
        const { date_from, date_to } = body['filter'] as unknown as Record<string, string>;
        const { some, last } = page(fake.questions, [date_from!, date_to!], body);
        return good({ questions: some, last_id: last });
      }
      case '/v2/review/info':
        return one ? good({ ...one, dislikes_amount: 0, likes_amount: 0, photos: [], videos: [] }) : nothing;
      case '/v1/question/info':
        return asked ? good(asked) : nothing;
      case '/v2/review/count':
      case '/v1/question/count':
        return good({ all: 7, new: 3, processed: 2, unprocessed: 5, viewed: 2, total: 7 });
      case '/v1/review/comment/list': {
        const all = [...(fake.comments.get(body['review_id'] ?? '') ?? [])];
        if (body['sort_dir'] === 'DESC') all.reverse();
        return good({ comments: all.slice(Number(body['offset'] ?? 0)).slice(0, Number(body['limit'])), offset: 0 });
      }
      case '/v1/question/answer/list':
        return good({ answers: fake.answers.get(body['question_id'] ?? '') ?? [], last_id: '' });
      case '/v1/review/comment/create': {
        if (!one) return nothing;
        const made = comment(`made-${++count}`, body['text'] ?? '', {
          parent_comment_id: body['parent_comment_id'] ?? '',
        });
        fake.comments.set(one.id, [...(fake.comments.get(one.id) ?? []), made]);
        Object.assign(one, { comments_amount: fake.comments.get(one.id)!.length, status: 'PROCESSED' });
        return good({ comment_id: made.id });
      }
      case '/v1/question/answer/create': {
        if (!asked || asked.sku !== body['sku']) return nothing;
        const made = answer(`made-${++count}`, body['text'] ?? '');
        fake.answers.set(asked.id, [...(fake.answers.get(asked.id) ?? []), made]);
        Object.assign(asked, { answers_count: fake.answers.get(asked.id)!.length, status: 'PROCESSED' });
        return good({ answer_id: made.id });
      }
      case '/v3/chat/list': {
        const start = Number(body['cursor'] ?? 0);
        const all = [...fake.chats].slice(start, start + 2).map(([chat_id, { type, messages }]) => ({
          ...{ chat: { chat_id, chat_status: 'OPENED', chat_type: type, created_at: '2026-11-20T00:00:00Z' } },
          ...{ first_unread_message_id: '', last_message_id: messages.at(-1)?.message_id ?? '', unread_count: 1 },
        }));
        const more = start + all.length < fake.chats.size;
        return good({ chats: all, total_unread_count: 1, cursor: String(start + all.length), has_next: more });
      }
      case '/v3/chat/history': {
        if (!chat) return nothing;
        const messages = chat.messages.toReversed().slice(0, Number(body['limit']));
        return good({ messages, has_next: messages.length < chat.messages.length });
      }
      default: {
        if (!chat) return nothing;
        const data = [body['text'] ?? `[${body['name']}](https://api-seller.ozon.ru/v2/chat/file/${body['name']})`];
        chat.messages.push(
          said(`9${++count}`, new Date(Date.parse('2026-11-23T10:00:00Z')).toISOString(), data, 'Seller'),
        );
        return good({ result: 'success' });
      }
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await read(request);
    const { method = '', url: path = '', headers } = request;
    const isOurs = headers['client-id'] === CLIENT && headers['api-key'] === KEY;
    if (!isOurs && !path.startsWith('/v2/chat/file/')) fake.violations.push(`${path}: without the key`);
    if (method === 'GET' && path.startsWith('/v2/chat/file/')) {
      fake.calls.push({ path, body: { key: headers['api-key'] } });
      const ending = endings.get('file')?.shift();
      if (typeof ending === 'object') return void response.writeHead(ending.status, { ...ending.headers }).end();
      return void response.end('a file of a chat');
    }
    const body = JSON.parse(bytes) as Record<string, never>;
    fake.calls.push({ path, body });
    const ending = endings.get(path)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (typeof ending === 'object') {
      response.writeHead(ending.status, { 'content-type': 'application/json', ...ending.headers });
      return void response.end(JSON.stringify(ending.body ?? {}));
    }
    const known = METHODS[path];
    const fits = known?.safeParse(body);
    if (method !== 'POST' || !known) fake.violations.push(`${method} ${path}: no method of Ozon`);
    else if (!fits?.success) fake.violations.push(`${path}: ${fits?.error.message}`);
    const answered = carryOut(path, body);
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answered.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answered.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
