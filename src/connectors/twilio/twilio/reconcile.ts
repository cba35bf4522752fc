import type { Raw } from '../../../core/connector.ts';
import type { Account } from '../account.ts';
import { mediaOf, messages } from './list.ts';
import type { Listed } from './list.ts';

/** Twilio lists the files of a message a few seconds after the message. */
const LISTS_FILES_MS = 5 * 60_000;

/**
 * What Twilio has and could not push, oldest first: messages to our numbers, and answers that failed meanwhile. Who
 * else uses the account has sent messages too, so of what went out only failures are told.
 */
export async function* reconcile(
  api: Account,
  numbers: readonly string[],
  { since, now }: { readonly since: number; readonly now: number },
  signal: AbortSignal,
): AsyncIterable<Raw> {
  const from = new Date(since).toISOString().replace(/\.\d+Z$/, 'Z');
  for (const number of numbers) {
    yield* raws(api, { To: number, 'DateSent>': from }, signal, { now, isMeant: isReceived });
    yield* raws(api, { From: number, 'DateSent>': from }, signal, { now, isMeant: isFailed });
  }
}

function isReceived({ direction, status }: Listed): boolean {
  return direction === 'inbound' && status === 'received';
}

function isFailed({ direction, status }: Listed): boolean {
  return direction !== 'inbound' && (status === 'failed' || status === 'undelivered');
}

async function* raws(
  api: Account,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
  { now, isMeant }: { readonly now: number; readonly isMeant: (message: Listed) => boolean },
): AsyncIterable<Raw> {
  const found: Listed[] = [];
  for await (const message of messages(api, query, signal)) if (isMeant(message)) found.push(message);
  for (const message of found.reverse()) {
    const files = Number(message.num_media ?? 0);
    const media = files > 0 ? await mediaOf(api, message, signal) : [];
    // Taken without its files it would stay so; it is listed the next time, too.
    if (media.length < files && now - Date.parse(message.date_created ?? '') < LISTS_FILES_MS) continue;
    yield { body: Buffer.from(JSON.stringify({ message, media })), headers: { 'content-type': 'application/json' } };
  }
}
