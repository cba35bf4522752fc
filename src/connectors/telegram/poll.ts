import type { Clock } from '../../core/clock.ts';
import type { Log, Raw } from '../../core/connector.ts';
import { textOf } from '../../core/errors.ts';
import { WebhookSetError } from './api.ts';
import type { BotApi } from './api.ts';
import { UPDATES } from './items.ts';

/** How long Telegram holds a poll open when there is nothing, seconds. */
const HOLD_SEC = 25;
/** Updates that nobody fetched are kept for a day; what an offset would skip is gone by then. */
const OFFSET_MS = 24 * 60 * 60_000;

/**
 * Long polling. The cursor is the next offset and when it was learnt: after a quiet week Telegram numbers updates
 * anew, from anywhere, so that an old offset could skip what is new. For the same reason the next offset follows the
 * last update received, and is never the highest one seen.
 */
export async function pollUpdates(
  deps: {
    readonly bot: BotApi;
    readonly clock: Clock;
    readonly log: Log;
    /** Where we had Telegram push when this channel had a webhook. */
    readonly webhookUrl: string;
  },
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<{ items: readonly Raw[]; cursor: string; more: boolean }> {
  const { bot, clock, log } = deps;
  const offset = offsetOf(cursor, clock.now());
  const query = { limit: 100, timeout: HOLD_SEC, allowed_updates: UPDATES as never, ...(offset && { offset }) };
  const fetchUpdates = () => bot.call((api) => api.getUpdates(query, signal as never));
  const updates = await fetchUpdates().catch(async (error: unknown) => {
    if (!(error instanceof WebhookSetError) || !(await takeBack(bot, deps.webhookUrl))) throw error;
    return fetchUpdates();
  });
  // The customer's button waits for a sign of life.
  const pressed = updates.flatMap(({ callback_query }) => callback_query?.id ?? []);
  const answers = pressed.map((id) => bot.call((api) => api.answerCallbackQuery(id)));
  for (const answer of await Promise.allSettled(answers)) {
    if (answer.status === 'rejected') log.debug({ error: textOf(answer.reason) }, 'a button was not answered');
  }
  const last = updates.at(-1);
  return {
    items: updates.map((update) => ({ body: Buffer.from(JSON.stringify(update)) })),
    cursor: last ? `${last.update_id + 1} ${clock.now()}` : (cursor ?? ''),
    more: updates.length > 0,
  };
}

/** Removes the webhook if it is ours, from when `mode` was another one; somebody else's is not ours to touch. */
async function takeBack(bot: BotApi, url: string): Promise<boolean> {
  const info = await bot.call((api) => api.getWebhookInfo());
  if (info.url !== url) return false;
  return bot.call((api) => api.deleteWebhook());
}

function offsetOf(cursor: string | undefined, now: number): number | undefined {
  const [offset, at] = (cursor ?? '').split(' ').map(Number);
  return offset && at !== undefined && now - at < OFFSET_MS ? offset : undefined;
}
