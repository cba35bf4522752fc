import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { CanReply } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';
import { APPLE, createApi, keyOf } from './api.ts';
import { createFeedPoll, ITUNES } from './feed.ts';
import { createPoll, POLL_EVERY_MS } from './poll.ts';
import { LONGEST, sendReply } from './reply.ts';
import { Found, toItems } from './review.ts';

const Key = z.strictObject({
  issuerId: z
    .string()
    .regex(/^[0-9A-Fa-f-]{36}$/, { error: 'is no issuer ID: App Store Connect shows it above the keys' })
    .optional()
    .meta({ description: 'Issuer ID of the team; left out with the key of a person' }),
  keyId: z
    .string()
    .regex(/^[A-Z0-9]{10,20}$/, { error: 'is no key ID, such as 2X9R4HXF34' })
    .meta({ description: 'Key ID: it stands in the name of the file, too' }),
  privateKey: secret('What is in the file AuthKey_….p8').refine((value) => keyOf(value) !== undefined, {
    error: 'is not what a file AuthKey_….p8 holds: it begins with -----BEGIN PRIVATE KEY-----',
  }),
});

const Config = z
  .strictObject({
    app: z
      .string()
      .regex(/^\d{5,20}$/, { error: 'is no Apple ID of an app: the digits behind id in its address' })
      .meta({ description: 'Apple ID of the app: the digits behind id in its address in the App Store' }),
    key: Key.optional().meta({
      description: 'Key of the App Store Connect API; without one, only the public feed is read',
    }),
    countries: z
      .array(z.string().regex(/^[a-z]{2}$/, { error: 'is no country, such as us' }))
      .min(1)
      .max(50)
      .optional()
      .meta({ description: 'Without a key: the countries whose public feeds are read' }),
    apiRoot: rootAddress.default(APPLE).meta({ description: 'Address of a stand-in or proxy for App Store Connect' }),
    feedRoot: rootAddress.default(ITUNES).meta({ description: 'The same for the public feed' }),
  })
  .refine(({ key, countries }) => (key === undefined) !== (countries === undefined), {
    path: ['countries'],
    error: 'is needed without a key, and means nothing with one',
  });

const READ_ONLY: CanReply = { allowed: false, reason: 'the public feed of the App Store takes no answers: set a key' };

export const appStore = defineConnector({
  type: 'app_store',
  title: 'App Store',
  summary: "Takes the reviews of an app in Apple's App Store, with their edits, and answers below them.",
  docs: 'channels/app-store.md',
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
  open({ app, key, countries = [], apiRoot, feedRoot }, context) {
    const { http, clock } = context;
    const common = { normalize: ({ body }: { readonly body: Buffer }) => toItems(Found.parse(parseJson(body))) };
    if (!key) {
      const poll = createFeedPoll({ app, countries, feedRoot, context });
      return {
        ...common,
        poll,
        pollEveryMs: 3 * POLL_EVERY_MS,
        reply: () => Promise.reject(new PermanentError(READ_ONLY.reason ?? '')),
        canReply: () => READ_ONLY,
        async test() {
          const { items } = await poll(undefined, AbortSignal.timeout(30_000));
          return `the public feed answers; reviews of the last week in ${countries[0] ?? ''}: ${items.length}`;
        },
      };
    }
    const api = createApi({ key, apiRoot, http, clock });
    return {
      ...common,
      poll: createPoll({ api, app, clock }),
      pollEveryMs: POLL_EVERY_MS,
      reply: (reply) => sendReply(api, reply),
      canReply: () => ({ allowed: true, public: true, longest: LONGEST, replaces: true }),
      async test() {
        const path = `/v1/apps/${app}/customerReviews?limit=1`;
        const { data } = await api({ path }, z.object({ data: z.array(z.unknown()) }));
        return `the key may read: the app ${app} has ${data.length > 0 ? '' : 'no '}reviews`;
      },
    };
  },
});
