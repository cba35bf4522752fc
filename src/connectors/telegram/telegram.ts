import type { Readable } from 'node:stream';
import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { Context } from '../../core/connector.ts';
import type { Attachment } from '../../core/envelope.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { rootAddress } from '../../core/root-address.ts';
import { equalSecrets, shapedSecret } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { openApi, TELEGRAM } from './api.ts';
import type { BotApi } from './api.ts';
import { fileIdOf } from './content.ts';
import { toItems, UPDATES } from './items.ts';
import { pollUpdates } from './poll.ts';
import { sendReply } from './reply.ts';

const MB = 1024 * 1024;
/** What Telegram hands a bot, and takes from it; a Bot API server of one's own moves 2 GB either way. */
const LIMITS = { down: 20 * MB, up: 50 * MB };
const OWN_LIMITS = { down: 2000 * MB, up: 2000 * MB };

/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;

const Config = z
  .strictObject({
    token: shapedSecret(
      'Token of the bot, from @BotFather',
      /^\d{1,20}:[A-Za-z0-9_-]{1,200}$/,
      'is not a token of a bot: @BotFather gives them as 123456:ABC-DEF…',
    ),
    mode: z.enum(['poll', 'webhook']).default('poll').meta({
      description: 'poll: fetched by us, works everywhere; webhook: pushed to PUBLIC_URL, which must be https',
    }),
    webhookSecret: shapedSecret(
      'Telegram sends it with every update; letters, digits, _ and -',
      /^[A-Za-z0-9_-]{1,256}$/,
      'has other characters than letters, digits, _ and -, or more than 256: `openssl rand -hex 24` makes one',
    ).optional(),
    apiRoot: rootAddress
      .optional()
      .meta({ description: 'Address of your own Bot API server, instead of https://api.telegram.org' }),
  })
  .refine(({ mode, webhookSecret }) => mode === 'poll' || webhookSecret !== undefined, {
    path: ['webhookSecret'],
    error: 'is needed with mode: webhook: only with it do we know that Telegram is the sender',
  });
type Config = z.output<typeof Config>;

export const telegram = defineConnector({
  type: 'telegram',
  title: 'Telegram',
  summary: 'Takes what people write to a Telegram bot, in private, in groups and to business accounts, and answers.',
  docs: 'channels/telegram.md',
  stability: 'beta',
  capabilities: {
    receive: ['webhook', 'poll'],
    reply: true,
    idempotent: false,
    attachments: { in: true, out: true },
    localhost: true,
    threads: 'person',
    proven: ['vendor description'],
  },
  config: Config,
  async open(config, context) {
    const { token, webhookSecret } = config;
    const apiRoot = config.apiRoot ?? TELEGRAM;
    const limits = config.apiRoot === undefined ? LIMITS : OWN_LIMITS;
    const bot = await openApi({ token, apiRoot, http: context.http });
    const filesRoot = () => `${apiRoot}/file/bot${token.reveal()}`;
    const { clock, log, webhookUrl } = context;
    return {
      normalize: (payload) => toItems(parseJson(payload.body), payload.receivedAt),
      reply: (reply) => sendReply(bot, limits.up, reply),
      download: (attachment, payload) => {
        const fileId = fileIdOf(readable(payload), attachment.id) ?? attachment.id;
        return download({ bot, context, filesRoot, maxBytes: limits.down }, fileId, attachment);
      },
      test: () => test(config, context, bot),
      ...(config.mode === 'webhook' && webhookSecret
        ? {
            webhook: { registered: true, verify: (request) => verify(webhookSecret, request), respond: answerTo },
            connect: (signal) => connect(webhookSecret, context, bot, signal),
          }
        : { poll: (cursor, signal) => pollUpdates({ bot, clock, log, webhookUrl }, cursor, signal) }),
    };
  },
});

function verify(expected: Secret, request: WebhookRequest): void {
  const given = request.headers['x-telegram-bot-api-secret-token'] ?? '';
  if (equalSecrets(given, expected.reveal())) return;
  throw new BadPayloadError('X-Telegram-Bot-Api-Secret-Token is wrong or missing', {
    hint: 'If it was Telegram, restart: the webhook is then registered with the present secret.',
  });
}

/** A pressed button waits for a sign of life; Telegram takes it as the answer to its request. */
function answerTo(request: WebhookRequest): HttpAnswer {
  const pressed = z.object({ callback_query: z.object({ id: z.string() }) }).safeParse(readable(request));
  if (!pressed.success) return { status: 200 };
  const body = JSON.stringify({ method: 'answerCallbackQuery', callback_query_id: pressed.data.callback_query.id });
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}

/** What was quarantined can't be read here either. */
function readable({ body }: { readonly body: Buffer }): unknown {
  try {
    return parseJson(body);
  } catch {
    return undefined;
  }
}

/** Tells Telegram where to push, with every start: so a new secret or address is known at once. */
async function connect(secretToken: Secret, context: Context, bot: BotApi, signal: AbortSignal): Promise<void> {
  const url = context.webhookUrl;
  if (!url.startsWith('https://')) {
    const hint = 'Set PUBLIC_URL to an https address that Telegram reaches, or `mode: poll`, which needs none.';
    context.log.warn({ hint }, 'no webhook is registered: Telegram pushes to https only');
    return;
  }
  const options = { allowed_updates: UPDATES as never, secret_token: secretToken.reveal() };
  await bot.call((api) => api.setWebhook(url, options, signal as never));
}

/** Links to files are valid for an hour and carry the token, so each try asks for a new one and tells it to nobody. */
async function download(
  deps: { bot: BotApi; context: Context; filesRoot: () => string; maxBytes: number },
  fileId: string,
  { name, size }: Attachment,
): Promise<Readable> {
  const { bot, context, maxBytes } = deps;
  if (size !== undefined && size > maxBytes) {
    throw new PermanentError(`${name} has more than the ${maxBytes / MB} MB that Telegram hands to bots`, {
      hint: 'Ask the customer for a link, or run a Bot API server of your own (`apiRoot`).',
    });
  }
  const { file_path } = await bot.call((api) => api.getFile(fileId));
  if (!file_path || /^\/|^[a-z]:|\\|(^|\/)\.\.?(\/|$)/i.test(file_path)) {
    throw new PermanentError(`Telegram gives no address for ${name}`, {
      hint: 'A Bot API server that runs with --local keeps files to its own disk: start it without.',
    });
  }
  const path = file_path.split('/').map(encodeURIComponent).join('/');
  const { body } = await context.http.stream({ url: `${deps.filesRoot()}/${path}`, maxBytes, timeoutMs: FILE_MS });
  return body;
}

/** Who the bot is, and whether Telegram reaches us. */
async function test({ mode }: Config, { webhookUrl }: Context, bot: BotApi): Promise<string> {
  const me = await bot.call((api) => api.getMe());
  const name = `@${me.username} (${me.first_name})`;
  const info = await bot.call((api) => api.getWebhookInfo());
  if (mode === 'poll') {
    if (info.url) throw new PermanentError(`${name} has a webhook, so it can't be polled`, { hint: REMOVE });
    return `${name} answers and can be polled`;
  }
  if (info.url !== webhookUrl) {
    throw new PermanentError(`${name} answers, but ${info.url ? 'pushes elsewhere' : 'has no webhook'}`, {
      hint: 'Restart with PUBLIC_URL set to an https address that Telegram reaches; it is registered then.',
    });
  }
  if (info.last_error_message && info.pending_update_count > 0) {
    throw new PermanentError(
      `${name} answers, but Telegram can't deliver ${info.pending_update_count} updates: ${info.last_error_message}`,
      { hint: 'Check that PUBLIC_URL is reached from the internet, with a certificate that is valid.' },
    );
  }
  return `${name} answers and pushes to us`;
}

const REMOVE = 'Set `mode: webhook`, or remove it by opening https://api.telegram.org/bot<token>/deleteWebhook once.';
