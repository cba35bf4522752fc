import type { Api, InputFile } from 'grammy';
import { z } from 'zod';
import type { Http } from '../../core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';

/** Where bots without a server of their own call. */
export const TELEGRAM = 'https://api.telegram.org';

/** Longer than our guard lets any call last: its errors say more than grammY's. */
const TIMEOUT_SEC = 120;

/** Telegram's methods with our errors, over our guarded way out. */
export interface BotApi {
  /** Throws one of the five errors; `ChatMovedError` where a group became a supergroup. */
  call<T>(work: (api: Api) => Promise<T>): Promise<T>;
  /** As `call`, for what the customer would see twice: an unknown outcome is for a person to look at. */
  send<T>(work: (api: Api) => Promise<T>): Promise<T>;
  /** A file on its way out, read once. */
  file(bytes: AsyncIterable<Uint8Array>, name: string): InputFile;
}

/** The group is a supergroup now and has another id. */
export class ChatMovedError extends PermanentError {
  readonly to: string;

  constructor(text: string, to: string) {
    super(text);
    this.to = to;
  }
}

/** Telegram pushes the updates to somebody, so they can't be fetched. */
export class WebhookSetError extends RetryableError {}

/** Opens no connection. grammY is 2 MB of code: it is read when the first bot is opened. */
export async function openApi(deps: {
  readonly token: Secret;
  readonly apiRoot: string;
  readonly http: Http;
}): Promise<BotApi> {
  const { Api: Client, GrammyError, HttpError, InputFile: Upload } = await import('grammy');
  const { apiRoot, http } = deps;
  const api = new Client(deps.token.reveal(), {
    apiRoot,
    timeoutSeconds: TIMEOUT_SEC,
    // The same function: grammY names the types of node-fetch 2.
    fetch: http.fetch as never,
  });

  /** Neither of grammY's errors goes on: they hold the request. */
  function toError(error: unknown): unknown {
    if (error instanceof GrammyError) {
      const refusal = Refusal.parse(error);
      // A server or proxy of one's own may quote the address that was called, and that has the token in it.
      const description = refusal.description.replaceAll(deps.token.reveal(), '…');
      return refusalOf(error.method, { ...refusal, description });
    }
    if (!(error instanceof HttpError)) return error;
    if (error.error instanceof TributaryError) return error.error;
    const text = `${error.message.replace(/!$/, '')}: the answer can't be read`;
    return new RetryableError(text, { outcomeUnknown: true });
  }

  async function call<T>(work: (api: Api) => Promise<T>): Promise<T> {
    try {
      return await work(api);
    } catch (error) {
      throw toError(error);
    }
  }

  return {
    call,
    async send(work) {
      try {
        return await call(work);
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Telegram may have sent it all the same`, {
          cause: error,
          hint: 'Look into the chat: if it is not there, replay the delivery.',
        });
      }
    },
    // grammY writes the name as it stands into a header of the upload, also its quotation marks.
    file: (bytes, name) => new Upload(bytes, `"${name.replace(/[\p{Cc}"\\]/gu, '_')}"`),
  };
}

/** How Telegram says no: https://core.telegram.org/bots/api#making-requests */
const Refusal = z.object({
  error_code: z.number().catch(500),
  description: z.string().catch('no reason given'),
  parameters: z
    .object({
      migrate_to_chat_id: z.number().optional().catch(undefined),
      retry_after: z.number().min(0).optional().catch(undefined),
    })
    .catch({}),
});

function refusalOf(method: string, refusal: z.output<typeof Refusal>): TributaryError {
  const { error_code: status, description, parameters } = refusal;
  const text = `${method}: ${status} ${description}`;
  const response = { status, text: description.slice(0, 2048) };
  if (parameters.migrate_to_chat_id !== undefined)
    return new ChatMovedError(text, String(parameters.migrate_to_chat_id));
  if (status === 429) {
    const ms = parameters.retry_after === undefined ? undefined : parameters.retry_after * 1000;
    return new RateLimitedError(text, ms, { response });
  }
  // A token that isn't one at all is answered with 404, whatever the method.
  if (status === 401 || (status === 404 && description === 'Not Found')) {
    return new AuthExpiredError(text, {
      response,
      hint: 'Get the token from @BotFather (/mybots, API Token), enter it.',
    });
  }
  if (status === 409) return conflictOf(text, description);
  const hint = hintOf(description);
  const details = { response, ...(hint && { hint }) };
  // It was Telegram that answered, and it says that it did not do it.
  if (status >= 500) return new RetryableError(text, details);
  return new PermanentError(text, details);
}

function conflictOf(text: string, description: string): RetryableError {
  if (/webhook/i.test(description)) {
    return new WebhookSetError(text, {
      hint: `A webhook is set for this bot, and Telegram pushes there: set \`mode: webhook\` here, or open ${TELEGRAM}/bot<token>/deleteWebhook once.`,
    });
  }
  return new RetryableError(text, {
    hint: 'Another program fetches with the same token: stop it, or give it a bot of its own.',
  });
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/blocked by the user/, 'The customer has blocked the bot: answer through another channel.'],
  [/user is deactivated/, 'The customer has deleted his Telegram account: answer through another channel.'],
  [/can't initiate conversation/, 'A bot may only write to people who wrote to it first.'],
  [/bot was kicked|not a member/, 'The bot is no longer in this group: add it again.'],
  [/chat not found/, 'The chat is gone, or the token is of another bot than the one that was written to.'],
  [/not enough rights|need administrator rights|have no rights/, 'Give the bot the right to write there.'],
  [
    /BUSINESS_|business connection/i,
    'The business account has disconnected the bot, or took the right to reply from it.',
  ],
  [/file is too big/, 'Telegram hands bots no files above 20 MB; a Bot API server of your own (`apiRoot`) does.'],
];

function hintOf(description: string): string | undefined {
  return HINTS.find(([pattern]) => pattern.test(description))?.[1];
}
