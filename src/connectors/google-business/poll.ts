import { z } from 'zod';
import type { Channel, Context, Raw } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { openListing } from '../../core/listing.ts';
import type { Listing } from '../../core/listing.ts';
import type { BusinessApi } from './api.ts';
import { answerId, nameOf, Review } from './review.ts';
import type { Found } from './review.ts';

export const POLL_EVERY_MS = 10 * 60_000;
/** How far back the first pass goes. */
export const FIRST_MS = 7 * 24 * 3_600_000;
/** Most that Google gives at once. */
const PAGE = 50;
/** Pages of each location in every pass: for answers that are given elsewhere, and for what was deleted. */
const PAGES = 4;
/** Reviews that are known of each location. */
const MOST = PAGE * PAGES;
/** Reviews that are asked for by name at the end of a location. */
const LOOKS = 5;
/** 300 calls a minute are allowed where Google says how many; we make up to 60, and those looks. */
const PAGE_REST_MS = 1000;
/** What isn't there, or not allowed, is asked for again then. */
const REFUSED_MS = 3_600_000;

export interface Location {
  readonly id: string;
  readonly name: string;
}

const Page = z.object({ reviews: z.array(z.unknown()).default([]), nextPageToken: z.string().optional() });
type Page = z.output<typeof Page>;

const Cursor = z.object({
  /** The location whose turn it is; left out at the beginning of a pass. */
  turn: z.string().optional(),
  listings: z.record(z.string(), z.string()),
});

/** One page of one location, the newest first there and the oldest first here; behind its last one what has gone from it. */
export function createPoll(deps: {
  readonly api: BusinessApi;
  readonly locations: readonly Location[];
  readonly clock: Context['clock'];
}): NonNullable<Channel['poll']> {
  const { api, locations, clock } = deps;
  /** Locations that Google doesn't know, or doesn't let us read, and since when: they hold up no other. */
  const refused = new Map<string, number>();

  function isRefused({ id }: Location): boolean {
    const at = refused.get(id);
    const now = clock.now();
    // A clock that was set back must not make a rest of years.
    return at !== undefined && now >= at && now < at + REFUSED_MS;
  }

  /** What is refused for this location needn't be for the others: the credentials are at fault when all of them are. */
  function refuse({ id }: Location, error: unknown): unknown {
    const isForbidden = error instanceof AuthExpiredError && error.response?.status === 403;
    if (!isForbidden && !(error instanceof PermanentError)) return error;
    refused.set(id, clock.now());
    if (!isForbidden || locations.every(isRefused)) return error;
    const { message, hint, response } = error;
    return new PermanentError(message, { cause: error, ...(hint && { hint }), ...(response && { response }) });
  }

  async function fetchPage({ id }: Location, listing: Listing, signal: AbortSignal): Promise<Page> {
    const path = `/locations/${id}/reviews`;
    const query = { pageSize: String(PAGE), orderBy: 'updateTime desc' };
    if (listing.page === undefined) return api.call({ path, query, signal }, Page);
    try {
      return await api.call({ path, query: { ...query, pageToken: listing.page }, signal }, Page);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      // Nobody says how long a token is good, and a gateway may have been down for long.
      listing.restart();
      return api.call({ path, query, signal }, Page);
    }
  }

  /** Undefined: nothing new. */
  function look({ id: location, name }: Location, listing: Listing, review: unknown): Found | undefined {
    const found = { location, name, review, at: clock.now() };
    const { data } = Review.safeParse(review);
    // What can't be read is handed over too, so that it is set aside and shows.
    if (!data) return listing.isFirst(review) ? found : undefined;
    const { reviewId: id, updateTime: at, reviewReply: reply } = data;
    const answer = reply && answerId(nameOf(location, id), reply.comment);
    const mark = JSON.stringify([at, answer ?? null, reply?.reviewReplyState ?? null]);
    const seen = listing.look({ id, at, mark });
    if (seen === 'same') return undefined;
    const [, before] = (seen.before === undefined ? [] : JSON.parse(seen.before)) as (string | null)[];
    return before != null && answer === undefined ? { ...found, withdrawn: before } : found;
  }

  /** The list leaves out what was deleted, and says so of nothing: each is asked for by its name. */
  async function gone(at: Location, listing: Listing, from: number, signal: AbortSignal): Promise<Found[]> {
    const found: Found[] = [];
    for (const id of listing.absent(from).slice(0, LOOKS)) {
      const isGone = !(await isThere(at, id, signal));
      if (isGone) found.push({ location: at.id, name: at.name, gone: nameOf(at.id, id), at: clock.now() });
      listing.forget(id);
    }
    return found;
  }

  async function isThere({ id: location }: Location, id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await api.call({ path: `/locations/${location}/reviews/${encodeURIComponent(id)}`, signal }, z.unknown());
      return true;
    } catch (error) {
      if (error instanceof PermanentError && error.response?.status === 404) return false;
      throw error;
    }
  }

  async function read(location: Location, listing: Listing, first: number, signal: AbortSignal): Promise<Found[]> {
    const page = await fetchPage(location, listing, signal);
    const news = page.reviews.toReversed().map((review) => look(location, listing, review));
    const found: Found[] = news.filter((one) => one !== undefined);
    const last = oldestOf(page);
    // Also what came in a long downtime; what was there before is no news.
    const isEnough = listing.turned >= PAGES - 1 && last <= (listing.readAt ?? first);
    if (page.nextPageToken && !isEnough) listing.turnTo(page.nextPageToken);
    else {
      found.push(...(await gone(location, listing, page.nextPageToken ? last + 1 : 0, signal)));
      listing.finish();
    }
    return found;
  }

  return async (given, signal) => {
    const { turn, listings } = Cursor.safeParse(jsonOf(Buffer.from(given ?? ''))).data ?? { listings: {} };
    // That all are refused must not look like nothing new: then the first one is asked for nevertheless.
    const isNoneLeft = locations.every(isRefused);
    const from = isNoneLeft ? 0 : locations.findIndex(({ id }) => id === turn);
    const at = locations.findIndex((one, index) => index >= from && (isNoneLeft || !isRefused(one)));
    const location = locations[at];
    if (!location) return { items: [], cursor: JSON.stringify({ listings } satisfies z.input<typeof Cursor>) };
    const now = clock.now();
    if (turn !== undefined) await clock.sleep(PAGE_REST_MS, signal);
    const listing = openListing(listings[location.id], { now, first: now - FIRST_MS, most: MOST });
    const found = await read(location, listing, now - FIRST_MS, signal).catch((error: unknown) => {
      throw refuse(location, error);
    });
    if (isNoneLeft) refused.clear();
    const next = listing.page === undefined ? locations[at + 1]?.id : location.id;
    // Of locations that are no longer read nothing is kept.
    const known = locations.flatMap(({ id }) => (listings[id] === undefined ? [] : [[id, listings[id]] as const]));
    const cursor: z.input<typeof Cursor> = {
      ...(next !== undefined && { turn: next }),
      listings: { ...Object.fromEntries(known), [location.id]: listing.toCursor() },
    };
    return { items: found.map(toRaw), cursor: JSON.stringify(cursor), more: next !== undefined };
  };
}

/** When the review of a page was changed that stands last. */
function oldestOf({ reviews }: Page): number {
  return Math.min(...reviews.map((review) => Review.safeParse(review).data?.updateTime ?? Infinity));
}

function toRaw(found: Found): Raw {
  return { body: Buffer.from(JSON.stringify(found)) };
}
