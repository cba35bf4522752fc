import { z } from 'zod';
import type { Context } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';
import type { AvitoApi } from './api.ts';

const Subscriptions = z.object({ subscriptions: z.array(z.object({ url: z.string() })) });

/** Avito signs nothing in a way that it documents: who knows the address may say that there is news, and no more. */
export const addressToken = (context: Context): Secret => new Secret(context.key('webhook').toString('hex'));

/** Tells Avito where to push, with every start. https://developers.avito.ru/api-catalog/messenger */
export async function subscribe(api: AvitoApi, context: Context, signal: AbortSignal): Promise<void> {
  const { webhookUrl, log } = context;
  // Without one the chats are read at their pace.
  if (!webhookUrl.startsWith('https://')) return;
  const ours = `${webhookUrl}/${addressToken(context).reveal()}`;
  try {
    const list = { method: 'POST', path: '/messenger/v1/subscriptions', signal } as const;
    const { subscriptions } = await api.ask(list, Subscriptions);
    const old = subscriptions.filter(({ url }) => url !== ours && url.startsWith(`${webhookUrl}/`));
    for (const { url } of old) {
      await api.ask({ method: 'POST', path: '/messenger/v1/webhook/unsubscribe', body: { url }, signal }, z.unknown());
    }
    if (subscriptions.some(({ url }) => url === ours)) return;
    await api.ask({ method: 'POST', path: '/messenger/v3/webhook', body: { url: ours }, signal }, z.unknown());
  } catch (error) {
    // Reviews are read all the same; what is wrong with the chats is shown where they are read.
    if (!(error instanceof PermanentError)) throw error;
    log.warn({ error: error.message }, 'no webhook is registered at Avito');
  }
}
