import type { Attachment } from '../../core/envelope.ts';
import type { Message } from './event.ts';

interface Content {
  readonly text: string;
  readonly attachments: Attachment[];
}

/** Messages whose words stand in `body`, or below their file. */
const WORDED = [
  'chat',
  'image',
  'video',
  'ptv',
  'audio',
  'ptt',
  'document',
  'sticker',
  'hsm',
  'list',
  'list_response',
  'buttons_response',
  'template_button_reply',
  'interactive',
  'interactive_response',
  'native_flow',
];

/** Lines that say what is neither text nor file. */
const LINES: Readonly<Record<string, (message: Message) => readonly (string | false | null | undefined)[]>> = {
  location: ({ location, body }) => {
    if (!location) return ['📍'];
    const { latitude, longitude, name, address, url } = location;
    return [
      `📍 ${[name, address].filter(Boolean).join(', ')}`.trim(),
      `${latitude}, ${longitude}`,
      url ?? wordsOf(body),
    ];
  },
  live_location: () => ['📍 live location, on the phone'],
  vcard: ({ vCards }) => vCards.map(toLine),
  multi_vcard: ({ vCards }) => vCards.map(toLine),
  poll_creation: ({ body, pollOptions }) => [`📊 ${body ?? ''}`, ...pollOptions.map(({ name }) => `- ${name}`)],
  scheduled_event_creation: ({ body, description }) => [`📅 ${body ?? ''}`, description],
  event_creation: ({ body, description }) => [`📅 ${body ?? ''}`, description],
  order: ({ orderId, body }) => [`🛒 ${orderId ?? ''}`.trim(), wordsOf(body)],
  product: ({ title, description, body }) => [`🛒 ${title ?? ''}`.trim(), description, body],
  payment: ({ body }) => ['💳 a payment, on the phone', body],
  groups_v4_invite: ({ inviteV4, body }) => [`👥 invited to ${inviteV4?.groupName ?? 'a group'}`, body],
};

/** Notices of WhatsApp, and what goes on between its programs. */
const NOTICES: ReadonlySet<string> = new Set([
  'revoked',
  'ciphertext',
  'protocol',
  'debug',
  'e2e_notification',
  'gp2',
  'group_notification',
  'notification',
  'notification_template',
  'broadcast_notification',
  'newsletter_notification',
  'biz_content_placeholder',
  'pinned_message',
  'keep_in_chat',
  'reaction',
  'poll_update',
  'call_log',
  // Only says how many pictures follow.
  'album',
]);

/** What a message holds; undefined where it is none. What is newer than this version is kept if it has words or a file. */
export function contentOf(message: Message): Content | undefined {
  const { type, body } = message;
  if (NOTICES.has(type)) return undefined;
  const attachments = message.hasMedia ? [toAttachment(message)] : [];
  if (Object.hasOwn(LINES, type)) {
    const lines = LINES[type]?.(message) ?? [];
    return { text: lines.filter(Boolean).join('\n'), attachments };
  }
  if (body || attachments.length > 0) return { text: body ?? '', attachments };
  // A file that can't be had, such as one that may be looked at only once, and on the phone.
  return WORDED.includes(type) ? { text: `⚠️ ${type}, on the phone`, attachments } : undefined;
}

/** Where a message has a thumbnail, it stands where its words would. */
function wordsOf(body: string | null | undefined): string | undefined {
  return body && body.length < 2000 && /\s/.test(body) ? body : undefined;
}

/** RFC 6350, as far as phones write it. */
function toLine(card: string): string {
  const valuesOf = (name: RegExp) =>
    card
      .split(/\r?\n/)
      .filter((line) => name.test(line))
      .map((line) =>
        line
          .slice(line.indexOf(':') + 1)
          .replace(/\\([,;\\])/g, '$1')
          .trim(),
      );
  const [name = ''] = valuesOf(/^FN[;:]/i);
  return `👤 ${[name, ...valuesOf(/^(item\d+\.)?(TEL|EMAIL)[;:]/i)].filter(Boolean).join(', ')}`;
}

const KINDS: Readonly<Record<string, readonly [name: string, mediaType: string]>> = {
  image: ['image', 'image/jpeg'],
  video: ['video', 'video/mp4'],
  ptv: ['video', 'video/mp4'],
  audio: ['audio', 'audio/mp4'],
  ptt: ['voice', 'audio/ogg'],
  sticker: ['sticker', 'image/webp'],
  document: ['document', 'application/octet-stream'],
};

const ENDINGS: ReadonlyMap<string, string> = new Map([
  ['image/jpeg', 'jpg'],
  ['image/png', 'png'],
  ['image/webp', 'webp'],
  ['image/gif', 'gif'],
  ['audio/ogg', 'ogg'],
  ['audio/mpeg', 'mp3'],
  ['audio/mp4', 'm4a'],
  ['audio/aac', 'aac'],
  ['video/mp4', 'mp4'],
  ['video/3gpp', '3gp'],
  ['application/pdf', 'pdf'],
]);

/** Fetched by its message's own id, in WhatsApp's form. */
function toAttachment({ id, type, _data }: Message): Attachment {
  const [name, usual] = KINDS[type] ?? ['file', 'application/octet-stream'];
  const mediaType = (_data.mimetype?.split(';', 1)[0] ?? '').trim() || usual;
  const ending = ENDINGS.get(mediaType.toLowerCase());
  return {
    id: id._serialized ?? [id.fromMe, id.remote, id.id, id.participant].filter((part) => part != null).join('_'),
    name: (_data.filename || (ending ? `${name}.${ending}` : name)).slice(0, 255),
    mediaType: mediaType.slice(0, 255),
    ...(_data.size != null && { size: _data.size }),
  };
}
