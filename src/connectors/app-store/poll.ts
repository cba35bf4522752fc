import { z } from 'zod';
import type { Channel, Context, Raw } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { openListing } from '../../core/listing.ts';
import type { Listing } from '../../core/listing.ts';
import type { AppleApi } from './api.ts';
import { answerId, digest, Response, Review } from './review.ts';
import type { Found } from './review.ts';

export const POLL_EVERY_MS = 10 * 60_000;
/** How far back the first pass goes. */
export const FIRST_MS = 7 * 24 * 3_600_000;
/** Reviews that are known, for their edits, answers and deletions: as many as are read in every pass. */
export const MOST = 1000;
const PAGE = 200;
const PAGES = MOST / PAGE;
/** Reviews that are asked for by name at the end of a pass. */
const LOOKS = 5;

const Page = z.object({
  data: z.array(z.unknown()),
  included: z.array(z.unknown()).default([]),
  links: z.object({ next: z.string().optional() }),
});
type Page = z.output<typeof Page>;

/** One page of the list, the newest first there and the oldest first here; behind the last one what has gone from it. */
export function createPoll(deps: {
  readonly api: AppleApi;
  readonly app: string;
  readonly clock: Context['clock'];
}): NonNullable<Channel['poll']> {
  const { api, app, clock } = deps;
  const list = `/v1/apps/${app}/customerReviews`;
  const query = new URLSearchParams({ sort: '-createdDate', limit: String(PAGE), include: 'response' }).toString();

  async function fetchPage(listing: Listing, signal: AbortSignal): Promise<Page> {
    const first = () => api({ path: `${list}?${query}`, signal }, Page);
    if (listing.page === undefined) return first();
    try {
      return await api({ path: `${list}?${listing.page}`, signal }, Page);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      listing.restart();
      return first();
    }
  }

  /** The query behind the address of the next page; the rest of it is ours. */
  function queryOf(next: string): string {
    const url = URL.canParse(next, 'https://apple.invalid') && new URL(next, 'https://apple.invalid');
    if (url && url.pathname === list && url.search.length > 1) return url.search.slice(1);
    throw new RetryableError("App Store Connect's next page is none of this list");
  }

  /** Undefined: nothing new. */
  function look(listing: Listing, review: unknown, responses: ReadonlyMap<string, unknown>): Found | undefined {
    const now = clock.now();
    const { data } = Review.safeParse(review);
    // What can't be read is handed over too, so that it is set aside and shows.
    if (!data) return listing.isFirst(review) ? { app, review, at: now } : undefined;
    const response = responses.get(idOfResponse(data) ?? '');
    const mark = toMark(data, response);
    const seen = listing.look({ id: data.id, at: data.attributes.createdDate, mark: JSON.stringify(mark) });
    if (seen === 'same') return undefined;
    const before = seen.before === undefined ? mark : (JSON.parse(seen.before) as Mark);
    const withdrawn = mark.answer === undefined ? before.answer : undefined;
    return {
      app,
      review,
      at: now,
      ...(response !== undefined && { response }),
      ...(before.words !== mark.words && { edited: now }),
      ...(withdrawn !== undefined && { withdrawn }),
    };
  }

  /** The list leaves out what was deleted: each is asked for by its name. */
  async function gone(listing: Listing, from: number, signal: AbortSignal): Promise<Found[]> {
    const found: Found[] = [];
    for (const id of listing.absent(from).slice(0, LOOKS)) {
      if (!(await isThere(id, signal))) found.push({ app, gone: id, at: clock.now() });
      listing.forget(id);
    }
    return found;
  }

  async function isThere(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await api({ path: `/v1/customerReviews/${encodeURIComponent(id)}`, signal }, z.unknown());
      return true;
    } catch (error) {
      if (error instanceof PermanentError && error.response?.status === 404) return false;
      throw error;
    }
  }

  return async (cursor, signal) => {
    const first = clock.now() - FIRST_MS;
    const listing = openListing(cursor, { now: clock.now(), first, most: MOST });
    const page = await fetchPage(listing, signal);
    const responses = new Map(page.included.map((one) => [Response.safeParse(one).data?.id ?? '', one]));
    const found = page.data.toReversed().map((review) => look(listing, review, responses));
    const news: Found[] = found.filter((one) => one !== undefined);
    const { next } = page.links;
    const last = oldestOf(page);
    // Also what came in a long downtime; what was there before is no news.
    const isEnough = listing.turned >= PAGES - 1 && last <= (listing.readAt ?? first);
    if (next !== undefined && !isEnough) listing.turnTo(queryOf(next));
    else {
      news.push(...(await gone(listing, next === undefined ? 0 : last + 1, signal)));
      listing.finish();
    }
    return { items: news.map(toRaw), cursor: listing.toCursor(), more: listing.page !== undefined };
  };
}

/** When the oldest review of a page was written. */
function oldestOf({ data }: Page): number {
  const times = data.map((review) => Review.safeParse(review).data?.attributes.createdDate ?? Infinity);
  return Math.min(...times);
}

function idOfResponse({ relationships }: z.output<typeof Review>): string | undefined {
  return relationships?.response?.data?.id;
}

/** What a review and its answer say, in short. */
interface Mark {
  readonly words: string;
  readonly answer?: string | undefined;
  readonly state?: string | undefined;
}

function toMark({ id, attributes }: z.output<typeof Review>, response: unknown): Mark {
  const { title, body, rating } = attributes;
  const said = Response.safeParse(response).data?.attributes;
  const words = digest(JSON.stringify([title, body, rating]));
  return { words, ...(said && { answer: answerId(id, said.responseBody), state: said.state }) };
}

export function toRaw(found: Found): Raw {
  return { body: Buffer.from(JSON.stringify(found)) };
}
