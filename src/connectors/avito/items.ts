import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { answerName, chatThread, PART, reviewName } from './names.ts';
import { Review, Said } from './seen.ts';
import type { Message } from './seen.ts';

/** What is known besides the payload. */
interface About {
  readonly channel: string;
  readonly receivedAt: number;
}

const Gone = z.object({ review: z.string() });
const Pushed = z.object({ payload: z.object({ type: z.string() }) });

export function toItems({ body, headers, method, receivedAt }: Payload, channel: string): ItemInput[] {
  const value = parseJson(body);
  if (method === 'POST') return [fromPush(value)];
  const about = { channel, receivedAt };
  const part = headers[PART];
  if (part === 'message') return fromMessage(Said.parse(value), about);
  if (part === 'review') return fromReview(Review.parse(value), about);
  if (part !== 'gone') throw new Error(`no part of Avito is called ${part}`);
  return [{ kind: 'deletion', externalId: reviewName(Gone.parse(value).review), occurredAt: receivedAt }];
}

/** Nothing that it says is taken for true: Avito signs no webhook in a way that it documents. The chats are asked. */
function fromPush(value: unknown): ItemInput {
  const { data } = Pushed.safeParse(value);
  return data?.payload.type === 'message'
    ? { kind: 'wake' }
    : ignored(data?.payload.type ?? 'webhook', 'tells of no message');
}

function partyOf({ channel }: About, value: string, name?: string): EnvelopeInput['sender'] {
  return { ...(name && { name }), identifiers: [{ kind: `avito:${channel}`, value, trust: 'verified' }] };
}

function fromMessage({ chat, message }: z.output<typeof Said>, about: About): ItemInput[] {
  const { id: externalId, type, direction, read } = message;
  if (type === 'deleted') return [{ kind: 'deletion', externalId, occurredAt: about.receivedAt }];
  const { fields, ...shown } = (SHOWN[type] ?? showWords)(message);
  const said = {
    kind: 'message',
    externalId,
    occurredAt: message.created,
    thread: { externalId: chatThread(chat.id), references: quotedIn(message) },
    ...subjectOf(chat.item?.title),
    ...shown,
    fields: toFields({ item: chat.item?.id ?? undefined, item_url: chat.item?.url, ...fields }),
  } satisfies Partial<EnvelopeInput>;
  if (type === 'system') {
    return [{ ...said, sender: partyOf(about, 'avito', 'Avito'), automatic: 'notification', quiet: true }];
  }
  const author = partyOf(about, message.author_id ?? chatThread(chat.id), chat.name);
  // Avito tells no time of an edit: the newest reading counts.
  if (direction === 'in') return [{ ...said, sender: author, revision: about.receivedAt }];
  const sent: ItemInput = { ...said, direction: 'outbound', sender: author };
  return read ? [sent, { kind: 'receipt', externalId, state: 'read', occurredAt: read }] : [sent];
}

const quotedIn = ({ quote }: Message): string[] => (quote?.id ? [quote.id] : []);
const subjectOf = (title: string | undefined) => (title ? { subject: title.slice(0, 1000) } : {});

interface Shown {
  readonly text: string;
  readonly attachments?: EnvelopeInput['attachments'];
  readonly fields?: Readonly<Record<string, string | undefined>>;
}

/** What the kinds of messages are to a reader. */
const SHOWN: Readonly<Record<string, (message: Message) => Shown>> = {
  image: (message) =>
    message.content?.image
      ? { text: '', attachments: [{ id: `image:${message.id}`, name: 'image.jpg', mediaType: 'image/jpeg' }] }
      : showWords(message),
  voice(message) {
    const voice = message.content?.voice?.voice_id;
    if (!voice) return showWords(message);
    return { text: '', attachments: [{ id: voice, name: 'voice.mp4', mediaType: 'audio/mp4' }] };
  },
  link(message) {
    const { text, url } = message.content?.link ?? {};
    return text || url ? { text: text ?? url ?? '', fields: { link: url } } : showWords(message);
  },
  item(message) {
    const { title, item_url: url } = message.content?.item ?? {};
    return title || url ? { text: [title, url].filter(Boolean).join('\n') } : showWords(message);
  },
  location(message) {
    const place = message.content?.location;
    if (!place) return showWords(message);
    const fields = { latitude: String(place.lat), longitude: String(place.lon) };
    return { text: place.text ?? place.title ?? '📍', fields };
  },
  call({ content }) {
    const status = content?.call?.status;
    return { text: `📞 ${status ?? 'call'}`, fields: { call: status } };
  },
};

/** Of files, videos and calls by its app Avito tells programs nothing but that there was one. */
function showWords({ type, content }: Message): Shown {
  return content?.text ? { text: content.text } : { text: `⚠️ ${type}`, fields: { unsupported: type } };
}

function fromReview(review: Review, about: About): ItemInput[] {
  const { id, item, sender, answer } = review;
  const externalId = reviewName(id);
  const thread = { externalId };
  const said: ItemInput = {
    kind: 'review',
    externalId,
    // Avito tells no time of an edit: the newest reading counts.
    revision: about.receivedAt,
    occurredAt: review.createdAt,
    // It gives a name and no number of the author.
    sender: partyOf(about, externalId, sender?.name),
    thread,
    ...subjectOf(item?.title),
    text: review.text ?? '',
    attachments: review.images.slice(0, 200).map(({ number }) => ({
      id: photoName(id, number),
      name: `photo-${number}.jpg`,
      mediaType: 'image/jpeg',
    })),
    review: { rating: review.score, maxRating: 5, ...(item?.title && { product: item.title.slice(0, 1000) }) },
    fields: toFields({ item: item?.id ?? undefined, stage: review.stage, vin: review.extraParams?.vin }),
  };
  return answer ? [said, ...fromAnswer(answer, thread, about)] : [said];
}

/** A photo keeps its number; its addresses may change. */
export const photoName = (review: string, number: number): string => `photo:${review}:${number}`;

/** The answer that stands there, whoever gave it, and what became of it. */
function fromAnswer(
  { id, text, status, createdAt: occurredAt, reject_reasons: reasons }: NonNullable<Review['answer']>,
  thread: EnvelopeInput['thread'],
  about: About,
): ItemInput[] {
  const externalId = answerName(id);
  const given: ItemInput = {
    kind: 'message',
    externalId,
    occurredAt,
    direction: 'outbound',
    sender: partyOf(about, 'seller'),
    thread,
    text,
    replaces: true,
  };
  if (status === 'rejected') {
    const why = reasons?.flatMap(({ title }) => title ?? []).join(', ');
    const reason = `Avito has rejected the answer${why && `: ${why}`}`.slice(0, 1000);
    return [given, { kind: 'receipt', externalId, state: 'failed', occurredAt, reason }];
  }
  return status === 'published' ? [given, { kind: 'receipt', externalId, state: 'delivered', occurredAt }] : [given];
}

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
