import { z } from 'zod';
import type { Http, Reply } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { MessageAttachment } from '../../core/ticket.ts';
import { uploadStream } from '../../core/upload-stream.ts';
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

async function send(deps: Uploading, url: string, field: string, reply: Reply, file: File): Promise<unknown> {
  if (!isOfVk(url, deps.apiRoot)) throw new PermanentError('VK names an address for uploads that is not its own');
  const { ok, status, bytes } = await uploadStream(deps.http, url, field, reply, file);
  if (ok) return readable(bytes);
  throw new RetryableError(`VK's server for uploads answered ${status}`, { hint: 'It is tried again.' });
}

function readable(bytes: Buffer): unknown {
  try {
    return parseJson(bytes);
  } catch {
    throw new RetryableError("VK's server for uploads answered with what can't be read");
  }
}
