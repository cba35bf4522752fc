import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { rootAddress } from '../../core/root-address.ts';
import { shapedSecret } from '../../core/secret.ts';
import { createApi, DISCORD } from './api.ts';
import type { DiscordApi } from './api.ts';
import { createDirects } from './directs.ts';
import type { Directs } from './directs.ts';
import type { Frame } from './event.ts';
import { download } from './files.ts';
import { createStream } from './gateway.ts';
import { messagesSince } from './history.ts';
import { answerTo, verify } from './interactions.ts';
import { toItems } from './items.ts';
import { sendReply } from './reply.ts';
import { Snowflake } from './snowflake.ts';

const Config = z.strictObject({
  botToken: shapedSecret(
    'Token of the bot; Discord Developer Portal, the app’s page Bot',
    /^[\w-]{18,100}\.[\w-]{4,20}\.[\w-]{20,200}$/,
    'is not a bot token: it has three parts with dots between them, and no "Bot" before them',
  ),
  agents: z
    .array(z.string().regex(/^\d{15,20}$/, { error: 'is not the id of a user: it has some eighteen digits' }))
    .max(500)
    .default([])
    .meta({ description: 'Users whose messages are answers of the business, by their id' }),
  publicKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/, { error: 'is not a public key: Discord gives it as 64 letters and digits' })
    .optional()
    .meta({ description: 'Where Discord shall push interactions or events of the app; from General Information' }),
  apiRoot: rootAddress
    .default(DISCORD)
    .meta({ description: 'Address of a stand-in or proxy, instead of https://discord.com/api/v10' }),
});

export const discord = defineConnector({
  type: 'discord',
  title: 'Discord',
  summary: 'Takes what people write to a Discord bot, in servers, threads and direct messages, and answers there.',
  docs: 'channels/discord.md',
  stability: 'beta',
  capabilities: {
    receive: ['stream', 'webhook'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'person',
    proven: ['17 collected payloads', 'vendor description'],
  },
  config: Config,
  open({ botToken: token, agents, publicKey, apiRoot }, { http, clock, secrets, publicUrl }) {
    const api = createApi({ token, apiRoot, http, clock, publicUrl });
    const directs = createDirects(secrets);
    const toRaw = (frame: Frame, self: string | undefined) => rawOf({ api, directs }, frame, self);
    return {
      ...(publicKey !== undefined && {
        webhook: { verify: (request) => verify(publicKey, request, clock.now()), respond: answerTo },
      }),
      normalize: (payload) => toItems(payload, { agents }),
      stream: createStream({ api, http, clock, token, toRaw }),
      reconcile: (since, signal) => messagesSince({ api, clock, directs: directs.list }, since, signal),
      reply: (reply) => sendReply({ api, clock }, reply),
      download: (attachment) => download(api, attachment),
      test: () => test(api),
    };
  },
});

const Where = z.object({ id: Snowflake, channel_id: Snowflake, guild_id: Snowflake.optional() });
const Titled = z.object({ name: z.string().max(1000).nullish() });

/** An event, with who we are and the title of the post that it begins, if it does. */
async function rawOf(
  { api, directs }: { readonly api: DiscordApi; readonly directs: Directs },
  frame: Frame,
  self: string | undefined,
): Promise<Raw> {
  const { data: where } = Where.safeParse(frame.d);
  if (frame.t === 'MESSAGE_CREATE' && where && where.guild_id === undefined) await directs.add(where.channel_id);
  const isPost = /^MESSAGE_(CREATE|UPDATE)$/.test(frame.t ?? '') && where?.id === where?.channel_id;
  const subject = isPost && where ? await titleOf(api, where.channel_id) : undefined;
  const body = Buffer.from(JSON.stringify({ ...frame, self, subject }));
  return { body, headers: { 'content-type': 'application/json' } };
}

/** A post is a thread that has the id of its first message; only the thread knows its title. */
async function titleOf(api: DiscordApi, channel: string): Promise<string | undefined> {
  try {
    return (await api.ask(`/channels/${channel}`, Titled)).name ?? undefined;
  } catch (error) {
    // Deleted meanwhile, or hidden from us.
    if (error instanceof PermanentError) return undefined;
    throw error;
  }
}

const Self = z.object({ username: z.string() });
const App = z.object({ flags: z.number().default(0) });
/** Granted, or switched on for a bot in few servers: https://discord.com/developers/docs/resources/application#application-object-application-flags */
const MAY_READ = (1 << 18) | (1 << 19);

/** Who the bot is, and whether it may read what is written in servers. */
async function test(api: DiscordApi): Promise<string> {
  const { username } = await api.ask('/users/@me', Self);
  const { flags } = await api.ask('/applications/@me', App);
  if ((flags & MAY_READ) !== 0) return `@${username} answers`;
  throw new PermanentError(`@${username} answers, but may not read what is written in servers`, {
    hint: 'Discord Developer Portal, the app’s page Bot: switch on Message Content Intent.',
  });
}
