import { z } from 'zod';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { messageName, nameOf, PART, photoName, sentFileName, sentName } from './names.ts';
import { Asked, Commented, Said } from './seen.ts';
import type { Answer, Comment, Feedback, Message } from './seen.ts';

/** What is known besides the payload. */
interface About {
  readonly channel: string;
  readonly receivedAt: number;
}

const Gone = z.object({ name: z.string() });

export function toItems({ body, headers, receivedAt }: Payload, channel: string): ItemInput[] {
  const value = parseJson(body);
  const about = { channel, receivedAt };
  const part = headers[PART];
  if (part === 'feedback') return fromFeedback(Commented.parse(value), about);
  if (part === 'question') return fromQuestion(Asked.parse(value), about);
  if (part === 'message') return [fromMessage(Said.parse(value), about)];
  if (part !== 'gone') throw new Error(`no part of Yandex Market is called ${part}`);
  return [{ kind: 'deletion', externalId: Gone.parse(value).name, occurredAt: receivedAt }];
}

function partyOf({ channel }: About, value: string, name?: string): EnvelopeInput['sender'] {
  return { ...(name && { name }), identifiers: [{ kind: `yandex_market:${channel}`, value, trust: 'verified' }] };
}

function fromFeedback({ feedback, comments }: z.output<typeof Commented>, about: About): ItemInput[] {
  const { identifiers, statistics, media } = feedback;
  const externalId = nameOf('feedback', feedback.feedbackId);
  const thread = { externalId };
  const photos = [...new Set(media?.photos)].slice(0, 200);
  const review: ItemInput = {
    kind: 'review',
    externalId,
    // Yandex Market tells no time of an edit: the newest reading counts.
    revision: about.receivedAt,
    occurredAt: feedback.createdAt,
    // It gives a name and no number of the author.
    sender: partyOf(about, externalId, feedback.author),
    thread,
    text: wordsOf(feedback),
    attachments: photos.map((url, index) => ({
      id: photoName(url),
      name: `photo-${index + 1}.jpg`,
      mediaType: 'image/jpeg',
    })),
    review: {
      rating: statistics.rating,
      maxRating: 5,
      ...(identifiers?.offerId && { product: identifiers.offerId.slice(0, 1000) }),
      ...(identifiers?.orderId && { order: identifiers.orderId }),
    },
    fields: toFields({
      offer: identifiers?.offerId,
      recommended: statistics.recommended ? 'yes' : undefined,
      videos: media?.videos.join('\n'),
    }),
  };
  return [review, ...comments.flatMap((comment) => fromReaction('comment', comment, thread, about))];
}

/** What he wrote, with what is good and bad as he was asked for it. */
function wordsOf({ description }: Feedback): string {
  const { comment, advantages, disadvantages } = description ?? {};
  return [comment, advantages && `+ ${advantages}`, disadvantages && `− ${disadvantages}`].filter(Boolean).join('\n');
}

/** Public, below the product: whoever asked is nobody that Yandex Market numbers. */
function fromQuestion({ question, answers }: z.output<typeof Asked>, about: About): ItemInput[] {
  const { questionIdentifiers: of, author, text, createdAt } = question;
  const externalId = nameOf('question', of.id);
  const thread = { externalId };
  const asked: ItemInput = {
    kind: 'message',
    externalId,
    revision: about.receivedAt,
    occurredAt: createdAt,
    sender: partyOf(about, externalId, author?.name),
    thread,
    text,
    fields: toFields({ offer: of.offerId }),
  };
  return [asked, ...answers.flatMap((answer) => fromReaction('answer', answer, thread, about))];
}

/** A comment below a review, or an answer to a question: of the shop, or of somebody else. */
function fromReaction(
  kind: 'comment' | 'answer',
  { id, text, status, author, ...more }: Comment | Answer,
  thread: { readonly externalId: string },
  about: About,
): ItemInput[] {
  const externalId = nameOf(kind, id);
  const occurredAt = ('createdAt' in more ? more.createdAt : undefined) ?? about.receivedAt;
  if (status === 'DELETED') return [{ kind: 'deletion', externalId, occurredAt: about.receivedAt }];
  const said = { kind: 'message', externalId, occurredAt, thread, text } as const;
  if (author?.type !== 'BUSINESS') {
    const sender = partyOf(about, `${externalId}:author`, author?.name);
    return [{ ...said, sender, revision: about.receivedAt }];
  }
  const given: ItemInput = { ...said, direction: 'outbound', sender: partyOf(about, 'seller', author.name) };
  if (status === 'PUBLISHED') return [given, { kind: 'receipt', externalId, state: 'delivered', occurredAt }];
  if (status !== 'BANNED') return [given];
  const reason = 'Yandex Market has blocked the answer';
  return [given, { kind: 'receipt', externalId, state: 'failed', occurredAt, reason }];
}

function fromMessage({ chat, message }: z.output<typeof Said>, about: About): ItemInput {
  const { chatId, context } = chat;
  const thread = { externalId: nameOf('chat', chatId) };
  const externalId = messageName(chatId, message.messageId);
  const said = {
    kind: 'message',
    occurredAt: message.createdAt,
    thread,
    text: message.message ?? '',
    attachments: message.payload.slice(0, 200).map(({ name, size }, index) => ({
      id: `${externalId}:${index}`,
      name: name.slice(0, 1000),
      mediaType: typeOf(name),
      ...(size > 0 && { size }),
    })),
    fields: toFields({ order: context?.orderId ?? undefined, return: context?.returnId ?? undefined }),
  } satisfies Partial<EnvelopeInput>;
  switch (message.sender) {
    case 'CUSTOMER':
      // Of who writes it tells nothing but the order.
      return { ...said, externalId, sender: partyOf(about, thread.externalId) };
    case 'PARTNER': {
      // Ours, unless somebody answered in the cabinet: the answer to our call didn't name it.
      const sender = partyOf(about, 'seller');
      return {
        ...said,
        externalId: sentAs(chatId, message) ?? externalId,
        variant: externalId,
        direction: 'outbound',
        sender,
      };
    }
    default: {
      const sender = partyOf(about, message.sender.toLowerCase().slice(0, 100), 'Yandex Market');
      return { ...said, externalId, sender, automatic: 'notification', quiet: true };
    }
  }
}

function sentAs(chat: string, { message, payload }: Message): string | undefined {
  const [file] = payload;
  if (message) return sentName(chat, message);
  return file && sentFileName(chat, file);
}

const TYPES: Readonly<Record<string, string>> = {
  ...{ jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp', gif: 'image/gif' },
  ...{ pdf: 'application/pdf', mp4: 'video/mp4', txt: 'text/plain' },
};

function typeOf(name: string): string {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return (Object.hasOwn(TYPES, ending) ? TYPES[ending] : undefined) ?? 'application/octet-stream';
}

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
