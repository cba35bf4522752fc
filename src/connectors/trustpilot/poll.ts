import { z } from 'zod';
import type { Channel, Context, Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { openListing } from '../../core/listing.ts';
import type { Listing } from '../../core/listing.ts';
import type { TrustpilotApi } from './api.ts';
import { answerId, digest, Review } from './review.ts';
import type { Found } from './review.ts';

/** The smallest plan has 200,000 calls a year: 96 short passes a day and four long ones of up to 20 pages are 64,000. */
export const POLL_EVERY_MS = 15 * 60_000;
const LONG_EVERY_MS = 6 * 3_600_000;
/** How far back the first pass goes. */
export const FIRST_MS = 7 * 24 * 3_600_000;
/** Most that Trustpilot gives at once. */
const PAGE = 100;
const LONG = 20;
/** Reviews that are known, for their edits, answers and deletions. */
const MOST = PAGE * LONG;
/** Reviews that are asked for by name at the end of a pass. */
const LOOKS = 5;
const PAGE_REST_MS = 1000;

const Page = z.object({ reviews: z.array(z.unknown()) });
type Page = z.output<typeof Page>;

const Cursor = z.object({
  listing: z.string().optional(),
  /** When the last long pass began. */
  longAt: z.number().optional(),
});

/** What a review and its answer say, in short. */
const Mark = z.object({ at: z.number(), words: z.string(), answer: z.string().optional() });
type Mark = z.output<typeof Mark>;

/** A page of a pass. */
interface Step {
  readonly isLong: boolean;
  readonly number: number;
}

/**
 * The newest reviews often, the newest 2,000 now and then: the list is in the order in which they were written, so that
 * an edit stands where it always stood.
 */
export function createPoll(deps: {
  readonly api: TrustpilotApi;
  readonly businessUnit: string;
  readonly clock: Context['clock'];
}): NonNullable<Channel['poll']> {
  const { api, businessUnit, clock } = deps;
  const path = `/v1/private/business-units/${businessUnit}/reviews`;

  /** Undefined: nothing new. */
  function look(listing: Listing, review: unknown): Found | undefined {
    const found = { businessUnit, review, at: clock.now() };
    const { data } = Review.safeParse(review);
    // What can't be read is handed over too, so that it is set aside and shows.
    if (!data) return listing.isFirst(review) ? found : undefined;
    const mark = toMark(data);
    const seen = listing.look({ id: data.id, at: data.createdAt, mark: JSON.stringify(mark) });
    if (seen === 'same') return undefined;
    const before = seen.before === undefined ? mark : Mark.parse(JSON.parse(seen.before));
    const isUntold = before.words !== mark.words && before.at === mark.at;
    const withdrawn = mark.answer === undefined ? before.answer : undefined;
    return { ...found, ...(isUntold && { edited: found.at }), ...(withdrawn !== undefined && { withdrawn }) };
  }

  /** The list leaves out what was deleted: each is asked for by its name. */
  async function gone(listing: Listing, from: number, signal: AbortSignal): Promise<Found[]> {
    const found: Found[] = [];
    for (const id of listing.absent(from).slice(0, LOOKS)) {
      if (!(await isThere(id, signal))) found.push({ businessUnit, gone: id, at: clock.now() });
      listing.forget(id);
    }
    return found;
  }

  async function isThere(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await api({ path: `/v1/private/reviews/${encodeURIComponent(id)}`, signal }, z.unknown());
      return true;
    } catch (error) {
      if (error instanceof PermanentError && error.response?.status === 404) return false;
      throw error;
    }
  }

  /** Where the pass goes on, or how one begins. */
  function stepOf(listing: Listing, longAt: number | undefined): Step {
    const now = clock.now();
    // A clock that was set back must not make a rest of years.
    const isDue = longAt === undefined || now < longAt || now >= longAt + LONG_EVERY_MS;
    const [kind, number] = (listing.page ?? (isDue ? 'long 1' : 'short 1')).split(' ');
    return { isLong: kind === 'long', number: Number(number) };
  }

  async function read(
    listing: Listing,
    { isLong, number }: Step,
    first: number,
    signal: AbortSignal,
  ): Promise<Found[]> {
    if (listing.page !== undefined) await clock.sleep(PAGE_REST_MS, signal);
    const query = { orderBy: 'createdat.desc', perPage: String(PAGE), page: String(number) };
    const page = await api({ path, query, signal }, Page);
    const news = page.reviews.toReversed().map((review) => look(listing, review));
    const found: Found[] = news.filter((one) => one !== undefined);
    const last = oldestOf(page);
    // "If the page number requested is higher than the available number of pages, an empty array will be returned."
    const isLast = page.reviews.length === 0;
    // Also what came in a long downtime; what was there before is no news.
    const isEnough = number >= (isLong ? LONG : 1) && last <= (listing.readAt ?? first);
    if (isLast || isEnough) {
      found.push(...(await gone(listing, isLast ? 0 : last + 1, signal)));
      listing.finish();
    } else listing.turnTo(`${isLong ? 'long' : 'short'} ${number + 1}`);
    return found;
  }

  return async (given, signal) => {
    const now = clock.now();
    const first = now - FIRST_MS;
    const state = Cursor.safeParse(jsonOf(Buffer.from(given ?? ''))).data ?? {};
    const listing = openListing(state.listing, { now, first, most: MOST });
    const step = stepOf(listing, state.longAt);
    const found = await read(listing, step, first, signal);
    const more = listing.page !== undefined;
    const longAt = step.isLong && !more ? now : state.longAt;
    const cursor: z.input<typeof Cursor> = { listing: listing.toCursor(), ...(longAt !== undefined && { longAt }) };
    return { items: found.map(toRaw), cursor: JSON.stringify(cursor), more };
  };
}

/** When the review of a page was written that stands last. */
function oldestOf({ reviews }: Page): number {
  return Math.min(...reviews.map((review) => Review.safeParse(review).data?.createdAt ?? Infinity));
}

function toMark({ id, title, text, stars, changedAt, companyReply }: Review): Mark {
  const words = digest(JSON.stringify([title, text, stars]));
  return { at: changedAt, words, ...(companyReply?.text && { answer: answerId(id, companyReply.text) }) };
}

function toRaw(found: Found): Raw {
  return { body: Buffer.from(JSON.stringify(found)) };
}
