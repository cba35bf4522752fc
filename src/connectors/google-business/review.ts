import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Attachment, ItemInput } from '../../core/envelope.ts';

const Time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const STARS = { ONE: 1, TWO: 2, THREE: 3, FOUR: 4, FIVE: 5 } as const;

/** https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews#ReviewReply */
const ReviewReply = z.object({
  comment: z.string().default(''),
  updateTime: Time.optional(),
  reviewReplyState: z.string().max(100).optional(),
  policyViolation: z.string().max(200).optional().catch(undefined),
});

/** https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews#Review */
export const Review = z
  .object({
    reviewId: z.string().min(1).max(400),
    reviewer: z.object({ displayName: z.string().optional(), isAnonymous: z.boolean().optional() }).default({}),
    starRating: z.enum(['ONE', 'TWO', 'THREE', 'FOUR', 'FIVE']).transform((word) => STARS[word]),
    comment: z.string().default(''),
    createTime: Time,
    updateTime: Time.optional(),
    reviewReply: ReviewReply.optional(),
    reviewReplyUrl: z.string().max(2000).optional(),
    reviewMediaItems: z
      .array(z.object({ thumbnailUrl: z.string().optional(), videoUrl: z.string().optional() }))
      .max(100)
      .default([]),
  })
  .transform((review) => ({ ...review, updateTime: review.updateTime ?? review.createTime }));
export type Review = z.output<typeof Review>;

/** Where it stands. */
const place = {
  location: z.string(),
  /** What the operator calls it. */
  name: z.string(),
};

/** What the poll hands over. */
export const Found = z.union([
  z.strictObject({
    ...place,
    review: z.unknown(),
    /** The answer that stood there before, and no answer does any more. */
    withdrawn: z.string().optional(),
    /** When that was seen. */
    at: z.number(),
  }),
  z.strictObject({ ...place, gone: z.string(), at: z.number() }),
]);
export type Found = z.output<typeof Found>;

/** The same review has the same name through whichever account it is read. */
export const nameOf = (location: string, reviewId: string): string => `${location}/${reviewId}`;

/** The same answer has the same name, whether we sent it or read it: Google gives it none. */
export function answerId(name: string, text: string): string {
  return `${name}/answer/${digest(text.replace(/\s+/g, ' ').trim())}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function toItems(found: Found): ItemInput[] {
  if ('gone' in found) return [{ kind: 'deletion', externalId: found.gone, occurredAt: found.at }];
  const { location, name: product, withdrawn, at } = found;
  const review = Review.parse(found.review);
  const name = nameOf(location, review.reviewId);
  const { displayName, isAnonymous } = review.reviewer;
  const { text, translation } = wordsOf(review.comment);
  const url = review.reviewReplyUrl;
  const items: ItemInput[] = [
    {
      kind: 'review',
      externalId: name,
      revision: review.updateTime,
      occurredAt: review.createTime,
      sender: {
        ...(displayName && !isAnonymous && { name: displayName.slice(0, 1000) }),
        // There is no id of the person: who he is, his review says.
        identifiers: [{ kind: 'google_business', value: name, trust: 'verified' }],
      },
      thread: { externalId: name },
      text,
      attachments: photosOf(review).map(({ file }) => file),
      fields: { ...(translation && { translation: translation.slice(0, 10_000) }), ...videosOf(review) },
      review: { rating: review.starRating, maxRating: 5, product, ...(url?.startsWith('https://') && { url }) },
    },
  ];
  if (review.reviewReply) items.push(...toAnswer(location, name, review.reviewReply, at));
  if (withdrawn !== undefined) items.push({ kind: 'deletion', externalId: withdrawn, occurredAt: at });
  return items;
}

/** An answer, and whether Google has let it through: https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews#State */
function toAnswer(location: string, name: string, reply: z.output<typeof ReviewReply>, at: number): ItemInput[] {
  const { comment: text, updateTime: occurredAt = at, reviewReplyState: state, policyViolation } = reply;
  const externalId = answerId(name, text);
  const answer: ItemInput = {
    kind: 'message',
    direction: 'outbound',
    externalId,
    occurredAt,
    // Somebody of the business: Google doesn't say who.
    sender: { identifiers: [{ kind: 'google_business', value: `location/${location}`, trust: 'verified' }] },
    thread: { externalId: name },
    text,
    replaces: true,
  };
  if (state === 'APPROVED') return [answer, { kind: 'receipt', externalId, state: 'delivered', occurredAt }];
  if (state !== 'REJECTED') return [answer];
  const reason = `Google does not show the answer: ${policyViolation ?? 'it was rejected'}`;
  return [answer, { kind: 'receipt', externalId, state: 'failed', occurredAt, reason }];
}

const TRANSLATED = '(Translated by Google)';
const ORIGINAL = '(Original)';

/** Google puts a translation before the author's words, which it then marks as well, or behind them. */
export function wordsOf(comment: string): { readonly text: string; readonly translation?: string } {
  const translated = comment.indexOf(TRANSLATED);
  if (translated < 0) return { text: comment.trim() };
  const behind = translated + TRANSLATED.length;
  const original = comment.indexOf(ORIGINAL, behind);
  const [text, translation] =
    original < 0
      ? [comment.slice(0, translated), comment.slice(behind)]
      : [comment.slice(original + ORIGINAL.length), comment.slice(behind, original)];
  // Nothing of what the author wrote may be lost.
  return text.trim() === '' ? { text: comment.trim() } : { text: text.trim(), translation: translation.trim() };
}

/** Pictures, those of videos too; a picture is named by its address. */
export function photosOf({ reviewMediaItems }: Review): { readonly file: Attachment; readonly url: string }[] {
  return reviewMediaItems.flatMap(({ thumbnailUrl: url }, index) =>
    url ? [{ url, file: { id: digest(url), name: `photo-${index + 1}.jpg`, mediaType: 'image/jpeg' } }] : [],
  );
}

function videosOf({ reviewMediaItems }: Review): Record<string, string> {
  const videos = reviewMediaItems.flatMap(({ videoUrl }) => (videoUrl ? [videoUrl] : []));
  return videos.length === 0 ? {} : { videos: videos.join('\n').slice(0, 10_000) };
}
