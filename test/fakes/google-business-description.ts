import { readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

const text = { type: 'string' };
const object = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});
const inPath = (name: string, pattern: string) => ({ name, in: 'path', required: true, schema: { ...text, pattern } });
const inQuery = (name: string, schema: object) => ({ name, in: 'query', schema });
const json = (schema: object) => ({ content: { 'application/json': { schema } } });
const time = { ...text, pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' };

const reply = object({
  comment: text,
  updateTime: time,
  reviewReplyState: { enum: ['REVIEW_REPLY_STATE_UNSPECIFIED', 'PENDING', 'REJECTED', 'APPROVED'] },
  policyViolation: text,
});
const review = object(
  {
    ...{ name: text, reviewId: text, comment: text, createTime: time, updateTime: time, reviewReplyUrl: text },
    reviewer: object({ profilePhotoUrl: text, displayName: text, isAnonymous: { type: 'boolean' } }),
    starRating: { enum: ['STAR_RATING_UNSPECIFIED', 'ONE', 'TWO', 'THREE', 'FOUR', 'FIVE'] },
    reviewReply: reply,
    reviewMediaItems: { type: 'array', items: object({ thumbnailUrl: text, thumbnailLabel: text, videoUrl: text }) },
  },
  ['name', 'reviewId', 'starRating', 'createTime', 'updateTime'],
);

const location = [inPath('account', '^\\d+$'), inPath('location', '^\\d+$')];
const one = [...location, inPath('review', '^[^/]+$')];
const list = object({
  reviews: { type: 'array', items: review },
  averageRating: { type: 'number' },
  totalReviewCount: { type: 'integer' },
  nextPageToken: text,
});

/**
 * What Google's pages say of the three calls, as a closed world; there is no description for machines beside the repository.
 * https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews
 */
export function readGoogleBusiness(): Description {
  const reviews = '/v4/accounts/{account}/locations/{location}/reviews';
  return readDescription({
    openapi: '3.1.0',
    info: { title: 'Google Business Profile, reviews, as its pages describe them' },
    paths: {
      [reviews]: {
        get: {
          parameters: [
            ...location,
            inQuery('pageSize', { type: 'integer', minimum: 1, maximum: 50 }),
            inQuery('pageToken', text),
            inQuery('orderBy', { enum: ['rating', 'rating desc', 'updateTime desc'] }),
          ],
          responses: { 200: json(list) },
        },
      },
      [`${reviews}/{review}`]: { get: { parameters: one, responses: { 200: json(review) } } },
      [`${reviews}/{review}/reply`]: {
        put: {
          parameters: one,
          requestBody: { required: true, ...json(object({ comment: { ...text, minLength: 1 } }, ['comment'])) },
          responses: { 200: json(reply) },
        },
      },
    },
  });
}
