import type { Raw } from '../../core/connector.ts';
import type { TwilioApi } from './api.ts';
import type { Listed } from './list.ts';

/**
 * What Twilio has and could not push, oldest first: messages to our numbers, and answers that failed meanwhile. Who
 * else uses the account has sent messages too, so of what went out only failures are told.
 */
export async function* reconcile(
  api: TwilioApi,
  numbers: readonly string[],
  since: number,
  signal: AbortSignal,
): AsyncIterable<Raw> {
  const from = new Date(since).toISOString().replace(/\.\d+Z$/, 'Z');
  for (const number of numbers) {
    yield* raws(api, { To: number, 'DateSent>': from }, signal, isReceived);
    yield* raws(api, { From: number, 'DateSent>': from }, signal, isFailed);
  }
}

function isReceived({ direction, status }: Listed): boolean {
  return direction === 'inbound' && status === 'received';
}

function isFailed({ direction, status }: Listed): boolean {
  return direction !== 'inbound' && (status === 'failed' || status === 'undelivered');
}

async function* raws(
  api: TwilioApi,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
  isMeant: (message: Listed) => boolean,
): AsyncIterable<Raw> {
  const found: Listed[] = [];
  for await (const message of api.messages(query, signal)) if (isMeant(message)) found.push(message);
  for (const message of found.reverse()) {
    const media = Number(message.num_media ?? 0) > 0 ? await api.mediaOf(message, signal) : [];
    yield { body: Buffer.from(JSON.stringify({ message, media })), headers: { 'content-type': 'application/json' } };
  }
}
