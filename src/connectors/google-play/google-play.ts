import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { parseJson } from '../../core/json.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { accountOf, createAccessTokens, TOKEN_URL } from './account.ts';
import { createApi, GOOGLE } from './api.ts';
import { createPoll, POLL_EVERY_MS } from './poll.ts';
import { LONGEST, sendReply } from './reply.ts';
import { Found, toItems } from './review.ts';

const Config = z.strictObject({
  app: z
    .string()
    .max(200)
    .regex(/^[A-Za-z]\w*(\.[A-Za-z]\w*)+$/, { error: 'is no name of a package, such as com.example.app' })
    .meta({ description: 'Package name of the app: the part behind id= in its address on Google Play' }),
  serviceAccount: secret('JSON of a key of the service account, as Google Cloud hands it out').refine(
    (value) => accountOf(value) !== undefined,
    { error: 'is not the JSON of a key: it has client_email, and private_key with an RSA key' },
  ),
  translateTo: z
    .string()
    .regex(/^[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?$/, { error: 'is no language, such as en or pt_BR' })
    .optional()
    .meta({ description: 'Language that Google translates reviews into; the translation comes beside the review' }),
  apiRoot: rootAddress.default(GOOGLE).meta({ description: 'Address of a stand-in or proxy' }),
  tokenUrl: rootAddress.default(TOKEN_URL).meta({ description: 'Where access tokens are fetched, for a stand-in' }),
});

export const googlePlay = defineConnector({
  type: 'google_play',
  title: 'Google Play',
  summary: 'Takes the reviews of an app on Google Play, with their edits, and answers below them.',
  docs: 'channels/google-play.md',
  stability: 'beta',
  capabilities: {
    receive: ['poll'],
    reply: true,
    idempotent: true,
    attachments: { in: false, out: false },
    localhost: true,
    threads: 'topic',
    proven: ['vendor description', 'prose'],
  },
  config: Config,
  open({ app, serviceAccount, translateTo, apiRoot, tokenUrl }, { http, clock, log }) {
    const tokens = createAccessTokens({ serviceAccount, tokenUrl, http, clock });
    const api = createApi({ app, apiRoot, tokens, http });
    return {
      normalize: ({ body }) => toItems(Found.parse(parseJson(body))),
      poll: createPoll({ api, app, translateTo, clock, log }),
      pollEveryMs: POLL_EVERY_MS,
      reply: (reply) => sendReply(api, reply),
      canReply: () => ({ allowed: true, public: true, longest: LONGEST, replaces: true }),
      async test() {
        const query = { maxResults: '1' };
        const page = await api({ path: '/reviews', query }, z.object({ reviews: z.array(z.unknown()).default([]) }));
        const has = page.reviews.length > 0 ? 'has' : 'has no';
        return `the service account may read: ${app} ${has} reviews with words from the last seven days`;
      },
    };
  },
});
