import { createHash } from 'node:crypto';
import { z } from 'zod';
import { each } from '../../core/each.ts';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';

/** Trustpilot's examples leave the offset out, its reviews don't: both are UTC. */
const Time = z.iso
  .datetime({ offset: true, local: true })
  .transform((text) => Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`));

const words = z.string().nullish();

/** https://developers.trustpilot.com/business-units-api#get-private-reviews-for-business-unit */
export const Review = z
  .object({
    id: z.string().min(1).max(400),
    stars: z.number(),
    title: words,
    text: words,
    language: z.string().max(35).nullish(),
    createdAt: Time,
    updatedAt: Time.nullish(),
    status: words,
    isVerified: z.boolean().nullish(),
    referenceId: words,
    referralEmail: words,
    consumer: z.object({ id: z.string().max(400).nullish(), displayName: words }).nullish(),
    businessUnit: z.object({ displayName: words }).nullish(),
    location: z.object({ name: words }).nullish(),
    companyReply: z.object({ text: words, createdAt: Time.nullish(), updatedAt: Time.nullish() }).nullish(),
  })
  .transform((review) => ({ ...review, changedAt: Math.max(review.createdAt, review.updatedAt ?? 0) }));
export type Review = z.output<typeof Review>;

/** What the poll hands over. */
export const Found = z.union([
  z.strictObject({
    businessUnit: z.string(),
    review: z.unknown(),
    /** When it was seen to say something else than before, where Trustpilot tells no new time. */
    edited: z.number().optional(),
    /** The answer that stood there before, and no answer does any more. */
    withdrawn: z.string().optional(),
    at: z.number(),
  }),
  z.strictObject({ businessUnit: z.string(), gone: z.string(), at: z.number() }),
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
  const { businessUnit, withdrawn, edited = 0, at } = found;
  const review = Review.parse(found.review);
  const items: ItemInput[] = [toReview(review, edited)];
  const { companyReply: reply } = review;
  if (reply?.text) {
    items.push({
      kind: 'message',
      direction: 'outbound',
      externalId: answerId(review.id, reply.text),
      occurredAt: reply.updatedAt ?? reply.createdAt ?? at,
      // Somebody of the business: Trustpilot doesn't say who.
      sender: { identifiers: [{ kind: 'trustpilot', value: `business-unit/${businessUnit}`, trust: 'verified' }] },
      thread: { externalId: review.id },
      text: reply.text,
      replaces: true,
    });
  }
  if (withdrawn !== undefined) items.push({ kind: 'deletion', externalId: withdrawn, occurredAt: at });
  return items;
}

function toReview(review: Review, edited: number): EnvelopeInput {
  const { id, stars, title, text, language, createdAt, changedAt, referenceId } = review;
  const product = review.businessUnit?.displayName?.slice(0, 1000);
  return {
    kind: 'review',
    externalId: id,
    revision: Math.max(changedAt, edited),
    occurredAt: createdAt,
    sender: senderOf(review),
    thread: { externalId: id },
    ...(title && { subject: title.slice(0, 1000) }),
    text: text ?? '',
    fields: fieldsOf(review),
    review: {
      rating: stars,
      maxRating: 5,
      ...(product && { product }),
      ...(referenceId && { order: referenceId.slice(0, 1000) }),
      ...(language && { language }),
      url: `https://www.trustpilot.com/reviews/${encodeURIComponent(id)}`,
    },
  };
}

function senderOf({ id, consumer, referralEmail }: Review): EnvelopeInput['sender'] {
  const { id: person, displayName: name } = consumer ?? {};
  return {
    ...(name && { name: name.slice(0, 1000) }),
    identifiers: [
      { kind: 'trustpilot', value: person ? `consumer/${person}` : id, trust: 'verified' },
      // Where the invitation went, which may have been passed on.
      ...(isAddress(referralEmail) ? [{ kind: 'email', value: referralEmail, trust: 'observed' as const }] : []),
    ],
  };
}

function fieldsOf({ location, status, isVerified }: Review): Record<string, string> {
  const fields = {
    location: location?.name,
    status: status === 'active' ? undefined : status,
    verified: isVerified ? 'yes' : undefined,
  };
  const said = Object.entries(fields).flatMap(([key, value]) => (value ? [[key, value.slice(0, 1000)]] : []));
  return Object.fromEntries(said) as Record<string, string>;
}

/** Good enough not to be refused: what it is worth, the host finds out. */
function isAddress(text: string | null | undefined): text is string {
  return z.email().max(254).safeParse(text).success;
}

const Push = z.object({ events: z.array(z.unknown()) });
const Event = z.object({ eventName: z.string() });

/** "new, updated, or deleted": https://support.trustpilot.com/hc/en-us/community/posts/10109980750738-How-to-set-up-Trustpilot-Webhooks */
const NEWS: ReadonlySet<string> = new Set([
  'service-review-created',
  'service-review-updated',
  'service-review-deleted',
]);

/** Nobody signs what is pushed, so it only says that there is news: that is fetched. */
export function ofPush(body: unknown): ItemInput[] {
  return each(Push.parse(body).events, (event) => {
    const { eventName } = Event.parse(event);
    return NEWS.has(eventName) ? { kind: 'wake' } : ignored(eventName, 'tells of no review of the business');
  });
}
