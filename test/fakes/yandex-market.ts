import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { endServer, listenHere } from './listening.ts';
import type { Asked } from './openapi.ts';
import { readYandexMarket } from './yandex-market-description.ts';

export const KEY = 'ACMA:not-a-real-key-of-a-cabinet';
export const CABINET = '12345';

export interface Comment {
  readonly id: number;
  text: string;
  status: string;
  readonly author: { readonly type: 'USER' | 'BUSINESS'; readonly name?: string };
  readonly parentId?: number;
}
export interface Feedback {
  readonly feedbackId: number;
  createdAt: string;
  needReaction: boolean;
  description: object;
  comments: Comment[];
  [key: string]: unknown;
}
export interface Question {
  readonly id: number;
  text: string;
  createdAt: string;
  answers: Comment[];
}
export interface Said {
  readonly messageId: number;
  readonly createdAt: string;
  readonly sender: string;
  readonly message?: string;
  readonly payload?: { readonly name: string; readonly url: string; readonly size: number }[];
}
export interface Chat {
  readonly chatId: number;
  status: string;
  messages: Said[];
}

/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending = { readonly status: number; readonly body?: object; readonly headers?: object } | 'cut' | 'lost';

export interface FakeMarket {
  readonly root: string;
  readonly feedbacks: Map<number, Feedback>;
  readonly questions: Map<number, Question>;
  readonly chats: Map<number, Chat>;
  readonly calls: Asked[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  now: number;
  end(call: string, ...endings: Ending[]): void;
  callsOf(call: string): Asked[];
  write(chatId: number, given?: Partial<Said>): Said;
  close(): Promise<void>;
}

const refused = (status: number, code: string): Ending => ({ status, body: { status: 'ERROR', errors: [{ code }] } });
export const FORBIDDEN = refused(403, 'FORBIDDEN');
/** Above the quota of a method, of which nothing remains until then. */
export const TOO_MUCH = (until: number): Ending => ({
  status: 420,
  body: { status: 'ERROR', errors: [{ code: 'METHOD_FAILURE', message: 'Hit rate limit of 1000 points per 1 hour' }] },
  headers: { 'X-RateLimit-Resource-Remaining': '0', 'X-RateLimit-Resource-Until': new Date(until).toUTCString() },
});

export async function startMarket(): Promise<FakeMarket> {
  const description = readYandexMarket();
  const endings = new Map<string, Ending[]>();
  let count = 100;
  const nameOf = ({ path }: Asked) => path.split('?')[0]!.split('/').slice(4).join('/');
  const fake: FakeMarket = {
    ...{ root: '', now: Date.parse('2026-11-23T10:00:00Z'), calls: [], violations: [] },
    ...{ feedbacks: new Map(), questions: new Map(), chats: new Map() },
    end: (call, ...list) => void endings.set(call, list),
    callsOf: (call) => fake.calls.filter((asked) => nameOf(asked) === call),
    write(chatId, given = {}) {
      const createdAt = new Date(fake.now).toISOString();
      const said: Said = { messageId: ++count, createdAt, sender: 'CUSTOMER', message: 'Здравствуйте', ...given };
      const chat = fake.chats.get(chatId) ?? { chatId, status: 'NEW', messages: [] };
      chat.messages.push(said);
      fake.chats.set(chatId, chat);
      return said;
    },
    close: () => endServer(server),
  };

  const ok = (result?: object) => ({ status: 200, body: { status: 'OK', ...(result && { result }) } });
  const missing = { status: 404, body: { status: 'ERROR', errors: [{ code: 'NOT_FOUND' }] } };
  const context = { type: 'ORDER', orderId: 777 };

  function paged<T>(all: readonly T[], query: URLSearchParams) {
    const start = Number(query.get('page_token') ?? 0);
    const end = start + Number(query.get('limit') ?? 50);
    return { page: all.slice(start, end), paging: end < all.length ? { nextPageToken: String(end) } : {} };
  }

  const shown = ({ comments, ...rest }: Feedback) => ({
    ...rest,
    statistics: { rating: 5, ...(rest.statistics as object), commentsCount: comments.length },
  });

  function feedbacks(
    { feedbackIds, dateTimeFrom }: { feedbackIds?: number[]; dateTimeFrom?: string },
    q: URLSearchParams,
  ) {
    const all = [...fake.feedbacks.values()].filter((one) =>
      feedbackIds
        ? feedbackIds.includes(one.feedbackId)
        : Date.parse(one.createdAt) > Date.parse(dateTimeFrom ?? '2026-05-23T00:00:00Z'),
    );
    const { page, paging } = paged(all, q);
    return ok({ feedbacks: page.map(shown), paging });
  }

  function questions(given: { questionIds?: number[]; dateFrom?: string; needAnswer?: boolean }, q: URLSearchParams) {
    const { questionIds, dateFrom = '2026-10-23', needAnswer } = given;
    const all = [...fake.questions.values()].filter((one) =>
      questionIds
        ? questionIds.includes(one.id)
        : one.createdAt.slice(0, 10) >= dateFrom && !(needAnswer && one.answers.length > 0),
    );
    const { page, paging } = paged(all, q);
    const listed = page.map(({ id, text, createdAt }) => ({
      ...{ questionIdentifiers: { id, offerId: 'K-1' }, businessId: Number(CABINET), text, createdAt, votes: {} },
      author: { type: 'USER', name: 'Пётр' },
    }));
    return ok({ questions: listed, paging, totalCount: all.length });
  }

  const business = (text: string): Comment => ({
    ...{ id: ++count, text, status: 'UNMODERATED' },
    author: { type: 'BUSINESS', name: 'Магазин' },
  });

  function commented({ feedbackId, comment }: { feedbackId: number; comment: { text: string; parentId?: number } }) {
    const one = fake.feedbacks.get(feedbackId);
    if (!one) return missing;
    const given = { ...business(comment.text), ...(comment.parentId && { parentId: comment.parentId }) };
    one.comments.push(given);
    one.needReaction = false;
    return ok({ ...given, feedbackId });
  }

  function answered({ parentEntityId, text }: { parentEntityId: { id: number }; text: string }) {
    const one = fake.questions.get(parentEntityId.id);
    if (!one) return missing;
    const given = business(text);
    one.answers.push(given);
    return ok({ entity: { id: given.id, type: 'ANSWER' } });
  }

  function chats({ statuses }: { statuses?: string[] }, query: URLSearchParams) {
    const all = [...fake.chats.values()].filter(({ status }) => !statuses || statuses.includes(status));
    const { page, paging } = paged(all, query);
    const listed = page.map(({ chatId, status, messages }) => ({
      ...{ chatId, status, context, type: 'CHAT', createdAt: messages[0]!.createdAt },
      updatedAt: messages.at(-1)!.createdAt,
    }));
    return ok({ chats: listed, paging });
  }

  function carryOut(asked: Asked): { status: number; body: object } {
    const query = new URL(asked.path, 'http://stand-in.invalid').searchParams;
    const body = asked.body as never;
    const { feedbackId, questionId } = asked.body as { feedbackId: number; questionId: number };
    const chat = fake.chats.get(Number(query.get('chatId')));
    switch (nameOf(asked)) {
      case 'goods-feedback':
        return feedbacks(body, query);
      case 'goods-feedback/comments': {
        const { page, paging } = paged(fake.feedbacks.get(feedbackId)?.comments ?? [], query);
        return ok({ comments: page.map((one) => ({ ...one, feedbackId })), paging });
      }
      case 'goods-feedback/comments/update':
        return commented(body);
      case 'goods-questions':
        return questions(body, query);
      case 'goods-questions/answers': {
        const createdAt = new Date(fake.now).toISOString();
        const answers = fake.questions.get(questionId)?.answers ?? [];
        return ok({ answers: answers.map((one) => ({ ...one, questionId, createdAt })), paging: {} });
      }
      case 'goods-questions/update':
        return answered(body);
      case 'chats':
        return chats(body, query);
    }
    if (!chat) return missing;
    if (nameOf(asked) === 'chats/history') {
      const { page, paging } = paged(chat.messages, query);
      return ok({ context, messages: page, paging });
    }
    const { message, file } = asked.body as { message?: string; file?: string };
    const payload = file === undefined ? {} : { payload: [{ name: 'a.png', url: `${fake.root}/file`, size: 5 }] };
    fake.write(chat.chatId, { sender: 'PARTNER', message, ...payload });
    return ok();
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await readRequest(request);
    if (asked.path === '/file')
      return void response.end(`a file for ${String(request.headers['api-key'] ?? 'nobody')}`);
    fake.calls.push(asked);
    const ending = endings.get(nameOf(asked))?.shift();
    const reply = (status: number, body: object, headers: object = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    if (ending === 'cut') return void request.socket.destroy();
    if (typeof ending === 'object') return reply(ending.status, ending.body ?? {}, ending.headers);
    if (request.headers['api-key'] !== KEY) return reply(403, { status: 'ERROR', errors: [{ code: 'FORBIDDEN' }] });
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

async function readRequest(request: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks).toString();
  const type = request.headers['content-type'] ?? '';
  const [, field = 'none'] = /name="([^"]*)"; filename/.exec(bytes) ?? [];
  const body = type.startsWith('application/json') ? (JSON.parse(bytes) as object) : bytes && { [field]: bytes };
  const headers = { 'content-type': type, 'api-key': String(request.headers['api-key'] ?? '') };
  return { method: request.method ?? '', path: request.url ?? '', headers, ...(body && { body }) };
}
