import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { createServer } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

const DESCRIPTION = 'googleplay/androidpublisher-reviews.json';
export const APP = 'com.example.kettle';
export const EMAIL = 'desk@example.iam.gserviceaccount.com';
const WEEK_MS = 7 * 24 * 3_600_000;

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** What Google Cloud hands out, as far as it is needed. */
export const SERVICE_ACCOUNT = JSON.stringify({
  type: 'service_account',
  client_email: EMAIL,
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
});

export const readGooglePlay = (): Description | undefined =>
  isDescribed(DESCRIPTION) ? readDescription(DESCRIPTION) : undefined;

export interface FakeReview {
  readonly reviewId: string;
  readonly authorName: string;
  text: string;
  rating: number;
  at: number;
  answer?: { text: string; at: number };
  /** More of the user's comment. */
  readonly more?: object;
}

type Ending = { readonly http: number; readonly body?: object; readonly headers?: Record<string, string> } | 'lost';

/** A stand-in for Google's tokens and reviews, which checks both sides by Google's description. */
export interface FakeGooglePlay {
  readonly root: string;
  readonly tokenUrl: string;
  /** Google's clock, milliseconds. */
  now: number;
  readonly reviews: Map<string, FakeReview>;
  readonly calls: { readonly method: string; readonly path: string; readonly at: number; readonly body: unknown }[];
  readonly violations: string[];
  /** How many access tokens were handed out. */
  granted: number;
  /** Tokens that are no longer good. */
  readonly revoked: Set<string>;
  pageSize: number;
  /** Page tokens given out before are no longer good. */
  forgetPages(): void;
  end(...endings: Ending[]): void;
  close(): Promise<void>;
}

const timestamp = (ms: number) => ({ seconds: String(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });

export async function startGooglePlay(
  description: Description | undefined = readGooglePlay(),
): Promise<FakeGooglePlay> {
  let endings: Ending[] = [];
  let generation = 0;
  const fake: FakeGooglePlay = {
    root: '',
    tokenUrl: '',
    now: 0,
    reviews: new Map(),
    calls: [],
    violations: [],
    granted: 0,
    revoked: new Set(),
    pageSize: 100,
    forgetPages: () => void generation++,
    end: (...list) => void (endings = list),
    close: () => endServer(server),
  };
  type Answer = { readonly status: number; readonly body: object };
  const refusal = (status: number, message: string, reason?: string): Answer => ({
    status,
    body: { error: { code: status, message, ...(reason && { errors: [{ domain: 'usageLimits', reason, message }] }) } },
  });

  /** As Google: a JWT that we signed for its token address, neither of the future nor for more than an hour. */
  function token(form: URLSearchParams): Answer {
    const no = (text: string): Answer => ({ status: 400, body: { error: 'invalid_grant', error_description: text } });
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return no('wrong grant');
    const [head = '', body = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }));
    if (!verify('RSA-SHA256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) {
      return no('Invalid JWT Signature.');
    }
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>;
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, number | string>;
    const now = fake.now / 1000;
    const [iat, exp] = [Number(claims['iat']), Number(claims['exp'])];
    const isNow = iat <= now && exp > now && exp - iat <= 3600;
    if (!isNow) {
      return no(
        'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
      );
    }
    const isOurs = header['alg'] === 'RS256' && claims['iss'] === EMAIL && claims['aud'] === fake.tokenUrl;
    if (!isOurs || claims['scope'] !== 'https://www.googleapis.com/auth/androidpublisher') return no('Invalid JWT');
    fake.granted++;
    const body2 = { access_token: `ya29.${fake.granted}`, expires_in: 3599, token_type: 'Bearer' };
    return { status: 200, body: body2 };
  }

  const shown = ({ reviewId, authorName, text, rating, at, answer, more }: FakeReview) => ({
    reviewId,
    authorName,
    comments: [
      { userComment: { text, lastModified: timestamp(at), starRating: rating, ...more } },
      ...(answer ? [{ developerComment: { text: answer.text, lastModified: timestamp(answer.at) } }] : []),
    ],
  });

  function list(query: URLSearchParams): Answer {
    const all = [...fake.reviews.values()].filter(({ at }) => at > fake.now - WEEK_MS).sort((a, b) => b.at - a.at);
    const [of, from = '0'] = (query.get('token') ?? `${generation}:0`).split(':');
    if (Number(of) !== generation) return refusal(400, 'Invalid value for token');
    const start = Number(from);
    const size = Math.min(fake.pageSize, Number(query.get('maxResults') ?? 10));
    const reviews = all.slice(start, start + size).map(shown);
    const nextPageToken = start + size < all.length ? `${generation}:${start + size}` : undefined;
    return {
      status: 200,
      body: { ...(reviews.length > 0 && { reviews }), ...(nextPageToken && { tokenPagination: { nextPageToken } }) },
    };
  }

  function carryOut(method: string, url: URL, body: unknown): Answer {
    const rest = url.pathname.slice(`/androidpublisher/v3/applications/${APP}`.length);
    if (rest === '/reviews' && method === 'GET') return list(url.searchParams);
    const [, encoded = '', action] = /^\/reviews\/([^/:]+)(:reply)?$/.exec(rest) ?? [];
    const review = fake.reviews.get(decodeURIComponent(encoded));
    if (!review) return refusal(404, 'Review not found.');
    if (method === 'GET') return { status: 200, body: shown(review) };
    const text = String((body as { replyText?: string }).replyText).replace(/<[^>]*>/g, '');
    if (action === undefined || text.length > 350) return refusal(400, 'Reply is too long.');
    review.answer = { text, at: fake.now };
    return { status: 200, body: { result: { replyText: text, lastEdited: timestamp(fake.now) } } };
  }

  function answerTo(method: string, url: URL, authorization: string | undefined, body: unknown): Answer {
    const given = authorization?.replace('Bearer ', '') ?? '';
    if (!given.startsWith('ya29.') || fake.revoked.has(given)) return refusal(401, 'Invalid credentials');
    const asked = { method, path: url.pathname + url.search, ...(body !== undefined && { body }) };
    fake.violations.push(...(description?.request(asked) ?? []));
    const answer = carryOut(method, url, body);
    if (answer.status === 200) {
      fake.violations.push(...(description?.response(asked, answer.status, answer.body) ?? []));
    }
    return answer;
  }

  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const { method = '', headers } = request;
      const url = new URL(request.url ?? '', fake.root);
      const isToken = url.pathname === '/token';
      const body = text === '' || isToken ? undefined : (JSON.parse(text) as unknown);
      fake.calls.push({ method, path: url.pathname + url.search, at: fake.now, body });
      const ending = isToken ? undefined : endings.shift();
      if (ending && ending !== 'lost') {
        response.writeHead(ending.http, { 'content-type': 'application/json', ...ending.headers });
        response.end(JSON.stringify(ending.body ?? {}));
        return;
      }
      const answer = isToken ? token(new URLSearchParams(text)) : answerTo(method, url, headers.authorization, body);
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
