import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { Id } from './api.ts';
import type { Api } from './api.ts';
import { answerIn, Comment, markIn, toText } from './comments.ts';
import { statusOf } from './config.ts';
import type { Config, Entity } from './config.ts';
import { Items, originatorOf, placeOf, refOf, TYPES } from './tickets.ts';
import type { Item, Place } from './tickets.ts';

/**
 * What colleagues did in our deals and leads. Nothing tells in which of them a comment was added: `lastActivityTime` moves
 * only with comments of others than who is responsible. So the comments of all that live are looked at, fifty to a request.
 */

const DAY_MS = 24 * 60 * 60_000;
const ALIVE_MS = 30 * DAY_MS;
const PAGE = 50;
const MOST_ITEMS = 500;

const Cursor = z.object({
  /** The last comment there was when it was asked first. */
  floor: z.number(),
  /** How far each item was read. */
  seen: z.record(z.string(), z.object({ comment: z.number(), moved: z.string() })),
});
type Cursor = z.output<typeof Cursor>;

const CommentIds = z.array(z.object({ ID: Id }));
const Users = z.array(z.object({ ID: Id, NAME: z.string().nullish(), LAST_NAME: z.string().nullish() }));

/**
 * What a poll hands over of one item: its new comments, oldest first, and of ours their numbers; its stage if that is new;
 * and who people are.
 */
const Told = z.object({
  ref: z.string(),
  comments: z.array(
    z.object({
      id: z.string(),
      at: z.number(),
      author: z.string(),
      text: z.string(),
      files: z.array(z.object({ id: z.string(), name: z.string(), size: z.number().optional() })),
    }),
  ),
  ours: z.array(z.string()).default([]),
  moved: z.object({ stage: z.string(), at: z.number(), by: z.string() }).optional(),
  people: z.record(z.string(), z.string()),
});
type Told = z.output<typeof Told>;

interface Seen extends Place {
  readonly item: Item;
  readonly ref: string;
}

export function createPoll(config: Config, context: Context, api: Api): NonNullable<Fetching['poll']> {
  const originatorId = originatorOf(context);

  /** Those in which something happened lately, of which kind ever. */
  async function living(entity: Entity, signal: AbortSignal): Promise<Seen[]> {
    const since = `${new Date(context.clock.now() - ALIVE_MS).toISOString().slice(0, 19)}+00:00`;
    const params = {
      entityTypeId: TYPES[entity],
      select: ['id', 'stageId', 'movedTime', 'movedBy'],
      filter: { originatorId, 0: { logic: 'OR', 0: { '>=updatedTime': since }, 1: { '>=lastActivityTime': since } } },
      order: { lastActivityTime: 'DESC', id: 'DESC' },
    };
    const all = new Map<string, Seen>();
    for await (const { items } of api.pages(Items, { method: 'crm.item.list', params }, signal)) {
      for (const item of items) {
        const place = { entity, id: item.id };
        const ref = refOf(config, place).externalId;
        all.set(ref, { ...place, item, ref });
      }
      if (all.size >= MOST_ITEMS) break;
    }
    return [...all.values()];
  }

  /** Numbers of comments, newest first; all that are newer than `after`. */
  async function commentsOf(items: readonly Seen[], after: (ref: string) => number, signal: AbortSignal) {
    const numbers = new Map(items.map(({ ref }): [string, number[]] => [ref, []]));
    let open = items;
    for (let start = 0; open.length > 0; start += PAGE) {
      const outcomes = await api.many(
        open.map(({ entity, id }) => ({
          method: 'crm.timeline.comment.list',
          params: { select: ['ID'], filter: { ENTITY_ID: id, ENTITY_TYPE: entity }, order: { ID: 'DESC' }, start },
        })),
        signal,
      );
      open = open.filter(({ ref }, index) => {
        const outcome = outcomes[index];
        const ids = !outcome || outcome.refused ? [] : outcome.read(CommentIds).map(({ ID: id }) => Number(id));
        numbers.get(ref)?.push(...ids);
        return ids.length === PAGE && ids.every((id) => id > after(ref));
      });
    }
    return numbers;
  }

  /** By number; none that was deleted meanwhile. */
  async function read(ids: readonly number[], signal: AbortSignal): Promise<Map<number, Told['comments'][number]>> {
    const outcomes = await api.many(
      ids.map((id) => ({ method: 'crm.timeline.comment.get', params: { id } })),
      signal,
    );
    const found = outcomes.filter(({ refused }) => !refused).map((outcome) => outcome.read(Comment));
    return new Map(
      found.map(({ ID: id, CREATED: at, AUTHOR_ID: author, COMMENT: text, FILES: files }) => [
        Number(id),
        { id, at: Date.parse(at), author: author ?? '', text, files },
      ]),
    );
  }

  async function namesOf(ids: readonly string[], signal: AbortSignal): Promise<Record<string, string>> {
    if (ids.length === 0) return {};
    const params = { FILTER: { ID: ids.slice(0, PAGE).map(Number) } };
    const users = await api.call(Users, 'user.get', params, { signal });
    return Object.fromEntries(
      users.map(({ ID: id, NAME: name, LAST_NAME: last }) => [id, [name, last].filter(Boolean).join(' ')]),
    );
  }

  /** What is new in each item, in the order of time. */
  async function newsOf(before: Cursor, items: readonly Seen[], numbers: Map<string, number[]>, signal: AbortSignal) {
    const after = (ref: string) => before.seen[ref]?.comment ?? before.floor;
    const fresh = new Map([...numbers].map(([ref, ids]) => [ref, ids.filter((id) => id > after(ref)).toReversed()]));
    const comments = await read([...fresh.values()].flat(), signal);
    return items.flatMap(({ ref, item }) => {
      const said = (fresh.get(ref) ?? []).flatMap((id) => comments.get(id) ?? []);
      const isOurs = (comment: Told['comments'][number]) => markIn(comment, config) !== undefined;
      const theirs = said.filter((comment) => !isOurs(comment));
      const ours = said.filter(isOurs).map(({ id }) => id);
      const moved = before.seen[ref]?.moved === (item.movedTime ?? '') ? undefined : moveOf(config, item);
      return said.length > 0 || moved ? [{ ref, comments: theirs, ours, moved }] : [];
    });
  }

  return async (text, signal) => {
    const before = text === undefined ? undefined : Cursor.parse(JSON.parse(text));
    const entities: readonly Entity[] = config.entity === 'lead' ? ['lead', 'deal'] : ['deal'];
    const items: Seen[] = [];
    for (const entity of entities) items.push(...(await living(entity, signal)));
    const after = (ref: string) => (before ? (before.seen[ref]?.comment ?? before.floor) : Infinity);
    const numbers = await commentsOf(items, after, signal);
    const cursor = JSON.stringify(cursorAfter(before, items, numbers));
    if (!before) return { items: [], cursor };
    const news = await newsOf(before, items, numbers, signal);
    const people = await namesOf(peopleIn(news), signal);
    const raws = news.map((each): Raw => ({ body: Buffer.from(JSON.stringify({ ...each, people } satisfies Told)) }));
    return { items: raws, cursor };
  };
}

function cursorAfter(before: Cursor | undefined, items: readonly Seen[], numbers: Map<string, number[]>): Cursor {
  const seen = items.map(({ ref, item }): [string, Cursor['seen'][string]] => {
    const comment = Math.max(before?.seen[ref]?.comment ?? 0, ...(numbers.get(ref) ?? []));
    return [ref, { comment, moved: item.movedTime ?? '' }];
  });
  const floor = before?.floor ?? Math.max(0, ...seen.map(([, { comment }]) => comment));
  return { floor, seen: Object.fromEntries(seen) };
}

function peopleIn(news: readonly Pick<Told, 'comments' | 'moved'>[]): string[] {
  const ids = news.flatMap(({ comments, moved }) => [...comments.map(({ author }) => author), moved?.by ?? '']);
  return [...new Set(ids.filter((id) => /^[1-9]\d{0,15}$/.test(id)))];
}

/** What the user of the webhook moved was we. */
function moveOf({ userId }: Config, { stageId, movedTime, movedBy }: Item): Told['moved'] {
  if (!stageId || !movedTime || movedBy === String(userId)) return undefined;
  return { stage: stageId, at: Date.parse(movedTime), by: movedBy ?? '' };
}

export function actionsOf(config: Config, given: unknown): ActionInput[] {
  const { ref, comments, ours, moved, people } = Told.parse(given);
  const nameOf = (id: string) => (people[id] || `Bitrix24 user ${id}`).slice(0, 1000);
  const said = comments.map(({ id, at, author, text, files }): ActionInput => {
    const plain = toText(text);
    const answer = answerIn(plain, config.answerMark);
    const attachments = files.map((file) => ({
      ...file,
      name: file.name.slice(0, 1000),
      mediaType: 'application/octet-stream',
    }));
    const isAnswer = answer !== undefined && (answer !== '' || files.length > 0);
    const common = { id: `comment:${id}`, ticket: ref, at, agent: nameOf(author), attachments };
    return isAnswer ? { kind: 'reply', ...common, text: answer } : { kind: 'note', ...common, text: plain };
  });
  const own = ours.map((id): ActionInput => ({ kind: 'ignored', name: `comment ${id}`, reason: 'ours' }));
  return [...own, ...said, ...(moved ? [stageAction(config, ref, moved, nameOf(moved.by))] : [])];
}

function stageAction(
  config: Config,
  ref: string,
  { stage, at }: NonNullable<Told['moved']>,
  agent: string,
): ActionInput {
  const status = statusOf(config, placeOf({ externalId: ref }).entity, stage);
  if (status) return { kind: 'status', id: `stage:${ref}:${at}`, ticket: ref, at, agent, status };
  return { kind: 'ignored', name: `stage ${stage}`, reason: 'no status of ours: see `statuses`' };
}
