import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Clock } from '../../core/clock.ts';
import type { Webhook } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { BadPayloadError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import { hmac, matchesSignature, TOLERANCE_MS } from '../../core/signature.ts';
import { Conversation } from './api.ts';
import type { Config } from './config.ts';
import { isOurs } from './conversations.ts';
import { isTicket, standingOf } from './way-back.ts';

/** Messages of 150,000 characters, twice. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Signed, at an address that can't be guessed, or both; undefined where there is none. */
export function createWebhook({ webhookSecret, webhookToken }: Config, clock: Clock): Webhook | undefined {
  if (!webhookSecret && !webhookToken) return undefined;
  return {
    maxBytes: MOST_BYTES,
    ...(webhookToken && { token: webhookToken }),
    verify: ({ headers, body }) => (webhookSecret ? verify(webhookSecret, clock, headers, body) : undefined),
  };
}

/**
 * The time, a dot and the body are signed.
 * https://github.com/chatwoot/chatwoot/pull/13573 (webhooks of an account, 4.11.2), …/13892 (of an API inbox, 4.13.0)
 */
function verify(secret: Secret, clock: Clock, headers: Readonly<Record<string, string>>, body: Buffer): void {
  const signature = headers['x-chatwoot-signature'];
  const timestamp = headers['x-chatwoot-timestamp'];
  if (!signature?.startsWith('sha256=') || !timestamp) {
    throw new BadPayloadError('not signed by Chatwoot', {
      hint: 'Webhooks of an account are signed since 4.11.2, those of an API inbox since 4.13.0: see `webhookToken`.',
    });
  }
  const expected = hmac('sha256', secret.reveal(), `${timestamp}.`, body);
  if (!matchesSignature(expected, signature.slice('sha256='.length), 'hex')) {
    throw new BadPayloadError('x-chatwoot-signature does not match the body', {
      hint: 'Compare `webhookSecret` with the secret that Chatwoot shows at this webhook, or at the inbox.',
    });
  }
  const at = /^\d{1,11}$/.test(timestamp) ? Number(timestamp) * 1000 : NaN;
  if (!(Math.abs(clock.now() - at) <= TOLERANCE_MS)) {
    throw new BadPayloadError('x-chatwoot-timestamp is more than five minutes off', {
      hint: 'Compare the clocks of both machines (`tributary doctor` shows ours).',
    });
  }
}

const Attributes = z.record(z.string(), z.unknown()).nullish().catch(undefined);
const Said = z.object({
  event: z.literal('message_created'),
  source_id: z.string().nullish().catch(undefined),
  conversation: z.object({ custom_attributes: Attributes }),
});
const Moved = Conversation.extend({
  event: z.literal('conversation_status_changed'),
  /** Seconds; the second one is when something was said last. */
  updated_at: z.number().nullish().catch(undefined),
  timestamp: z.number(),
});
const Named = z.object({ event: z.string() });

/**
 * What is said is fetched, since a message says less in a webhook. A status comes with it where it is signed: those that
 * a timer or a bot changes leave no line in the conversation.
 * https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks
 */
export function toNotice(config: Config, body: Buffer): ActionInput[] {
  const given = jsonOf(body);
  const [said, moved] = [Said.safeParse(given).data, Moved.safeParse(given).data];
  if (said) return isTicket(said.conversation) ? [isOurs(said) ? other('a message', 'ours') : { kind: 'wake' }] : [NOT];
  if (moved) return isTicket(moved) ? [...statusOf(config, moved), { kind: 'wake' }] : [NOT];
  const { event } = Named.safeParse(given).data ?? { event: 'message_created' };
  const wakes = ['message_created', 'conversation_status_changed'].includes(event);
  return [wakes ? { kind: 'wake' } : other(event.slice(0, 200), 'nothing that comes back')];
}

const NOT = other('an event', 'not a ticket of ours');

function statusOf(config: Config, moved: z.output<typeof Moved>): ActionInput[] {
  const status = config.webhookSecret && standingOf(config, moved);
  if (!status || status === 'new') return [];
  const at = Math.floor((moved.updated_at ?? moved.timestamp) * 1000);
  const id = `status:${moved.id}:${at}:${moved.status}`;
  return [{ kind: 'status', id, ticket: moved.id, at, agent: 'Chatwoot', status }];
}

function other(name: string, reason: string): ActionInput {
  return ignored(name, reason) as ActionInput;
}
