import type { Envelope } from '../core/envelope.ts';
import type { NewId } from '../core/id.ts';
import type { Transaction } from '../core/store.ts';
import type { Announcer } from './announce.ts';

/** Files the attachments that a message doesn't have yet; their bytes are fetched by tasks. */
export async function fileAttachments(
  tx: Transaction,
  announcer: Announcer,
  envelope: Envelope,
  message: {
    readonly id: string;
    readonly endpointId: string;
    readonly newId: NewId;
    readonly known: readonly string[];
  },
): Promise<void> {
  for (const attachment of envelope.attachments) {
    if (message.known.includes(attachment.id)) continue;
    const rowId = message.newId('att');
    await tx.insertAttachment({ ...attachment, rowId, messageId: message.id, state: 'waiting' });
    // No ticket: downloads have a lane of their own and hold nothing up.
    await announcer.task({
      kind: 'download',
      type: 'download',
      endpointId: message.endpointId,
      messageId: message.id,
      attachmentId: rowId,
    });
  }
}
