import { z } from 'zod';
import type { Context, Fetching, Raw } from '../../core/connector.ts';
import { refusalOf } from './api.ts';
import type { Api, Article, Line, Ticket } from './api.ts';
import { isMarked } from './history.ts';
import type { Deed, Told } from './way-back.ts';

const MINUTE = 60_000;
/** What is said of the last moments may still change: it is looked at again. */
const OVERLAP_MIN = 2;
/** Tickets that one poll looks into. */
const BATCH = 20;

const Cursor = z.object({
  /** When it was last asked what changed, by our clock. */
  asked: z.number(),
  /** How far back that question went: our clocks need not agree, nor our time zones. */
  minutes: z.number(),
  /** Tickets that changed shortly before, and how many lines of their history were read. */
  seen: z.record(z.string(), z.number()),
  /** Tickets that changed and are still to be looked into. */
  left: z.array(z.string()),
});
type Cursor = z.output<typeof Cursor>;

/** What agents did in tickets that we made since it was last asked. The first time: nothing, but from then on. */
export function createPoll({ clock }: Pick<Context, 'clock'>, api: Api): NonNullable<Fetching['poll']> {
  async function changed(before: Cursor, signal: AbortSignal): Promise<Cursor> {
    const asked = clock.now();
    const minutes = Math.max(0, Math.ceil((asked - before.asked) / MINUTE)) + OVERLAP_MIN;
    const left = [...(await api.search({ Like: 'tkt_*' }, { TicketChangeTimeNewerMinutes: minutes }, signal))];
    const still = new Set(left);
    const seen = Object.fromEntries(Object.entries(before.seen).filter(([id]) => still.has(id)));
    return { asked, minutes, seen, left };
  }

  return async (text, signal) => {
    if (text === undefined) {
      const begin: Cursor = { asked: clock.now(), minutes: OVERLAP_MIN, seen: {}, left: [] };
      return { items: [], cursor: JSON.stringify(begin) };
    }
    const before = Cursor.parse(JSON.parse(text));
    const round = before.left.length > 0 ? before : await changed(before, signal);
    const now = round.left.slice(0, BATCH);
    const items: Raw[] = [];
    const seen = { ...round.seen };
    for (const { ticket, lines } of now.length > 0 ? await historiesOf(api, now, signal) : []) {
      const from = newFrom(lines, seen[ticket], round.minutes);
      const told = lines.some(isMarked) ? await tell(api, { ticket, lines, from }, signal) : undefined;
      if (told) items.push({ body: Buffer.from(JSON.stringify(told)) });
      seen[ticket] = lines.length;
    }
    const left = round.left.slice(BATCH);
    return { items, cursor: JSON.stringify({ ...round, seen, left } satisfies Cursor), more: left.length > 0 };
  };
}

interface History {
  readonly ticket: string;
  readonly lines: readonly Line[];
}

/** One that may not be seen any more keeps all of them from being shown: then each is asked for by itself. */
async function historiesOf(api: Api, ids: readonly string[], signal: AbortSignal): Promise<readonly History[]> {
  try {
    return await api.histories(ids, signal);
  } catch (error) {
    if (refusalOf(error) === undefined) throw error;
    if (ids.length === 1) return [];
    const each: History[] = [];
    for (const id of ids) each.push(...(await historiesOf(api, [id], signal)));
    return each;
  }
}

/**
 * Where in a history the news begin. Of a ticket that wasn't seen lately: what happened within the time asked for,
 * before its last line, which is at least as far back as that time before now.
 */
function newFrom(lines: readonly Line[], read: number | undefined, minutes: number): number {
  if (read !== undefined && read <= lines.length) return read;
  const since = Math.max(...lines.map(clockOf)) - minutes * MINUTE;
  const from = lines.findIndex((line) => clockOf(line) >= since);
  return from < 0 ? lines.length : from;
}

/** By its own clock, whatever that is: only differences count. */
function clockOf({ CreateTime: time }: Line): number {
  return Date.parse(`${time.replace(' ', 'T')}Z`);
}

/** What others did: articles that aren't marked as ours, and the last status if it isn't ours and still holds. */
async function tell(
  api: Api,
  { ticket, lines, from }: History & { readonly from: number },
  signal: AbortSignal,
): Promise<Told | undefined> {
  const written = articlesIn(lines).filter(([, index]) => index >= from);
  const moved = lines.findLastIndex(({ HistoryType: type }) => type === 'StateUpdate');
  const us = lines.find(isMarked)?.CreateBy;
  const state = moved >= from && lines[moved]?.CreateBy !== us ? lines[moved] : undefined;
  if (written.length === 0 && !state) return undefined;

  const articles = written.length > 0 && { AllArticles: 1, Attachments: 1, GetAttachmentContents: 0 };
  const [there] = await api.tickets([ticket], { ...articles }, signal);
  if (!there) return undefined;
  const deeds = written.flatMap(([id, index]) => {
    const article = there.Article.find((each) => each.ArticleID === id);
    return article ? [{ index, deed: said(article, lines[index]?.HistoryType ?? '') }] : [];
  });
  // Its history has the number of a state, the ticket its name.
  if (state && there.StateID === state.StateID) deeds.push({ index: moved, deed: changedTo(there, state) });
  if (deeds.length === 0) return undefined;
  return { ticket, deeds: deeds.toSorted((a, b) => a.index - b.index).map(({ deed }) => deed) };
}

/** Those that aren't ours, and the lines that they first stand in; others are about mails to agents, say. */
function articlesIn(lines: readonly Line[]): [id: string, index: number][] {
  const ours = new Set(lines.filter(isMarked).map(({ ArticleID: id }) => id));
  const first = new Map<string, number>();
  for (const [index, { ArticleID: id }] of lines.entries()) if (id !== '' && !first.has(id)) first.set(id, index);
  return [...first].filter(([id]) => !ours.has(id));
}

function said({ Attachment: files, ...article }: Article, how: string): Deed {
  return {
    kind: 'article',
    id: article.ArticleID,
    how,
    by: article.SenderType,
    visible: article.IsVisibleForCustomer === '1',
    from: article.From,
    text: article.Body,
    received: article.IncomingTime,
    time: article.CreateTime,
    files: files.map(({ FileID: id, Filename: name, ContentType: type, FilesizeRaw: size, ...file }) => ({
      id,
      name,
      type,
      size,
      inline: file.Disposition.startsWith('inline') && file.ContentID !== '',
    })),
  };
}

function changedTo(
  { State: state, Owner: owner, OwnerID: ownerId }: Ticket,
  { StateID: id, CreateBy: by, CreateTime: time }: Line,
): Deed {
  return { kind: 'state', id, state, time, by: by === ownerId && owner !== '' ? owner : `agent ${by}` };
}
