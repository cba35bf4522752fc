import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Asked } from './openapi.ts';

const claims = Buffer.from(JSON.stringify({ exp: 1_810_000_000, s: 640 })).toString('base64url');
/** Ends on 2027-05-11. */
export const TOKEN = `eyJhbGciOiJFUzI1NiJ9.${claims}.not-a-real-signature`;

const DESCRIPTION = 'wildberries/communications.json';
const described = isDescribed(DESCRIPTION);
/** Its lengths of texts are written as bounds of numbers, and mean nothing so. */
const description = described ? readDescription(DESCRIPTION) : undefined;

export interface Answer {
  text: string;
  state?: string;
  editable: boolean;
  createDate?: string;
}
export interface Said {
  readonly id: string;
  text: string;
  createdDate: string;
  answer: Answer | null;
  productValuation?: number;
  [key: string]: unknown;
}

/** How a call ends: refused; not reached; or carried out with the answer lost on the way. */
export type Ending = { readonly status: number; readonly body?: object; readonly headers?: object } | 'cut' | 'lost';

export interface FakeWildberries {
  readonly root: string;
  readonly feedbacks: Map<string, Said>;
  readonly questions: Map<string, Said>;
  readonly events: { eventID: string; addTimestamp: number; [key: string]: unknown }[];
  readonly chats: { chatID: string; replySign: string }[];
  /** What reached chats: the fields of each form. */
  readonly sent: Record<string, string>[];
  readonly calls: Asked[];
  /** What didn't fit the description, on either side; must stay empty. */
  readonly violations: string[];
  /** The next calls of the method and path end so. */
  end(call: string, ...endings: Ending[]): void;
  callsOf(call: string): Asked[];
  close(): Promise<void>;
}

const PRODUCT = {
  ...{ nmId: 987654321, imtId: 123456789, productName: 'Кружка', supplierArticle: 'K-1', supplierName: 'ООО Пример' },
  ...{ brandName: 'Example', size: '0' },
};

export function feedback(id: string, given: Partial<Said> = {}): Said {
  return {
    ...{ id, text: 'Спасибо', pros: '', cons: '', productValuation: 5, createdDate: '2026-11-20T10:20:48+03:00' },
    ...{ answer: null, state: 'none', productDetails: PRODUCT, photoLinks: null, video: null, wasViewed: false },
    ...{ userName: 'Анна', matchingSize: '', lastOrderShkId: 55, lastOrderCreatedAt: '2026-11-12T10:20:48+03:00' },
    ...{ color: 'белый', parentFeedbackId: null, childFeedbackId: null, bables: null },
    ...given,
  };
}

export function question(id: string, given: Partial<Said> = {}): Said {
  const { size: _size, ...productDetails } = PRODUCT;
  return {
    ...{ id, text: 'Есть ли синяя?', createdDate: '2026-11-20T11:18:08.769513469Z', state: 'suppliersPortalSynch' },
    ...{ answer: null, productDetails, wasViewed: false, isWarned: false },
    ...given,
  };
}

const unauthorized = (detail: string) => ({
  ...{ title: 'unauthorized', detail, code: '07e4668e', requestId: '7b80', origin: 's2s-api-auth', status: 401 },
  ...{ statusText: 'Unauthorized', timestamp: '2026-11-23T06:52:38Z' },
});
/** Refusals as Wildberries words them. */
export const EXPIRED: Ending = { status: 401, body: unauthorized('token problem; token is expired') };
export const NO_SCOPE: Ending = { status: 401, body: unauthorized('token scope not allowed') };
export const TOO_MANY = (seconds: number): Ending => ({
  status: 429,
  body: { ...unauthorized('limited by c122a060'), title: 'too many requests', status: 429 },
  headers: { 'X-Ratelimit-Retry': String(seconds), 'X-Ratelimit-Limit': '1', 'X-Ratelimit-Reset': String(seconds) },
});
const refusal = (errorText: string) => ({ data: null, error: true, errorText, additionalErrors: null, requestId: '1' });

export async function startWildberries(): Promise<FakeWildberries> {
  const endings = new Map<string, Ending[]>();
  const fake: FakeWildberries = {
    root: '',
    ...{ feedbacks: new Map(), questions: new Map(), events: [], chats: [], sent: [], calls: [], violations: [] },
    end: (call, ...list) => void endings.set(call, list),
    callsOf: (call) => fake.calls.filter(({ method, path }) => `${method} ${path.split('?')[0]}` === call),
    close: () => endServer(server),
  };
  const good = (data: unknown) => ({
    status: 200,
    body: { data, error: false, errorText: '', additionalErrors: null },
  });
  const bad = (status: number, text: string) => ({ status, body: refusal(text) });

  function listed(all: Iterable<Said>, query: URLSearchParams, name: string) {
    const [take, skip] = [Number(query.get('take')), Number(query.get('skip'))];
    const beyond = name === 'questions' ? take + skip > 10_000 : take > 5000 || skip > 199_990;
    if (beyond) return bad(400, 'Something went wrong');
    const from = Number(query.get('dateFrom') ?? 0) * 1000;
    const found = [...all]
      .filter((one) => (one.answer !== null) === (query.get('isAnswered') === 'true'))
      .filter(({ createdDate }) => Date.parse(createdDate) >= from)
      .sort((a, b) => Date.parse(a.createdDate) - Date.parse(b.createdDate));
    return good({ countUnanswered: 1, countArchive: 0, [name]: found.slice(skip, skip + take) });
  }

  function answered(all: Map<string, Said>, id: string, text: string) {
    const one = all.get(id);
    // Wildberries says nothing of an id that it doesn't know.
    const state = all === fake.feedbacks ? { state: 'reviewRequired' } : {};
    if (one) one.answer = { text, ...state, editable: one.answer === null };
    return { status: 204, body: undefined };
  }

  function carryOut({ method, path, body }: Asked): { status: number; body: unknown } {
    const url = new URL(path, 'http://stand-in.invalid');
    const query = url.searchParams;
    const given = body as { id: string; text: string; answer: { text: string }; replySign: string };
    switch (`${method} ${url.pathname}`) {
      case 'GET /api/v1/feedbacks':
        return listed(fake.feedbacks.values(), query, 'feedbacks');
      case 'GET /api/v1/questions':
        return listed(fake.questions.values(), query, 'questions');
      case 'GET /api/v1/feedback':
      case 'GET /api/v1/question': {
        const all = url.pathname.endsWith('feedback') ? fake.feedbacks : fake.questions;
        const one = all.get(query.get('id') ?? '');
        return one ? good(one) : bad(422, 'Невозможно получить отзыв по id');
      }
      case 'GET /api/v1/feedbacks/count-unanswered':
      case 'GET /api/v1/questions/count-unanswered':
        return good({ countUnanswered: 3, countUnansweredToday: 1 });
      case 'POST /api/v1/feedbacks/answer':
      case 'PATCH /api/v1/feedbacks/answer':
        return answered(fake.feedbacks, given.id, given.text);
      case 'PATCH /api/v1/questions':
        answered(fake.questions, given.id, given.answer.text);
        return good(null);
      case 'GET /api/v1/seller/events': {
        const next = Number(query.get('next') ?? 0);
        const events = fake.events.filter(({ addTimestamp }) => addTimestamp >= next).slice(0, 2);
        const result = { next: events.at(-1)?.addTimestamp ?? next, totalEvents: events.length, events };
        return { status: 200, body: { result, errors: null } };
      }
      case 'GET /api/v1/seller/chats':
        return { status: 200, body: { result: fake.chats, errors: null } };
      case 'POST /api/v1/seller/message': {
        const chat = fake.chats.find(({ replySign }) => replySign === given.replySign);
        if (!chat) return { status: 400, body: { status: 400, title: 'Bad Request', detail: 'Invalid signature' } };
        fake.sent.push(body as Record<string, string>);
        return { status: 200, body: { result: { addTime: 1_795_341_600_123, chatID: chat.chatID }, errors: [] } };
      }
      default:
        return { status: 404, body: refusal('Не найдено') };
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await read(request);
    const type = request.headers['content-type'] ?? '';
    const path = request.url ?? '';
    if (path.startsWith('/photo')) return void response.end('a photo');
    const body =
      bytes === '' ? undefined : type.startsWith('multipart/') ? formOf(bytes) : (JSON.parse(bytes) as object);
    const headers = { ...(type && { 'content-type': type }) };
    const asked: Asked = { method: request.method ?? '', path, headers, body };
    fake.calls.push(asked);
    const ending = endings.get(`${asked.method} ${path.split('?')[0]}`)?.shift();
    if (ending === 'cut') return void request.socket.destroy();
    if (typeof ending === 'object') {
      response.writeHead(ending.status, { 'content-type': 'application/json', ...ending.headers });
      return void response.end(JSON.stringify(ending.body ?? {}));
    }
    if (request.headers.authorization !== TOKEN) {
      return void response.writeHead(401).end(JSON.stringify(unauthorized('token is malformed')));
    }
    fake.violations.push(...(description?.request(asked) ?? []));
    if (path.startsWith('/api/v1/seller/download/')) return void response.end('a file of a chat');
    const answer = carryOut(asked);
    if (answer.body !== undefined) {
      fake.violations.push(...(description?.response(asked, answer.status, answer.body) ?? []));
    }
    if (ending === 'lost') return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      fake.violations.push(String(error));
      response.destroy();
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}

/** The fields of a form by name; of a file, how it is called and what it holds. */
function formOf(text: string): Record<string, string> {
  const boundary = text.slice(0, text.indexOf('\r\n'));
  const parts = text.split(boundary).slice(1, -1);
  return Object.fromEntries(
    parts.map((part): [string, string] => {
      const at = part.indexOf('\r\n\r\n');
      const [, name = ''] = /name="([^"]*)"/.exec(part.slice(0, at)) ?? [];
      const [, file] = /filename="([^"]*)"/.exec(part.slice(0, at)) ?? [];
      const value = part.slice(at + 4, -2);
      return [name, file === undefined ? value : `${file}: ${value}`];
    }),
  );
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
