import { z } from 'zod';
import { AuthExpiredError, PermanentError, RetryableError } from '../../core/errors.ts';

/** How Discord says no: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json */
const Refusal = z.object({ code: z.number(), message: z.string(), errors: z.unknown().optional() });

const HINTS: Readonly<Record<number, string>> = {
  10003: 'The channel was deleted, or the bot was removed from its server: answer elsewhere.',
  10008: 'The message was deleted.',
  20028: 'The channel takes messages more slowly than this: slow mode, or too many at once.',
  30046: 'The post has been edited too often.',
  40005: 'The file is too large for this server: send a link instead.',
  50001: 'Give the bot’s role the permission View Channel there.',
  50007: 'This person takes no direct messages from the bot: they share no server, or he has blocked it.',
  50013:
    'Give the bot’s role Send Messages, Send Messages in Threads, Attach Files and Read Message History in that channel.',
  50035: 'Discord does not take it as it is: its answer names the field.',
  160002: 'Give the bot’s role the permission Read Message History in that channel.',
  160005: 'The thread is locked: unlock it, or answer elsewhere.',
  200000: 'AutoMod of the server blocks this text: change it, or exempt the bot’s role.',
};

/** An error of a call in Discord's words, with what to do. */
export function failureOf(what: string, error: unknown): unknown {
  if (error instanceof AuthExpiredError) {
    return new AuthExpiredError(`${what}: Discord does not accept the bot token`, {
      ...(error.response && { response: error.response }),
      hint: NEW_TOKEN,
    });
  }
  if (!(error instanceof PermanentError) || !error.response) return error;
  const refusal = Refusal.safeParse(jsonOf(error.response.text)).data;
  if (!refusal) return error;
  const { code, message, errors } = refusal;
  const more = errors === undefined ? '' : ` ${JSON.stringify(errors)}`;
  const hint = HINTS[code];
  return new PermanentError(`${what}: ${message} (${code})${more}`.slice(0, 1000), {
    response: error.response,
    ...(hint !== undefined && { hint }),
  });
}

export const NEW_TOKEN = 'Discord Developer Portal, the app’s page Bot: Reset Token, and enter the new one.';

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const PORTAL = 'Discord Developer Portal, the app’s page Bot';

/** Codes with which trying again is pointless: https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway */
const FINAL: Readonly<Record<number, readonly [text: string, hint: string]>> = {
  4010: ['Discord does not take our shard', 'Update Tributary.'],
  4011: ['Discord wants the connection split up (sharding)', 'The bot is in too many servers: take it out of some.'],
  4012: ['Discord no longer speaks this version of its Gateway', 'Update Tributary.'],
  4013: ['Discord does not know an intent that was asked for', 'Update Tributary.'],
  4014: [
    'Discord does not let the bot read what is written in servers',
    `${PORTAL}: switch on Message Content Intent, then try again.`,
  ],
};

/** What a connection that Discord has closed ends with. */
export function endingOf(code: number | undefined): Error {
  if (code === 4004) return new AuthExpiredError('Discord does not accept the bot token (4004)', { hint: NEW_TOKEN });
  const [text, hint] = (code !== undefined && FINAL[code]) || [];
  if (text !== undefined && hint !== undefined) return new PermanentError(`${text} (${code})`, { hint });
  return new RetryableError(`Discord closed the connection${code === undefined ? '' : ` (${code})`}`);
}
