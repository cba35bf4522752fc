import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { NotFoundError, PermanentError } from '../core/errors.ts';
import type { Endpoint } from '../core/gateway.ts';
import type { Task } from '../core/rows.ts';
import type { Store } from '../core/store.ts';
import type { Message } from '../core/ticket.ts';
import { openSource } from './channel.ts';

/** Largest file that is stored, bytes. */
const MAX_BYTES = 100 * 1024 * 1024;

/** Fetches the bytes of an attachment and stores them; a file that is there already is stored once. */
export function createDownload(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly endpointOf: (id: string) => Endpoint | undefined;
}) {
  const { store } = deps;
  return async (task: Task) => {
    const attachment = await store.read.attachment(task.attachmentId ?? '');
    if (!attachment) return { request: 'taken back by its sender' };
    const source = openSource(deps.endpointOf, task.endpointId);
    if (!source.download) throw new PermanentError(`${task.endpointId} hands over no files`);
    const row = attachment.payloadId === null ? undefined : await store.read.payload(attachment.payloadId);
    if (!row?.body) throw new PermanentError('the payload that announced this file is gone: the retention has passed');
    const { id, name, mediaType, size, inline, cid } = attachment;
    const bytes = await source.download({ id, name, mediaType, size, inline, cid }, { ...row, body: row.body });
    const saved = await store.blobs.save(bytes, MAX_BYTES);
    await store.write([`attachment ${attachment.rowId}`], (tx) =>
      tx.updateAttachment(attachment.rowId, { state: 'stored', ...saved }),
    );
    return { request: name, response: `${saved.size} bytes` };
  };
}

/** The bytes of a stored attachment by our id. */
export async function openAttachment(store: Store, id: string): Promise<Readable> {
  const attachment = await store.read.attachment(id);
  if (!attachment) throw new NotFoundError(`there is no attachment ${id}`);
  if (attachment.sha256 === undefined)
    throw new PermanentError(`${attachment.name} is not stored (${attachment.state})`);
  return store.blobs.open(attachment.sha256);
}

/** Whether files of a message are still to be fetched. */
export function waitsForFiles({ attachments }: Message): boolean {
  return attachments.some(({ state }) => state === 'waiting');
}
