import type { Attachment as File } from '../../core/envelope.ts';
import { cardOf } from './card.ts';
import { nameOf } from './people.ts';
import type { Attachment, Message } from './update.ts';

export interface Content {
  readonly text: string;
  readonly attachments: File[];
  readonly fields: Readonly<Record<string, string | undefined>>;
}

/** A file of a message: what it is called here, and where MAX has it. */
export interface Told {
  readonly file: File;
  readonly kind: string;
  readonly url: string | undefined;
  readonly token: string | undefined;
}

/** Name and type of files that come without them. */
const FILES: Readonly<Record<string, readonly [string, string]>> = {
  image: ['image.jpg', 'image/jpeg'],
  video: ['video.mp4', 'video/mp4'],
  audio: ['audio.mp3', 'audio/mpeg'],
  sticker: ['sticker.webp', 'image/webp'],
  file: ['file', 'application/octet-stream'],
};

/** What a message holds: its own words and files, then those that it passes on. */
export function contentOf(message: Message): Content {
  const passedOn = forwarded(message);
  const said = attachedTo(message).map(wordsOf);
  const texts = [message.body?.text, passedOn?.text, ...said.map(({ text }) => text)];
  const fields = said.toReversed().flatMap((one) => Object.entries(one.fields).filter(([, value]) => value));
  return {
    text: texts.filter(Boolean).join('\n'),
    attachments: filesOf(message).map(({ file }) => file),
    fields: {
      ...Object.fromEntries(fields),
      ...(passedOn && { forwarded_from: message.link?.sender ? nameOf(message.link.sender) : 'somebody' }),
    },
  };
}

function forwarded({ link }: Message) {
  return link?.type === 'forward' ? link.message : undefined;
}

function attachedTo(message: Message): readonly Attachment[] {
  return [...(message.body?.attachments ?? []), ...(forwarded(message)?.attachments ?? [])];
}

/** The files of a message, in its order, named by its id and their place in it: the same when it is asked for again. */
export function filesOf(message: Message): readonly Told[] {
  const of = message.body?.mid ?? forwarded(message)?.mid ?? '';
  return attachedTo(message).flatMap(({ type, payload, filename, size }, index) => {
    const known = Object.hasOwn(FILES, type) ? FILES[type] : undefined;
    if (!known) return [];
    const [usual, mediaType] = known;
    const file = { id: `${of}/${index}`, name: (filename || usual).slice(0, 255), mediaType };
    return { file: { ...file, ...(size != null && { size }) }, kind: type, url: payload?.url, token: payload?.token };
  });
}

type Said = { readonly text: string; readonly fields: Readonly<Record<string, string | undefined>> };

/** Kinds that are words rather than files. */
const KINDS: Readonly<Record<string, (attachment: Attachment) => Said>> = {
  contact: ({ payload }) => {
    const { name, phone } = cardOf(payload?.vcf_info ?? '');
    const called = name ?? (payload?.max_info ? nameOf(payload.max_info) : undefined);
    return {
      text: `👤 ${[called, phone].filter(Boolean).join(', ')}`,
      fields: { contact_name: called, contact_phone: phone },
    };
  },
  location: ({ latitude, longitude }) => ({
    text: `📍 ${[latitude, longitude].filter((value) => value != null).join(', ')}`,
    fields: { latitude: numberOf(latitude), longitude: numberOf(longitude) },
  }),
  share: ({ title, description, payload }) => ({
    text: `🔗 ${[title, description, payload?.url].filter(Boolean).join(' – ')}`,
    fields: { link: payload?.url },
  }),
  // What a button that says something said beside it.
  data: ({ data }) => ({ text: '', fields: { data } }),
  // The buttons below somebody's message are no words of his.
  inline_keyboard: () => ({ text: '', fields: {} }),
};

function wordsOf(attachment: Attachment): Said {
  const { type, payload, transcription } = attachment;
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kind) return kind(attachment);
  if (type === 'sticker') return { text: '', fields: { sticker: payload?.code } };
  if (Object.hasOwn(FILES, type)) return { text: '', fields: { transcription } };
  return { text: `[${type}]`, fields: {} };
}

function numberOf(value: number | null | undefined): string | undefined {
  return value == null ? undefined : String(value);
}
