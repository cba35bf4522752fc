import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { answerName, chatThread, nameOf, PART, photoName, sentName, surfaces } from './names.ts';
import type { Surface } from './names.ts';
import { Event, Feedback, Question } from './seen.ts';
import type { Product } from './seen.ts';

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
  if (part === 'feedback') return fromFeedback(Feedback.parse(value), about);
  if (part === 'question') return fromQuestion(Question.parse(value), about);
  if (part === 'event') return [fromEvent(Event.parse(value), about)];
  if (part !== 'gone') throw new Error(`no part of Wildberries is called ${part}`);
  const { surface, id } = Gone.parse(value);
  return [{ kind: 'deletion', externalId: nameOf(surface, id), occurredAt: receivedAt }];
}

function partyOf({ channel }: About, value: string, name?: string): EnvelopeInput['sender'] {
  return { ...(name && { name }), identifiers: [{ kind: `wildberries:${channel}`, value, trust: 'verified' }] };
}

function fromFeedback(feedback: Feedback, about: About): ItemInput[] {
  const { id, parentFeedbackId: parent, productDetails: product } = feedback;
  const name = nameOf('feedback', id);
  const thread = { externalId: name, references: parent ? [nameOf('feedback', parent)] : [] };
  const photos = feedback.photoLinks.map(({ fullSize }, index) => ({
    id: photoName(fullSize),
    name: `photo-${index + 1}.${endingOf(fullSize)}`,
    mediaType: typeOf(endingOf(fullSize)),
  }));
  const review: ItemInput = {
    kind: 'review',
    externalId: name,
    // Wildberries tells no time of an edit: the newest reading counts.
    revision: about.receivedAt,
    occurredAt: feedback.createdDate,
    // It gives no number of the author either: who adds to his review is the same.
    sender: partyOf(about, nameOf('feedback', parent ?? id), feedback.userName),
    thread,
    ...subjectOf(product),
    text: wordsOf(feedback),
    attachments: distinct(photos),
    review: {
      rating: feedback.productValuation,
      maxRating: 5,
      ...(product.productName && { product: product.productName.slice(0, 1000) }),
      ...(product.nmId && { url: `https://www.wildberries.ru/catalog/${product.nmId}/feedbacks` }),
    },
    fields: toFields({
      ...productFields(product),
      color: feedback.color,
      fits: feedback.matchingSize,
      tags: feedback.bables?.join(', '),
      bought_at: feedback.lastOrderCreatedAt,
      item_barcode: feedback.lastOrderShkId,
      video: feedback.video?.link,
      adds_to: parent,
    }),
  };
  return [review, ...fromAnswer('feedback', feedback, thread, about)];
}

/** Public, below the product: whoever asked is nobody that Wildberries names. */
function fromQuestion(question: Question, about: About): ItemInput[] {
  const { id, productDetails: product } = question;
  const name = nameOf('question', id);
  const thread = { externalId: name };
  const asked: ItemInput = {
    kind: 'message',
    externalId: name,
    revision: about.receivedAt,
    occurredAt: question.createdDate,
    sender: partyOf(about, name),
    thread,
    ...subjectOf(product),
    text: question.text,
    fields: toFields(productFields(product)),
  };
  return [asked, ...fromAnswer('question', question, thread, about)];
}

/** The answer that stands there, whoever gave it, and what became of it. */
function fromAnswer(
  surface: Surface,
  { id, answer, createdDate, productDetails }: Feedback | Question,
  thread: EnvelopeInput['thread'],
  about: About,
): ItemInput[] {
  if (!answer || answer.text.trim() === '') return [];
  const externalId = answerName(surface, id, answer.text);
  const occurredAt = answer.createDate ?? Math.max(createdDate, about.receivedAt);
  const given: ItemInput = {
    kind: 'message',
    externalId,
    occurredAt,
    direction: 'outbound',
    sender: partyOf(about, 'seller', productDetails.supplierName),
    thread,
    text: answer.text,
    replaces: true,
  };
  const { state } = answer;
  if (state === 'rejected') {
    const reason = 'Wildberries has rejected the answer: change it';
    return [given, { kind: 'receipt', externalId, state: 'failed', occurredAt, reason }];
  }
  return state === 'wbRu' ? [given, { kind: 'receipt', externalId, state: 'delivered', occurredAt }] : [given];
}

function fromEvent(event: Event, about: About): ItemInput {
  const { chatID, eventID, eventType, sender, message, addTimestamp: occurredAt } = event;
  if (eventType !== 'message' || !message) return ignored(eventType, 'an event of a chat that says nothing');
  const said = {
    kind: 'message',
    occurredAt,
    thread: { externalId: chatThread(chatID) },
    text: message.text,
    ...attachedTo(message, event.source),
  } satisfies Partial<EnvelopeInput>;
  const externalId = `event:${eventID}`;
  if (sender === 'client') {
    return { ...said, externalId, sender: partyOf(about, event.clientID ?? chatThread(chatID), event.clientName) };
  }
  if (sender === 'wb') {
    const wildberries = partyOf(about, 'wildberries', 'Wildberries');
    return { ...said, externalId, sender: wildberries, automatic: 'notification', quiet: true };
  }
  const seller = { ...said, direction: 'outbound', sender: partyOf(about, 'seller') } as const;
  if (event.source !== 'seller-public-api') return { ...seller, externalId };
  if (said.text.trim() === '') {
    return ignored('seller-public-api', 'a file that we sent ourselves, or another program did');
  }
  // Ours, unless another program of the seller's answers as well.
  return { ...seller, externalId: sentName(chatID, said.text), variant: externalId };
}

function attachedTo({ attachments }: NonNullable<Event['message']>, source: string | undefined) {
  const { goodCard: card, files, images } = attachments ?? {};
  return {
    attachments: distinct([...(files ?? []), ...(images ?? [])].flatMap(attachmentOf)),
    fields: toFields({
      order: card?.rid,
      article: card?.nmID,
      size: card?.size,
      ordered_at: card?.date,
      price: card?.price && [card.price, card.priceCurrency].filter(Boolean).join(' '),
      source,
    }),
  };
}

interface FileSeen {
  readonly downloadID?: string | undefined;
  readonly name?: string | undefined;
  readonly contentType?: string | undefined;
  readonly url?: string | undefined;
  readonly size?: number | null | undefined;
}

function attachmentOf({ downloadID, name, contentType, url, size }: FileSeen) {
  if (!downloadID) return [];
  const ending = endingOf(url ?? name ?? '');
  const mediaType = contentType ?? typeOf(ending);
  return [{ id: downloadID, name: (name ?? `image.${ending}`).slice(0, 1000), mediaType, ...(size && { size }) }];
}

function distinct<T extends { readonly id: string }>(files: readonly T[]): T[] {
  return [...new Map(files.map((file) => [file.id, file])).values()].slice(0, 200);
}

/** What he wrote, with what is good and bad as he was asked for it. */
function wordsOf({ text, pros, cons }: Feedback): string {
  return [text, pros && `+ ${pros}`, cons && `− ${cons}`].filter(Boolean).join('\n');
}

function subjectOf({ productName }: Product): { subject?: string } {
  return productName ? { subject: productName.slice(0, 1000) } : {};
}

function productFields({ nmId, supplierArticle, brandName, size }: Product) {
  return { article: nmId, supplier_article: supplierArticle, brand: brandName, size: size === '0' ? undefined : size };
}

const TYPES: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  pdf: 'application/pdf',
};

function endingOf(url: string): string {
  const ending = /\.([a-z]{3,4})$/i.exec(url.split('?')[0] ?? '')?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(TYPES, ending) ? ending : 'jpg';
}

const typeOf = (ending: string): string => TYPES[ending] ?? 'image/jpeg';

function toFields(all: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[name, value.slice(0, 10_000)] as const] : [])),
  );
}
