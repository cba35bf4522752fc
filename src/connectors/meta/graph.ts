import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import { BadPayloadError, PermanentError, RetryableError, UncertainError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import { failureOf } from './failures.ts';

const MB = 1024 * 1024;
/** Most that Meta takes of a file. */
export const MAX_FILE = 25 * MB;
/** Most that is kept of one of the customer's. */
const MAX_MEDIA = 100 * MB;
/** A page of a list. */
const MAX_LIST = 8 * MB;
/** Somebody looks at a ticket and waits. */
const ASK_MS = 5000;
/** A file on its way out, over a slow line. */
const UPLOAD_MS = 90_000;
/** A large file on its way in. */
const DOWNLOAD_MS = 10 * 60_000;

/** Hosts that hold the files of messages and comments. */
const MEDIA_HOSTS = /(^|\.)(fbsbx\.com|fbcdn\.net|cdninstagram\.com)$/;

/** Meta's Graph API for one account, over our guarded way out. Throws the five errors. */
export interface Graph {
  /** `path` below the version. With a signal it is a list that nobody waits for: it may be long, and take longer. */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
  post(what: string, path: string, body: object, signal?: AbortSignal): Promise<unknown>;
  /** Says something to customers. An unknown outcome is for a person to look at: they would see it twice. */
  say<T>(path: string, body: object, schema: z.ZodType<T>): Promise<T>;
  /** The id of the file at Meta. */
  upload(
    fields: object,
    file: { readonly name: string; readonly mediaType: string; readonly bytes: Buffer },
  ): Promise<string>;
  /** The bytes at one of Meta's addresses, or of what stands in for Meta. */
  fetch(url: string): Promise<Readable>;
}

const Uploaded = z.object({ attachment_id: z.union([z.string().min(1), z.number()]).transform(String) });

export function createGraph(deps: {
  readonly token: Secret;
  /** Without a slash at the end. */
  readonly apiRoot: string;
  /** Where businesses without a stand-in or proxy call. */
  readonly usualRoot: string;
  readonly version: string;
  /** The account in addresses. */
  readonly node: string;
  readonly http: Http;
}): Graph {
  const { token, apiRoot, usualRoot, version, node, http } = deps;

  async function call(what: string, path: string, request: Omit<HttpRequest, 'url'>): Promise<unknown> {
    try {
      const headers = { ...request.headers, authorization: `Bearer ${token.reveal()}` };
      const { json } = await http.send({ ...request, url: `${apiRoot}/${version}/${path}`, headers });
      return json;
    } catch (error) {
      throw failureOf(what, error);
    }
  }

  return {
    get: (path, signal) => call('Meta', path, signal ? { signal, maxBytes: MAX_LIST } : { timeoutMs: ASK_MS }),
    post: (what, path, body, signal) => call(what, path, { method: 'POST', body, ...(signal && { signal }) }),

    async say(path, body, schema) {
      try {
        const { data } = schema.safeParse(await call('the answer', path, { method: 'POST', body }));
        if (data !== undefined) return data;
        throw new RetryableError('Meta answered what can’t be read', { outcomeUnknown: true });
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Meta may have sent it all the same`, {
          cause: error,
          hint: 'Look into the conversation in Meta’s own inbox: if it is not there, replay the delivery.',
        });
      }
    },

    async upload(fields, file) {
      const texts = Object.entries(fields).map(([name, value]) => [name, toText(value)] as const);
      const { body, type } = toUploadForm(Object.fromEntries(texts), { field: 'filedata', ...file });
      const path = `${node}/message_attachments`;
      const headers = { 'content-type': type };
      const answer = await call('the file', path, { method: 'POST', body, headers, timeoutMs: UPLOAD_MS });
      return read(Uploaded, answer, 'the file').attachment_id;
    },

    async fetch(url) {
      if (!isOurs(url)) {
        throw new PermanentError("the file lies at none of Meta's addresses, so it is not fetched", {
          hint: 'Ask the customer to send the file itself.',
        });
      }
      const mayFollow = (to: URL) => isOurs(to.href);
      const { body } = await http.stream({ url, maxBytes: MAX_MEDIA, timeoutMs: DOWNLOAD_MS, mayFollow });
      return body;
    },
  };

  /** Its files need no token; of other hosts nothing is asked. */
  function isOurs(url: string): boolean {
    if (!URL.canParse(url)) return false;
    const { protocol, hostname, origin, port } = new URL(url);
    if (protocol === 'https:' && port === '' && MEDIA_HOSTS.test(hostname)) return true;
    return apiRoot !== usualRoot && origin === new URL(apiRoot).origin;
  }
}

/** What Meta answered, if it is what Meta describes. */
export function read<T>(schema: z.ZodType<T>, answer: unknown, what: string): T {
  const { data, success } = schema.safeParse(answer);
  if (success) return data;
  throw new BadPayloadError(`${what}: Meta's answer can't be read`);
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
