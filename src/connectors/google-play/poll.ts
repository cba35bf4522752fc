import { z } from 'zod';
import type { Channel, Context, Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { openListing } from '../../core/listing.ts';
import type { Listing } from '../../core/listing.ts';
import type { PlayApi } from './api.ts';
import { answerId, commentsOf, Review } from './review.ts';
import type { Found } from './review.ts';

const HOUR_MS = 3_600_000;
/** Google shows what was written or changed in the last seven days: https://developers.google.com/android-publisher/reply-to-reviews */
const WINDOW_MS = 7 * 24 * HOUR_MS;
/** What will leave the window soon has perhaps left it already. */
const EDGE_MS = 12 * HOUR_MS;
/** 200 GETs an hour are allowed for an app: six passes, 25 s between their pages, five looks at each end. */
export const POLL_EVERY_MS = 10 * 60_000;
const PAGE_REST_MS = 25_000;
const LOOKS = 5;
/** Most that Google gives at once. */
const PAGE = 100;
/** Reviews that are known, for their edits and deletions. */
const MOST = 2000;

const Page = z.object({
  reviews: z.array(z.unknown()).default([]),
  tokenPagination: z.object({ nextPageToken: z.string().optional() }).optional(),
});

export interface PollDeps extends Pick<Context, 'clock' | 'log'> {
  readonly api: PlayApi;
  readonly app: string;
  readonly translateTo: string | undefined;
}

/** One page of the list, the newest first there and the oldest first here; behind the last one what has gone from it. */
export function createPoll(deps: PollDeps): NonNullable<Channel['poll']> {
  const { api, app, translateTo, clock, log } = deps;

  async function fetchPage(listing: Listing, signal: AbortSignal): Promise<z.output<typeof Page>> {
    const query: Record<string, string> = { maxResults: String(PAGE) };
    if (translateTo !== undefined) query['translationLanguage'] = translateTo;
    const { page } = listing;
    if (page === undefined) return api({ path: '/reviews', query, signal }, Page);
    await clock.sleep(PAGE_REST_MS, signal);
    try {
      return await api({ path: '/reviews', query: { ...query, token: page }, signal }, Page);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      // A token is good for a while only, and a gateway may have been down for long.
      log.info({ error: error.message }, 'the list of reviews is read from its beginning again');
      listing.restart();
      return api({ path: '/reviews', query, signal }, Page);
    }
  }

  /** Undefined: nothing new. */
  function look(listing: Listing, review: unknown, at: number): Found | undefined {
    const { data } = Review.safeParse(review);
    const said = data && commentsOf(data);
    // What can't be read is handed over too, so that it is set aside and shows.
    if (!data || !said?.user) return listing.isFirst(review) ? { app, review, at } : undefined;
    const answer = said.developer && answerId(data.reviewId, said.developer.text);
    const mark = JSON.stringify([said.user.lastModified, answer ?? null]);
    const seen = listing.look({ id: data.reviewId, at: said.user.lastModified, mark });
    if (seen === 'same') return undefined;
    const [, before] = (seen.before === undefined ? [] : JSON.parse(seen.before)) as (string | null)[];
    const isWithdrawn = before != null && answer === undefined;
    return { app, review, at, ...(isWithdrawn && { withdrawn: before }) };
  }

  /** The list leaves out what was deleted, and says so of nothing: each is asked for by its name. */
  async function gone(listing: Listing, signal: AbortSignal): Promise<Found[]> {
    const found: Found[] = [];
    for (const id of listing.absent(clock.now() - WINDOW_MS + EDGE_MS).slice(0, LOOKS)) {
      if (!(await isThere(id, signal))) found.push({ app, gone: id, at: clock.now() });
      listing.forget(id);
    }
    return found;
  }

  async function isThere(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await api({ path: `/reviews/${encodeURIComponent(id)}`, signal }, z.unknown());
      return true;
    } catch (error) {
      if (error instanceof PermanentError && error.response?.status === 404) return false;
      throw error;
    }
  }

  return async (cursor, signal) => {
    const now = clock.now();
    const listing = openListing(cursor, { now, first: 0, most: MOST });
    const found = listing.page === undefined ? missedBefore(listing, now) : [];
    const page = await fetchPage(listing, signal);
    const news = page.reviews.toReversed().map((review) => look(listing, review, now));
    found.push(...news.filter((one) => one !== undefined));
    const next = page.tokenPagination?.nextPageToken;
    if (next) listing.turnTo(next);
    else {
      found.push(...(await gone(listing, signal)));
      listing.finish();
    }
    return { items: found.map(toRaw), cursor: listing.toCursor(), more: Boolean(next) };
  };

  /** What came into the window and left it since the last pass. */
  function missedBefore({ readAt }: Listing, now: number): Found[] {
    const to = now - WINDOW_MS;
    return readAt === undefined || readAt >= to ? [] : [{ app, missed: { from: readAt, to } }];
  }
}

function toRaw(found: Found): Raw {
  return { body: Buffer.from(JSON.stringify(found)) };
}
