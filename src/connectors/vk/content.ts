import { z } from 'zod';
import type { Attachment } from '../../core/envelope.ts';
import type { Forwarded } from './event.ts';

/** A file of a message, with the address that it has for a while. */
export interface VkFile extends Attachment {
  readonly url: string;
}

/** What a message says besides its text: files, and for what is no file a line that says it. */
export interface Content {
  readonly lines: readonly string[];
  readonly files: readonly VkFile[];
  readonly fields: Readonly<Record<string, string>>;
}

const id = z.union([z.string(), z.number()]).transform(String);
const text = z.string().catch('');
const url = z.url({ protocol: /^https?$/ }).max(4000);
const Owned = z.object({ id, owner_id: id });
const Image = z.object({ url, width: z.number().catch(0), height: z.number().catch(0) });

const Photo = Owned.extend({ sizes: z.array(z.unknown()).catch([]), orig_photo: z.unknown().optional() });
const Doc = Owned.extend({ title: text, ext: text, size: z.number().int().min(0).optional().catch(undefined), url });
const Voice = Owned.extend({ link_ogg: url, transcript: text });
const Graffiti = Owned.extend({ url });
const Sticker = z.object({ sticker_id: id, images: z.array(z.unknown()).catch([]) });
const Gift = z.object({ id, thumb_256: url.optional().catch(undefined), thumb_96: url.optional().catch(undefined) });
const Titled = Owned.extend({ title: text });
const Song = z.object({ artist: text, title: text });
const Link = z.object({ url, title: text });
const Post = z.object({ id, owner_id: id.optional(), to_id: id.optional(), from_id: id.optional(), text });
const Reply = z.object({ id, owner_id: id, post_id: id, text });
const Product = Titled.extend({ price: z.object({ text }).catch({ text: '' }) });
const Poll = z.object({ question: text, answers: z.array(z.object({ text })).catch([]) });
const Place = z.object({
  coordinates: z.object({ latitude: z.number(), longitude: z.number() }),
  place: z.object({ title: text }).optional().catch(undefined),
});

type Part = Partial<Pick<Content, 'lines' | 'files'>>;

/** By the type of an attachment: https://dev.vk.com/ru/reference/objects/attachments-message */
const KINDS: Readonly<Record<string, (value: unknown) => Part>> = {
  photo: (value) => {
    const { sizes, orig_photo, ...photo } = Photo.parse(value);
    return file(photo, 'photo', { name: 'photo.jpg', mediaType: 'image/jpeg', url: largest([...sizes, orig_photo]) });
  },
  doc: (value) => {
    const { title, ext, size, url, ...doc } = Doc.parse(value);
    const name = title.toLowerCase().endsWith(`.${ext.toLowerCase()}`) || ext === '' ? title : `${title}.${ext}`;
    return file(doc, 'doc', { name, mediaType: mediaTypeOf(ext), url, ...(size !== undefined && { size }) });
  },
  audio_message: (value) => {
    const { link_ogg: url, transcript, ...voice } = Voice.parse(value);
    const { files } = file(voice, 'audio_message', { name: 'voice.ogg', mediaType: 'audio/ogg', url });
    return { files, lines: transcript ? [`🎤 ${transcript}`] : [] };
  },
  graffiti: (value) => {
    const { url, ...graffiti } = Graffiti.parse(value);
    return file(graffiti, 'graffiti', { name: 'graffiti.png', mediaType: 'image/png', url });
  },
  sticker: (value) => {
    const { sticker_id, images } = Sticker.parse(value);
    const shown = { name: 'sticker.png', mediaType: 'image/png', url: largest(images) };
    return { files: [{ id: `sticker${sticker_id}`, ...shown }] };
  },
  gift: (value) => {
    const { id, thumb_256, thumb_96 } = Gift.parse(value);
    const url = thumb_256 ?? thumb_96;
    const files = url ? [{ id: `gift${id}`, name: 'gift.jpg', mediaType: 'image/jpeg', url }] : [];
    return { lines: ['🎁'], files };
  },
  video: (value) => titled('🎬', 'video', value),
  story: (value) => titled('📖', 'story', value),
  audio: (value) => {
    const { artist, title } = Song.parse(value);
    return { lines: [`🎵 ${[artist, title].filter(Boolean).join(' – ')}`] };
  },
  link: (value) => {
    const { url, title } = Link.parse(value);
    return { lines: [said('🔗', title, url)] };
  },
  article: (value) => {
    const { url, title } = Link.parse(value);
    return { lines: [said('📄', title, url)] };
  },
  wall: (value) => {
    const { id, owner_id, to_id, from_id, text } = Post.parse(value);
    return { lines: [said('📰', text, `https://vk.com/wall${owner_id ?? to_id ?? from_id}_${id}`)] };
  },
  wall_reply: (value) => {
    const { id, owner_id, post_id, text } = Reply.parse(value);
    return { lines: [said('💬', text, `https://vk.com/wall${owner_id}_${post_id}?reply=${id}`)] };
  },
  market: (value) => {
    const { id, owner_id, title, price } = Product.parse(value);
    return { lines: [said('🛒', title, price.text, `https://vk.com/market${owner_id}_${id}`)] };
  },
  poll: (value) => {
    const { question, answers } = Poll.parse(value);
    return { lines: [`📊 ${plainText(question)}`, ...answers.map(({ text }) => `– ${plainText(text)}`)] };
  },
};

/** What the attachments of a message and its place say; a kind that we don't know, or can't read, says its name. */
export function contentOf(message: { readonly attachments: readonly unknown[]; readonly geo?: unknown }): Content {
  const parts = message.attachments.map(partOf);
  const spot = Place.safeParse(message.geo).data;
  const { latitude, longitude } = spot?.coordinates ?? {};
  return {
    lines: [
      ...parts.flatMap(({ lines = [] }) => lines),
      ...(spot ? [said('📍', spot.place?.title ?? '', `${latitude}, ${longitude}`)] : []),
    ],
    files: parts.flatMap(({ files = [] }) => files),
    fields: spot ? { latitude: String(latitude), longitude: String(longitude) } : {},
  };
}

const Kind = z.looseObject({ type: z.string() });

function partOf(attachment: unknown): Part {
  const { data } = Kind.safeParse(attachment);
  if (!data) return { lines: ['[?]'] };
  const read = Object.hasOwn(KINDS, data.type) ? KINDS[data.type] : undefined;
  try {
    return read?.(data[data.type]) ?? { lines: [`[${data.type}]`] };
  } catch (error) {
    // One attachment without an address must not take the message with it.
    if (!(error instanceof z.ZodError)) throw error;
    return { lines: [`[${data.type}]`] };
  }
}

/** All files of a message, forwarded ones included: what is fetched is looked up here. */
export function filesIn(message: Pick<Forwarded, 'attachments' | 'fwd_messages'>): VkFile[] {
  return [...contentOf(message).files, ...message.fwd_messages.flatMap(filesIn)];
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&', '#39': "'" };

/** As the person typed it: VK escapes for HTML, and writes mentions as `[id1|Name]` or `[id1:bp-1_2|Name]`. */
export function plainText(text: string): string {
  return text
    .replace(/<br>/g, '\n')
    .replace(/\[(?:id|club|public|event|post)\d{1,20}(?::[\w-]{1,60})?\|([^\][|]{1,200})\]/g, '$1')
    .replace(/&(lt|gt|quot|amp|#39);/g, (_, name: string) => ENTITIES[name] ?? '');
}

function file(owned: z.output<typeof Owned>, kind: string, shown: Omit<VkFile, 'id'>): Required<Pick<Part, 'files'>> {
  return { files: [{ id: `${kind}${owned.owner_id}_${owned.id}`, ...shown, name: shown.name.slice(0, 255) || kind }] };
}

function titled(sign: string, kind: string, value: unknown): Part {
  const { id, owner_id, title } = Titled.parse(value);
  return { lines: [said(sign, title, `https://vk.com/${kind}${owner_id}_${id}`)] };
}

function said(sign: string, ...words: readonly string[]): string {
  return [sign, ...words.map((word) => plainText(word).slice(0, 1000))].filter(Boolean).join(' ');
}

/** Throws when none has an address. */
function largest(images: readonly unknown[]): string {
  const shown = images.flatMap((image) => Image.safeParse(image).data ?? []);
  return z
    .array(Image)
    .min(1)
    .parse(shown)
    .reduce((a, b) => (b.width * b.height >= a.width * a.height ? b : a)).url;
}

const MEDIA: Readonly<Record<string, string>> = {
  pdf: 'application/pdf',
  zip: 'application/zip',
  txt: 'text/plain',
  csv: 'text/csv',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
  mp4: 'video/mp4',
};

function mediaTypeOf(ext: string): string {
  const name = ext.toLowerCase();
  return (Object.hasOwn(MEDIA, name) ? MEDIA[name] : undefined) ?? 'application/octet-stream';
}
