import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Log, Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { Listed, Part, PartPage } from '../../core/parts.ts';
import { orPass } from './api.ts';
import type { OzonApi } from './api.ts';
import { PART } from './names.ts';
import type { PayloadPart, Surface } from './names.ts';
import { moment } from './seen.ts';

const DAY_MS = 86_400_000;
/** How far back lists are read again for edits, answers and deletions; also what comes in at first. */
const WINDOW_MS = 30 * DAY_MS;
/** After a longer downtime: back to the last whole reading, and some more, since things are listed late. */
const OVERLAP_MS = DAY_MS;
/** How long before the first start what is dealt with already still comes in. */
const FRESH_MS = 3_600_000;
/** From the end of one reading to the next. */
const REST_MS = 5 * 60_000;
const PACE_MS = 1000;
const LIMIT = 100;

const count = z.number().int().min(0);
const State = z.object({
  begun: count,
  /** When the last whole reading began. */
  whole: count.optional(),
  /** The reading that goes on: its next page, if there is one. */
  reading: z.object({ at: count, from: count, last: z.string().optional() }).optional(),
  /** How much stood below one that was read: noted once that is stored. */
  told: z.object({ id: z.string(), amount: count }).optional(),
  /** Whose comments or answers are to be read before the next page. */
  due: z.array(z.object({ id: z.string(), sku: z.string().optional() })).default([]),
});
type State = z.output<typeof State>;
type Due = State['due'][number];

const values = z
  .array(z.unknown())
  .nullish()
  .transform((all) => all ?? []);
const flag = z.union([z.boolean(), z.stringbool()]).nullish().catch(undefined);
const text = z.string().nullish().catch(undefined);

/** What the two lists, and what stands below their things, are asked and called. https://docs.ozon.ru/api/seller/ */
interface Lists {
  readonly list: string;
  query(from: string, to: string): object;
  readonly page: z.ZodType<{
    readonly all: unknown[];
    readonly last?: string | null | undefined;
    readonly more?: boolean | null | undefined;
  }>;
  readonly one: string;
  readonly below: string;
  belowQuery(due: Due): object;
  readonly belowPage: z.ZodType<unknown[]>;
  readonly belowPart: PayloadPart & ('comment' | 'answer');
}

const LISTS: Readonly<Record<Surface, Lists>> = {
  review: {
    list: '/v2/review/list',
    query: (from, to) => ({ filters: { status: 'ALL', order_status: 'ALL', published_from: from, published_to: to } }),
    page: z
      .object({ reviews: values, last_id: text, has_next: flag })
      .transform(({ reviews, last_id, has_next }) => ({ all: reviews, last: last_id, more: has_next })),
    one: '/v2/review/info',
    below: '/v1/review/comment/list',
    belowQuery: ({ id }) => ({ review_id: id, limit: LIMIT, offset: 0, sort_dir: 'DESC' }),
    belowPage: z.object({ comments: values }).transform(({ comments }) => comments),
    belowPart: 'comment',
  },
  question: {
    list: '/v1/question/list',
    query: (from, to) => ({ filter: { status: 'ALL', date_from: from, date_to: to } }),
    page: z
      .object({ questions: values, last_id: text, has_next: flag })
      .transform(({ questions, last_id, has_next }) => ({ all: questions, last: last_id, more: has_next })),
    one: '/v1/question/info',
    below: '/v1/question/answer/list',
    belowQuery: ({ id, sku }) => ({ question_id: id, sku: Number(sku ?? 0) }),
    belowPage: z.object({ answers: values }).transform(({ answers }) => answers),
    belowPart: 'answer',
  },
};

const Named = z.object({
  id: z.union([z.string(), z.number().transform(String)]),
  sku: z
    .union([z.string(), z.number().transform(String)])
    .optional()
    .catch(undefined),
  published_at: moment,
  status: text,
  comments_amount: z.coerce.number().catch(0),
  answers_count: z.coerce.number().catch(0),
});

export const rawOf = (part: PayloadPart, value: unknown): Raw => ({
  body: Buffer.from(JSON.stringify(value)),
  headers: { [PART]: part },
});

interface Deps {
  readonly api: OzonApi;
  readonly clock: Clock;
  readonly log: Log;
}

/** Reviews or questions: page by page, from the oldest, again and again; and what others wrote below them. */
export function listPart(surface: Surface, { api, clock, log }: Deps): Part {
  const lists = LISTS[surface];
  const opened = clock.now();
  /** What was handed over, and how much stood below each when that was read: only a saving. */
  const known = new Map<string, { readonly at: number; readonly amount: number }>();

  const sinceOf = ({ whole }: State, at: number) => Math.min(at - WINDOW_MS, (whole ?? at) - OVERLAP_MS);

  function toListed(value: unknown): Listed {
    // One without a name goes on as it is: it is set aside alone.
    const { id, published_at: at } = Named.safeParse(value).data ?? {};
    return { ...rawOf(surface, value), ...(id !== undefined && { key: id, at }) };
  }

  /** What was dealt with before the channel began is left, unless it came before that. */
  function isOurs(value: unknown, begun: number): boolean {
    const named = Named.safeParse(value).data;
    if (!named || known.has(named.id)) return true;
    const { id, published_at: at, status } = named;
    if (status === 'PROCESSED' && at < begun - FRESH_MS) return false;
    known.set(id, { at, amount: 0 });
    return true;
  }

  /** Those below which something else stands than was read; Ozon counts also what it doesn't show yet. */
  function dueOf(all: readonly unknown[]): Due[] {
    return all.flatMap((value) => {
      const { id, sku, comments_amount = 0, answers_count = 0 } = Named.safeParse(value).data ?? {};
      const isRead = id === undefined || Math.max(comments_amount, answers_count) === (known.get(id)?.amount ?? 0);
      return isRead ? [] : [{ id, ...(sku !== undefined && { sku }) }];
    });
  }

  async function below(state: State, due: Due, signal: AbortSignal): Promise<PartPage> {
    const answered = api.ask(lists.below, lists.belowQuery(due), lists.belowPage, signal);
    const all = await orPass(answered, log, { [surface]: due.id });
    // What was refused is due again with the next reading.
    if (!all) return went({ ...state, due: state.due.slice(1) }, []);
    const isSame = all.length === known.get(due.id)?.amount && all.length < LIMIT;
    const items = (isSame ? [] : all).map((one) =>
      rawOf(lists.belowPart, { [surface]: due.id, [lists.belowPart]: one }),
    );
    return went({ ...state, due: state.due.slice(1), told: { id: due.id, amount: all.length } }, items);
  }

  const went = (state: State, items: readonly Listed[]): PartPage => ({
    ...{ items, state },
    restMs: state.due.length > 0 || state.reading ? PACE_MS : REST_MS,
  });

  function note({ told }: State): void {
    const one = told && known.get(told.id);
    if (one) known.set(told.id, { ...one, amount: told.amount });
  }

  async function next(state: State, signal: AbortSignal): Promise<PartPage> {
    const now = clock.now();
    const reading = state.reading ?? { at: now, from: sinceOf(state, now) };
    const query = lists.query(new Date(reading.from).toISOString(), new Date(reading.at).toISOString());
    const more = { limit: LIMIT, sort_dir: 'ASC', ...(reading.last !== undefined && { last_id: reading.last }) };
    const page = await api.ask(lists.list, { ...query, ...more }, lists.page, signal);
    const all = page.all.filter((value) => isOurs(value, state.begun));
    const [items, due] = [all.map(toListed), dueOf(all)];
    // Of questions nothing says whether there are more.
    const isMore = page.more !== false && page.all.length > 0 && page.last !== reading.last;
    if (isMore && page.last) {
      return { items, state: { ...state, reading: { ...reading, last: page.last }, due }, restMs: PACE_MS };
    }
    for (const [id, { at }] of known) if (at < reading.from) known.delete(id);
    const whole = { begun: state.begun, whole: reading.at, due };
    return { items, state: whole, restMs: due.length > 0 ? PACE_MS : REST_MS, wholeSince: reading.from };
  }

  return {
    name: `${surface}s`,
    async ask(given, signal): Promise<PartPage> {
      const state: State = State.safeParse(given).data ?? { begun: opened, due: [] };
      note(state);
      const [first] = state.due;
      return first ? below(state, first, signal) : next(state, signal);
    },
    async lookFor(id, signal) {
      const asked = { [`${surface}_id`]: id };
      const answered = api.ask(lists.one, asked, z.looseObject({ id: z.string() }), signal);
      const one = await orPass(answered.catch(noneWhere404), log, { [surface]: id });
      if (one === undefined) return undefined;
      return one === null ? rawOf('gone', { surface, id }) : rawOf(surface, one);
    },
  };
}

function noneWhere404(error: unknown): null {
  if (error instanceof PermanentError && error.response?.status === 404) return null;
  throw error;
}
