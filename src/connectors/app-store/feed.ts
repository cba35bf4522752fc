import { z } from 'zod';
import type { Channel, Context } from '../../core/connector.ts';
import { RetryableError } from '../../core/errors.ts';
import { openListing } from '../../core/listing.ts';
import { FIRST_MS, MOST, toRaw } from './poll.ts';
import { digest, Entry } from './review.ts';
import type { Found } from './review.ts';

export const ITUNES = 'https://itunes.apple.com';

/** Apple gives 500 reviews of a country, 50 at once. */
const PAGES = 10;
/** Nobody says how often one may ask: gently. */
const REST_MS = 2000;
const MAX_BYTES = 4 * 1024 * 1024;

/** One entry comes without a list around it, and none without the name. */
const Feed = z.object({
  feed: z.object({ entry: z.union([z.array(z.unknown()), z.unknown().transform((one) => [one])]).default([]) }),
});

/** The public feed of each country, one after the other: as many pages as hold something new. */
export function createFeedPoll(deps: {
  readonly app: string;
  readonly countries: readonly string[];
  readonly feedRoot: string;
  readonly context: Pick<Context, 'clock' | 'http'>;
}): NonNullable<Channel['poll']> {
  const { app, countries, feedRoot } = deps;
  const { clock, http } = deps.context;

  async function entriesOf(country: string, page: number, signal: AbortSignal): Promise<readonly unknown[]> {
    const url = `${feedRoot}/${country}/rss/customerreviews/page=${page}/id=${app}/sortby=mostrecent/json`;
    const { json } = await http.send({ url, signal, maxBytes: MAX_BYTES });
    const { data } = Feed.safeParse(json);
    if (!data) throw new RetryableError(`the public feed of ${country} is none of the App Store's`);
    // Some feeds begin with the app itself.
    return data.feed.entry.filter((one) => one !== undefined && !IsApp.safeParse(one).success);
  }

  return async (cursor, signal) => {
    const now = clock.now();
    const listing = openListing(cursor, { now, first: now - FIRST_MS, most: MOST * countries.length });
    const [at = 0, page = 1] = (listing.page ?? '0 1').split(' ').map(Number);
    if (listing.page !== undefined) await clock.sleep(REST_MS, signal);
    // The list of countries may have been shortened meanwhile.
    const country = countries[at];
    const entries = country === undefined ? [] : await entriesOf(country, page, signal);
    const news: Found[] = entries.toReversed().flatMap((entry) => {
      const { data } = Entry.safeParse(entry);
      const found = { app, entry, country: country ?? '' };
      if (!data) return listing.isFirst(entry) ? [found] : [];
      const mark = digest(JSON.stringify([data.title, data.content, data['im:rating']]));
      return listing.look({ id: data.id, at: data.updated, mark }) === 'same' ? [] : [found];
    });
    if (news.length > 0 && page < PAGES) listing.turnTo(`${at} ${page + 1}`);
    else if (at + 1 < countries.length) listing.turnTo(`${at + 1} 1`);
    else listing.finish();
    return { items: news.map(toRaw), cursor: listing.toCursor(), more: listing.page !== undefined };
  };
}

const IsApp = z.object({ 'im:name': z.unknown(), 'im:rating': z.undefined().optional() });
