import { z } from 'zod';
import type { ActionInput } from '../../core/action.ts';
import type { Context, Fetching } from '../../core/connector.ts';
import { ignored } from '../../core/envelope.ts';
import { isRefused } from '../../core/errors.ts';
import { toOurs } from '../../core/field-mapping.ts';
import { pollMoved } from '../../core/moved-tickets.ts';
import { filesIn, markOn, toText } from './adf.ts';
import type { Api, Change, Comment, File, Issue } from './api.ts';
import type { Config } from './config.ts';
import { ticketIn } from './tickets.ts';

const MINUTE_MS = 60_000;
/** A file is there a little before or after the comment that it stands in. */
const TOGETHER_MS = 10 * MINUTE_MS;

const time = z.number();
const Said = z.object({
  id: z.string(),
  at: time,
  by: z.string(),
  isPublic: z.boolean(),
  text: z.string(),
  files: z.array(z.object({ id: z.string(), name: z.string(), mediaType: z.string(), size: z.number().optional() })),
});
const Moved = z.object({ id: z.string(), at: time, by: z.string(), status: z.string() });

/** What a poll hands over of one request, oldest first; what isn't an agent's only by name and reason. */
export const History = z.object({
  ticket: z.string(),
  said: z.array(Said),
  moved: z.array(Moved),
  others: z.array(z.object({ name: z.string(), reason: z.string() })),
});
export type History = z.output<typeof History>;

/** What was done in our requests since it was last asked. */
export function createPoll(
  config: Config,
  { clock }: Pick<Context, 'clock'>,
  api: Api,
  me: () => Promise<string>,
): NonNullable<Fetching['poll']> {
  return pollMoved(clock, {
    async movedSince(from, signal) {
      // Times in a query are of the account's zone; counted back from now they are of none.
      const minutes = Math.max(0, Math.ceil((clock.now() - from) / MINUTE_MS)) + 1;
      const jql = `project = "${config.projectKey}" AND creator = currentUser() AND updated >= "-${minutes}m" ORDER BY updated ASC`;
      const moved: { id: string; at: number; isOurs: boolean; issue: Issue }[] = [];
      for await (const { issues } of api.search(jql, ['updated', 'reporter', 'attachment'], signal)) {
        for (const issue of issues) {
          const at = Date.parse(issue.fields.updated ?? '') || 0;
          if (at >= from) moved.push({ id: issue.id, at, isOurs: ticketIn(issue) !== undefined, issue });
        }
      }
      return moved;
    },
    async look({ issue }, { known, unread }, signal) {
      const [lastComment = '', lastChange = ''] = known?.split('|') ?? [];
      const isNew = (last: string) => (one: { id: string; created: string }) =>
        last === '' ? Date.parse(one.created) >= unread : Number(one.id) > Number(last);
      const read = await commentsOf(api, issue.id, isNew(lastComment), signal);
      const comments = read.filter(isNew(lastComment));
      const changes = (await changesOf(api, issue.id, signal)).filter(isNew(lastChange));
      const history = toHistory(issue, { comments, read }, changes, await me());
      const isEmpty = history.said.length + history.moved.length + history.others.length === 0;
      const items = isEmpty ? [] : [{ body: Buffer.from(JSON.stringify(history)) }];
      return { items, known: `${comments.at(-1)?.id ?? lastComment}|${changes.at(-1)?.id ?? lastChange}` };
    },
  });
}

/**
 * Oldest first, back to one that isn't new, and behind it as far as files could belong to either; none of a request that
 * was deleted meanwhile.
 */
async function commentsOf(api: Api, id: string, isNew: (one: Comment) => boolean, signal: AbortSignal) {
  const all: Comment[] = [];
  try {
    for await (const page of api.comments(id, signal)) {
      all.push(...page);
      const since = Math.min(...all.filter(isNew).map(timeOf)) - 2 * TOGETHER_MS;
      if (page.some((one) => !isNew(one) && timeOf(one) < since)) break;
    }
  } catch (error) {
    if (!isRefused(error, 404)) throw error;
  }
  return all.sort((a, b) => Number(a.id) - Number(b.id));
}

async function changesOf(api: Api, id: string, signal: AbortSignal): Promise<readonly Change[]> {
  try {
    return [...(await api.changes(id, signal))].sort((a, b) => Number(a.id) - Number(b.id));
  } catch (error) {
    if (!isRefused(error, 404)) throw error;
    return [];
  }
}

function toHistory(
  { id, fields }: Issue,
  { comments, read }: { readonly comments: readonly Comment[]; readonly read: readonly Comment[] },
  changes: readonly Change[],
  me: string,
): History {
  const history: History = { ticket: id, said: [], moved: [], others: [] };
  for (const comment of comments) {
    const reason = whyNot(comment, fields.reporter?.accountId, me);
    if (reason === undefined) history.said.push(saidOf(comment, filesOf(comment, read, fields.attachment ?? [])));
    else history.others.push({ name: `comment ${comment.id}`, reason });
  }
  for (const { id: change, author, created, items } of changes) {
    const status = items.findLast(({ field }) => field === 'status')?.toString;
    if (typeof status !== 'string') continue;
    if (author?.accountId === me) history.others.push({ name: `status ${status}`, reason: 'ours' });
    else history.moved.push({ id: change, at: Date.parse(created), by: author?.displayName ?? 'Jira', status });
  }
  return history;
}

/** Why a comment isn't an agent's word. One of our account without a mark was written by hand. */
function whyNot({ author, body }: Comment, reporter: string | null | undefined, me: string): string | undefined {
  if (author?.accountId == null) return 'its author is gone';
  if (author.accountId === me) return markOn(body) === undefined ? undefined : 'ours';
  if (author.accountType === 'customer' || author.accountId === reporter) return 'a customer wrote it';
  return undefined;
}

function saidOf({ id, author, body, created, jsdPublic }: Comment, files: readonly File[]): History['said'][number] {
  return {
    id,
    at: Date.parse(created),
    by: author?.displayName ?? 'Jira',
    // What isn't said to be public is for colleagues.
    isPublic: jsdPublic === true,
    text: toText(body),
    files: files.map(({ id: file, filename: name, mimeType, size }) => ({
      id: file,
      name: name.slice(0, 1000),
      mediaType: (mimeType ?? 'application/octet-stream').slice(0, 255),
      ...(size != null && { size }),
    })),
  };
}

/**
 * A comment only names its files: it has those that its author brought, of each name the one that is nearest in time,
 * unless another comment of his that names it is as near. What isn't certain may be for colleagues alone.
 */
function filesOf(comment: Comment, read: readonly Comment[], files: readonly File[]): File[] {
  const isOfAuthor = ({ author }: Comment | File) => author?.accountId === comment.author?.accountId;
  const others = read.filter((each) => each.id !== comment.id && isOfAuthor(each));
  return [...namesIn(comment)].flatMap((name) => {
    const [file] = files
      .filter((each) => each.filename === name && isOfAuthor(each))
      .sort((a, b) => distance(a, comment) - distance(b, comment));
    if (!file || distance(file, comment) > TOGETHER_MS) return [];
    const rivals = others.filter((other) => namesIn(other).has(name));
    return rivals.every((rival) => distance(file, rival) > distance(file, comment)) ? [file] : [];
  });
}

function namesIn({ body }: Comment): ReadonlySet<string> {
  return new Set(body ? filesIn(body) : []);
}

function distance(file: File, comment: Comment): number {
  return Math.abs(timeOf(file) - timeOf(comment));
}

function timeOf({ created }: { readonly created: string }): number {
  return Date.parse(created);
}

export function actionsOf({ statuses }: Config, { ticket, said, moved, others }: History): ActionInput[] {
  const words = said.map(({ id, at, by, isPublic, text, files }): { at: number; action: ActionInput } => ({
    at,
    action: {
      kind: isPublic ? 'reply' : 'note',
      id: `comment:${id}`,
      ticket,
      at,
      agent: by.slice(0, 1000),
      text,
      attachments: files,
    },
  }));
  const moves = moved.map(({ id, at, by, status: name }): { at: number; action: ActionInput } => {
    const status = toOurs(statuses, name);
    if (!status)
      return {
        at,
        action: ignored(`status ${name}`.slice(0, 200), 'none of ours is called that: see `statuses`') as ActionInput,
      };
    return { at, action: { kind: 'status', id: `change:${id}`, ticket, at, agent: by.slice(0, 1000), status } };
  });
  const done = [...words, ...moves].sort((a, b) => a.at - b.at).map(({ action }) => action);
  return [...others.map(({ name, reason }) => ignored(name.slice(0, 200), reason) as ActionInput), ...done];
}
