import { z } from 'zod';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';

/** https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/conversation-messages#status-codes-from-bot-conversational-apis */
const HINTS: Readonly<Record<string, string>> = {
  BotNotRegistered: 'Switch on the channel Microsoft Teams of the Azure Bot, and check that `appId` is its app’s.',
  BotDisabledByAdmin: 'The customer’s administrator has to allow the app (Teams admin center, app policies).',
  BotNotInConversationRoster: 'The app was removed from this chat: somebody there has to add it again.',
  ConversationBlockedByUser: 'He has blocked the bot: answer through another channel.',
  MessageWritesBlocked: 'He has blocked the bot or removed the app: answer through another channel.',
  InvalidBotApiHost: 'It is a chat of a government tenant: answer once somebody has written there again.',
  NotEnoughPermissions: 'Microsoft’s words name what the app may not do.',
  ConversationNotFound: 'The chat is gone: answer through another channel.',
  MessageSizeTooBig: 'Make it shorter, or put a link into it.',
};

const Refusal = z.object({ error: z.object({ code: z.string().default(''), message: z.string().default('') }) });
/** As Teams says it where the Bot Framework only passes it on; the message is JSON of its own. */
const Passed = z.object({ message: z.string() });
const Inner = z.object({ subCode: z.string(), details: z.string().default('') });

/** The error that an answer of the Bot Framework means, in its words. */
export function failureOf(error: unknown): unknown {
  if (!(error instanceof TributaryError) || error.response === undefined) return error;
  const { response } = error;
  const { code, words } = saidIn(response.text);
  const text = [error.message, words].filter(Boolean).join(': ');
  const known = Object.hasOwn(HINTS, code) ? HINTS[code] : error.hint;
  const details = { response, ...(known !== undefined && { hint: known }) };
  if (error instanceof RateLimitedError) return new RateLimitedError(text, error.retryAfterMs, details);
  if (error instanceof AuthExpiredError) return new AuthExpiredError(text, details);
  // Two calls for one chat at the same moment, or nobody there to take it: nothing was done.
  if (response.status === 412 || response.status === 503) return new RetryableError(text, { response });
  if (error instanceof RetryableError)
    return new RetryableError(text, { ...details, outcomeUnknown: error.outcomeUnknown });
  return new PermanentError(text, details);
}

function saidIn(body: string): { code: string; words: string } {
  const refusal = Refusal.safeParse(readable(body)).data?.error;
  if (refusal) return { code: refusal.code, words: [refusal.code, refusal.message].filter(Boolean).join(': ') };
  const message = Passed.safeParse(readable(body)).data?.message ?? '';
  const inner = Inner.safeParse(readable(message)).data;
  if (!inner) return { code: '', words: message.slice(0, 300) };
  return { code: inner.subCode, words: [inner.subCode, inner.details].filter(Boolean).join(': ') };
}

function readable(text: string): unknown {
  try {
    return parseJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}
