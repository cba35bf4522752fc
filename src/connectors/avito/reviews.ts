import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import type { Listed, Part, PartPage } from '../../core/parts.ts';
import { search } from './api.ts';
import type { AvitoApi } from './api.ts';
import { PART } from './names.ts';
import { Review } from './seen.ts';

const DAY_MS = 86_400_000;
/** What waits for an answer at first: as old as that. */
const WAITING_MS = 30 * DAY_MS;
/** How long before the first start what is new, or answered already, still comes in. */
const FRESH_MS = 3_600_000;
/** From the end of one reading to the next. */
const REST_MS = 5 * 60_000;
const PACE_MS = 1000;
const LIMIT = 50;

const count = z.number().int().min(0);
const State = z.object({
  /** When the channel began. */
  begun: count,
  /** Where the reading that goes on is. */
  offset: count.default(0),
});

const Page = z.object({ total: count, reviews: z.array(z.unknown()) });

async function pageOf(api: AvitoApi, offset: number, signal?: AbortSignal) {
  const path = `/ratings/v1/reviews?${search({ offset, limit: LIMIT })}`;
  const { total, reviews } = await api.ask({ path, ...(signal && { signal }) }, Page);
  const next = offset + reviews.length;
  return { reviews, next: reviews.length > 0 && next < total ? next : undefined };
}

const Known = Review.pick({ id: true, createdAt: true, answer: true });

/**
 * Reviews as Avito lists them, page by page, again and again: it tells neither edits nor deletions, and no order.
 * https://developers.avito.ru/api-catalog/ratings
 */
export function reviewsPart({ api, clock }: { readonly api: AvitoApi; readonly clock: Clock }): Part {
  const opened = clock.now();

  /** Old reviews come in once something happens to them. */
  function isOurs(given: unknown, begun: number): boolean {
    const { data: review } = Known.safeParse(given);
    // What can't be read goes on as it is: it is set aside alone.
    if (!review || review.createdAt >= begun - FRESH_MS) return true;
    const { answer, createdAt } = review;
    return createdAt >= begun - WAITING_MS && (!answer || answer.createdAt >= begun - FRESH_MS);
  }

  function toListed(review: unknown): Listed {
    const { id, createdAt } = Known.safeParse(review).data ?? {};
    const raw = { body: Buffer.from(JSON.stringify(review)), headers: { [PART]: 'review' } };
    return { ...raw, ...(id !== undefined && { key: id, at: createdAt }) };
  }

  return {
    name: 'reviews',
    async ask(given, signal): Promise<PartPage> {
      const { begun, offset } = State.safeParse(given).data ?? { begun: opened, offset: 0 };
      const { reviews, next } = await pageOf(api, offset, signal);
      const items = reviews
        .filter((review) => isOurs(review, begun))
        .map(toListed)
        .sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
      if (next !== undefined) return { items, state: { begun, offset: next }, restMs: PACE_MS };
      return { items, state: { begun, offset: 0 }, restMs: REST_MS, wholeSince: 0 };
    },
    async lookFor(id, signal): Promise<Raw | undefined> {
      // Pages move while they are read: what none had may only have changed its place.
      if (await findReview(api, id, signal)) return undefined;
      return { body: Buffer.from(JSON.stringify({ review: id })), headers: { [PART]: 'gone' } };
    },
  };
}

/** A single review: Avito gives them by no number. */
export async function findReview(api: AvitoApi, id: string, signal?: AbortSignal): Promise<Review | undefined> {
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const { reviews, next }: Awaited<ReturnType<typeof pageOf>> = await pageOf(api, offset, signal);
    const found = reviews.find((review) => Known.safeParse(review).data?.id === id);
    if (found !== undefined) return Review.parse(found);
    offset = next;
  }
  return undefined;
}
