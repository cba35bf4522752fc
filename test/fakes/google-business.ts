import { createServer } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { readGoogleBusiness } from './google-business-description.ts';
import { endServer, listenHere } from './listening.ts';

export const ACCOUNT = '111';
export const SHOP = '222';
export const STATION = '333';
export const GRANT = { clientId: 'app.example.com', clientSecret: 'GOCSPX-hush', refreshToken: '1//hush-hush' };

const WORDS = ['', 'ONE', 'TWO', 'THREE', 'FOUR', 'FIVE'];

export interface FakeReview {
  text?: string;
  rating: number;
  createdAt: number;
  at: number;
  answer?: { text: string; at: number; state?: string; violation?: string };
  /** More of the review. */
  more?: object;
}

type Ending = { readonly http: number; readonly body?: object; readonly headers?: Record<string, string> } | 'lost';

/** A stand-in for Google's tokens and reviews, which checks both sides by what Google's pages say. */
export interface FakeGoogleBusiness {
  readonly root: string;
  readonly tokenUrl: string;
  /** Google's clock, milliseconds. */
  now: number;
  /** By location and id. */
  readonly reviews: Map<string, Map<string, FakeReview>>;
  readonly calls: {
    readonly method: string;
    readonly path: string;
    readonly at: number;
    readonly body: unknown;
    readonly auth: string | undefined;
  }[];
  readonly violations: string[];
  /** How many access tokens were handed out. */
  granted: number;
  /** Tokens that are no longer good. */
  readonly revoked: Set<string>;
  /** Locations that the account doesn't manage. */
  readonly unknown: Set<string>;
  /** Answers that are put there begin in this state. */
  moderation: string | undefined;
  /** Page tokens given out before are no longer good. */
  forgetPages(): void;
  /** The next calls of reviews end so. */
  end(...endings: (Ending | undefined)[]): void;
  /** The next call for a token ends so. */
  endToken(ending: Ending): void;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** A vendor's error: https://google.aip.dev/193 */
export const refusal = (status: number, message: string, metadata?: object): Answer => ({
  status,
  body: { error: { code: status, message, ...(metadata && { details: [{ '@type': 'ErrorInfo', metadata }] }) } },
});

const stamp = (ms: number) => new Date(ms).toISOString().replace('Z', '123456Z');

function shown(location: string, id: string, { text, rating, createdAt, at, answer, more }: FakeReview): object {
  return {
    name: `accounts/${ACCOUNT}/locations/${location}/reviews/${id}`,
    reviewId: id,
    reviewer: {
      displayName: `Author of ${id}`,
      profilePhotoUrl: 'https://lh3.googleusercontent.com/a',
      isAnonymous: false,
    },
    starRating: WORDS[rating],
    ...(text !== undefined && { comment: text }),
    createTime: stamp(createdAt),
    updateTime: stamp(at),
    ...(answer && { reviewReply: replyOf(answer) }),
    ...more,
  };
}

function replyOf({ text, at, state, violation }: NonNullable<FakeReview['answer']>): object {
  return {
    comment: text,
    updateTime: stamp(at),
    ...(state && { reviewReplyState: state }),
    ...(violation && { policyViolation: violation }),
  };
}

export async function startGoogleBusiness(): Promise<FakeGoogleBusiness> {
  const description = readGoogleBusiness();
  let endings: (Ending | undefined)[] = [];
  let tokenEnding: Ending | undefined;
  let generation = 0;
  const fake: FakeGoogleBusiness = {
    root: '',
    tokenUrl: '',
    now: 0,
    reviews: new Map([SHOP, STATION].map((location) => [location, new Map()])),
    calls: [],
    violations: [],
    granted: 0,
    revoked: new Set(),
    unknown: new Set(),
    moderation: undefined,
    forgetPages: () => void generation++,
    end: (...list) => void (endings = list),
    endToken: (ending) => void (tokenEnding = ending),
    close: () => endServer(server),
  };

  function token(form: URLSearchParams): Answer {
    const no = (status: number, error: string): Answer => ({
      status,
      body: { error, error_description: 'Bad Request' },
    });
    if (form.get('client_id') !== GRANT.clientId || form.get('client_secret') !== GRANT.clientSecret) {
      return no(401, 'invalid_client');
    }
    const isGood = form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === GRANT.refreshToken;
    if (!isGood) return no(400, 'invalid_grant');
    fake.granted++;
    return {
      status: 200,
      body: { access_token: `ya29.${fake.granted}`, expires_in: 3599, scope: 'business.manage', token_type: 'Bearer' },
    };
  }

  function list(location: string, query: URLSearchParams): Answer {
    const all = [...fake.reviews.get(location)!].sort(([, a], [, b]) => b.at - a.at);
    const [of, from = '0'] = (query.get('pageToken') ?? `${generation}:0`).split(':');
    if (Number(of) !== generation) return refusal(400, 'Request contains an invalid argument.');
    const start = Number(from);
    const end = start + Number(query.get('pageSize') ?? 50);
    const reviews = all.slice(start, end).map(([id, review]) => shown(location, id, review));
    const body = {
      ...(reviews.length > 0 && { reviews, averageRating: 3.25 }),
      totalReviewCount: all.length,
      ...(end < all.length && { nextPageToken: `${generation}:${end}` }),
    };
    return { status: 200, body };
  }

  function carryOut(method: string, url: URL, body: unknown): Answer {
    const [, account, location = '', encoded, action] =
      /^\/v4\/accounts\/(\d+)\/locations\/(\d+)\/reviews(?:\/([^/]+)(\/reply)?)?$/.exec(url.pathname) ?? [];
    const reviews = fake.reviews.get(location);
    if (account !== ACCOUNT || !reviews || fake.unknown.has(location)) {
      return refusal(404, 'Requested entity was not found.');
    }
    if (encoded === undefined) return list(location, url.searchParams);
    const id = decodeURIComponent(encoded);
    const review = reviews.get(id);
    if (!review) return refusal(404, 'Requested entity was not found.');
    if (method === 'GET') return { status: 200, body: shown(location, id, review) };
    const { comment } = body as { comment: string };
    if (!action || Buffer.byteLength(comment) > 4096) return refusal(400, 'Request contains an invalid argument.');
    review.answer = { text: comment, at: fake.now, ...(fake.moderation && { state: fake.moderation }) };
    return { status: 200, body: replyOf(review.answer) };
  }

  function answerTo(method: string, url: URL, authorization: string | undefined, body: unknown): Answer {
    const given = authorization?.replace('Bearer ', '') ?? '';
    if (!given.startsWith('ya29.') || fake.revoked.has(given)) {
      return refusal(401, 'Request had invalid authentication credentials.');
    }
    const asked = { method, path: url.pathname + url.search, ...(body !== undefined && { body }) };
    fake.violations.push(...description.request(asked));
    const answer = carryOut(method, url, body);
    if (answer.status === 200) fake.violations.push(...description.response(asked, 200, answer.body));
    return answer;
  }

  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const { method = '', headers } = request;
      const url = new URL(request.url ?? '', fake.root);
      if (url.pathname.startsWith('/photos/')) {
        if (headers.authorization) fake.violations.push('our token goes to the store of photos');
        response.writeHead(200, { 'content-type': 'image/jpeg' }).end(`photo ${url.pathname}`);
        return;
      }
      const isToken = url.pathname === '/token';
      const body = text === '' || isToken ? undefined : (JSON.parse(text) as unknown);
      const auth = headers.authorization;
      fake.calls.push({ method, path: url.pathname + url.search, at: fake.now, body, auth });
      const ending = isToken ? tokenEnding : endings.shift();
      if (isToken) tokenEnding = undefined;
      if (ending && ending !== 'lost') {
        response.writeHead(ending.http, { 'content-type': 'application/json', ...ending.headers });
        response.end(JSON.stringify(ending.body ?? {}));
        return;
      }
      const answer = isToken ? token(new URLSearchParams(text)) : answerTo(method, url, auth, body);
      if (ending === 'lost') {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  const root = await listenHere(server);
  return Object.assign(fake, { root, tokenUrl: `${root}/token` });
}
