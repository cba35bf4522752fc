import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, Log } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';

export const OZON = 'https://api-seller.ozon.ru';

const MB = 1024 * 1024;
/** A page of a thousand messages. */
const MAX_BYTES = 16 * MB;
const MAX_FILE = 32 * MB;
const FILE_MS = 5 * 60_000;

export interface OzonApi {
  /** A method of Seller API: all of them are POST, and answer in JSON. */
  ask<T>(path: string, body: object, answer: z.ZodType<T>, signal?: AbortSignal): Promise<T>;
  /** A file of a chat, by its address. */
  chatFile(url: string): Promise<Readable>;
}

export function createApi(deps: {
  readonly http: Http;
  readonly clientId: string;
  readonly apiKey: Secret;
  readonly apiRoot: string;
}): OzonApi {
  const { http, clientId, apiKey, apiRoot } = deps;
  const headers = () => ({ 'client-id': clientId, 'api-key': apiKey.reveal() });

  return {
    async ask(path, body, answer, signal) {
      const request = {
        method: 'POST',
        url: `${apiRoot}${path}`,
        headers: headers(),
        body,
        maxBytes: MAX_BYTES,
      } as const;
      const { json } = await http.send({ ...request, ...(signal && { signal }) }).catch((error: unknown) => {
        throw refusalOf(path, error);
      });
      const read = answer.safeParse(json);
      if (read.success) return read.data;
      throw new RetryableError(`${path}: the answer can't be read`, { outcomeUnknown: true });
    },
    async chatFile(url) {
      const path = pathOf(url);
      if (path === undefined) throw new PermanentError('this file is not kept in the chats of Ozon');
      const limits = { maxBytes: MAX_FILE, timeoutMs: FILE_MS };
      try {
        // A file may come from a store of its own: our key stays behind.
        const mayFollow = ({ protocol, host }: URL) => protocol === 'https:' && isOfOzon(host);
        return (await http.stream({ url: `${apiRoot}${path}`, headers: headers(), mayFollow, ...limits })).body;
      } catch (error) {
        throw refusalOf('/v2/chat/file', error);
      }
    },
  };
}

const isOfOzon = (host: string) =>
  ['ozon.ru', 'ozone.ru'].some((known) => host === known || host.endsWith(`.${known}`));

/** Where a file of a chat lies, at whichever root; undefined for anything else. */
export function pathOf(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { origin, pathname, search } = new URL(address);
  return origin === OZON && pathname.startsWith('/v2/chat/file/') ? `${pathname}${search}` : undefined;
}

const PLAN =
  'Reviews need the subscription Review management or Premium Pro, questions and chats Premium Plus or Premium Pro: order it, or leave the part out of parts.';
const ROLE = 'Make a key with the roles for reviews, questions and chats: Settings, Seller API.';
const KEY = 'Make a new key: Settings, Seller API. Keys end after half a year.';

const Refusal = z.object({ message: z.string().catch('') });

/** {"code":7,"message":"… PermissionDenied desc = not available with existing subscription"} */
function refusalOf(path: string, error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const message = Refusal.safeParse(jsonOf(Buffer.from(response.text))).data?.message ?? '';
  const text = `${path} answered ${response.status}: ${message}`.slice(0, 500);
  const isKey = response.status === 403 && /invalid api-key|deactivated|expired|blocked/i.test(message);
  if (response.status === 401 || isKey) return new AuthExpiredError(text, { cause: error, response, hint: KEY });
  if (!(error instanceof PermanentError)) return error;
  if (response.status !== 403) return new PermanentError(text, { cause: error, response });
  return new PermanentError(text, { cause: error, response, hint: message.includes('subscription') ? PLAN : ROLE });
}

/** One thing that Ozon doesn't give (any more) holds up no other: undefined. */
export async function orPass<T>(work: Promise<T>, log: Log, about: object): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const status = error instanceof PermanentError ? error.response?.status : undefined;
    if (status !== 400 && status !== 404) throw error;
    log.warn({ ...about, error: String(error) }, 'Ozon names something and does not give it');
    return undefined;
  }
}
