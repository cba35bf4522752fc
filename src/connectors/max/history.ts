import { z } from 'zod';
import type { Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { patiently } from '../../core/patience.ts';
import type { Patience } from '../../core/patience.ts';
import type { MaxApi } from './api.ts';
import { id, User } from './update.ts';

/** Most that MAX gives at once: https://dev.max.ru/docs-api/methods/GET/messages */
const PAGE = 100;
/** When MAX asks for patience, and doesn't say how long. */
const REST_MS = 2000;

const Told = z.looseObject({
  timestamp: z.number(),
  sender: z.looseObject({ user_id: id }).nullish().catch(undefined),
  body: z.looseObject({ mid: z.string() }).nullish().catch(undefined),
});
type Told = z.output<typeof Told>;
const Page = z.object({ messages: z.array(Told) });

interface Asking extends Patience {
  readonly api: MaxApi;
}

/**
 * What was said since a time (milliseconds) in the chats that are known here, as the updates that would have told it; the
 * oldest first in each. MAX lists no chats, so whoever wrote for the first time meanwhile isn't found; edits of what is
 * older, deletions and pressed buttons can't be asked for.
 */
export async function* messagesSince(
  { threads, ...deps }: Pick<Asking, 'api' | 'clock'> & { readonly threads: () => Promise<readonly string[]> },
  since: number,
  signal: AbortSignal,
): AsyncGenerator<Raw> {
  const asking: Asking = { ...deps, signal, restMs: REST_MS };
  const { user_id: self } = await patiently(asking, () => deps.api({ path: '/me', signal }, User));
  for (const chat of await threads()) {
    for (const message of await saidIn(asking, chat, since)) {
      // Answers of ours are known, and would be duplicates each time.
      if (message.sender?.user_id !== self) yield toRaw(message);
    }
  }
}

/** The newest come first; `from` is where to go on, towards what is older. */
async function saidIn(asking: Asking, chat: string, since: number): Promise<readonly Told[]> {
  const told = new Map<string, Told>();
  for (let from: string | undefined = ''; from !== undefined;) {
    const page: readonly Told[] = await ask(asking, { chat_id: chat, count: String(PAGE), ...(from && { from }) });
    const recent = page.filter(({ timestamp }) => timestamp >= since);
    const known = told.size;
    for (const message of recent) told.set(message.body?.mid ?? `at ${message.timestamp}`, message);
    // A page without anything new would be asked for again and again.
    const last = recent.length === PAGE && told.size > known ? recent.at(-1) : undefined;
    from = last && String(last.timestamp);
  }
  return [...told.values()].sort((one, other) => one.timestamp - other.timestamp);
}

/** Nothing where the bot was stopped, or may no longer look. */
async function ask(asking: Asking, query: Readonly<Record<string, string>>): Promise<readonly Told[]> {
  const { api, signal } = asking;
  try {
    const request = { path: '/messages', query, signal, maxBytes: 8 * 1024 * 1024 };
    return (await patiently(asking, () => api(request, Page))).messages;
  } catch (error) {
    if (error instanceof PermanentError && [403, 404].includes(error.response?.status ?? 0)) return [];
    throw error;
  }
}

function toRaw(message: Told): Raw {
  const update = { update_type: 'message_created', timestamp: message.timestamp, message };
  return { body: Buffer.from(JSON.stringify(update)) };
}
