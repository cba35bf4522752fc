import { z } from 'zod';
import type { Raw } from '../../core/connector.ts';
import { patiently } from '../../core/patience.ts';
import type { Patience } from '../../core/patience.ts';
import { microsOf, timeOf, tsOf } from './address.ts';
import type { Place } from './address.ts';
import type { SlackApi } from './api.ts';

const PAGE = '200';
/** How old a thread may be whose newest replies are asked for: Slack lists threads by their first message only. */
const THREAD_MS = 7 * 24 * 60 * 60_000;
/** When Slack asks for patience, and doesn't say how long; it answers some fifty such questions a minute. */
const REST_MS = 30_000;

const ts = z.string().regex(/^\d{1,10}\.\d{1,6}$/);
const next = z
  .object({ next_cursor: z.string().catch('') })
  .catch({ next_cursor: '' })
  .default({ next_cursor: '' });
const Told = z.looseObject({ ts, latest_reply: ts.optional().catch(undefined), user: z.string().optional() });
type Told = z.output<typeof Told>;
const Page = z.object({ messages: z.array(Told), response_metadata: next });
const Conversation = z.object({ id: z.string(), is_im: z.boolean().catch(false), is_mpim: z.boolean().catch(false) });
const Conversations = z.object({ channels: z.array(Conversation), response_metadata: next });
const Self = z.object({ user_id: z.string(), team_id: z.string() });

interface Asking extends Patience {
  readonly api: SlackApi;
}

/**
 * What was said since a time (milliseconds) where the app is a member, as the events that would have told it; the oldest
 * first in each conversation. Edits and deletions of what is older can't be asked for.
 */
export async function* messagesSince(
  deps: Pick<Asking, 'api' | 'clock'>,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<Raw> {
  const asking = { ...deps, signal, restMs: REST_MS };
  const { user_id, team_id } = await patiently(asking, () => deps.api.ask('auth.test', Self, {}, signal));
  const about = { type: 'event_callback', team_id, authorizations: [{ user_id, is_bot: true }] };
  const asked = { types: 'public_channel,private_channel,mpim,im', exclude_archived: 'true', limit: PAGE };
  const pages = pagesOf(asking, 'users.conversations', Conversations, asked);
  for await (const { channels } of pages) {
    for (const { id: channel, is_im, is_mpim } of channels) {
      const channel_type = is_im ? 'im' : is_mpim ? 'mpim' : 'channel';
      for (const message of await saidIn(asking, channel, since)) {
        // Answers of ours are known, and would be ignored each time.
        if (message.user === user_id) continue;
        yield {
          body: Buffer.from(
            JSON.stringify({ ...about, event: { type: 'message', ...message, channel, channel_type } }),
          ),
        };
      }
    }
  }
}

/** By `ts`: a reply that was shown in the channel too is listed twice. */
async function saidIn(asking: Asking, channel: string, since: number): Promise<Told[]> {
  const found = new Map<string, Told>();
  const oldest = tsOf(since - THREAD_MS);
  for await (const { messages } of pagesOf(asking, 'conversations.history', Page, { channel, oldest, limit: PAGE })) {
    for (const message of messages) {
      if (isSince(message.ts, since)) found.set(message.ts, message);
      if (message.latest_reply === undefined || !isSince(message.latest_reply, since)) continue;
      const asked = { channel, ts: message.ts, oldest: tsOf(since), limit: PAGE };
      for await (const { messages: replies } of pagesOf(asking, 'conversations.replies', Page, asked)) {
        for (const reply of replies) if (isSince(reply.ts, since)) found.set(reply.ts, reply);
      }
    }
  }
  return [...found.values()].toSorted((a, b) => microsOf(a.ts) - microsOf(b.ts));
}

function isSince(at: string, since: number): boolean {
  return timeOf(at) >= since;
}

async function* pagesOf<T extends { readonly response_metadata: { readonly next_cursor: string } }>(
  asking: Asking,
  method: string,
  schema: z.ZodType<T>,
  query: Readonly<Record<string, string>>,
): AsyncGenerator<T> {
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const asked: Record<string, string> = cursor ? { ...query, cursor } : query;
    const page = await patiently(asking, () => asking.api.ask(method, schema, asked, asking.signal));
    yield page;
    cursor = page.response_metadata.next_cursor || undefined;
  }
}

/** What an answer of ours is recognised by; others in the workspace can read it. */
export const MARK = 'tributary_answer';

const Marked = z.object({
  messages: z.array(
    z.object({
      ts,
      metadata: z
        .object({ event_type: z.string(), event_payload: z.object({ part: z.string().optional() }) })
        .optional()
        .catch(undefined),
    }),
  ),
});

/** The `ts` under which a part of an answer stands in the conversation since `since` (milliseconds), if it does. */
export async function findPart(api: SlackApi, place: Place, part: string, since: number): Promise<string | undefined> {
  const { channel, threadTs } = place;
  const asked = { channel, oldest: tsOf(since), limit: PAGE, include_all_metadata: 'true' };
  const { messages } = await (threadTs === undefined
    ? api.ask('conversations.history', Marked, asked)
    : api.ask('conversations.replies', Marked, { ...asked, ts: threadTs }));
  return messages.find(({ metadata }) => metadata?.event_type === MARK && metadata.event_payload.part === part)?.ts;
}
