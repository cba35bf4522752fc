import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { Listed, Part, PartPage } from '../../core/parts.ts';
import { search } from './api.ts';
import type { AvitoApi } from './api.ts';
import { PART } from './names.ts';
import { Chat, Message } from './seen.ts';

const HOUR_MS = 3_600_000;
/** How far back what is read already is read again: Avito's clock is not ours. */
const OVERLAP_MS = HOUR_MS + 10 * 60_000;
/** Avito tells of no deletion, and a message may be deleted for an hour: until then its chat is read again so often. */
const AGAIN_MS = 10 * 60_000;
/** Between two looks at the list, also when webhooks come in masses. */
const PACE_MS = 3000;
const LIMIT = 100;
/** The largest offset that Avito takes, of chats and of messages. */
const MAX_OFFSET = 1000;

const time = z.number().int().min(0);
const State = z.object({
  /** Chats that moved before are all read. */
  from: time,
  /** What the list said of those that moved since. */
  seen: z.record(z.string(), z.string()),
  /** Chats that are to be read, of what was said since `since`. */
  due: z.array(Chat.pick({ id: true, context: true, users: true })),
  since: time,
});
type State = z.output<typeof State>;

const Chats = z.object({ chats: z.array(z.unknown()) });
const Messages = z.union([
  z.array(z.unknown()),
  z.object({ messages: z.array(z.unknown()) }).transform((all) => all.messages),
]);

/**
 * Chats about the account's items and with its followers. The list says which of them moved; each is then read back to
 * where we were. https://developers.avito.ru/api-catalog/messenger
 */
export function chatsPart(deps: { readonly api: AvitoApi; readonly clock: Clock; readonly log: Log }): Part {
  const { api, clock, log } = deps;
  const opened = clock.now();

  /** Chats that moved since then, those that moved last first. */
  async function moved(from: number, signal: AbortSignal): Promise<Chat[]> {
    const found = new Map<string, Chat>();
    for (let offset = 0; offset <= MAX_OFFSET; offset += LIMIT) {
      const query = search({ chat_types: 'u2i,u2u', limit: LIMIT, offset });
      const path = `/messenger/v2/accounts/{user}/chats?${query}`;
      const { chats } = await api.ask({ path, signal }, Chats);
      const read = chats.flatMap((chat) => Chat.safeParse(chat).data ?? []);
      // One that doesn't say when is read whenever it is listed.
      const recent = read.filter(({ updated }) => (updated ?? from) >= from);
      for (const chat of recent) found.set(chat.id, chat);
      if (chats.length < LIMIT || recent.length === 0) break;
    }
    return [...found.values()];
  }

  /** Another one whenever the chat has to be read again. */
  function markOf({ updated, last_message: last }: Chat): string {
    const now = clock.now();
    const isYoung = updated !== undefined && updated !== null && now - updated < HOUR_MS;
    return [updated, last?.id, last?.type, isYoung ? Math.floor(now / AGAIN_MS) : ''].join(' ');
  }

  async function list(state: State, signal: AbortSignal): Promise<PartPage> {
    const chats = await moved(state.from, signal);
    const marks = chats.map((chat) => [chat.id, markOf(chat)] as const);
    const due = chats.filter((chat, index) => state.seen[chat.id] !== marks[index]?.[1]);
    const newest = Math.max(0, ...chats.map(({ updated }) => updated ?? 0));
    const from = Math.max(state.from, newest - OVERLAP_MS);
    const next = { from, seen: Object.fromEntries(marks), since: state.from, due };
    return { items: [], state: slim(next), restMs: due.length > 0 ? 0 : PACE_MS };
  }

  /** What was said in a chat since then, oldest first. */
  async function read(chat: string, since: number, signal: AbortSignal): Promise<unknown[]> {
    const said: unknown[] = [];
    for (let offset = 0; offset <= MAX_OFFSET; offset += LIMIT) {
      const path = `/messenger/v3/accounts/{user}/chats/${encodeURIComponent(chat)}/messages/?${search({ limit: LIMIT, offset })}`;
      const page = await api.ask({ path, signal }, Messages);
      said.push(...page.filter((message) => (createdOf(message) ?? since) >= since));
      if (page.length < LIMIT || page.every((message) => (createdOf(message) ?? since) < since)) break;
    }
    // They come newest first, and their times are seconds.
    return said.toReversed().sort((a, b) => (createdOf(a) ?? 0) - (createdOf(b) ?? 0));
  }

  /** One that Avito doesn't give (any more) holds up no other. */
  async function readOrPass(chat: string, since: number, signal: AbortSignal): Promise<unknown[]> {
    try {
      return await read(chat, since, signal);
    } catch (error) {
      if (!(error instanceof PermanentError) || error.response?.status !== 404) throw error;
      log.warn({ chat }, 'Avito lists a chat and does not give its messages');
      return [];
    }
  }

  return {
    name: 'chats',
    async ask(given, signal): Promise<PartPage> {
      const start = opened - HOUR_MS;
      const first = { from: start, seen: {}, due: [], since: start };
      const state: State = State.safeParse(given).data ?? first;
      const [chat, ...due] = state.due;
      if (!chat) return list(state, signal);
      const said = await readOrPass(chat.id, state.since, signal);
      const items = said.map((message) => toListed(chat, message));
      const wholeSince = state.since - HOUR_MS;
      return { items, state: slim({ ...state, due }), restMs: due.length > 0 ? 0 : PACE_MS, wholeSince };
    },
  };
}

/** What of each chat goes into the cursor: what its messages will say of it. */
function slim(state: State): State {
  const due = state.due.map(({ id, context, users }) => ({ id, context, users }));
  return { ...state, due };
}

const createdOf = (message: unknown): number | undefined =>
  Message.pick({ created: true }).safeParse(message).data?.created;

function toListed({ id, context, users }: Pick<Chat, 'id' | 'context' | 'users'>, message: unknown): Listed {
  const { id: key, author_id: author, created: at } = Message.partial().safeParse(message).data ?? {};
  const name = users?.find((user) => user.id === author)?.name;
  const { id: item, title, url } = context?.value ?? {};
  const said = { chat: { id, name, item: { id: item, title, url } }, message };
  const raw = { body: Buffer.from(JSON.stringify(said)), headers: { [PART]: 'message' } };
  return { ...raw, ...(key !== undefined && { key, at }) };
}
