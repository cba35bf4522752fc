import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/connector.ts';
import type { Listed, Part, PartPage } from '../../core/parts.ts';
import { orPass } from './api.ts';
import type { OzonApi } from './api.ts';
import { rawOf } from './lists.ts';
import { moment } from './seen.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const REST_MS = 15_000;
const PACE_MS = 500;
const LIMIT = 100;
/** The most messages of one answer. */
const MESSAGES = 1000;

const count = z.number().int().min(0);
const State = z.object({
  /** What was said before is all read. */
  since: count,
  /** When the reading of the list that goes on began, and its next page. */
  at: count,
  cursor: z.string().optional(),
  due: z.array(z.object({ id: z.string(), last: z.string() })),
  /** A chat that was read up to there: noted once that is stored. */
  told: z.object({ id: z.string(), last: z.string() }).optional(),
});
type State = z.output<typeof State>;
type Due = State['due'][number];

const id = z.union([z.string(), z.number().transform(String)]);
const Chat = z.object({ chat: z.object({ chat_id: id, chat_type: z.string() }), last_message_id: id.nullish() });
const Page = z.object({
  chats: z.array(z.unknown()).nullish(),
  cursor: z.string().nullish(),
  has_next: z.union([z.boolean(), z.stringbool()]).nullish().catch(undefined),
});
const History = z.object({ messages: z.array(z.unknown()).nullish() });
const Message = z.object({ message_id: id, created_at: moment });

interface Deps {
  readonly api: OzonApi;
  readonly clock: Clock;
  readonly log: Log;
}

/** Open chats with buyers: the list says which of them moved, each is then read back to where we were. */
export function chatsPart({ api, clock, log }: Deps): Part {
  const opened = clock.now();
  /** The last message of each chat when it was read: only a saving. */
  const read = new Map<string, string>();

  function dueOf(chats: readonly unknown[]): Due[] {
    return chats.flatMap((value) => {
      const { chat, last_message_id: last } = Chat.safeParse(value).data ?? {};
      if (!chat || chat.chat_type.toUpperCase() !== 'BUYER_SELLER') return [];
      return last !== undefined && last !== null && read.get(chat.chat_id) === last
        ? []
        : [{ id: chat.chat_id, last: last ?? '' }];
    });
  }

  async function history(state: State, due: Due, signal: AbortSignal): Promise<PartPage> {
    const chat = due.id;
    const asked = { chat_id: chat, direction: 'Backward', limit: MESSAGES };
    const found = await orPass(api.ask('/v3/chat/history', asked, History, signal), log, { chat });
    const items = (found?.messages ?? []).map((message): Listed => {
      const { message_id: key, created_at: at } = Message.safeParse(message).data ?? {};
      return { ...rawOf('message', { chat, message }), ...(key !== undefined && { key, at }) };
    });
    const recent = items.filter(({ at = state.since }) => at >= state.since - HOUR_MS).reverse();
    return passed({ ...state, due: state.due.slice(1), told: due }, recent);
  }

  function passed(state: State, items: readonly Listed[]): PartPage {
    if (state.due.length > 0 || state.cursor !== undefined) return { items, state, restMs: PACE_MS };
    const { since, at, told } = state;
    const whole = { since: at, at: 0, due: [], ...(told && { told }) };
    return { items, state: whole, restMs: REST_MS, wholeSince: since - DAY_MS };
  }

  return {
    name: 'chats',
    async ask(given, signal): Promise<PartPage> {
      const known = State.safeParse(given).data ?? { since: opened, at: 0, due: [] };
      const state: State = known.at === 0 ? { ...known, at: clock.now() } : known;
      if (state.told) read.set(state.told.id, state.told.last);
      const [first] = state.due;
      if (first) return history(state, first, signal);
      const filter = { chat_status: 'OPENED', unread_only: false };
      const asked = { filter, limit: LIMIT, ...(state.cursor !== undefined && { cursor: state.cursor }) };
      const { chats, cursor, has_next } = await api.ask('/v3/chat/list', asked, Page, signal);
      const isMore = has_next === true && Boolean(cursor) && cursor !== state.cursor;
      const { cursor: _read, ...rest } = state;
      return passed({ ...rest, ...(isMore && cursor && { cursor }), due: dueOf(chats ?? []) }, []);
    },
  };
}
