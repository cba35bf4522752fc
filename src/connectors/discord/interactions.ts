import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { HttpAnswer, WebhookRequest } from '../../core/payload.ts';
import { TOLERANCE_MS } from '../../core/signature.ts';

/**
 * What Discord pushes, if the operator enters our address in the app's page: commands and buttons, and events about the
 * app itself. https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint
 */

/** Interactions have a token, events of the app don't. */
const Push = z.object({
  type: z.number(),
  token: z.string().optional(),
  event: z
    .object({ type: z.string().max(200) })
    .optional()
    .catch(undefined),
});

const KINDS: Readonly<Record<number, string>> = { 2: 'command', 3: 'component', 4: 'autocomplete', 5: 'form' };
const PING = 1;
const AUTOCOMPLETE = 4;
/** Shown to nobody else. */
const EPHEMERAL = 64;

const GAMES = /^(LOBBY|GAME_DIRECT)_MESSAGE_/;

/** None of it is a message to the business. */
export function fromPush(value: unknown): ItemInput {
  const { type, token, event } = Push.parse(value);
  if (token !== undefined) {
    if (type === PING) return ignored('ping', 'Discord tries whether the address is ours');
    return ignored(KINDS[type] ?? `interaction ${type}`, 'commands are not served: what is written to the app is');
  }
  if (!event) return ignored('ping', 'Discord tries whether the address is ours');
  const isGame = GAMES.test(event.type);
  return ignored(event.type, isGame ? 'what players write to each other' : 'about the app, no message to the business');
}

/** The answer that Discord expects within three seconds; without it, whoever gave a command reads that it failed. */
export function answerTo({ body }: WebhookRequest): HttpAnswer {
  const push = Push.safeParse(jsonOf(body)).data;
  if (push?.token === undefined) return { status: 204, headers: { 'content-type': 'application/json' } };
  if (push.type === PING) return json({ type: 1 });
  if (push.type === AUTOCOMPLETE) return json({ type: 8, data: { choices: [] } });
  const content = 'Commands are not served here. Write a message instead.';
  return json({ type: 4, data: { content, flags: EPHEMERAL, allowed_mentions: { parse: [] } } });
}

function json(body: object): HttpAnswer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** https://discord.com/developers/docs/interactions/overview#validating-security-request-headers. How old it may be is ours. */
export function verify(publicKey: string, { headers, body }: WebhookRequest, now: number): void {
  const signature = headers['x-signature-ed25519'] ?? '';
  const timestamp = headers['x-signature-timestamp'] ?? '';
  const isShaped = /^[0-9a-f]{128}$/.test(signature) && /^\d{1,11}$/.test(timestamp);
  const signed = Buffer.concat([Buffer.from(timestamp), body]);
  if (!isShaped || !verifySignature(null, signed, keyOf(publicKey), Buffer.from(signature, 'hex'))) {
    throw new BadPayloadError('X-Signature-Ed25519 is missing or does not fit the body', {
      hint: 'If it was Discord: `publicKey` is that of another app. Discord also sends wrong ones on purpose, as a test.',
    });
  }
  if (Math.abs(now - Number(timestamp) * 1000) > TOLERANCE_MS) {
    throw new BadPayloadError('X-Signature-Timestamp is more than five minutes off', {
      hint: 'If it was Discord, compare this machine’s clock (`tributary doctor`).',
    });
  }
}

function keyOf(publicKey: string) {
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
