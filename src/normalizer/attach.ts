import type { Envelope } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { AlbumPart } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Announcer } from './announce.ts';
import { follow } from './follow.ts';

/** Files the attachments that a message doesn't have yet; their bytes are fetched by tasks. Returns the new ones. */
export async function fileAttachments(
  tx: Transaction,
  announcer: Announcer,
  said: Pick<Envelope, 'attachments'> & { readonly kind: string; readonly occurredAt?: number },
  message: {
    readonly id: string;
    /** Its ticket, if it was there before: what was delivered already can only be followed. */
    readonly ticketId?: string;
    readonly endpointId: string;
    /** That announced them: what their channel finds the bytes by. */
    readonly payloadId: string;
    readonly newId: NewId;
    readonly known: readonly string[];
  },
): Promise<AlbumPart['files']> {
  const files: { id: string; rowId: string }[] = [];
  for (const attachment of said.attachments) {
    if (message.known.includes(attachment.id)) continue;
    const rowId = message.newId('att');
    const { id: messageId, payloadId } = message;
    const recordedAt = said.kind === 'call' ? said.occurredAt : undefined;
    await tx.insertAttachment({ ...attachment, rowId, messageId, payloadId, state: 'waiting', recordedAt });
    // No ticket: downloads have a lane of their own and hold nothing up.
    await announcer.task({
      kind: 'download',
      type: 'download',
      endpointId: message.endpointId,
      messageId,
      attachmentId: rowId,
    });
    files.push({ id: attachment.id, rowId });
    const { ticketId } = message;
    if (ticketId !== undefined) await follow(tx, announcer, { id: messageId, ticketId }, { attachmentId: rowId });
  }
  return files;
}
