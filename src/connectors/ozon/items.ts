import { z } from 'zod';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { pathOf } from './api.ts';
import { fileName, nameOf, PART, sentName, surfaces } from './names.ts';
import { Answer, Comment, Question, Review, Said } from './seen.ts';

/** What is known besides the payload. */
interface About {
  readonly channel: string;
  readonly receivedAt: number;
}

const Gone = z.object({ surface: z.enum(surfaces), id: z.string() });

export function toItems({ body, headers, receivedAt }: Payload, channel: string): ItemInput[] {
  const value = parseJson(body);
  const about = { channel, receivedAt };
  const part = headers[PART];
  if (part === 'review') return [fromReview(Review.parse(value), about)];
  if (part === 'comment') return [fromComment(Comment.parse(value), about)];
  if (part === 'question') return [fromQuestion(Question.parse(value), about)];
  if (part === 'answer') return [fromAnswer(Answer.parse(value), about)];
  if (part === 'message') return [fromMessage(Said.parse(value), about)];
  if (part !== 'gone') throw new Error(`no part of Ozon is called ${part}`);
  const { surface, id } = Gone.parse(value);
  return [{ kind: 'deletion', externalId: nameOf(surface, id), occurredAt: receivedAt }];
}

function partyOf({ channel }: About, value: string, name?: string): EnvelopeInput['sender'] {
  return {
    ...(name && { name: name.slice(0, 1000) }),
    identifiers: [{ kind: `ozon:${channel}`, value, trust: 'verified' }],
  };
}

const pageOf = (sku: string | undefined) => (sku === undefined ? {} : { url: `https://www.ozon.ru/product/${sku}/` });

function fromReview(review: Review, about: About): ItemInput {
  const name = nameOf('review', review.id);
  return {
    kind: 'review',
    externalId: name,
    // Ozon tells no time of an edit: the newest reading counts.
    revision: about.receivedAt,
    occurredAt: review.published_at,
    // It names no author either: each review has a customer of its own.
    sender: partyOf(about, name),
    thread: { externalId: name },
    text: review.text ?? '',
    review: { rating: review.rating, maxRating: 5, ...pageOf(review.sku) },
    fields: toFields({
      sku: review.sku,
      order_status: review.order_status,
      photos: countOf(review.photos_amount),
      videos: countOf(review.videos_amount),
    }),
  };
}

/** Anybody may write below a review: the seller, Ozon, other buyers, whom nothing names. */
function fromComment({ review, comment }: Comment, about: About): ItemInput {
  const name = nameOf('comment', comment.id);
  const isSellers = comment.is_owner === true || comment.is_official === true;
  const said = {
    kind: 'message',
    externalId: name,
    occurredAt: comment.published_at,
    thread: { externalId: nameOf('review', review) },
    text: comment.text ?? '',
  } satisfies Partial<EnvelopeInput>;
  if (!isSellers) return { ...said, sender: partyOf(about, name) };
  return { ...said, direction: 'outbound', sender: partyOf(about, comment.is_owner === true ? 'seller' : 'ozon') };
}

function fromQuestion(question: Question, about: About): ItemInput {
  const name = nameOf('question', question.id);
  return {
    kind: 'message',
    externalId: name,
    revision: about.receivedAt,
    occurredAt: question.published_at,
    sender: partyOf(about, name, question.author_name),
    thread: { externalId: name },
    text: question.text ?? '',
    fields: toFields({ sku: question.sku, product: question.product_url, link: question.question_link }),
  };
}

function fromAnswer({ question, answer }: Answer, about: About): ItemInput {
  return {
    kind: 'message',
    externalId: nameOf('answer', answer.id),
    occurredAt: answer.published_at,
    direction: 'outbound',
    sender: partyOf(about, 'answers', answer.author_name),
    thread: { externalId: nameOf('question', question) },
    text: answer.text ?? '',
  };
}

function fromMessage({ chat, message }: Said, about: About): ItemInput {
  const { user, context, data } = message;
  const files = data.flatMap((entry) => linkIn(entry) ?? []);
  const text = data.filter((entry) => linkIn(entry) === undefined).join('\n');
  const said = {
    kind: 'message',
    occurredAt: message.created_at,
    thread: { externalId: nameOf('chat', chat) },
    text,
    attachments: files.map(({ url, name }) => ({ id: fileName(url), name, mediaType: typeOf(name) })),
    fields: toFields({ order: context?.order_number, sku: context?.sku }),
  } satisfies Partial<EnvelopeInput>;
  const externalId = nameOf('message', message.message_id);
  // Ozon's own example writes its C in Cyrillic.
  if (user.type.toLowerCase().endsWith('ustomer')) {
    return { ...said, externalId, sender: partyOf(about, user.id ? `user:${user.id}` : nameOf('chat', chat)) };
  }
  if (user.type !== 'Seller') {
    return { ...said, externalId, sender: partyOf(about, 'ozon', 'Ozon'), automatic: 'notification', quiet: true };
  }
  const seller = { ...said, direction: 'outbound', sender: partyOf(about, 'seller') } as const;
  // Ours, or the seller's by hand: the answer to a call tells no number.
  return text.trim() === ''
    ? { ...seller, externalId }
    : { ...seller, externalId: sentName(chat, text), variant: externalId };
}

/** An entry that is nothing but a file of the chat, as Markdown. */
export function linkIn(entry: string): { readonly url: string; readonly name: string } | undefined {
  const start = entry.indexOf('](');
  if (start < 0 || !(entry.startsWith('![') || entry.startsWith('[')) || !entry.endsWith(')')) return undefined;
  const url = entry.slice(start + 2, -1);
  const path = pathOf(url);
  if (path === undefined) return undefined;
  const name = decodeName(path.split('?')[0]?.split('/').at(-1) ?? '');
  return { url, name: name.slice(0, 1000) || 'file' };
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  pdf: 'application/pdf',
  mp4: 'video/mp4',
};

function typeOf(name: string): string {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return Object.hasOwn(TYPES, ending) ? (TYPES[ending] ?? '') : 'application/octet-stream';
}

const countOf = (amount: number) => (amount > 0 ? String(amount) : undefined);

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
