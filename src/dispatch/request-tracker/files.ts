import type { Delivery } from '../../core/destination.ts';
import { sendable } from '../../core/sendable.ts';
import type { Message } from '../../core/ticket.ts';

type File = { readonly FileName: string; readonly FileType: string; readonly FileContent: string };
/** What goes along with a message, and why the rest of its files doesn’t. */
export interface Files {
  readonly sent: readonly File[];
  readonly unsent: ReadonlyMap<string, string>;
}

const TAKER = 'Request Tracker';

/** At most so many bytes together. */
export async function readFiles(delivery: Delivery, max: number): Promise<Files> {
  const { sending, unsent } = sendable(delivery.message, { max, taker: TAKER });
  const sent: File[] = [];
  for (const { id, name, mediaType } of sending) {
    const chunks: Buffer[] = [];
    for await (const chunk of await delivery.open(id)) chunks.push(Buffer.from(chunk as Uint8Array));
    sent.push(fileOf(name, mediaType, Buffer.concat(chunks).toString('base64')));
  }
  return { sent, unsent };
}

/** The same without their bytes. */
export function namedFiles(message: Message, max: number): Files {
  const { sending, unsent } = sendable(message, { max, taker: TAKER });
  const sent = sending.map(({ name, mediaType, size }) => fileOf(name, mediaType, `(${size ?? 0} bytes in base64)`));
  return { sent, unsent };
}

function fileOf(name: string, mediaType: string, content: string): File {
  return { FileName: name || 'file', FileType: mediaType || 'application/octet-stream', FileContent: content };
}
