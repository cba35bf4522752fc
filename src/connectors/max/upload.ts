import { z } from 'zod';
import type { Http, Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { MessageAttachment } from '../../core/ticket.ts';
import { uploadStream } from '../../core/upload-stream.ts';
import type { MaxApi } from './api.ts';
import { isOfMax } from './hosts.ts';

export type File = z.output<typeof MessageAttachment>;

export interface Uploading {
  readonly api: MaxApi;
  readonly http: Http;
  readonly apiRoot: string;
}

const MB = 1024 * 1024;

/** What is shown or played, and up to which size; everything else goes as a file: https://dev.max.ru/docs-api/methods/POST/uploads */
const KINDS: readonly (readonly [kind: string, types: RegExp, max: number])[] = [
  ['image', /^image\/(jpeg|png|gif|tiff|bmp|heic)$/i, 50 * MB],
  ['video', /^video\/(mp4|quicktime|x-matroska|webm)$/i, 250 * MB],
  ['audio', /^audio\/(mpeg|mp3|wav|x-wav|mp4|x-m4a)$/i, 256 * MB],
];

const Slot = z.object({ url: z.url(), token: z.string().nullish() });
const Taken = z.object({ token: z.string().min(1).optional(), photos: z.record(z.string(), z.unknown()).optional() });

/** Puts a file on MAX's servers; how an answer then names it. */
export async function uploadFile(deps: Uploading, reply: Reply, file: File): Promise<object> {
  const found = KINDS.find(([, types, max]) => types.test(file.mediaType) && (file.size ?? 0) <= max);
  const type = found?.[0] ?? 'file';
  const { url, token } = await deps.api({ method: 'POST', path: '/uploads', query: { type } }, Slot);
  const answer = await send(deps, url, reply, file);
  // Videos and audio are named before they are sent, and their servers answer in XML.
  if (token && (type === 'video' || type === 'audio')) return { type, payload: { token } };
  const taken = Taken.safeParse(jsonOf(answer)).data;
  if (taken?.photos && Object.keys(taken.photos).length > 0) return { type, payload: { photos: taken.photos } };
  if (taken?.token !== undefined) return { type, payload: { token: taken.token } };
  throw new PermanentError(`MAX does not take ${file.name}: ${answer.toString('utf8').slice(0, 500)}`, {
    hint: 'MAX refuses some kinds of files: send an archive, or a link.',
  });
}

/** The token stays out: the address is another server's. */
async function send(deps: Uploading, url: string, reply: Reply, file: File): Promise<Buffer> {
  if (!isOfMax(url, deps.apiRoot)) throw new PermanentError('MAX names an address for uploads that is not its own');
  const { ok, status, bytes } = await uploadStream(deps.http, url, 'data', reply, file);
  if (ok) return bytes;
  throw new RetryableError(`MAX's server for uploads answered ${status}`, { hint: 'It is tried again.' });
}
