import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Reply } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import type { MessageAttachment } from '../../core/ticket.ts';
import type { SlackApi } from './api.ts';
import { File } from './event.ts';

/** The bytes of an attachment. Its address is asked for each time: in shared channels an event has none. */
export async function download(api: SlackApi, { id, name }: Attachment): Promise<Readable> {
  const { file } = await api.ask('files.info', z.object({ file: File }), { file: id });
  const url = file.url_private_download ?? file.url_private;
  if (url === undefined) throw new PermanentError(`Slack gives no address for ${name}`);
  const isPage = (mediaType: string) => /^text\/html\b/i.test(mediaType);
  return api.fetch(url, (mediaType) => !isPage(mediaType) || isPage(file.mimetype ?? ''));
}

const Slot = z.object({ upload_url: z.url(), file_id: z.string().min(1) });

/** Puts a file at Slack's, where nobody sees it until it is shared; its id. */
export async function upload(
  api: SlackApi,
  reply: Reply,
  { id, name }: z.output<typeof MessageAttachment>,
): Promise<string> {
  const bytes = await buffer(await reply.open(id));
  if (bytes.length === 0) throw new PermanentError(`${name} is empty: Slack takes no files without bytes`);
  try {
    const asked = { filename: name, length: String(bytes.length) };
    const { upload_url, file_id } = await api.ask('files.getUploadURLExternal', Slot, asked);
    await api.upload(upload_url, bytes);
    return file_id;
  } catch (error) {
    // Whatever became of it, nobody has seen it: it may simply be done again.
    if (!(error instanceof RetryableError)) throw error;
    throw new RetryableError(error.message, { cause: error, ...(error.response && { response: error.response }) });
  }
}
