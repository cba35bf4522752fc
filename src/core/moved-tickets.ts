import { z } from 'zod';
import type { Clock } from './clock.ts';
import type { Fetching, Raw } from './connector.ts';

/**
 * A poll of what agents did, for help desks that list tickets by when they moved last: whichever of ours moved is looked
 * into.
 */

/** What is said of the last moments may still change: it is looked at again. */
const OVERLAP_MS = 60_000;
/** A ticket that moved so long ago doesn't move again within the same second. */
const SETTLED_MS = 10_000;
/** Tickets that one poll looks into. */
const MOST_TICKETS = 50;

const Cursor = z.object({
  /** When the last of the tickets that were looked into moved, by the vendor's clock. */
  since: z.number(),
  /** Up to when all that was done in any ticket is known: behind `since` while there is much to be looked into. */
  read: z.number(),
  /** Tickets that moved shortly before it, and how far they were read. */
  seen: z.record(z.string(), z.object({ at: z.number(), known: z.string(), settled: z.boolean() })),
});
type Cursor = z.output<typeof Cursor>;

export interface Moved {
  readonly id: string;
  /** When it moved last, by the vendor's clock. */
  readonly at: number;
  /** One that we made. */
  readonly isOurs: boolean;
}

export interface Desk<T extends Moved> {
  /** Everything that moved at `from` or later, in any order. */
  movedSince(from: number, signal: AbortSignal): Promise<readonly T[]>;
  /**
   * What is new in a ticket, oldest first: behind `known`, which it gave the last time, else since `unread`. `known`
   * comes back with what was found, for the next time.
   */
  look(
    ticket: T,
    behind: { readonly known: string | undefined; readonly unread: number },
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly Raw[]; readonly known: string }>;
}

/** The first time there is nothing: what was before isn't ours to tell. */
export function pollMoved<T extends Moved>(clock: Clock, desk: Desk<T>): NonNullable<Fetching['poll']> {
  return async (text, signal) => {
    const before = text === undefined ? undefined : Cursor.parse(JSON.parse(text));
    if (!before) return { items: [], cursor: JSON.stringify(begin(clock.now())) };
    const [from, unread] = [before.since - OVERLAP_MS, before.read - OVERLAP_MS];
    const moved = [...(await desk.movedSince(from, signal))].sort((a, b) => a.at - b.at);
    const ours = moved.filter(({ isOurs }) => isOurs);
    const news = ours.filter(({ id, at }) => before.seen[id]?.at !== at);
    // In the second that it was read something else may have happened to it.
    const unsettled = ours.filter((ticket) => !news.includes(ticket) && before.seen[ticket.id]?.settled === false);
    const more = news.length > MOST_TICKETS;
    const now = [...news, ...unsettled].slice(0, MOST_TICKETS);
    const items: Raw[] = [];
    const seen: Cursor['seen'] = { ...before.seen };
    for (const ticket of now) {
      const { id, at } = ticket;
      const found = await desk.look(ticket, { known: before.seen[id]?.known, unread }, signal);
      items.push(...found.items);
      seen[id] = { at, known: found.known, settled: clock.now() - at > SETTLED_MS };
    }
    const since = (more ? now : moved).reduce((last, { at }) => Math.max(last, at), before.since);
    // What is still listed is known, however old it says that it is: else the same ones came first for ever.
    const listed = new Set(moved.map(({ id }) => id));
    const recent = Object.entries(seen).filter(([id, { at }]) => at >= since - OVERLAP_MS || listed.has(id));
    const after: Cursor = { since, read: more ? before.read : since, seen: Object.fromEntries(recent) };
    return { items, cursor: JSON.stringify(after), more };
  };
}

function begin(now: number): Cursor {
  return { since: now, read: now, seen: {} };
}
