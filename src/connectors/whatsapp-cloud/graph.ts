import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, HttpRequest } from '../../core/connector.ts';
import { BadPayloadError, PermanentError, RetryableError, UncertainError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { toUploadForm } from '../../core/upload-form.ts';
import { failureOf } from './failures.ts';

/** Where businesses without a stand-in or proxy call. */
export const META = 'https://graph.facebook.com';

const MB = 1024 * 1024;
/** Most that WhatsApp takes of a document: every other kind of file is smaller. */
export const MAX_FILE = 100 * MB;
/** A page of a hundred templates, each of a few thousand letters. */
const MAX_ANSWER = 8 * MB;
/** Somebody looks at a ticket and waits for its templates. */
const ASK_MS = 5000;
/** A file on its way out, over a slow line. */
const UPLOAD_MS = 90_000;
/** A large file on its way in. */
const DOWNLOAD_MS = 10 * 60_000;

/** Hosts that hold the files of messages. */
const MEDIA_HOSTS = /(^|\.)(fbsbx\.com|fbcdn\.net|whatsapp\.net)$/;

/** Meta's Graph API for one number, over our guarded way out. Throws the five errors. */
export interface Graph {
  /** `path` below the version. */
  get(path: string): Promise<unknown>;
  /** Sends a message; its id. An unknown outcome is for a person to look at: the customer would see it twice. */
  send(message: object): Promise<string>;
  /** The id of the file at Meta. */
  upload(file: { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }): Promise<string>;
  download(mediaId: string): Promise<Readable>;
}

const Sent = z.object({ messages: z.tuple([z.object({ id: z.string().min(1) })], z.unknown()) });
const Uploaded = z.object({ id: z.string().min(1) });
const Media = z.object({ url: z.url(), file_size: z.coerce.number().optional() });

export function createGraph(deps: {
  readonly token: Secret;
  /** Without a slash at the end. */
  readonly apiRoot: string;
  readonly version: string;
  readonly phoneNumberId: string;
  readonly http: Http;
}): Graph {
  const { token, apiRoot, version, phoneNumberId, http } = deps;
  const signed = (headers: HttpRequest['headers'] = {}) => ({ ...headers, authorization: `Bearer ${token.reveal()}` });

  async function call(what: string, path: string, request: Omit<HttpRequest, 'url'>): Promise<unknown> {
    try {
      const url = `${apiRoot}/${version}/${path}`;
      const { json } = await http.send({ ...request, url, headers: signed(request.headers), maxBytes: MAX_ANSWER });
      return json;
    } catch (error) {
      throw failureOf(what, error);
    }
  }

  return {
    get: (path) => call('Meta', path, { timeoutMs: ASK_MS }),

    async send(message) {
      try {
        const answer = await call('the message', `${phoneNumberId}/messages`, { method: 'POST', body: message });
        const { data } = Sent.safeParse(answer);
        if (data) return data.messages[0].id;
        throw new RetryableError('Meta answered without an id of the message', { outcomeUnknown: true });
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; WhatsApp may have sent it all the same`, {
          cause: error,
          hint: 'Ask the customer, or look at the number’s chat: if it is not there, replay the delivery.',
        });
      }
    },

    async upload({ name, mediaType, bytes }) {
      const { body, type } = toUploadForm({ messaging_product: 'whatsapp' }, { field: 'file', name, mediaType, bytes });
      const headers = { 'content-type': type };
      const answer = await call('the file', `${phoneNumberId}/media`, {
        method: 'POST',
        body,
        headers,
        timeoutMs: UPLOAD_MS,
      });
      return read(Uploaded, answer, 'the file').id;
    },

    async download(mediaId) {
      const path = `${encodeURIComponent(mediaId)}?phone_number_id=${phoneNumberId}`;
      const { url, file_size = 0 } = read(Media, await call('the file', path, {}), 'the file');
      if (file_size > MAX_FILE) throw new PermanentError(`the file has more than ${MAX_FILE / MB} MB`);
      const { protocol, hostname, origin } = new URL(url);
      // The token goes along: to nobody but Meta, or what the operator put in its place.
      const isMeta = protocol === 'https:' && MEDIA_HOSTS.test(hostname);
      if (!isMeta && (apiRoot === META || origin !== new URL(apiRoot).origin)) {
        throw new PermanentError(`Meta names a file on ${origin}, which is no host of Meta's files`);
      }
      const { body } = await http.stream({ url, headers: signed(), maxBytes: MAX_FILE, timeoutMs: DOWNLOAD_MS });
      return body;
    },
  };
}

/** What Meta answered, if it is what Meta describes. */
export function read<T>(schema: z.ZodType<T>, answer: unknown, what: string): T {
  const { data, success } = schema.safeParse(answer);
  if (success) return data;
  throw new BadPayloadError(`${what}: Meta's answer can't be read`);
}
