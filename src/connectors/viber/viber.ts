import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Context } from '../../core/connector.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { shapedSecret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';
import { createApi, VIBER } from './api.ts';
import type { ViberApi } from './api.ts';
import { EVENTS, toItem } from './items.ts';
import { download } from './media.ts';
import { MAX_TEXT, sendReply, textMessage } from './reply.ts';

const Config = z.strictObject({
  token: shapedSecret(
    'Token of the bot: More, Settings, Bots, Edit Info, Your app key',
    /^[A-Za-z0-9_-]{20,200}$/,
    'is not a token of a bot: Viber gives them as 50 letters and digits with two hyphens',
  ),
  senderName: z.string().trim().min(1).max(28).meta({ description: 'Who answers, as the customer sees it' }),
  welcome: z.string().trim().min(1).max(MAX_TEXT).optional().meta({
    description: 'What somebody reads who opens the conversation for the first time',
  }),
  apiRoot: rootAddress.optional().meta({ description: `Address of a proxy or stand-in, instead of ${VIBER}` }),
});

export const viber = defineConnector({
  type: 'viber',
  title: 'Viber',
  summary: 'Takes what people write to a Viber bot, with pictures and files, and answers with text.',
  docs: 'channels/viber.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: false },
    localhost: false,
    threads: 'person',
    proven: ['11 collected payloads', 'signature vectors', 'prose'],
  },
  config: Config,
  open({ token, senderName, welcome, apiRoot }, context) {
    const { http, id: channel } = context;
    const api = createApi({ token, apiRoot: apiRoot ?? VIBER, http });
    return {
      webhook: {
        registered: true,
        verify: (request) => verify(token, request),
        respond: (request) => (welcome !== undefined && opens(request) ? greet(senderName, welcome) : { status: 200 }),
      },
      normalize: ({ body, receivedAt }) => [toItem(parseJson(body), { channel, receivedAt })],
      connect: (signal) => connect(api, context, signal),
      reply: (reply) => sendReply(api, senderName, reply),
      download: (attachment, payload) => download({ http, apiRoot }, attachment, payload),
      test: () => test(api, context),
    };
  },
});

function verify(token: Secret, { headers, body }: WebhookRequest): void {
  const given = headers['x-viber-content-signature'] ?? '';
  if (matchesSignature(hmac('sha256', token.reveal(), body), given, 'hex')) return;
  throw new BadPayloadError('X-Viber-Content-Signature is missing or does not match the body', {
    hint: "If it was Viber, the token is another bot's: compare it with the one in Viber's settings.",
  });
}

/** Whether somebody opened the conversation who is not subscribed yet: the answer may be a message then. */
function opens({ body }: WebhookRequest): boolean {
  try {
    const { event, subscribed } = z.object({ event: z.string(), subscribed: z.unknown() }).parse(parseJson(body));
    return event === 'conversation_started' && subscribed !== true;
  } catch {
    return false;
  }
}

function greet(senderName: string, welcome: string): HttpAnswer {
  const body = JSON.stringify(textMessage(senderName, welcome));
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}

/** Tells Viber where to push, with every start; Viber tries the address before it answers. */
async function connect(api: ViberApi, { webhookUrl: url, log }: Context, signal: AbortSignal): Promise<void> {
  if (!url.startsWith('https://')) {
    const hint = 'Set PUBLIC_URL to an https address that Viber reaches: there is no other way to get messages.';
    log.warn({ hint }, 'no webhook is registered: Viber pushes to https only');
    return;
  }
  await api('set_webhook', { url, event_types: EVENTS, send_name: true, send_photo: false }, signal);
}

const Account = z.object({
  name: z.string().default(''),
  uri: z.string().default(''),
  webhook: z.string().default(''),
});

/** Who the bot is, and whether Viber pushes to us. */
async function test(api: ViberApi, { webhookUrl }: Context): Promise<string> {
  const { name, uri, webhook } = Account.parse(await api('get_account_info', {}));
  const bot = uri ? `${name} (${uri})` : name;
  if (webhook === webhookUrl) return `${bot} answers and pushes to us`;
  throw new PermanentError(`${bot} answers, but ${webhook ? 'pushes elsewhere' : 'has no webhook'}`, {
    hint: 'Restart with PUBLIC_URL set to an https address that Viber reaches; it is registered then.',
  });
}
