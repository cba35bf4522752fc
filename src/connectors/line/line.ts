import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Context } from '../../core/connector.ts';
import type { Attachment, Identifier } from '../../core/envelope.ts';
import { BadPayloadError, PermanentError, RetryableError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { shapedSecret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature } from '../../core/signature.ts';
import { createApi } from './api.ts';
import type { LineApi } from './api.ts';
import { toItems } from './items.ts';
import { sendReply } from './reply.ts';

const Config = z.strictObject({
  channelSecret: shapedSecret(
    'Signs what LINE sends; LINE Developers Console, Basic settings',
    /^[!-~]{8,200}$/,
    'is not a channel secret: LINE gives it as 32 letters and digits',
  ),
  channelAccessToken: shapedSecret(
    'For answers and files; LINE Developers Console, Messaging API',
    /^[!-~]{16,2000}$/,
    'is not a channel access token: it has no spaces or line ends, and more than 16 characters',
  ),
  apiRoot: rootAddress
    .optional()
    .meta({ description: 'Address of a proxy or stand-in, instead of api.line.me and api-data.line.me' }),
});

export const line = defineConnector({
  type: 'line',
  title: 'LINE',
  summary: 'Takes what people write to a LINE Official Account, in private and in groups, and answers with text.',
  docs: 'channels/line.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook'],
    reply: true,
    idempotent: true,
    attachments: { in: true, out: false },
    localhost: false,
    threads: 'person',
    proven: ['36 collected payloads', 'vendor description', 'signature vectors'],
  },
  config: Config,
  open({ channelSecret, channelAccessToken: token, apiRoot }, context) {
    const { http, id: channel } = context;
    const api = createApi({ token, apiRoot, http });
    return {
      webhook: { registered: true, verify: (request) => verify(channelSecret, request) },
      normalize: ({ body, receivedAt }) => toItems(parseJson(body), { channel, receivedAt }),
      connect: (signal) => connect(api, context, signal),
      reply: (reply) => sendReply(api, reply),
      download: (attachment) => download(api, attachment),
      profile: (identifier) => profile(api, identifier),
      test: () => test(api, context),
    };
  },
});

function verify(channelSecret: Secret, { headers, body }: WebhookRequest): void {
  const given = headers['x-line-signature'] ?? '';
  if (matchesSignature(hmac('sha256', channelSecret.reveal(), body), given, 'base64')) return;
  throw new BadPayloadError('X-Line-Signature is missing or does not match the body', {
    hint: "If it was LINE, the secret is another channel's: compare it with the one in the LINE Developers Console.",
  });
}

const WEBHOOK = '/v2/bot/channel/webhook/endpoint';

/** Tells LINE where to push, with every start; that it does so is switched on by hand. */
async function connect(api: LineApi, { webhookUrl, log }: Context, signal: AbortSignal): Promise<void> {
  if (!webhookUrl.startsWith('https://')) {
    const hint = 'Set PUBLIC_URL to an https address that LINE reaches: there is no other way to get messages.';
    log.warn({ hint }, 'no webhook is registered: LINE pushes to https only');
    return;
  }
  await api.send(WEBHOOK, { method: 'PUT', body: { endpoint: webhookUrl }, signal });
}

const Prepared = z.object({ status: z.string() });

/** Videos and voice messages have to be made ready by LINE; until then its answer is an empty file. */
async function download(api: LineApi, { id, name, mediaType }: Attachment): Promise<Readable> {
  const path = `/v2/bot/message/${encodeURIComponent(id)}/content`;
  if (/^(video|audio)\//.test(mediaType)) {
    const { status } = Prepared.parse(await api.sendData(`${path}/transcoding`));
    if (status === 'failed') throw new PermanentError(`LINE could not make ${name} ready`);
    if (status !== 'succeeded') throw new RetryableError(`LINE is still making ${name} ready`);
  }
  return api.stream(path);
}

const Profile = z.object({ displayName: z.string(), language: z.string().max(35).optional() });

/** LINE tells of those who are friends of the account or have written to it; of others in groups it is not asked. */
async function profile(api: LineApi, { value }: Identifier) {
  const answer = await ifAny(api.send(`/v2/bot/profile/${encodeURIComponent(value)}`));
  if (answer === undefined) return undefined;
  const { displayName: name, language: locale } = Profile.parse(answer);
  return { name, ...(locale !== undefined && { locale }) };
}

/** What LINE answers, or undefined where it says that there is nothing. */
async function ifAny(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof PermanentError && error.response !== undefined) return undefined;
    throw error;
  }
}

const Bot = z.object({ displayName: z.string(), basicId: z.string() });
const Endpoint = z.object({ endpoint: z.string().default(''), active: z.boolean().default(false) });

/** Which account it is, and whether LINE pushes to us. */
async function test(api: LineApi, { webhookUrl }: Context): Promise<string> {
  const { displayName, basicId } = Bot.parse(await api.send('/v2/bot/info'));
  const name = `${displayName} (${basicId})`;
  const { endpoint, active } = Endpoint.parse((await ifAny(api.send(WEBHOOK))) ?? {});
  if (endpoint !== webhookUrl) {
    throw new PermanentError(`${name} answers, but ${endpoint ? 'pushes elsewhere' : 'has no webhook'}`, {
      hint: 'Restart with PUBLIC_URL set to an https address that LINE reaches; it is registered then.',
    });
  }
  if (!active) {
    throw new PermanentError(`${name} answers, but its webhook is switched off`, {
      hint: 'Switch on "Use webhook" and "Webhook redelivery" in the LINE Developers Console, Messaging API.',
    });
  }
  return `${name} answers and pushes to us`;
}
