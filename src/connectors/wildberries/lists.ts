import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Raw } from '../../core/connector.ts';
import { PermanentError } from '../../core/errors.ts';
import type { Listed, Part, PartPage } from '../../core/parts.ts';
import type { WildberriesApi } from './api.ts';
import { PART } from './names.ts';
import type { PayloadPart, Surface } from './names.ts';
import { moment } from './seen.ts';

const DAY_MS = 86_400_000;
/** How far back lists are read again for edits, answers and deletions; also what comes in at first. */
const WINDOW_MS = 30 * DAY_MS;
/** After a longer downtime: back to the last whole reading, and some more, since things are listed late. */
const OVERLAP_MS = DAY_MS;
/** How long before the first start what was answered already still comes in. */
const ANSWERED_MS = 3_600_000;
/** From the end of one reading to the next. */
const REST_MS = 5 * 60_000;
/** Between two pages: three requests a second are allowed, to all that use the token. */
const PACE_MS = 1000;
const TAKE = 5000;
const CHATS_MS = 10_000;

const PATHS: Readonly<Record<Surface, { readonly list: string; readonly one: string; readonly maxSkip: number }>> = {
  feedback: { list: '/api/v1/feedbacks', one: '/api/v1/feedback', maxSkip: 199_990 },
  // Of questions `take` and `skip` are ten thousand together.
  question: { list: '/api/v1/questions', one: '/api/v1/question', maxSkip: 5000 },
};

const count = z.number().int().min(0);
const State = z.object({
  /** When the channel began. */
  begun: count,
  /** When the last whole reading began. */
  whole: count.optional(),
  /** The reading that goes on: first what is unanswered, then what is answered. */
  reading: z.object({ at: count, answered: z.boolean(), from: count, skip: count }).optional(),
});
type State = z.output<typeof State>;

const Named = z.object({ id: z.union([z.string(), z.number().transform(String)]), createdDate: moment });
const values = z
  .array(z.unknown())
  .nullable()
  .transform((all) => all ?? []);
const Page = z.union([
  z.object({ feedbacks: values }).transform(({ feedbacks }) => feedbacks),
  z.object({ questions: values }).transform(({ questions }) => questions),
]);

const rawOf = (part: PayloadPart, value: unknown): Raw => ({
  body: Buffer.from(JSON.stringify(value)),
  headers: { [PART]: part },
});

/** Reviews or questions: both lists, page by page, from the oldest, again and again. */
export function listPart(
  surface: Surface,
  { api, clock }: { readonly api: WildberriesApi; readonly clock: Clock },
): Part {
  const { list, one, maxSkip } = PATHS[surface];
  const opened = clock.now();

  const sinceOf = ({ whole }: State, at: number) => Math.min(at - WINDOW_MS, (whole ?? at) - OVERLAP_MS);

  function toListed(value: unknown): Listed {
    // One without a name goes on as it is: it is set aside alone.
    const { id, createdDate } = Named.safeParse(value).data ?? {};
    return { ...rawOf(surface, value), ...(id !== undefined && { key: id, at: createdDate }) };
  }

  return {
    name: `${surface}s`,
    async ask(given, signal): Promise<PartPage> {
      const now = clock.now();
      const state = State.safeParse(given).data ?? { begun: opened };
      const first = { at: now, answered: false, from: secondsOf(sinceOf(state, now)), skip: 0 };
      const reading = state.reading ?? first;
      const { answered, from, skip } = reading;
      const query = { isAnswered: answered, take: TAKE, skip, order: 'dateAsc', dateFrom: from };
      const page = await api.feedbacks(`${list}?${search(query)}`, Page, { signal });
      const items = page.map(toListed);
      if (page.length >= TAKE) {
        const last = secondsOf(items.at(-1)?.at ?? 0);
        const next = skip + TAKE > maxSkip ? { from: Math.max(last, from + 1), skip: 0 } : { from, skip: skip + TAKE };
        return { items, state: { ...state, reading: { ...reading, ...next } }, restMs: PACE_MS };
      }
      if (!answered) {
        const since = secondsOf(Math.max(sinceOf(state, reading.at), state.begun - ANSWERED_MS));
        const next = { at: reading.at, answered: true, from: since, skip: 0 };
        return { items, state: { ...state, reading: next }, restMs: PACE_MS };
      }
      const whole = { begun: state.begun, whole: reading.at };
      return { items, state: whole, restMs: REST_MS, wholeSince: sinceOf(state, reading.at) };
    },
    async lookFor(id, signal) {
      try {
        return rawOf(surface, await api.feedbacks(`${one}?${search({ id })}`, z.looseObject({}), { signal }));
      } catch (error) {
        if (error instanceof PermanentError && isGone(error)) return rawOf('gone', { surface, id });
        throw error;
      }
    },
  };
}

/** What was listed and can't be had by its id any more. */
function isGone({ response }: PermanentError): boolean {
  return response?.status === 404 || response?.status === 422;
}

const Events = z.object({
  next: z.number().nullish(),
  events: z
    .array(z.unknown())
    .nullish()
    .transform((events) => events ?? []),
});
const ChatsState = z.object({ next: z.number().int().positive() });
const Happened = z.object({ eventID: z.string(), addTimestamp: z.number() });

/** What happens in the chats, behind Wildberries' own cursor. */
export function chatsPart({ api, clock }: { readonly api: WildberriesApi; readonly clock: Clock }): Part {
  // Not when the first question is answered: with the smallest quota that may be hours later.
  const opened = clock.now();
  return {
    name: 'chats',
    async ask(given, signal): Promise<PartPage> {
      // The cursor is a time: not the whole past at first, but what just came.
      const { next } = ChatsState.safeParse(given).data ?? { next: opened - ANSWERED_MS };
      const { events, next: after } = await api.chats(`/api/v1/seller/events?${search({ next })}`, Events, { signal });
      const items = events.map((event): Listed => {
        const { eventID, addTimestamp } = Happened.safeParse(event).data ?? {};
        return { ...rawOf('event', event), ...(eventID !== undefined && { key: eventID, at: addTimestamp }) };
      });
      const isMore = events.length > 0 && after !== next;
      // Whether events of the very moment come again isn't documented: those of the last day are remembered.
      const wholeSince = next - DAY_MS;
      return { items, state: { next: after || next }, restMs: isMore ? PACE_MS : CHATS_MS, wholeSince };
    },
  };
}

const secondsOf = (ms: number): number => Math.max(0, Math.floor(ms / 1000));

export function search(query: Readonly<Record<string, string | number | boolean>>): string {
  return new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}
