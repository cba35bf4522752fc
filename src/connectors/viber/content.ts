import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';

const text = z.string().optional().catch(undefined);
const word = z.union([z.string(), z.number()]).transform(String).optional().catch(undefined);

/** https://developers.viber.com/docs/api/rest-bot-api/#receive-message-from-user; what isn't as described is left out. */
export const Message = z.object({
  type: z.string().max(100),
  text,
  media: text,
  file_name: text,
  size: z.number().int().min(0).optional().catch(undefined),
  sticker_id: word,
  alt_text: text,
  contact: z.object({ name: text, phone_number: text }).optional().catch(undefined),
  location: z.object({ lat: word, lon: word }).optional().catch(undefined),
  tracking_data: text,
});
type Message = z.output<typeof Message>;

interface Content {
  readonly text: string;
  readonly attachments?: Attachment[];
  readonly fields?: Readonly<Record<string, string | undefined>>;
}

type Read = (message: Message, id: string) => Content;

/** Kinds that aren't here are shown as what they have: text, a file, at least their name. */
const KINDS: Readonly<Record<string, Read>> = {
  url: ({ text, media }) => ({
    text: [text, text?.includes(media ?? '') ? '' : media].filter(Boolean).join('\n') || '[url]',
  }),
  contact: ({ contact }) => ({
    text: `👤 ${[contact?.name, contact?.phone_number].filter(Boolean).join(', ')}`,
    // Nobody says whose card it is: a number that a customer sends is none that he is known by.
    fields: { contact_name: contact?.name, contact_phone: contact?.phone_number },
  }),
  location: ({ location }) => ({
    text: `📍 ${[location?.lat, location?.lon].filter(Boolean).join(', ')}`,
    fields: { latitude: location?.lat, longitude: location?.lon },
  }),
  rich_media: ({ text, alt_text }) => ({ text: text || alt_text || '[rich_media]' }),
  sticker: (message, id) => ({ ...withFile(message, id), fields: { sticker: message.sticker_id } }),
};

/** What a message holds. `id` names its file: there is one at most. */
export function contentOf(message: Message, id: string): Content {
  const read = Object.hasOwn(KINDS, message.type) ? KINDS[message.type] : undefined;
  return (read ?? withFile)(message, id);
}

function withFile(message: Message, id: string): Content {
  const { type, text = '', media } = message;
  if (media) return { text, attachments: [fileOf(message, id)] };
  const says = text !== '' || type === 'text';
  return { text: says ? text : `[${type}]` };
}

/** Name and type of a file that comes without them. */
const FILES: Readonly<Record<string, readonly [string, string]>> = {
  picture: ['picture.jpg', 'image/jpeg'],
  video: ['video.mp4', 'video/mp4'],
  sticker: ['sticker.png', 'image/png'],
};

const PICTURES: Readonly<Record<string, string>> = { png: 'image/png', gif: 'image/gif', webp: 'image/webp' };

function fileOf({ type, file_name, size }: Message, id: string): Attachment {
  const known = Object.hasOwn(FILES, type) ? FILES[type] : undefined;
  const [usual, usualType] = known ?? ['file', 'application/octet-stream'];
  // Viber writes the word for a name that it doesn't know.
  const name = file_name && file_name !== 'null' ? file_name.slice(0, 255) : usual;
  const ending = /\.(\w{3,4})$/.exec(name)?.[1]?.toLowerCase() ?? '';
  const mediaType = (type === 'picture' && PICTURES[ending]) || usualType;
  return { id, name, mediaType, ...(size !== undefined && { size }) };
}
