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
/** A ticket that is refused is looked into again after a minute, then less often, until a day has passed. */
const FIRST_AGAIN_MS = 60_000;
const LAST_AGAIN_MS = 60 * 60_000;
const GIVEN_UP_MS = 24 * 60 * 60_000;
const MOST_REFUSED = 200;

const Cursor = z.object({
  /** When the last of the tickets that were looked into moved, by the vendor's clock. */
  since: z.number(),
  /** Up to when all that was done in any ticket is known: behind `since` while there is much to be looked into. */
  read: z.number(),
  /** Tickets that moved shortly before it, and how far they were read; and those that were refused. */
  seen: z.record(
    z.string(),
    z.object({
      at: z.number(),
      known: z.string().optional(),
      settled: z.boolean(),
      /** Since when, when it is looked into next, and since when nothing of it is known; by our clock, but for the last. */
      refused: z.object({ since: z.number(), next: z.number(), unread: z.number() }).optional(),
    }),
  ),
});
type Cursor = z.output<typeof Cursor>;
type Seen = Cursor['seen'][string];

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
   * comes back with what was found, for the next time; without it the ticket was refused, and `items` say so.
   */
  look(
    ticket: T,
    behind: { readonly known: string | undefined; readonly unread: number },
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly Raw[]; readonly known?: string }>;
  /** Where single tickets may be refused: one that isn't listed any more, to be looked into again. */
  readonly again?: (ticket: Moved) => T;
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
    const refused = dueOf(before.seen, clock.now()).filter(({ id }) => !news.some((each) => each.id === id));
    const more = news.length > MOST_TICKETS;
    const again = refused.flatMap((ticket) => desk.again?.(ticket) ?? []);
    const now = [...news, ...unsettled, ...again].slice(0, MOST_TICKETS);
    const items: Raw[] = [];
    const seen: Cursor['seen'] = { ...before.seen };
    for (const ticket of now) {
      const last = before.seen[ticket.id];
      const found = await desk.look(ticket, { known: last?.known, unread: last?.refused?.unread ?? unread }, signal);
      // That it is refused is said when it moved, not each time that it is looked into again.
      if (found.known !== undefined || news.includes(ticket)) items.push(...found.items);
      seen[ticket.id] = seenAt(clock.now(), ticket, { last, known: found.known, unread });
    }
    const since = (more ? now : moved).reduce((last, { at }) => Math.max(last, at), before.since);
    // What is still listed is known, however old it says that it is: else the same ones came first for ever.
    const listed = new Set(moved.map(({ id }) => id));
    const recent = Object.entries(seen).filter(([id, { at }]) => at >= since - OVERLAP_MS || listed.has(id));
    const kept = Object.fromEntries([...refusedIn(seen), ...recent]);
    const after: Cursor = { since, read: more ? before.read : since, seen: kept };
    return { items, cursor: JSON.stringify(after), more };
  };
}

/** What was refused and should be looked into again by now. */
function dueOf(seen: Cursor['seen'], now: number): Moved[] {
  return Object.entries(seen).flatMap(([id, { at, refused }]) =>
    refused && refused.next <= now ? [{ id, at, isOurs: true }] : [],
  );
}

interface Look {
  readonly last: Seen | undefined;
  /** Without it the ticket was refused. */
  readonly known: string | undefined;
  readonly unread: number;
}

/** What was refused is looked into again each time after as long as it has been refused. */
function seenAt(now: number, { at }: Moved, { last, known, unread }: Look): Seen {
  if (known !== undefined) return { at, known, settled: now - at > SETTLED_MS };
  const begun = last?.refused ?? { since: now, unread };
  const lasted = now - begun.since;
  const next = now + Math.min(Math.max(lasted, FIRST_AGAIN_MS), LAST_AGAIN_MS);
  const again = lasted < GIVEN_UP_MS && { refused: { since: begun.since, unread: begun.unread, next } };
  return { at, known: last?.known, settled: true, ...again };
}

/** Those that were refused last. */
function refusedIn(seen: Cursor['seen']): [string, Seen][] {
  return Object.entries(seen)
    .filter(([, { refused }]) => refused)
    .sort(([, a], [, b]) => (b.refused?.since ?? 0) - (a.refused?.since ?? 0))
    .slice(0, MOST_REFUSED);
}

function begin(now: number): Cursor {
  return { since: now, read: now, seen: {} };
}
