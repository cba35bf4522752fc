import { createServer } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { endServer, listenHere } from './listening.ts';
import { readTrustpilot } from './trustpilot-description.ts';

export const UNIT = '507f191e810c19729de860ea';
export const AUTHOR = '507f191e810c19729de860eb';
export const KEYS = { apiKey: 'key-hush', apiSecret: 'secret-hush' };
export const USER = { email: 'desk@example.com', password: 'password-hush' };

export interface FakeReview {
  text: string | null;
  title: string | null;
  stars: number;
  createdAt: number;
  updatedAt?: number;
  reply?: { text: string; at: number; author?: string | undefined };
  /** More of the review. */
  more?: object;
}

type Ending = { readonly http: number; readonly body?: object; readonly headers?: Record<string, string> } | 'lost';

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** A stand-in for Trustpilot's tokens and reviews, which checks both sides by what Trustpilot's pages say. */
export interface FakeTrustpilot {
  readonly root: string;
  /** Trustpilot's clock, milliseconds. */
  now: number;
  readonly reviews: Map<string, FakeReview>;
  readonly calls: { readonly method: string; readonly path: string; readonly body: unknown }[];
  /** What was sent for tokens. */
  readonly forms: Record<string, string>[];
  readonly violations: string[];
  /** How many access tokens were handed out. */
  granted: number;
  /** Tokens that are no longer good. */
  readonly revoked: Set<string>;
  /** The next calls of reviews end so. */
  end(...endings: (Ending | undefined)[]): void;
  /** The next call for a token ends so. */
  endToken(ending: Ending): void;
  close(): Promise<void>;
}

/** The pages say nothing of bodies of refusals. */
export const refusal = (status: number, message: string): Answer => ({ status, body: { message } });

const stamp = (ms: number) => new Date(ms).toISOString();

function shown(id: string, { text, title, stars, createdAt, updatedAt, reply, more }: FakeReview): object {
  return {
    ...{ id, stars, title, text, language: 'en', status: 'active', numberOfLikes: 0, isVerified: true, links: [] },
    ...{ createdAt: stamp(createdAt), updatedAt: updatedAt === undefined ? null : stamp(updatedAt) },
    // As in the examples of its pages, without an offset.
    companyReply: reply ? { text: reply.text, createdAt: stamp(reply.at).replace('Z', '') } : null,
    consumer: { id: `c${id}`, displayName: `Author of ${id}`, numberOfReviews: 1 },
    businessUnit: { id: UNIT, displayName: 'Kettles', identifyingName: 'kettles.example.com' },
    ...{ location: null, referenceId: null, referralEmail: null },
    ...more,
  };
}

export async function startTrustpilot(): Promise<FakeTrustpilot> {
  const description = readTrustpilot();
  let endings: (Ending | undefined)[] = [];
  let tokenEnding: Ending | undefined;
  const fake: FakeTrustpilot = {
    root: '',
    now: 0,
    reviews: new Map(),
    calls: [],
    forms: [],
    violations: [],
    granted: 0,
    revoked: new Set(),
    end: (...list) => void (endings = list),
    endToken: (ending) => void (tokenEnding = ending),
    close: () => endServer(server),
  };

  function token(form: Record<string, string>, authorization: string | undefined): Answer {
    fake.forms.push(form);
    const { grant_type: grant, username, password } = form;
    const basic = Buffer.from(`${KEYS.apiKey}:${KEYS.apiSecret}`).toString('base64');
    const isUser = grant === 'password' && username === USER.email && password === USER.password;
    if (authorization !== `Basic ${basic}` || !(isUser || grant === 'client_credentials')) return refusal(401, 'no');
    fake.granted++;
    return { status: 200, body: { access_token: `tp.${fake.granted}`, expires_in: '359999' } };
  }

  function list(query: URLSearchParams): Answer {
    const all = [...fake.reviews].sort(([, a], [, b]) => b.createdAt - a.createdAt);
    const size = Number(query.get('perPage') ?? 20);
    const start = (Number(query.get('page') ?? 1) - 1) * size;
    const reviews = all.slice(start, start + size).map(([id, review]) => shown(id, review));
    return { status: 200, body: { reviews, links: [] } };
  }

  function carryOut(method: string, url: URL, body: unknown): Answer {
    const [, kind, id = '', action] =
      /^\/v1\/private\/(business-units|reviews)\/(\w+)(\/\w+)?$/.exec(url.pathname) ?? [];
    if (kind === 'business-units') return id === UNIT ? list(url.searchParams) : refusal(404, 'not found');
    const review = fake.reviews.get(id);
    if (!review) return refusal(404, 'not found');
    if (method === 'GET' && !action) return { status: 200, body: shown(id, review) };
    const { message, authorBusinessUserId: author } = body as { message: string; authorBusinessUserId?: string };
    review.reply = { text: message, at: fake.now, author };
    return { status: 201, body: {} };
  }

  function answerTo(method: string, url: URL, authorization: string | undefined, body: unknown): Answer {
    const given = authorization?.replace('Bearer ', '') ?? '';
    if (!given.startsWith('tp.') || fake.revoked.has(given)) return refusal(401, 'Unauthorized');
    const asked = { method, path: url.pathname + url.search, ...(body !== undefined && { body }) };
    fake.violations.push(...description.request(asked));
    const answer = carryOut(method, url, body);
    if (answer.status < 300) fake.violations.push(...description.response(asked, answer.status, answer.body));
    return answer;
  }

  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const { method = '', headers } = request;
      const url = new URL(request.url ?? '', fake.root);
      const isToken = url.pathname === '/v1/oauth/oauth-business-users-for-applications/accesstoken';
      const body = text === '' || isToken ? undefined : (JSON.parse(text) as unknown);
      if (!isToken) fake.calls.push({ method, path: url.pathname + url.search, body });
      const ending = isToken ? tokenEnding : endings.shift();
      if (isToken) tokenEnding = undefined;
      if (ending && ending !== 'lost') {
        response.writeHead(ending.http, { 'content-type': 'application/json', ...ending.headers });
        response.end(JSON.stringify(ending.body ?? {}));
        return;
      }
      const { authorization } = headers;
      const answer = isToken
        ? token(Object.fromEntries(new URLSearchParams(text)), authorization)
        : answerTo(method, url, authorization, body);
      if (ending === 'lost') {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}
