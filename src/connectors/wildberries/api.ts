import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';

/** https://dev.wildberries.ru/openapi/user-communication */
export const FEEDBACKS = 'https://feedbacks-api.wildberries.ru';
export const CHATS = 'https://buyer-chat-api.wildberries.ru';

/** A page of five thousand reviews. */
const MAX_BYTES = 64 * 1024 * 1024;
const PAGE_MS = 2 * 60_000;
/** Files in chats have at most 5 MB; photos of reviews are smaller. */
const MAX_FILE = 32 * 1024 * 1024;
const FILE_MS = 5 * 60_000;

type Question = Pick<HttpRequest, 'method' | 'headers' | 'body' | 'signal'>;

export interface WildberriesApi {
  /** Of reviews and questions: the answer stands in `data`. */
  feedbacks<T>(path: string, data: z.ZodType<T>, request?: Question): Promise<T>;
  /** Of the chats: the answer stands in `result`. */
  chats<T>(path: string, result: z.ZodType<T>, request?: Question): Promise<T>;
  /** A file of a chat. */
  chatFile(id: string): Promise<Readable>;
  /** A photo, at an address that says nothing of who asks. */
  photo(url: string): Promise<Readable>;
}

export function createApi(deps: {
  readonly http: Http;
  readonly token: Secret;
  readonly feedbacksRoot: string;
  readonly chatsRoot: string;
}): WildberriesApi {
  const { http, token, feedbacksRoot, chatsRoot } = deps;
  const authorized = (headers: HttpRequest['headers'] = {}) => ({ authorization: token.reveal(), ...headers });

  async function ask(root: string, path: string, request: Question): Promise<unknown> {
    const { method = 'GET', headers } = request;
    const name = `${method} ${path.split('?')[0]}`;
    try {
      const limits = { maxBytes: MAX_BYTES, timeoutMs: PAGE_MS, waitOf };
      const all = { ...request, method, headers: authorized(headers), ...limits };
      const { status, json, text } = await http.send({ ...all, url: `${root}${path}` });
      if (status === 204) return { data: null };
      const refused = Refusal.safeParse(json).data;
      if (refused) throw new PermanentError(`${name}: ${refused.errorText}`, { response: { status, text } });
      return json;
    } catch (error) {
      throw refusalOf(name, error);
    }
  }

  function read<T>(path: string, schema: z.ZodType<T>, answer: unknown): T {
    const { data, success } = schema.safeParse(answer);
    if (success) return data;
    const name = path.split('?')[0];
    throw new RetryableError(`${name}: the answer can't be read`, { outcomeUnknown: true });
  }

  return {
    async feedbacks(path, data, request = {}) {
      return read(path, z.object({ data }), await ask(feedbacksRoot, path, request)).data;
    },
    async chats(path, result, request = {}) {
      const answer = await ask(chatsRoot, path, request);
      const refused = Errors.safeParse(answer).data;
      if (refused) throw new PermanentError(`${path.split('?')[0]}: ${refused.errors.join('; ')}`.slice(0, 500));
      return read(path, z.object({ result }), answer).result;
    },
    async chatFile(id) {
      const path = `/api/v1/seller/download/${encodeURIComponent(id)}`;
      const limits = { maxBytes: MAX_FILE, timeoutMs: FILE_MS, waitOf };
      try {
        // A file may come from a store of its own: our token stays behind.
        const mayFollow = ({ href }: URL) => isOfWildberries(href, chatsRoot);
        return (await http.stream({ url: `${chatsRoot}${path}`, headers: authorized(), mayFollow, ...limits })).body;
      } catch (error) {
        throw refusalOf('GET /api/v1/seller/download', error);
      }
    },
    async photo(url) {
      if (!isOfWildberries(url, feedbacksRoot)) throw new PermanentError('this photo is not kept at Wildberries');
      return (await http.stream({ url, maxBytes: MAX_FILE, timeoutMs: FILE_MS })).body;
    },
  };
}

/** Whether Wildberries keeps there what people send: nothing else is called for an address out of a review. */
export function isOfWildberries(address: string, root: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, host, port } = new URL(address);
  if (host === new URL(root).host) return true;
  if (protocol !== 'https:' || port !== '') return false;
  return ['wbbasket.ru', 'wbstatic.net', 'wildberries.ru', 'wb.ru', 'geobasket.ru'].some(
    (known) => hostname === known || hostname.endsWith(`.${known}`),
  );
}

/** https://dev.wildberries.ru/openapi/api-information */
const waitOf: HttpRequest['waitOf'] = ({ headers }) => headers['x-ratelimit-retry'];

/** Answers with 200 that say no. */
const Refusal = z.object({ error: z.literal(true), errorText: z.string().catch('') });

const Errors = z.object({ errors: z.array(z.string()).min(1) });

const NEW_TOKEN =
  'Tokens are valid for 180 days: make a new one (Profile, Integrations, API) with Questions and reviews and Chat with buyers, and enter it.';
const RIGHTS =
  'Make a token with the categories Questions and reviews and Chat with buyers, not read-only, or leave out of parts what it has no category for.';

const Detail = z.object({ detail: z.string().optional(), errorText: z.string().optional() });

/** https://dev.wildberries.ru/knowledge-base: errors of authorization */
function refusalOf(name: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const words = wordsIn(response.text);
  const text = `${name} answered ${response.status}: ${words}`.slice(0, 500);
  const isScope = /scope not allowed/i.test(words);
  if (response.status === 401 && !isScope) {
    return new AuthExpiredError(text, { cause: error, response, hint: NEW_TOKEN });
  }
  if (!(error instanceof PermanentError || isScope)) return error;
  const hint = isScope || response.status === 403 ? RIGHTS : error.hint;
  return new PermanentError(text, { cause: error, response, ...(hint !== undefined && { hint }) });
}

function wordsIn(text: string): string {
  const { detail, errorText } = Detail.safeParse(jsonOf(Buffer.from(text))).data ?? {};
  return detail ?? errorText ?? '';
}
