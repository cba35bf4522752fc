import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Log, Raw } from '../../core/connector.ts';
import type { Listed, Part, PartPage } from '../../core/parts.ts';
import { orPass } from './api.ts';
import type { MarketApi } from './api.ts';
import { nameOf, PART } from './names.ts';
import { Comment, Feedback, Paging, Question } from './seen.ts';

const DAY_MS = 86_400_000;
/** How far back lists are read again for edits and deletions; also what comes in at first. */
const WINDOW_MS = 30 * DAY_MS;
/** Yandex Market lists reviews of six months. */
const LONGEST_MS = 180 * DAY_MS;
/** After a longer downtime: back to the last whole reading, and some more. */
const OVERLAP_MS = DAY_MS;
/** How long before the first start what is answered already still comes in. */
const FRESH_MS = 3_600_000;
const REST_MS = 5 * 60_000;
const PACE_MS = 1000;
const LIMIT = 50;
/** Pages of comments below one review. */
const MOST_PAGES = 10;

interface Deps {
  readonly api: MarketApi;
  readonly clock: Clock;
  readonly log: Log;
}

const time = z.number().int().min(0);
const State = z.object({
  /** When the channel began. */
  begun: time,
  /** When the last whole reading began. */
  whole: time.optional(),
  /** The reading that goes on. */
  reading: z.object({ at: time, from: time, token: z.string() }).optional(),
});
type State = z.output<typeof State>;

export const rawOf = (part: 'feedback' | 'question' | 'message' | 'gone', value: unknown): Raw => ({
  body: Buffer.from(JSON.stringify(value)),
  headers: { [PART]: part },
});

const sinceOf = ({ whole }: State, now: number): number =>
  Math.max(now - LONGEST_MS + DAY_MS, Math.min(now - WINDOW_MS, (whole ?? now) - OVERLAP_MS));

/** Of one page: where the reading goes on, or that it was whole. */
function turn(state: State, now: number, from: number, token: string | undefined): Omit<PartPage, 'items'> {
  const at = state.reading?.at ?? now;
  if (token) return { state: { ...state, reading: { at, from, token } }, restMs: PACE_MS };
  return { state: { begun: state.begun, whole: at }, restMs: REST_MS, wholeSince: from };
}

/** Its name differs between methods and editions of the documentation. */
export const pageQuery = (limit: number, token: string | undefined) => ({
  limit,
  page_token: token,
  pageToken: token,
});

const Feedbacks = z.object({ feedbacks: z.array(z.unknown()), paging: Paging });
const Comments = z.object({ comments: z.array(z.unknown()), paging: Paging });

export async function commentsOf(api: MarketApi, feedbackId: string, signal?: AbortSignal): Promise<Comment[]> {
  const found: Comment[] = [];
  let token: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = pageQuery(LIMIT, token);
    const body = { feedbackId: Number(feedbackId) };
    const call = { path: 'v2/goods-feedback/comments', query, body, ...(signal && { signal }) };
    const { comments, paging } = await api.ask(call, Comments);
    found.push(...comments.flatMap((comment) => Comment.safeParse(comment).data ?? []));
    token = paging;
    if (!token) break;
  }
  return found;
}

type Known = Map<string, { readonly mark: string; readonly comments: readonly Comment[] }>;

/** Reviews with the comments below them, page by page, again and again: Yandex Market tells neither edits nor deletions. */
export function feedbacksPart({ api, clock, log }: Deps): Part {
  const opened = clock.now();
  /** Those that came in, with their comments: only read again when the review says that something is new. */
  const known: Known = new Map();
  /** What the last page adds to them, once its state comes back: then it was stored. */
  let handed: { readonly state: unknown; readonly news: Known } | undefined;

  async function withComments(feedback: Feedback, news: Known, signal: AbortSignal) {
    const { feedbackId: id, statistics, needReaction } = feedback;
    const before = known.get(id);
    const mark = `${statistics.commentsCount} ${needReaction}`;
    const isSettled = before?.mark === mark && before.comments.every(({ status }) => status !== 'UNMODERATED');
    const isAsked = !isSettled && statistics.commentsCount > 0;
    const read = isAsked ? await orPass(commentsOf(api, id, signal), log, { feedback: id }) : [];
    const had = before?.comments ?? [];
    const comments = isSettled ? had : (read ?? had);
    const gone = had.filter((one) => !comments.some((other) => other.id === one.id));
    // Those that were refused are asked for again.
    news.set(id, { mark: read ? mark : '', comments });
    return { comments, gone };
  }

  async function toListed(value: unknown, news: Known, signal: AbortSignal): Promise<Listed[]> {
    const { data: feedback } = Feedback.safeParse(value);
    // One that can't be read goes on as it is: it is set aside alone.
    if (!feedback) return [rawOf('feedback', { feedback: value, comments: [] })];
    const { comments, gone } = await withComments(feedback, news, signal);
    const { feedbackId: key, createdAt: at } = feedback;
    const taken = gone.map(({ id }) => rawOf('gone', { name: nameOf('comment', id) }));
    return [{ ...rawOf('feedback', { feedback: value, comments }), key, at }, ...taken];
  }

  function isOurs(value: unknown, begun: number): boolean {
    const { data } = Feedback.safeParse(value);
    return !data || data.needReaction || data.createdAt >= begun - FRESH_MS || known.has(data.feedbackId);
  }

  return {
    name: 'feedbacks',
    async ask(given, signal): Promise<PartPage> {
      if (handed && JSON.stringify(handed.state) === JSON.stringify(given)) {
        for (const [id, one] of handed.news) known.set(id, one);
      }
      handed = undefined;
      const now = clock.now();
      const state = State.safeParse(given).data ?? { begun: opened };
      const from = state.reading?.from ?? sinceOf(state, now);
      const body = { dateTimeFrom: new Date(from).toISOString(), reactionStatus: 'ALL' };
      const call = { path: 'v2/goods-feedback', query: pageQuery(LIMIT, state.reading?.token), body, signal };
      const { feedbacks, paging } = await api.ask(call, Feedbacks);
      const items: Listed[] = [];
      const news: Known = new Map();
      for (const value of feedbacks.filter((one) => isOurs(one, state.begun))) {
        items.push(...(await toListed(value, news, signal)));
      }
      const page = { items, ...turn(state, now, from, paging) };
      handed = { state: page.state, news };
      return page;
    },
    async lookFor(id, signal) {
      const body = { feedbackIds: [Number(id)] };
      const call = { path: 'v2/goods-feedback', query: { limit: 1 }, body, signal };
      const found = await orPass(api.ask(call, Feedbacks), log, { feedback: id });
      if (!found || found.feedbacks.length > 0) return undefined;
      known.delete(id);
      return rawOf('gone', { name: nameOf('feedback', id) });
    },
  };
}

const Questions = z.object({ questions: z.array(z.unknown()), paging: Paging });
const Answers = z.object({ answers: z.array(z.unknown()), paging: Paging });

export async function answersOf(api: MarketApi, questionId: string, signal?: AbortSignal): Promise<unknown[]> {
  const body = { questionId: Number(questionId) };
  const call = { path: 'v1/goods-questions/answers', query: { limit: LIMIT }, body, ...(signal && { signal }) };
  return (await api.ask(call, Answers)).answers;
}

/** Questions that wait for an answer; one that does no longer is looked for, with the answers that it was given. */
export function questionsPart({ api, clock, log }: Deps): Part {
  const opened = clock.now();

  function toListed(value: unknown): Listed {
    const { questionIdentifiers: of, createdAt } = Question.safeParse(value).data ?? {};
    return { ...rawOf('question', { question: value }), ...(of && { key: of.id, at: createdAt }) };
  }

  return {
    name: 'questions',
    async ask(given, signal): Promise<PartPage> {
      const now = clock.now();
      const state = State.safeParse(given).data ?? { begun: opened };
      const from = state.reading?.from ?? sinceOf(state, now);
      const dateFrom = new Date(from).toISOString().slice(0, 10);
      const body = { dateFrom, needAnswer: true, sort: 'CREATED_AT_ASC' };
      const call = { path: 'v1/goods-questions', query: pageQuery(LIMIT, state.reading?.token), body, signal };
      const { questions, paging } = await api.ask(call, Questions);
      return { items: questions.map(toListed), ...turn(state, now, from, paging) };
    },
    async lookFor(id, signal) {
      const body = { questionIds: [Number(id)] };
      const call = { path: 'v1/goods-questions', query: { limit: 1 }, body, signal };
      const found = await orPass(api.ask(call, Questions), log, { question: id });
      if (!found) return undefined;
      const [question] = found.questions;
      if (question === undefined) return rawOf('gone', { name: nameOf('question', id) });
      const answers = await orPass(answersOf(api, id, signal), log, { question: id });
      return answers && rawOf('question', { question, answers });
    },
  };
}
