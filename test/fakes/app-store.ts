import { generateKeyPairSync, verify } from 'node:crypto';
import { createServer } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { endServer, listenHere } from './listening.ts';
import { isDescribed, readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

const DESCRIPTION = 'appstore/customer-reviews.json';
export const APP = '1234567890';
export const ISSUER = '57246542-96fe-1a63-e053-0824d011072a';
export const KEY_ID = '2X9R4HXF34';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const PRIVATE_KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** The pages' addresses carry a cursor, which no operation names among its parameters. */
const CURSOR = {
  '/paths/~1v1~1apps~1{id}~1customerReviews/parameters': [
    { name: 'cursor', in: 'query', schema: { type: 'string' } },
    { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
  ],
};

export const readAppStore = (): Description | undefined =>
  isDescribed(DESCRIPTION) ? readDescription(DESCRIPTION, CURSOR) : undefined;

export interface FakeReview {
  readonly id: string;
  title: string;
  body: string;
  rating: number;
  at: number;
  answer?: { id: string; text: string; at: number; state: 'PUBLISHED' | 'PENDING_PUBLISH' };
}

type Ending = { readonly http: number; readonly body?: object; readonly headers?: Record<string, string> } | 'lost';

/** A stand-in for App Store Connect, which checks both sides by Apple's description, and for the public feed. */
export interface FakeAppStore {
  readonly root: string;
  /** Apple's clock, milliseconds. */
  now: number;
  readonly reviews: Map<string, FakeReview>;
  /** Pages of the public feed, by country. */
  readonly feeds: Map<string, unknown[]>;
  readonly calls: { readonly method: string; readonly path: string; readonly token: string; readonly body: unknown }[];
  readonly violations: string[];
  /** Instead of `iss`: the key is a person's. */
  personal: boolean;
  pageSize: number;
  forgetPages(): void;
  end(...endings: Ending[]): void;
  close(): Promise<void>;
}

export async function startAppStore(description: Description | undefined = readAppStore()): Promise<FakeAppStore> {
  let endings: Ending[] = [];
  let generation = 0;
  let answers = 0;
  const fake: FakeAppStore = {
    root: '',
    now: 0,
    reviews: new Map(),
    feeds: new Map(),
    calls: [],
    violations: [],
    personal: false,
    pageSize: 200,
    forgetPages: () => void generation++,
    end: (...list) => void (endings = list),
    close: () => endServer(server),
  };
  type Answer = { readonly status: number; readonly body: object };
  const refusal = (status: number, code: string, detail: string): Answer => ({
    status,
    body: { errors: [{ status: String(status), code, title: code, detail }] },
  });

  /** As Apple: ES256 by our key, now, and good for 20 minutes at most. */
  function isGenuine(token: string): boolean {
    const [head = '', body = '', signature = ''] = token.split('.');
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return false;
    const { alg, kid, typ } = read(head);
    const claims = read(body);
    const [iat, exp, now] = [Number(claims['iat']), Number(claims['exp']), fake.now / 1000];
    const isNow = iat <= now && exp > now && exp - iat <= 1200;
    const isOurs = fake.personal ? claims['sub'] === 'user' && !('iss' in claims) : claims['iss'] === ISSUER;
    return (
      isNow && isOurs && alg === 'ES256' && kid === KEY_ID && typ === 'JWT' && claims['aud'] === 'appstoreconnect-v1'
    );
  }

  const iso = (at: number) =>
    new Date(at)
      .toISOString()
      .replace(/\.\d+Z$/, '-00:00')
      .replace('-00:00', '+00:00');
  const link = (path: string) => ({ self: `${fake.root}${path}` });
  const shown = ({ id, title, body, rating, at, answer }: FakeReview) => ({
    type: 'customerReviews',
    id,
    attributes: { rating, title, body, reviewerNickname: `nick ${id}`, createdDate: iso(at), territory: 'UKR' },
    relationships: {
      response: { ...(answer && { data: { type: 'customerReviewResponses', id: answer.id } }) },
    },
    links: link(`/v1/customerReviews/${id}`),
  });
  const responseOf = ({ answer }: FakeReview) =>
    answer && {
      type: 'customerReviewResponses',
      id: answer.id,
      attributes: { responseBody: answer.text, lastModifiedDate: iso(answer.at), state: answer.state },
      links: link(`/v1/customerReviewResponses/${answer.id}`),
    };

  function list(url: URL): Answer {
    const query = url.searchParams;
    const all = [...fake.reviews.values()].sort((a, b) => b.at - a.at);
    const [of, from = '0'] = (query.get('cursor') ?? `${generation}.0`).split('.');
    if (Number(of) !== generation) return refusal(400, 'PARAMETER_ERROR.INVALID', "'cursor' is not valid");
    const size = Math.min(fake.pageSize, Number(query.get('limit') ?? 50));
    const start = Number(from);
    const page = all.slice(start, start + size);
    const included = query.get('include') === 'response' ? page.flatMap((one) => responseOf(one) ?? []) : [];
    const next = new URL(url);
    next.searchParams.set('cursor', `${generation}.${start + size}`);
    const links = { self: url.href, ...(start + size < all.length && { next: next.href }) };
    return { status: 200, body: { data: page.map(shown), ...(included.length > 0 && { included }), links } };
  }

  function post(body: unknown): Answer {
    const { data } = body as {
      data: { attributes: { responseBody: string }; relationships: { review: { data: { id: string } } } };
    };
    const review = fake.reviews.get(data.relationships.review.data.id);
    if (!review) return refusal(409, 'ENTITY_ERROR.RELATIONSHIP.INVALID', 'There is no such review');
    review.answer = {
      id: `answer-${++answers}`,
      text: data.attributes.responseBody,
      at: fake.now,
      state: 'PENDING_PUBLISH',
    };
    const created = responseOf(review)!;
    return { status: 201, body: { data: created, links: created.links } };
  }

  function answerTo(method: string, url: URL, token: string, body: unknown): Answer {
    const [, country, page] =
      /^\/([a-z]{2})\/rss\/customerreviews\/page=(\d+)\/id=1234567890\/sortby=mostrecent\/json$/.exec(url.pathname) ??
      [];
    if (country) {
      const entry = fake.feeds.get(`${country} ${page}`);
      return { status: 200, body: { feed: { ...(entry && { entry: entry.length === 1 ? entry[0] : entry }) } } };
    }
    if (!isGenuine(token))
      return refusal(401, 'NOT_AUTHORIZED', 'Provide a properly configured and signed bearer token');
    const asked = { method, path: url.pathname + url.search, ...(body !== undefined && { body }) };
    fake.violations.push(...(description?.request(asked) ?? []));
    const id = url.pathname.split('/')[3] ?? '';
    const one = fake.reviews.get(decodeURIComponent(id));
    const answer =
      method === 'POST'
        ? post(body)
        : url.pathname.endsWith(`${APP}/customerReviews`)
          ? list(url)
          : one && url.pathname.startsWith('/v1/customerReviews/')
            ? { status: 200, body: { data: shown(one), links: link(url.pathname) } }
            : refusal(404, 'NOT_FOUND', 'There is no resource of that type with that id');
    fake.violations.push(...(description?.response(asked, answer.status, answer.body) ?? []));
    return answer;
  }

  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const { method = '', headers } = request;
      const url = new URL(request.url ?? '', fake.root);
      const body = text === '' ? undefined : (JSON.parse(text) as unknown);
      const token = headers.authorization?.replace('Bearer ', '') ?? '';
      fake.calls.push({ method, path: url.pathname + url.search, token, body });
      const ending = endings.shift();
      const answer = ending && ending !== 'lost' ? undefined : answerTo(method, url, token, body);
      if (ending === 'lost') {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer?.status ?? ending?.http ?? 500, {
        'content-type': 'application/json',
        ...ending?.headers,
      });
      response.end(JSON.stringify(answer?.body ?? ending?.body ?? {}));
    });
  });
  return Object.assign(fake, { root: await listenHere(server) });
}
