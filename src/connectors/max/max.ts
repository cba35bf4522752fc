import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import { parseJson } from '../../core/json.ts';
import { rootAddress } from '../../core/root-address.ts';
import { shapedSecret } from '../../core/secret.ts';
import { createApi, MAX } from './api.ts';
import { download } from './download.ts';
import { messagesSince } from './history.ts';
import { toItem } from './items.ts';
import { pollUpdates } from './poll.ts';
import { sendReply } from './reply.ts';
import { renew, subscribe, test, unsubscribe, verify } from './webhook.ts';

const Config = z
  .strictObject({
    token: shapedSecret(
      'Token of the bot: business.max.ru, Chat-bots, Settings',
      /^[\x21-\x7e]{16,500}$/,
      'is not a token of a bot: MAX gives them as one long word of letters, digits, _ and -',
    ),
    mode: z.enum(['webhook', 'poll']).default('webhook').meta({
      description: 'webhook: pushed to PUBLIC_URL, which must be https; poll: fetched by us, for trying things out',
    }),
    webhookSecret: shapedSecret(
      'MAX sends it with every update; letters, digits, _ and -',
      /^[A-Za-z0-9_-]{5,256}$/,
      'has other characters than letters, digits, _ and -, or not 5 to 256: `openssl rand -hex 24` makes one',
    ).optional(),
    apiRoot: rootAddress
      .default(MAX)
      .meta({ description: "Address of MAX's API, which has moved before, or of a proxy" }),
  })
  .refine(({ mode, webhookSecret }) => mode === 'poll' || webhookSecret !== undefined, {
    path: ['webhookSecret'],
    error: 'is needed with mode: webhook: only with it do we know that MAX is the sender',
  });

export const max = defineConnector({
  type: 'max',
  title: 'MAX',
  summary: 'Takes what people write to a bot in MAX, in private and in chats, with files, and answers.',
  docs: 'channels/max.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook', 'poll'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'person',
    proven: ['prose'],
  },
  config: Config,
  open({ token, mode, webhookSecret, apiRoot }, context) {
    const { http, clock, id: channel } = context;
    const api = createApi({ token, apiRoot, http });
    const asking = { api, clock, threads: () => context.threads() };
    const missed = (since: number, signal: AbortSignal) => messagesSince(asking, since, signal);
    return {
      normalize: ({ body }) => [toItem(parseJson(body), { channel, token })],
      reply: (reply) => sendReply({ api, http, apiRoot, clock, channel }, reply),
      download: (attachment, payload) => download({ api, http, apiRoot }, attachment, payload),
      test: () => test(api, mode, context),
      ...(mode === 'webhook' && webhookSecret
        ? {
            webhook: { registered: true, verify: (request) => verify(webhookSecret, request) },
            connect: (signal) => subscribe(api, webhookSecret, context, signal),
            async *reconcile(since, signal) {
              await renew(api, webhookSecret, context, signal);
              yield* missed(since, signal);
            },
          }
        : {
            connect: (signal) => unsubscribe(api, context, signal),
            poll: (cursor, signal) => pollUpdates(api, cursor, signal),
            reconcile: missed,
          }),
    };
  },
});
