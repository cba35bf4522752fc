import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Channel, Context } from '../../core/connector.ts';
import type { Identifier } from '../../core/envelope.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { shapedSecret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature, TOLERANCE_MS } from '../../core/signature.ts';
import { createApi, SLACK } from './api.ts';
import type { SlackApi } from './api.ts';
import { download } from './files.ts';
import { messagesSince } from './history.ts';
import { toItems } from './items.ts';
import { sendReply } from './reply.ts';
import { createStream } from './socket.ts';

/** What the app asks the workspace for: see docs/channels/slack.md. */
export const SCOPES: readonly string[] = [
  'channels:history',
  'channels:read',
  'chat:write',
  'files:read',
  'files:write',
  'groups:history',
  'groups:read',
  'im:history',
  'im:read',
  'metadata.message:read',
  'mpim:history',
  'mpim:read',
  'reactions:read',
  'users:read',
];

const Config = z
  .strictObject({
    botToken: shapedSecret(
      'Bot User OAuth Token, from the app’s page OAuth & Permissions',
      /^xoxb-[A-Za-z0-9-]{8,500}$/,
      'is not a bot token: it begins with xoxb-. With token rotation they expire: leave that switched off',
    ),
    mode: z.enum(['socket', 'webhook']).default('socket').meta({
      description: 'socket: Slack is connected to, works everywhere; webhook: pushed to PUBLIC_URL',
    }),
    appToken: shapedSecret(
      'With socket: app-level token with connections:write, from Basic Information',
      /^xapp-[A-Za-z0-9-]{8,500}$/,
      'is not an app-level token: it begins with xapp-',
    ).optional(),
    signingSecret: shapedSecret(
      'With webhook: Signing Secret, from Basic Information',
      /^[!-~]{16,200}$/,
      'is not a signing secret: Slack gives it as 32 letters and digits',
    ).optional(),
    agents: z
      .array(z.string().regex(/^[UW][A-Z0-9]{2,40}$/, { error: 'is not the id of a member: it begins with U or W' }))
      .max(500)
      .default([])
      .meta({ description: 'Members whose messages are answers of the business, by their member id' }),
    apiRoot: rootAddress
      .default(SLACK)
      .meta({ description: 'Address of a stand-in or proxy, instead of https://slack.com/api' }),
  })
  .refine(({ mode, appToken }) => mode !== 'socket' || appToken !== undefined, {
    path: ['appToken'],
    error: 'is needed with mode: socket: Slack opens no connection without it',
  })
  .refine(({ mode, signingSecret }) => mode !== 'webhook' || signingSecret !== undefined, {
    path: ['signingSecret'],
    error: 'is needed with mode: webhook: only with it do we know that Slack is the sender',
  });
type Config = z.output<typeof Config>;

export const slack = defineConnector({
  type: 'slack',
  title: 'Slack',
  summary: 'Takes what people write to a Slack app, in channels and direct messages, and answers in their threads.',
  docs: 'channels/slack.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook', 'stream'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'person',
    proven: ['116 collected payloads', 'vendor description', 'signature vectors'],
  },
  config: Config,
  open(config, context) {
    const { botToken: token, agents, apiRoot } = config;
    const { http, clock, id: channel } = context;
    const api = createApi({ token, apiRoot, http });
    return {
      normalize: (payload) => toItems(payload, { channel, agents }),
      reply: (reply) => sendReply({ api, clock }, reply),
      download: (attachment) => download(api, attachment),
      profile: (identifier) => profile(api, identifier),
      reconcile: (since, signal) => messagesSince({ api, clock }, since, signal),
      ...receiving(config, context, api),
    };
  },
});

function receiving(
  { mode, appToken, signingSecret, apiRoot }: Config,
  { http, clock }: Context,
  api: SlackApi,
): Pick<Channel, 'webhook' | 'stream' | 'test'> {
  if (mode === 'webhook' && signingSecret) {
    return {
      webhook: { verify: (request) => verify(signingSecret, request, clock.now()), respond: answerTo },
      test: () => test(api),
    };
  }
  // The other one, which the configuration has seen to.
  const app = createApi({ token: appToken as Secret, apiRoot, http });
  return {
    stream: createStream({ api: app, http, clock }),
    async test() {
      const who = await test(api);
      await app.tell('apps.connections.open', z.unknown(), {});
      return `${who}, and opens connections`;
    },
  };
}

/** https://docs.slack.dev/authentication/verifying-requests-from-slack */
function verify(signingSecret: Secret, { headers, body }: WebhookRequest, now: number): void {
  const timestamp = headers['x-slack-request-timestamp'] ?? '';
  const given = headers['x-slack-signature'] ?? '';
  const expected = hmac('sha256', signingSecret.reveal(), `v0:${timestamp}:`, body);
  if (!given.startsWith('v0=') || !matchesSignature(expected, given.slice('v0='.length), 'hex')) {
    throw new BadPayloadError('X-Slack-Signature is missing or does not fit the body', {
      hint: 'If it was Slack: `signingSecret` is that of another app, or was made anew.',
    });
  }
  if (!/^\d{1,11}$/.test(timestamp) || Math.abs(now - Number(timestamp) * 1000) > TOLERANCE_MS) {
    throw new BadPayloadError('X-Slack-Request-Timestamp is more than five minutes off', {
      hint: 'If it was Slack, compare this machine’s clock (`tributary doctor`).',
    });
  }
}

const Question = z.object({ type: z.literal('url_verification'), challenge: z.string().regex(/^[\w-]{1,256}$/) });

/** When the address is entered Slack wants its word back: signed, and one that means nothing to a browser. */
function answerTo({ body }: WebhookRequest): HttpAnswer {
  const question = Question.safeParse(jsonOf(body)).data;
  if (!question) return { status: 200 };
  return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: question.challenge };
}

const name = z.string().catch('');
const Profile = z.object({ real_name: name, display_name: name });
const User = z.object({
  user: z.object({ real_name: name, name, locale: z.string().max(35).optional().catch(undefined), profile: Profile }),
});

/** The name of a member, also of another workspace in what is shared. Programs say theirs themselves. */
async function profile(api: SlackApi, { kind, value }: Identifier) {
  if (!kind.startsWith('slack:') || !/^[UW]/.test(value)) return undefined;
  const asked = { user: value, include_locale: 'true' };
  const found = await api.ask('users.info', User, asked).catch((error: unknown) => {
    if (error instanceof PermanentError && /^user_not_/.test(error.response?.text ?? '')) return undefined;
    throw error;
  });
  if (!found) return undefined;
  const { user } = found;
  const called = user.profile.real_name || user.real_name || user.profile.display_name || user.name;
  return { ...(called && { name: called }), ...(user.locale && { locale: user.locale }) };
}

const Self = z.object({ team: z.string(), user: z.string() });

/** Who the app is, and whether it may do what it has to. */
async function test(api: SlackApi): Promise<string> {
  const { team, user } = await api.ask('auth.test', Self);
  const granted = await api.scopes();
  const missing = SCOPES.filter((scope) => !granted.includes(scope));
  if (granted.length > 0 && missing.length > 0) {
    throw new PermanentError(`@${user} of ${team} answers, but lacks ${missing.join(', ')}`, {
      hint: 'Add the scopes in the app’s page OAuth & Permissions, then install the app again.',
    });
  }
  return `@${user} of ${team} answers`;
}
