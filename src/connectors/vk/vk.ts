import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Channel, Context } from '../../core/connector.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { equalSecrets, secret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { createCall, VERSION, VK } from './api.ts';
import type { Call } from './api.ts';
import { download } from './download.ts';
import { Event } from './event.ts';
import { messagesSince } from './history.ts';
import { EVENTS, toItem } from './items.ts';
import { createPoll } from './poll.ts';
import { profileOf } from './profile.ts';
import { sendReply } from './reply.ts';

const Config = z
  .strictObject({
    group: z
      .union([z.string().regex(/^[1-9]\d{0,18}$/), z.int().min(1).transform(String)])
      .meta({ description: 'Number of the community: 1 for vk.com/club1' }),
    token: secret('Access key of the community: Manage, API usage, Access tokens'),
    mode: z.enum(['poll', 'webhook']).default('poll').meta({
      description:
        'poll: fetched by us (Long Poll API), works everywhere; webhook: pushed to PUBLIC_URL (Callback API)',
    }),
    secret: secret('With webhook: the secret key that stands in VK below Callback API, up to 50 characters').optional(),
    confirmation: z
      .string()
      .regex(/^[\w-]{1,64}$/)
      .optional()
      .meta({ description: 'With webhook: the string that VK wants to be answered, below Callback API' }),
    userToken: secret(
      'Access key of an administrator, for answers to comments on photos, videos, products and topics',
    ).optional(),
    apiRoot: rootAddress
      .default(VK)
      .meta({ description: 'Address of a stand-in or proxy instead of https://api.vk.com' }),
  })
  .refine(({ mode, secret }) => mode === 'poll' || secret !== undefined, {
    path: ['secret'],
    error: 'is needed with mode: webhook: only with it do we know that VK is the sender',
  })
  .refine(({ mode, confirmation }) => mode === 'poll' || confirmation !== undefined, {
    path: ['confirmation'],
    error: 'is needed with mode: webhook: VK sends nothing before it was answered with it',
  });
type Config = z.output<typeof Config>;

export const vk = defineConnector({
  type: 'vk',
  title: 'VK',
  summary: 'Takes what people write to a community of VK, in private, in chats and below its posts, and answers.',
  docs: 'channels/vk.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook', 'poll'],
    reply: true,
    idempotent: true,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'person',
    proven: ['21 collected payloads', 'vendor description'],
  },
  config: Config,
  open(config, context) {
    const { group, token, userToken, apiRoot } = config;
    const { http } = context;
    const call = createCall({ token, apiRoot, http });
    const callAsUser = userToken && createCall({ token: userToken, apiRoot, http });
    const mark = JSON.stringify({ tributary: context.key('answers').toString('base64url').slice(0, 22) });
    const files = { call, http, apiRoot };
    return {
      normalize: ({ body, receivedAt }) => [toItem(parseJson(body), { receivedAt, self: `-${group}`, mark })],
      reply: (reply) => sendReply({ ...files, callAsUser, group, mark }, reply),
      download: (attachment, payload): Promise<Readable> => download(files, attachment, payload),
      profile: (identifier) => profileOf(call, identifier),
      reconcile: (since, signal) => messagesSince({ call, group }, since, signal),
      test: () => test(config, context, call),
      ...receiving(config, context, call),
    };
  },
});

function receiving(config: Config, context: Context, call: Call): Pick<Channel, 'webhook' | 'poll' | 'connect'> {
  const { group, mode, secret, confirmation, apiRoot } = config;
  if (mode === 'webhook' && secret && confirmation) {
    return {
      webhook: {
        verify: (request) => verify({ group, secret }, request),
        respond: (request) => answerTo(request, confirmation),
      },
    };
  }
  const { http, clock } = context;
  return {
    poll: createPoll({ call, http, clock, group, apiRoot }),
    connect: (signal) => askForEvents(context, call, group, signal),
  };
}

function verify({ group, secret }: { readonly group: string; readonly secret: Secret }, request: WebhookRequest): void {
  const event = eventOf(request);
  if (!event?.secret || !equalSecrets(event.secret, secret.reveal())) {
    throw new BadPayloadError('the secret key is wrong or missing', {
      hint: 'If it was VK: enter the same secret key there (Manage, API usage, Callback API) and here, before you press Confirm.',
    });
  }
  if (event.group_id !== undefined && event.group_id !== group) {
    throw new BadPayloadError(`the event is of the community ${event.group_id}`, {
      hint: `This channel is for ${group}: give each community a channel of its own.`,
    });
  }
}

/** VK's secret stands inside: what can't be read, nobody can say who sent. */
function eventOf({ body }: { readonly body: Buffer }): z.output<typeof Event> | undefined {
  try {
    return Event.safeParse(parseJson(body)).data;
  } catch {
    return undefined;
  }
}

/** VK wants one word back, or its own when it asks whether the address is ours. */
function answerTo(request: WebhookRequest, confirmation: string): HttpAnswer {
  const body = eventOf(request)?.type === 'confirmation' ? confirmation : 'ok';
  return { status: 200, headers: { 'content-type': 'text/plain' }, body };
}

const Done = z.literal(1);

/** Switches on what is read here. An access key that may not manage the community leaves it to its owner. */
async function askForEvents({ log }: Context, call: Call, group: string, signal: AbortSignal): Promise<void> {
  const wanted = Object.fromEntries(EVENTS.map((name) => [name, 1] as const));
  const settings = { group_id: group, enabled: 1, api_version: VERSION, ...wanted };
  try {
    await call('groups.setLongPollSettings', settings, Done, signal);
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error;
    const hint = 'Switch them on in VK: Manage, API usage, Long Poll API, Event types.';
    log.warn({ hint, error: error.message }, 'VK was not told which events are wanted');
  }
}

const Groups = z.object({ groups: z.array(z.object({ name: z.string() })).min(1) });
const Servers = z.object({ items: z.array(z.object({ url: z.string(), status: z.string() })) });

/** Which community it is, and whether it tells us what happens. */
async function test({ group, mode }: Config, { webhookUrl }: Context, call: Call): Promise<string> {
  const { groups } = await call('groups.getById', { group_ids: group }, Groups);
  const name = groups[0]?.name ?? group;
  if (mode === 'poll') {
    await call('groups.getLongPollServer', { group_id: group }, z.unknown());
    return `${name} answers and can be polled`;
  }
  const { items } = await call('groups.getCallbackServers', { group_id: group }, Servers);
  const server = items.find(({ url }) => url === webhookUrl);
  if (server?.status === 'ok') return `${name} answers and pushes to us`;
  const state = server ? `does not push to us: its server is '${server.status}'` : 'knows no server with our address';
  throw new PermanentError(`${name} answers, but ${state}`, {
    hint: `Enter ${webhookUrl} in VK (Manage, API usage, Callback API) and press Confirm.`,
  });
}
