import { z } from 'zod';
import type { Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { patiently } from '../../core/patience.ts';
import type { Patience } from '../../core/patience.ts';
import type { DiscordApi } from './api.ts';
import { byAge, idAt, isSince, Snowflake } from './snowflake.ts';

const PAGE = 100;
const MOST_SERVERS = 200;
/** When Discord asks for patience, and doesn't say how long. */
const REST_MS = 5000;

/** Channels that have threads below them: text, announcements, forums, media. */
const WITH_THREADS: readonly number[] = [0, 5, 15, 16];
/** Below them stand posts only, no messages of their own: their last message is their last post. */
const OF_POSTS: readonly number[] = [15, 16];

const lastId = Snowflake.nullish().catch(undefined);
const Place = z.object({ id: Snowflake, type: z.number(), name: z.string().nullish(), last_message_id: lastId });
type Place = z.output<typeof Place>;
const Archived = Place.extend({ thread_metadata: z.object({ archive_timestamp: z.iso.datetime({ offset: true }) }) });
const Threads = z.object({ threads: z.array(Place) });
const ArchivedThreads = z.object({ threads: z.array(Archived), has_more: z.boolean().catch(false) });
const Servers = z.array(z.object({ id: Snowflake }));
const Said = z.array(z.looseObject({ id: Snowflake, author: z.looseObject({ id: Snowflake }) }));
const Self = z.object({ id: Snowflake });

interface Asking extends Patience {
  readonly api: DiscordApi;
  /** The smallest id of what is asked for. */
  readonly since: string;
  readonly sinceMs: number;
  readonly self: string;
}

/**
 * What was said since a time (milliseconds) in the servers that the bot is in, and in private, as the events that would
 * have told it; the oldest first in each channel. Deletions, and edits of what is older, can't be asked for.
 */
export async function* messagesSince(
  deps: Pick<Asking, 'api' | 'clock'> & { readonly directs: () => Promise<readonly string[]> },
  sinceMs: number,
  signal: AbortSignal,
): AsyncGenerator<Raw> {
  const { api, clock } = deps;
  const patience: Patience = { clock, signal, restMs: REST_MS };
  const { id: self } = await patiently(patience, () => api.ask('/users/@me', Self, signal));
  const asking: Asking = { ...patience, api, since: idAt(sinceMs), sinceMs, self };
  for (const server of await serversOf(asking)) {
    for (const place of await placesOf(asking, server)) yield* saidIn(asking, place, server);
  }
  for (const id of await deps.directs()) yield* saidIn(asking, { id }, undefined);
}

async function serversOf(asking: Asking): Promise<string[]> {
  const all: string[] = [];
  for (let after: string | undefined = '0'; after !== undefined;) {
    const path: string = `/users/@me/guilds?limit=${MOST_SERVERS}&after=${after}`;
    const page = await patiently(asking, () => asking.api.ask(path, Servers, asking.signal));
    all.push(...page.map(({ id }) => id));
    after = page.length < MOST_SERVERS ? undefined : all.at(-1);
  }
  return all;
}

/** Channels and threads of a server in which something was written since. */
async function placesOf(asking: Asking, server: string): Promise<Place[]> {
  const channels = (await ask(asking, `/guilds/${server}/channels`, z.array(Place))) ?? [];
  const active = await ask(asking, `/guilds/${server}/threads/active`, Threads);
  const places = [...channels.filter(({ type }) => !OF_POSTS.includes(type)), ...(active?.threads ?? [])];
  for (const { id, type } of channels) {
    if (WITH_THREADS.includes(type)) places.push(...(await archivedIn(asking, id)));
  }
  return places.filter(({ last_message_id: last }) => last && isSince(last, asking.since));
}

/** Threads that were closed since then: the last to be closed come first. */
async function archivedIn(asking: Asking, channel: string): Promise<Place[]> {
  const found: Place[] = [];
  for (let before: string | undefined = ''; before !== undefined;) {
    const query: string = new URLSearchParams({ limit: String(PAGE), ...(before && { before }) }).toString();
    const page: z.output<typeof ArchivedThreads> | undefined = await ask(
      asking,
      `/channels/${channel}/threads/archived/public?${query}`,
      ArchivedThreads,
    );
    const threads = page?.threads ?? [];
    const recent = threads.filter((thread) => Date.parse(closedAt(thread)) >= asking.sinceMs);
    found.push(...recent);
    const last = threads.at(-1);
    before = page?.has_more && last && recent.length === threads.length ? closedAt(last) : undefined;
  }
  return found;
}

function closedAt({ thread_metadata }: z.output<typeof Archived>): string {
  return thread_metadata.archive_timestamp;
}

/** Page by page, the oldest first: `after` leaves out the id itself. */
async function* saidIn(
  asking: Asking,
  { id, name }: Pick<Place, 'id' | 'name'>,
  guild_id: string | undefined,
): AsyncGenerator<Raw> {
  for (let after: string | undefined = String(BigInt(asking.since) - 1n); after !== undefined;) {
    const path: string = `/channels/${id}/messages?limit=${PAGE}&after=${after}`;
    const page: z.output<typeof Said> = (await ask(asking, path, Said)) ?? [];
    const said = page.toSorted(byAge);
    for (const message of said) {
      // Answers of ours are known, and would be ignored each time.
      if (message.author.id === asking.self) continue;
      yield toRaw({ ...message, guild_id }, asking.self, message.id === id ? (name ?? undefined) : undefined);
    }
    after = said.length < PAGE ? undefined : said.at(-1)?.id;
  }
}

function toRaw(message: object, self: string, subject: string | undefined): Raw {
  return { body: Buffer.from(JSON.stringify({ op: 0, t: 'MESSAGE_CREATE', d: message, self, subject })) };
}

/** Undefined where the bot may not look, or where there is nothing any more. */
async function ask<T>(asking: Asking, path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  return patiently(asking, async () => {
    try {
      return await asking.api.ask(path, schema, asking.signal);
    } catch (error) {
      if (error instanceof PermanentError && [403, 404].includes(error.response?.status ?? 0)) return undefined;
      throw error;
    }
  });
}
