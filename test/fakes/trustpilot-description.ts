import { readDescription } from './openapi.ts';
import type { Description } from './openapi.ts';

const text = { type: 'string' };
const maybe = { type: ['string', 'null'] };
const object = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});
const inPath = (name: string) => ({ name, in: 'path', required: true, schema: { ...text, pattern: '^[0-9a-z]+$' } });
const inQuery = (name: string, schema: object) => ({ name, in: 'query', schema });
const json = (schema: object) => ({ content: { 'application/json': { schema } } });
const time = { ...text, pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z?$' };
const links = { type: 'array' };

/** https://developers.trustpilot.com/business-units-api, "including consumer email and Order ID" */
const review = object(
  {
    ...{
      id: text,
      title: maybe,
      text: maybe,
      language: maybe,
      status: text,
      links,
      createdAt: time,
      experiencedAt: time,
    },
    ...{ referenceId: maybe, referralEmail: maybe, reviewVerificationLevel: maybe },
    stars: { type: 'integer', minimum: 1, maximum: 5 },
    updatedAt: { anyOf: [time, { type: 'null' }] },
    numberOfLikes: { type: 'integer' },
    isVerified: { type: 'boolean' },
    countsTowardsTrustScore: { type: 'boolean' },
    companyReply: {
      anyOf: [object({ text, createdAt: time, updatedAt: { anyOf: [time, { type: 'null' }] } }), { type: 'null' }],
    },
    consumer: object({
      id: text,
      displayName: text,
      displayLocation: maybe,
      numberOfReviews: { type: 'integer' },
      links,
    }),
    businessUnit: object({ id: text, displayName: text, identifyingName: text, links }),
    location: { anyOf: [object({ id: text, name: text, urlFormattedName: text }), { type: 'null' }] },
    tags: { type: 'array' },
  },
  ['id', 'stars', 'createdAt', 'consumer', 'businessUnit'],
);

/**
 * What Trustpilot's pages say of the calls, as a closed world; there is no description for machines.
 * https://developers.trustpilot.com/business-units-api and https://developers.trustpilot.com/service-reviews-api
 */
export function readTrustpilot(): Description {
  return readDescription({
    openapi: '3.1.0',
    info: { title: 'Trustpilot, service reviews, as its pages describe them' },
    paths: {
      '/v1/private/business-units/{businessUnitId}/reviews': {
        get: {
          parameters: [
            inPath('businessUnitId'),
            inQuery('orderBy', { enum: ['createdat.asc', 'createdat.desc', 'stars.asc', 'stars.desc'] }),
            inQuery('perPage', { type: 'integer', minimum: 1, maximum: 100 }),
            inQuery('page', { type: 'integer', minimum: 1 }),
          ],
          responses: { 200: json(object({ reviews: { type: 'array', items: review }, links }, ['reviews'])) },
        },
      },
      '/v1/private/reviews/{reviewId}': {
        get: { parameters: [inPath('reviewId')], responses: { 200: json(review) } },
      },
      '/v1/private/reviews/{reviewId}/reply': {
        post: {
          parameters: [inPath('reviewId')],
          requestBody: {
            required: true,
            ...json(
              object({ authorBusinessUserId: text, message: { ...text, minLength: 1 }, submittedAt: time }, [
                'message',
              ]),
            ),
          },
          responses: { 201: { description: 'of its body nothing is said' } },
        },
      },
    },
  });
}
