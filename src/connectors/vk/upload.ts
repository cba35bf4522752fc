import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http, Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { MessageAttachment } from '../../core/ticket.ts';
import type { Call } from './api.ts';
import { isOfVk } from './hosts.ts';

export type File = z.output<typeof MessageAttachment>;

export interface Uploading {
  readonly call: Call;
  readonly http: Http;
  readonly apiRoot: string;
}

const MB = 1024 * 1024;
/** https://dev.vk.com/ru/api/upload */
const MAX_PHOTO = 50 * MB;
const MAX_DOC = 200 * MB;

const id = z.union([z.number(), z.string()]).transform(String);
const Server = z.object({ upload_url: z.url() });
const Owned = z.object({ id, owner_id: id });
const Doc = z.object({ doc: Owned });
const Taken = z.object({ server: id, photo: z.string(), hash: z.string() });
const TakenDoc = z.object({ file: z.string().min(1) });

export function refuseLarge(files: readonly File[]): void {
  const large = files.find(({ size }) => (size ?? 0) > MAX_DOC);
  if (!large) return;
  throw new PermanentError(`${large.name} has more than the 200 MB that VK takes`, {
    hint: 'Send a link to it instead.',
  });
}

/** Puts a file on VK's servers for a chat; what it is then called in an answer. What VK can't show goes as a document. */
export async function uploadFile(deps: Uploading, reply: Reply, file: File, peer: string): Promise<string> {
  const isPhoto = /^image\/(jpeg|png)$/i.test(file.mediaType) && (file.size ?? 0) <= MAX_PHOTO;
  return (isPhoto && (await uploadPhoto(deps, reply, file, peer))) || uploadDoc(deps, reply, file, peer);
}

async function uploadPhoto(deps: Uploading, reply: Reply, file: File, peer: string): Promise<string | undefined> {
  const { upload_url } = await deps.call('photos.getMessagesUploadServer', { peer_id: peer }, Server);
  const taken = Taken.safeParse(await send(deps, upload_url, 'photo', reply, file)).data;
  if (!taken || taken.photo === '' || taken.photo === '[]') return undefined;
  const [saved] = await deps.call('photos.saveMessagesPhoto', taken, z.array(Owned).min(1));
  return saved && `photo${saved.owner_id}_${saved.id}`;
}

async function uploadDoc(deps: Uploading, reply: Reply, file: File, peer: string): Promise<string> {
  const { upload_url } = await deps.call('docs.getMessagesUploadServer', { type: 'doc', peer_id: peer }, Server);
  const answer = await send(deps, upload_url, 'file', reply, file);
  const taken = TakenDoc.safeParse(answer).data;
  if (!taken) {
    const why = z.object({ error: z.string() }).safeParse(answer).data?.error ?? 'no reason given';
    throw new PermanentError(`VK does not take ${file.name}: ${why.slice(0, 500)}`, {
      hint: 'VK refuses programs and music, for example: send an archive, or a link.',
    });
  }
  const { doc } = await deps.call('docs.save', { file: taken.file, title: file.name.slice(0, 255) }, Doc);
  return `doc${doc.owner_id}_${doc.id}`;
}

/** One file in a form, read once, whatever its size. */
async function send(deps: Uploading, url: string, field: string, reply: Reply, file: File): Promise<unknown> {
  if (!isOfVk(url, deps.apiRoot)) throw new PermanentError('VK names an address for uploads that is not its own');
  const boundary = randomUUID();
  const name = file.name.replace(/[\p{Cc}"\\]/gu, '_');
  const head = Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="${field}"; filename="${name}"\r\n` +
      `content-type: application/octet-stream\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const bytes = (await reply.open(file.id)) as AsyncIterable<Uint8Array>;
  const body = Readable.from(
    (async function* () {
      yield head;
      yield* bytes;
      yield tail;
    })(),
  );
  const headers = new Headers({ 'content-type': `multipart/form-data; boundary=${boundary}` });
  if (file.size != null) headers.set('content-length', String(head.length + file.size + tail.length));
  // The lent fetch takes Node's streams, which the types of the built-in one don't name.
  const answer = await deps.http.fetch(url, { method: 'POST', headers, body: body as never });
  const text = Buffer.from(await answer.arrayBuffer());
  if (answer.ok) return readable(text);
  throw new RetryableError(`VK's server for uploads answered ${answer.status}`, { hint: 'It is tried again.' });
}

function readable(bytes: Buffer): unknown {
  try {
    return parseJson(bytes);
  } catch {
    throw new RetryableError("VK's server for uploads answered with what can't be read");
  }
}
