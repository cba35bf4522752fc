import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import { BadPayloadError, PermanentError } from '../../core/errors.ts';
import type { WebhookRequest } from '../../core/payload.ts';
import { equalSecrets } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import type { MaxApi } from './api.ts';
import { UPDATES } from './items.ts';
import { nameOf } from './people.ts';
import { User } from './update.ts';

const Subscriptions = z.object({ subscriptions: z.array(z.object({ url: z.string() })) });

export function verify(secret: Secret, { headers }: WebhookRequest): void {
  if (equalSecrets(headers['x-max-bot-api-secret'] ?? '', secret.reveal())) return;
  throw new BadPayloadError('X-Max-Bot-Api-Secret is wrong or missing', {
    hint: 'If it was MAX, restart: the webhook is then registered with the present secret.',
  });
}

/** MAX calls no other port than that of https. */
const CALLABLE = /^https:\/\/[^/:]+\//;

/** Tells MAX where to push, with every start: so a new secret is known at once. */
export async function subscribe(api: MaxApi, secret: Secret, context: Context, signal: AbortSignal): Promise<void> {
  const { webhookUrl: url, log } = context;
  if (!CALLABLE.test(url)) {
    const hint =
      'Set PUBLIC_URL to an https address without a port that MAX reaches, or `mode: poll`, which needs none.';
    log.warn({ hint }, 'no webhook is registered: MAX pushes to https on port 443 only');
    return;
  }
  const body = { url, update_types: UPDATES, secret: secret.reveal() };
  await api({ method: 'POST', path: '/subscriptions', body, hidden: body.secret, signal }, z.unknown());
}

/** Whom MAX could push nothing for eight hours it takes off the webhook without a word: then it is told anew where to push. */
export async function renew(api: MaxApi, secret: Secret, context: Context, signal: AbortSignal): Promise<void> {
  const { webhookUrl, log } = context;
  if (!CALLABLE.test(webhookUrl)) return;
  const { subscriptions } = await api({ path: '/subscriptions', signal }, Subscriptions);
  if (subscriptions.some(({ url }) => url === webhookUrl)) return;
  const hint = 'It does so after eight hours in which it could push nothing: look who was in its way.';
  log.warn({ hint }, 'MAX had taken the bot off its webhook; it is registered again');
  await subscribe(api, secret, context, signal);
}

/** While MAX pushes it can't be polled: removes our webhook, from when `mode` was another one; another's is not ours to touch. */
export async function unsubscribe(api: MaxApi, { webhookUrl: url }: Context, signal: AbortSignal): Promise<void> {
  const { subscriptions } = await api({ path: '/subscriptions', signal }, Subscriptions);
  if (!subscriptions.some((each) => each.url === url)) return;
  await api({ method: 'DELETE', path: '/subscriptions', query: { url }, signal }, z.unknown());
}

/** Who the bot is, and whether MAX reaches us. */
export async function test(api: MaxApi, mode: 'poll' | 'webhook', { webhookUrl }: Context): Promise<string> {
  const me = await api({ path: '/me' }, User);
  const bot = me.username ? `${nameOf(me)} (@${me.username})` : nameOf(me);
  const { subscriptions } = await api({ path: '/subscriptions' }, Subscriptions);
  if (mode === 'poll') {
    if (subscriptions.length === 0) return `${bot} answers and can be polled`;
    throw new PermanentError(`${bot} has a webhook, so it can't be polled`, {
      hint: 'Set `mode: webhook`, or stop the other program and remove its subscription (DELETE /subscriptions).',
    });
  }
  if (subscriptions.some(({ url }) => url === webhookUrl)) return `${bot} answers and pushes to us`;
  throw new PermanentError(`${bot} answers, but ${subscriptions.length ? 'pushes elsewhere' : 'has no webhook'}`, {
    hint: 'Restart with PUBLIC_URL set to an https address that MAX reaches; it is registered then.',
  });
}
