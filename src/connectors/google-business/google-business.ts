import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { createApi, GOOGLE } from './api.ts';
import type { BusinessApi } from './api.ts';
import { createAccessTokens, TOKEN_URL } from './grant.ts';
import { createPoll, POLL_EVERY_MS } from './poll.ts';
import type { Location } from './poll.ts';
import { LONGEST, sendReply } from './reply.ts';
import { Found, photosOf, Review, toItems } from './review.ts';

const digits = (what: string) =>
  z.string().regex(/^\d{1,30}$/, { error: `is no number of ${what}: digits, in quotes` });

const Config = z.strictObject({
  account: digits('an account').meta({ description: 'Number behind accounts/ in the name of the account' }),
  locations: z
    .array(
      z.strictObject({
        id: digits('a location').meta({ description: 'Number behind locations/ in the name of the location' }),
        name: z.string().min(1).max(200).meta({ description: 'What the reviews are about, for whoever answers them' }),
      }),
    )
    .min(1)
    .max(20)
    .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, { error: 'has a location twice' })
    .meta({ description: 'The locations whose reviews are read, up to 20' }),
  clientId: z.string().min(10).max(500).meta({ description: 'Client ID of the OAuth client in Google Cloud' }),
  clientSecret: secret('Client secret of the OAuth client'),
  refreshToken: secret('Refresh token of somebody who manages the locations, for the scope business.manage'),
  apiRoot: rootAddress.default(GOOGLE).meta({ description: 'Address of a stand-in or proxy' }),
  tokenUrl: rootAddress.default(TOKEN_URL).meta({ description: 'Where access tokens are fetched, for a stand-in' }),
});

export const googleBusiness = defineConnector({
  type: 'google_business',
  title: 'Google Business Profile',
  summary: 'Takes the reviews of places on Google Maps, with their edits, and answers below them.',
  docs: 'channels/google-business.md',
  stability: 'beta',
  capabilities: {
    receive: ['poll'],
    reply: true,
    idempotent: true,
    attachments: { in: true, out: false },
    localhost: true,
    threads: 'topic',
    proven: ['prose'],
  },
  config: Config,
  open({ account, locations, apiRoot, tokenUrl, ...grant }, { http, clock }) {
    const tokens = createAccessTokens({ grant, tokenUrl, http, clock });
    const api = createApi({ account, apiRoot, tokens, http });
    const ours = new Set(locations.map(({ id }) => id));
    return {
      normalize: ({ body }) => toItems(Found.parse(parseJson(body))),
      poll: createPoll({ api, locations, clock }),
      pollEveryMs: POLL_EVERY_MS,
      reply: (reply) => sendReply(api, ours, reply),
      canReply: () => ({ allowed: true, public: true, longest: LONGEST, replaces: true }),
      download: (attachment, payload) => download(api, attachment, payload),
      test: () => test(api, locations),
    };
  },
});

function download(api: BusinessApi, { id, name }: Attachment, { body }: Payload): Promise<Readable> {
  const found = Found.parse(parseJson(body));
  const photos = 'gone' in found ? [] : photosOf(Review.parse(found.review));
  const photo = photos.find(({ file }) => file.id === id);
  if (!photo) throw new PermanentError(`the review has no ${name} any more`);
  return api.photo(photo.url);
}

const Overview = z.object({ totalReviewCount: z.number().default(0), averageRating: z.number().optional() });

async function test(api: BusinessApi, locations: readonly Location[]): Promise<string> {
  const said: string[] = [];
  for (const { id, name } of locations) {
    const query = { pageSize: '1' };
    const { totalReviewCount, averageRating } = await api.call({ path: `/locations/${id}/reviews`, query }, Overview);
    said.push(`reviews of ${name}: ${totalReviewCount}${averageRating ? `, ${averageRating.toFixed(1)} stars` : ''}`);
  }
  return said.join('; ');
}
