import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';
import type { Message } from './update.ts';

/** What a message says besides its text: files, and for what is neither text nor file a line that says it. */
export interface Content {
  readonly text?: string;
  readonly attachments?: readonly Attachment[];
  readonly fields?: Readonly<Record<string, string>>;
}

const File = z.object({
  file_id: z.string().min(1).max(512),
  file_unique_id: z.string().min(1).max(512).optional(),
  file_size: z.number().int().min(0).optional().catch(undefined),
  mime_type: z.string().max(255).optional().catch(undefined),
  file_name: z.string().optional(),
});
const Photo = z.array(File.extend({ width: z.number().default(0), height: z.number().default(0) })).min(1);
const Sticker = File.extend({
  emoji: z.string().optional(),
  is_animated: z.unknown().optional(),
  is_video: z.unknown().optional(),
});
const Location = z.object({ latitude: z.number(), longitude: z.number() });
const Venue = z.object({ location: Location.optional(), title: z.string().optional(), address: z.string().optional() });
const Contact = z.object({
  phone_number: z.string(),
  first_name: z.string().default(''),
  last_name: z.string().optional(),
});
const Options = z.array(z.object({ text: z.string() })).default([]);
const Poll = z.object({ question: z.string(), options: Options });
const Checklist = z.object({ title: z.string(), tasks: Options });
const Dice = z.object({ emoji: z.string(), value: z.number() });
const Titled = z.object({ title: z.string(), description: z.string().optional() });
const WebApp = z.object({ data: z.string(), button_text: z.string().default('') });
const Story = z.object({ id: z.number(), chat: z.object({ username: z.string().optional() }) });
const Rich = z.object({ blocks: z.array(z.unknown()) });

/**
 * By the name of the kind, in the order in which they are looked for: an animation also comes as a document, a
 * venue also as a location.
 */
const KINDS: Readonly<Record<string, (value: unknown) => Content>> = {
  text: () => ({}),
  rich_message: (value) => ({ text: richText(Rich.parse(value).blocks) }),
  animation: file('animation.mp4', 'video/mp4'),
  document: file('document', 'application/octet-stream'),
  audio: file('audio.mp3', 'audio/mpeg'),
  voice: file('voice.ogg', 'audio/ogg'),
  video: file('video.mp4', 'video/mp4'),
  video_note: file('video-note.mp4', 'video/mp4'),
  live_photo: file('live-photo.mp4', 'video/mp4'),
  photo: (value) => {
    const largest = Photo.parse(value).reduce((a, b) => (b.width * b.height >= a.width * a.height ? b : a));
    return file('photo.jpg', 'image/jpeg')(largest);
  },
  sticker: (value) => {
    const { emoji, is_animated, is_video } = Sticker.parse(value);
    const kind = is_animated
      ? file('sticker.tgs', 'application/x-tgsticker')
      : is_video
        ? file('sticker.webm', 'video/webm')
        : file('sticker.webp', 'image/webp');
    return { ...kind(value), text: emoji ?? '' };
  },
  venue: (value) => {
    const { location, title, address } = Venue.parse(value);
    return { ...(location && spot(location)), text: `📍 ${[title, address].filter(Boolean).join(', ')}` };
  },
  location: (value) => spot(Location.parse(value)),
  contact: (value) => {
    const { phone_number, first_name, last_name } = Contact.parse(value);
    const name = [first_name, last_name].filter(Boolean).join(' ');
    return {
      text: `👤 ${[name, phone_number].filter(Boolean).join(', ')}`,
      fields: { contact_name: name, contact_phone: phone_number },
    };
  },
  poll: (value) => {
    const { question, options } = Poll.parse(value);
    return { text: listed(`📊 ${question}`, options) };
  },
  checklist: (value) => {
    const { title, tasks } = Checklist.parse(value);
    return { text: listed(`☑️ ${title}`, tasks) };
  },
  dice: (value) => {
    const { emoji, value: points } = Dice.parse(value);
    return { text: `${emoji} ${points}` };
  },
  game: (value) => ({ text: `🎮 ${Titled.parse(value).title}` }),
  invoice: (value) => {
    const { title, description } = Titled.parse(value);
    return { text: ['🧾', title, description].filter(Boolean).join(' ') };
  },
  web_app_data: (value) => {
    const { data, button_text } = WebApp.parse(value);
    return { text: data, fields: { button: button_text } };
  },
  story: (value) => {
    const { id, chat } = Story.parse(value);
    return { text: chat.username ? `https://t.me/${chat.username}/s/${id}` : '📖', fields: { story: String(id) } };
  },
  paid_media: () => ({ text: '⭐' }),
  // The file it belongs to is of a kind that we don't know yet.
  caption: () => ({}),
};

/** What a message holds, or undefined when it is one of Telegram's own notices (somebody joined, a title changed). */
export function contentOf(message: Message): Content | undefined {
  const kind = Object.keys(KINDS).find((name) => message[name] !== undefined);
  const read = kind === undefined ? undefined : KINDS[kind];
  if (kind === undefined || !read) return undefined;
  const content = read(message[kind]);
  return { ...content, text: message.text ?? message.caption ?? content.text ?? '' };
}

/** Keys that say who, where and when, not what. */
const CIRCUMSTANCES = new Set(
  (
    'message_id message_thread_id direct_messages_topic from sender_chat sender_boost_count ' +
    'sender_tag date guest_query_id business_connection_id chat forward_origin is_topic_message reply_to_message ' +
    'external_reply quote reply_to_story via_bot edit_date has_protected_content is_from_offline is_paid_post ' +
    'media_group_id author_signature paid_star_count entities caption_entities link_preview_options effect_id ' +
    'reply_markup'
  ).split(' '),
);

/** What a notice is called: the key that is neither circumstance nor content. */
export function noticeOf(message: Message): string {
  return Object.keys(message).find((key) => !CIRCUMSTANCES.has(key)) ?? 'empty_message';
}

function file(name: string, mediaType: string): (value: unknown) => Content {
  return (value) => {
    const { file_id, file_unique_id: id = file_id, file_name, file_size, mime_type } = File.parse(value);
    const attachment = { id, name: (file_name || name).slice(0, 255), mediaType: mime_type || mediaType };
    return { attachments: [{ ...attachment, ...(file_size !== undefined && { size: file_size }) }] };
  };
}

/**
 * By which Telegram hands out a file of an update. One file may have several such ids, and gets another with an edit:
 * what it is known by is `file_unique_id`, and that can't be fetched by.
 */
export function fileIdOf(value: unknown, uniqueId: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const file = File.safeParse(value);
  if (file.data?.file_unique_id === uniqueId) return file.data.file_id;
  for (const each of Object.values(value)) {
    const found = fileIdOf(each, uniqueId);
    if (found !== undefined) return found;
  }
  return undefined;
}

function spot({ latitude, longitude }: z.output<typeof Location>): Content {
  return {
    text: `📍 ${latitude}, ${longitude}`,
    fields: { latitude: String(latitude), longitude: String(longitude) },
  };
}

function listed(title: string, entries: z.output<typeof Options>): string {
  return [title, ...entries.map(({ text }) => `– ${text}`)].join('\n');
}

/** The words of a rich message, a line for each block: its formatting is not ours to keep. */
function richText(blocks: readonly unknown[]): string {
  return blocks
    .map((block) => wordsIn(block).trim())
    .filter(Boolean)
    .join('\n');
}

/** Keys of blocks that hold words or blocks; `cells` are the rows of a table. */
const SPOKEN = [
  'text',
  'title',
  'caption',
  'items',
  'blocks',
  'cells',
  'summary',
  'credit',
  'expression',
  'alternative_text',
];

function wordsIn(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(wordsIn).join(value.every(isInline) ? '' : '\n');
  if (typeof value !== 'object' || value === null) return '';
  const node = value as Readonly<Record<string, unknown>>;
  return SPOKEN.map((key) => wordsIn(node[key]))
    .filter(Boolean)
    .join('\n');
}

/** A run of text inside a line: plain, or formatted. */
function isInline(value: unknown): boolean {
  if (typeof value === 'string') return true;
  return typeof value === 'object' && value !== null && 'type' in value && !('blocks' in value);
}
