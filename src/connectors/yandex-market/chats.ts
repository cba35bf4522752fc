import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/connector.ts';
import type { Listed, Part, PartPage } from '../../core/parts.ts';
import { orPass } from './api.ts';
import type { MarketApi } from './api.ts';
import { pageQuery, rawOf } from './goods.ts';
import { Chat, Message, Paging } from './seen.ts';

const HOUR_MS = 3_600_000;
/** How far back what is read already is read again: Yandex Market's clock is not ours. */
const OVERLAP_MS = 10 * 60_000;
const REST_MS = 30_000;
/** The largest page that Yandex Market gives of chats. */
const LIMIT = 20;
const MOST_PAGES = 50;
/** All but those that are over. */
const STATUSES = ['NEW', 'WAITING_FOR_CUSTOMER', 'WAITING_FOR_PARTNER', 'WAITING_FOR_ARBITER', 'WAITING_FOR_MARKET'];

const time = z.number().int().min(0);
const State = z.object({
  /** Chats that moved before are all read. */
  from: time,
  /** When those that moved since did so last. */
  seen: z.record(z.string(), z.number()),
  /** Chats that are to be read, of what was said since `since`. */
  due: z.array(Chat.pick({ chatId: true, context: true })),
  since: time,
});
type State = z.output<typeof State>;

const Chats = z.object({ chats: z.array(z.unknown()), paging: Paging });
const History = z.object({ messages: z.array(z.unknown()), paging: Paging });

interface Deps {
  readonly api: MarketApi;
  readonly clock: Clock;
  readonly log: Log;
}

/** Chats with buyers: the list says which of them moved; each is then read. */
export function chatsPart({ api, clock, log }: Deps): Part {
  const opened = clock.now();

  /** All pages, up to a bound: their order isn't documented. */
  async function pages<T>(ask: (token: string | undefined) => Promise<{ found: T[]; paging: string | undefined }>) {
    const all: T[] = [];
    let token: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const { found, paging } = await ask(token);
      all.push(...found);
      if (!paging) break;
      token = paging;
    }
    return all;
  }

  async function list(state: State, signal: AbortSignal): Promise<PartPage> {
    const listed = await pages(async (token) => {
      const body = { types: ['CHAT'], statuses: STATUSES };
      const { chats, paging } = await api.ask(
        { path: 'v2/chats', query: pageQuery(LIMIT, token), body, signal },
        Chats,
      );
      return { found: chats.flatMap((chat) => Chat.safeParse(chat).data ?? []), paging };
    });
    // One that doesn't say when is read whenever it is listed.
    const moved = listed.filter(({ updatedAt }) => (updatedAt ?? state.from) >= state.from);
    const due = moved.filter(({ chatId, updatedAt }) => !updatedAt || state.seen[chatId] !== updatedAt);
    const seen = Object.fromEntries(moved.map(({ chatId, updatedAt }) => [chatId, updatedAt ?? 0]));
    const newest = Math.max(0, ...moved.map(({ updatedAt }) => updatedAt ?? 0));
    const from = Math.max(state.from, newest - OVERLAP_MS);
    const slim = due.map(({ chatId, context }) => ({ chatId, context }));
    return { items: [], state: { from, seen, since: state.from, due: slim }, restMs: due.length > 0 ? 0 : REST_MS };
  }

  /** What was said in a chat since then, oldest first. */
  async function read(chatId: string, since: number, signal: AbortSignal): Promise<unknown[]> {
    const said = await pages(async (token) => {
      const query = { ...pageQuery(LIMIT, token), chatId };
      const { messages, paging } = await api.ask({ path: 'v2/chats/history', query, body: {}, signal }, History);
      return { found: messages, paging };
    });
    return said
      .filter((message) => (createdOf(message) ?? since) >= since)
      .sort((a, b) => (createdOf(a) ?? 0) - (createdOf(b) ?? 0));
  }

  return {
    name: 'chats',
    async ask(given, signal): Promise<PartPage> {
      const start = opened - HOUR_MS;
      const state: State = State.safeParse(given).data ?? { from: start, seen: {}, due: [], since: start };
      const [chat, ...due] = state.due;
      if (!chat) return list(state, signal);
      const said = (await orPass(read(chat.chatId, state.since, signal), log, { chat: chat.chatId })) ?? [];
      const items = said.map((message) => toListed(chat, message));
      const restMs = due.length > 0 ? 0 : REST_MS;
      return { items, state: { ...state, due }, restMs, wholeSince: state.since - HOUR_MS };
    },
  };
}

const createdOf = (message: unknown): number | undefined =>
  Message.pick({ createdAt: true }).safeParse(message).data?.createdAt;

function toListed(chat: Pick<Chat, 'chatId' | 'context'>, message: unknown): Listed {
  const { messageId, createdAt: at } = Message.safeParse(message).data ?? {};
  const raw = rawOf('message', { chat, message });
  return { ...raw, ...(messageId !== undefined && { key: `${chat.chatId}:${messageId}`, at }) };
}
