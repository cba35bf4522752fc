import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { CanReply } from '../../core/connector.ts';
import { parseJson } from '../../core/json.ts';
import { rootAddress } from '../../core/root-address.ts';
import { secret, shapedSecret } from '../../core/secret.ts';
import { createApi, TRUSTPILOT } from './api.ts';
import { createAccessTokens } from './grant.ts';
import { createPoll, POLL_EVERY_MS } from './poll.ts';
import { sendReply } from './reply.ts';
import { Found, ofPush, toItems } from './review.ts';

const MAX_BYTES = 1024 * 1024;

const id = (what: string) => z.string().regex(/^[0-9a-f]{24}$/, { error: `is no ID of ${what}: 24 digits and a to f` });

const Config = z.strictObject({
  businessUnit: id('a business unit').meta({ description: 'Business unit ID of the domain' }),
  apiKey: secret('API key of the application: Integrations, Developers, APIs'),
  apiSecret: secret('API secret beside it'),
  user: z
    .strictObject({
      email: z.string().min(3).max(254).meta({ description: 'Login of Trustpilot Business' }),
      password: secret('Its password'),
    })
    .optional()
    .meta({ description: 'Whose answers they are; left out, the application asks for itself' }),
  author: id('a user').optional().meta({ description: 'User ID of whose answers they are, without user' }),
  token: shapedSecret(
    'Secret part of the address: Trustpilot calls <PUBLIC_URL>/webhooks/<id>/<token>; left out, reviews are only fetched',
    /^[A-Za-z0-9_-]{22,200}$/,
    'is none of 22 to 200 letters, digits, _ and -: `openssl rand -hex 24` makes one',
  ).optional(),
  apiRoot: rootAddress.default(TRUSTPILOT).meta({ description: 'Address of a stand-in or proxy' }),
});

const NOBODYS: CanReply = {
  allowed: false,
  reason: 'Trustpilot wants to know whose answer it is: set author or user of the channel',
  public: true,
};

export const trustpilot = defineConnector({
  type: 'trustpilot',
  title: 'Trustpilot',
  summary: 'Takes the reviews of a business on Trustpilot, with their edits, and answers below them.',
  docs: 'channels/trustpilot.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook', 'poll'],
    reply: true,
    idempotent: true,
    attachments: { in: false, out: false },
    localhost: true,
    threads: 'topic',
    proven: ['1 collected payloads', 'prose'],
  },
  config: Config,
  open({ businessUnit, apiRoot, author, token, ...grant }, { http, clock }) {
    const tokens = createAccessTokens({ grant, apiRoot, http, clock });
    const api = createApi({ apiRoot, tokens, http });
    const isSomebodys = author !== undefined || grant.user !== undefined;
    return {
      ...(token && {
        // The host has compared the token; Trustpilot signs nothing.
        webhook: { maxBytes: MAX_BYTES, token, verify: () => undefined },
      }),
      normalize: ({ method, body }) =>
        method === 'POLL' ? toItems(Found.parse(parseJson(body))) : ofPush(parseJson(body)),
      poll: createPoll({ api, businessUnit, clock }),
      pollEveryMs: POLL_EVERY_MS,
      reply: (reply) => sendReply(api, author, reply),
      canReply: () => (isSomebodys ? { allowed: true, public: true, replaces: true } : NOBODYS),
      async test() {
        const path = `/v1/private/business-units/${businessUnit}/reviews`;
        const { reviews } = await api({ path, query: { perPage: '1' } }, z.object({ reviews: z.array(z.unknown()) }));
        return `the key may read: the business unit has ${reviews.length > 0 ? '' : 'no '}reviews`;
      },
    };
  },
});
