import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';

/** Seconds come as text. */
const Time = z
  .object({ seconds: z.coerce.number().min(0), nanos: z.number().default(0) })
  .transform(({ seconds, nanos }) => seconds * 1000 + Math.floor(nanos / 1e6));

const UserComment = z.object({
  text: z.string().default(''),
  originalText: z.string().optional(),
  lastModified: Time,
  starRating: z.number(),
  reviewerLanguage: z.string().max(35).optional(),
  androidOsVersion: z.number().optional(),
  appVersionCode: z.number().optional(),
  appVersionName: z.string().optional(),
  deviceMetadata: z.object({ manufacturer: z.string().optional(), productName: z.string().optional() }).optional(),
});

const DeveloperComment = z.object({ text: z.string().default(''), lastModified: Time });

/** https://developers.google.com/android-publisher/api-ref/rest/v3/reviews#Review */
export const Review = z.object({
  reviewId: z.string().min(1).max(400),
  authorName: z.string().default(''),
  comments: z
    .array(z.object({ userComment: UserComment.optional(), developerComment: DeveloperComment.optional() }))
    .default([]),
});
export type Review = z.output<typeof Review>;

/** What the poll hands over. */
export const Found = z.union([
  z.strictObject({
    app: z.string(),
    review: z.unknown(),
    /** The answer that stood there before, and no answer does any more. */
    withdrawn: z.string().optional(),
    /** When that was seen. */
    at: z.number(),
  }),
  z.strictObject({ app: z.string(), gone: z.string(), at: z.number() }),
  z.strictObject({ app: z.string(), missed: z.strictObject({ from: z.number(), to: z.number() }) }),
]);
export type Found = z.output<typeof Found>;

/** The comment of either side that counts: the one changed last. */
export function commentsOf({ comments }: Review) {
  const last = <T extends { readonly lastModified: number }>(all: readonly (T | undefined)[]) =>
    all.filter((one) => one !== undefined).sort((a, b) => b.lastModified - a.lastModified)[0];
  return {
    user: last(comments.map(({ userComment }) => userComment)),
    developer: last(comments.map(({ developerComment }) => developerComment)),
  };
}

/** The same answer has the same name, whether we sent it or read it: Google gives it none. */
export function answerId(reviewId: string, text: string): string {
  const words = text.replace(/\s+/g, ' ').trim();
  return `${reviewId}/answer/${createHash('sha256').update(words).digest('hex').slice(0, 16)}`;
}

export function toItems(found: Found): ItemInput[] {
  if ('missed' in found) return [missed(found.missed)];
  if ('gone' in found) return [{ kind: 'deletion', externalId: found.gone, occurredAt: found.at }];
  const { app, withdrawn, at } = found;
  const review = Review.parse(found.review);
  const { user, developer } = commentsOf(review);
  if (!user) return [ignored('review', `${review.reviewId} holds nothing that a customer wrote`)];
  const thread = { externalId: review.reviewId };
  const sender = {
    name: review.authorName.slice(0, 1000),
    // There is no id of the person: who he is, his review says.
    identifiers: [{ kind: 'google_play', value: review.reviewId, trust: 'verified' as const }],
    ...(user.reviewerLanguage && { locale: user.reviewerLanguage }),
  };
  const items: ItemInput[] = [toReview(app, review, user, { thread, sender })];
  if (developer) {
    items.push({
      kind: 'message',
      direction: 'outbound',
      externalId: answerId(review.reviewId, developer.text),
      occurredAt: developer.lastModified,
      // Somebody of the business: Google doesn't say who.
      sender: { identifiers: [{ kind: 'google_play', value: app, trust: 'verified' }] },
      thread,
      text: developer.text,
      replaces: true,
    });
  }
  if (withdrawn !== undefined) items.push({ kind: 'deletion', externalId: withdrawn, occurredAt: at });
  return items;
}

function toReview(
  app: string,
  { reviewId }: Review,
  user: z.output<typeof UserComment>,
  common: Pick<EnvelopeInput, 'thread' | 'sender'>,
): EnvelopeInput {
  const { title, text } = wordsOf(user.originalText || user.text);
  const url = `https://play.google.com/store/apps/details?${new URLSearchParams({ id: app, reviewId }).toString()}`;
  return {
    ...common,
    kind: 'review',
    externalId: reviewId,
    revision: user.lastModified,
    occurredAt: user.lastModified,
    ...(title !== undefined && { subject: title }),
    text,
    fields: fieldsOf(user),
    review: {
      rating: user.starRating,
      maxRating: 5,
      product: app,
      ...(user.reviewerLanguage && { language: user.reviewerLanguage }),
      url,
    },
  };
}

/** Titles stand before a tab: Google Play no longer asks for one. */
function wordsOf(whole: string): { readonly title?: string; readonly text: string } {
  const tab = whole.indexOf('\t');
  if (tab < 0) return { text: whole.trim() };
  const title = whole.slice(0, tab).trim().slice(0, 1000);
  return { ...(title !== '' && { title }), text: whole.slice(tab + 1).trim() };
}

function fieldsOf(user: z.output<typeof UserComment>): Record<string, string> {
  const { deviceMetadata: device } = user;
  const fields = {
    // Asked for by `translateTo`.
    translation: user.originalText && user.text !== user.originalText ? wordsOf(user.text).text : undefined,
    app_version: user.appVersionName,
    app_version_code: user.appVersionCode,
    android_api: user.androidOsVersion,
    device: [device?.manufacturer, device?.productName].filter(Boolean).join(' '),
  };
  const said = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(said.map(([name, value]) => [name, String(value).slice(0, 10_000)]));
}

/** Set aside for a person: nobody else can fetch these any more. */
function missed({ from, to }: { readonly from: number; readonly to: number }): ItemInput {
  const [since, until] = [from, to].map((time) => new Date(time).toISOString());
  const error = `reviews of ${since} to ${until} were not read, and Google shows those of the last seven days only: see Play Console`;
  return { kind: 'broken', at: '/missed', error };
}
