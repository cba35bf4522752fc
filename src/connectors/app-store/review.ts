import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';

const Time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

/** https://developer.apple.com/documentation/appstoreconnectapi/customerreview */
export const Review = z.object({
  id: z.string().min(1).max(400),
  attributes: z.object({
    rating: z.number(),
    title: z.string().nullish(),
    body: z.string().nullish(),
    reviewerNickname: z.string().nullish(),
    createdDate: Time,
    territory: z.string().nullish(),
  }),
  relationships: z.object({ response: z.object({ data: z.object({ id: z.string() }).nullish() }).nullish() }).nullish(),
});

/** https://developer.apple.com/documentation/appstoreconnectapi/customerreviewresponsev1 */
export const Response = z.object({
  id: z.string(),
  attributes: z.object({
    responseBody: z.string().default(''),
    lastModifiedDate: Time,
    state: z.string().optional(),
  }),
});

const label = z.object({ label: z.string() }).transform((one) => one.label);

/** An entry of the public feed, which Apple describes nowhere: what it holds in 2026. */
export const Entry = z.object({
  id: label,
  author: z.object({ name: label.optional() }).optional(),
  updated: label.pipe(Time),
  'im:rating': label.pipe(z.coerce.number()),
  'im:version': label.optional(),
  title: label.optional(),
  content: label.optional(),
});

const app = z.string();

/** What the polls hand over. */
export const Found = z.union([
  z.strictObject({
    app,
    review: z.unknown(),
    response: z.unknown().optional(),
    /** When it was seen to say something else than before: Apple doesn't say when that was. */
    edited: z.number().optional(),
    /** The answer that stood there before, and no answer does any more. */
    withdrawn: z.string().optional(),
    at: z.number(),
  }),
  z.strictObject({ app, entry: z.unknown(), country: z.string() }),
  z.strictObject({ app, gone: z.string(), at: z.number() }),
]);
export type Found = z.output<typeof Found>;

/** The same answer has the same name, whether we sent it or read it. */
export function answerId(reviewId: string, text: string): string {
  return `${reviewId}/answer/${digest(text.replace(/\s+/g, ' ').trim())}`;
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function toItems(found: Found): ItemInput[] {
  if ('gone' in found) return [{ kind: 'deletion', externalId: found.gone, occurredAt: found.at }];
  if ('entry' in found) return [ofEntry(found.app, Entry.parse(found.entry), found.country)];
  const { edited = 0, withdrawn, at } = found;
  const { id, attributes: said } = Review.parse(found.review);
  const items: ItemInput[] = [
    toReview(found.app, {
      id,
      name: said.reviewerNickname,
      title: said.title,
      text: said.body,
      rating: said.rating,
      at: said.createdDate,
      revision: Math.max(said.createdDate, edited),
      fields: { territory: said.territory },
    }),
  ];
  if (found.response !== undefined) items.push(...toAnswer(found.app, id, Response.parse(found.response)));
  if (withdrawn !== undefined) items.push({ kind: 'deletion', externalId: withdrawn, occurredAt: at });
  return items;
}

/** An answer, and that Apple has published it: before that only we see it. */
function toAnswer(business: string, reviewId: string, { attributes }: z.output<typeof Response>): ItemInput[] {
  const { responseBody: text, lastModifiedDate: occurredAt, state } = attributes;
  const externalId = answerId(reviewId, text);
  const answer: ItemInput = {
    kind: 'message',
    direction: 'outbound',
    externalId,
    occurredAt,
    // Somebody of the business: Apple doesn't say who.
    sender: { identifiers: [{ kind: 'app_store', value: `app/${business}`, trust: 'verified' }] },
    thread: { externalId: reviewId },
    text,
    replaces: true,
  };
  return state === 'PUBLISHED' ? [answer, { kind: 'receipt', externalId, state: 'delivered', occurredAt }] : [answer];
}

function ofEntry(business: string, entry: z.output<typeof Entry>, country: string): EnvelopeInput {
  return toReview(business, {
    id: entry.id,
    name: entry.author?.name,
    title: entry.title,
    text: entry.content,
    rating: entry['im:rating'],
    at: entry.updated,
    revision: entry.updated,
    fields: { territory: country.toUpperCase(), app_version: entry['im:version'] },
  });
}

type Text = string | null | undefined;

function toReview(
  business: string,
  said: {
    readonly id: string;
    readonly name: Text;
    readonly title: Text;
    readonly text: Text;
    readonly rating: number;
    readonly at: number;
    readonly revision: number;
    readonly fields: Readonly<Record<string, Text>>;
  },
): EnvelopeInput {
  const { id, name, title, text, rating, at, revision } = said;
  const fields = Object.entries(said.fields).flatMap(([key, value]) => (value ? [[key, value.slice(0, 1000)]] : []));
  return {
    kind: 'review',
    externalId: id,
    revision,
    occurredAt: at,
    sender: {
      ...(name && { name: name.slice(0, 1000) }),
      // Nicknames can be changed, and two people may have one: who he is, his review says.
      identifiers: [{ kind: 'app_store', value: id, trust: 'verified' }],
    },
    thread: { externalId: id },
    ...(title && { subject: title.slice(0, 1000) }),
    text: text ?? '',
    fields: Object.fromEntries(fields) as Record<string, string>,
    review: { rating, maxRating: 5, product: business, url: `https://apps.apple.com/app/id${business}` },
  };
}
