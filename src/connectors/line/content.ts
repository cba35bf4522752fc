import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';

const id = z.string().min(1).max(200);
const text = z.string().optional().catch(undefined);
const degrees = z.number().transform(String).optional().catch(undefined);

/** https://developers.line.biz/en/reference/messaging-api/#message-event; what isn't as described is left out. */
export const Message = z.object({
  id,
  type: z.string().max(100),
  text,
  quotedMessageId: id.optional().catch(undefined),
  imageSet: z.object({ id }).optional().catch(undefined),
  contentProvider: z.object({ type: text, originalContentUrl: text }).optional().catch(undefined),
  fileName: text,
  fileSize: z.number().int().min(0).optional().catch(undefined),
  title: text,
  address: text,
  latitude: degrees,
  longitude: degrees,
  packageId: text,
  stickerId: text,
  keywords: z.array(z.string()).optional().catch(undefined),
});
type Message = z.output<typeof Message>;

interface Content {
  readonly text: string;
  readonly attachments?: Attachment[];
  readonly fields?: Readonly<Record<string, string | undefined>>;
}

/** Kinds that aren't here are shown as their text or, when they have none, their name. */
const KINDS: Readonly<Record<string, (message: Message) => Content>> = {
  image: (message) => withFile(message, 'image.jpg', 'image/jpeg'),
  video: (message) => withFile(message, 'video.mp4', 'video/mp4'),
  audio: (message) => withFile(message, 'audio.m4a', 'audio/mp4'),
  file: (message) => withFile(message, 'file', 'application/octet-stream'),
  location: ({ title, address, latitude, longitude }) => ({
    text: `📍 ${[title, address].filter(Boolean).join(', ') || [latitude, longitude].filter(Boolean).join(', ')}`,
    fields: { latitude, longitude },
  }),
  // Its picture can't be asked for: what the customer meant stands in its text or its keywords.
  sticker: ({ text, keywords = [], packageId, stickerId }) => ({
    text: text || `[${['sticker', keywords.join(', ')].filter(Boolean).join(': ')}]`,
    fields: { sticker: [packageId, stickerId].filter(Boolean).join('/') },
  }),
};

/** What a message holds. */
export function contentOf(message: Message): Content {
  const read = Object.hasOwn(KINDS, message.type) ? KINDS[message.type] : undefined;
  if (read) return read(message);
  const { type, text = '' } = message;
  return { text: text !== '' || type === 'text' ? text : `[${type}]` };
}

/** A file is asked for by the id of its message. One that lies elsewhere was named by a web page, and isn't fetched. */
function withFile(
  { id, contentProvider, fileName, fileSize: size }: Message,
  name: string,
  mediaType: string,
): Content {
  if (contentProvider?.type === 'external') return { text: contentProvider.originalContentUrl || name };
  const attachment = { id, name: (fileName || name).slice(0, 255), mediaType, ...(size !== undefined && { size }) };
  return { text: '', attachments: [attachment] };
}
