import type { Context, Fetching } from '../../core/connector.ts';
import { PermanentError, RetryableError, isRefused } from '../../core/errors.ts';
import { pollMoved } from '../../core/moved-tickets.ts';
import { PAGE } from './api.ts';
import type { Api, Article, Line, Moved, Person } from './api.ts';
import type { Config } from './config.ts';
import { isMarked, isMerge, isOurs } from './tickets.ts';
import { picturesIn, withoutQuote } from './way-back.ts';
import type { Deed, File, Told } from './way-back.ts';

const MOST_PAGES = 200;
/** More than one poll looks into, so that it knows that there are more. */
const ENOUGH = 100;
/** Behind what is listed again although it was looked into. */
const NEW_MS = 2 * 60_000;

/** Who has to do with a ticket, and which of them is its customer. */
interface People {
  readonly all: Readonly<Record<string, Person>>;
  readonly customer: string;
}

/** What agents did in tickets that we made since it was last asked. */
export function createPoll(config: Config, { clock }: Pick<Context, 'clock'>, api: Api): NonNullable<Fetching['poll']> {
  let me: string | undefined;

  /** What others did: articles without our mark, and states that we didn't set. */
  async function deedsOf(news: readonly Line[], known: People, signal: AbortSignal): Promise<Deed[]> {
    if (news.some(isMove)) me ??= (await api.me()).id;
    const deeds: Deed[] = [];
    for (const line of news) {
      if (isMove(line) && line.created_by_id !== me) deeds.push(moved(line, known));
      const article = isWritten(line) ? await api.article(line.o_id, signal).catch(gone) : undefined;
      if (article && !isMarked(article.message_id)) deeds.push(await said(api, article, known));
    }
    return deeds;
  }

  return pollMoved(clock, {
    movedSince: async (since, signal) =>
      (await movedSince(config, api, since, signal)).map((ticket) => ({
        id: ticket.id,
        at: movedAt(ticket),
        isOurs: isOurs(ticket[config.idField]),
        customer: ticket.customer_id,
      })),
    async look({ id, customer }, { known, unread }, signal) {
      const found = await api.history(id, signal).catch(gone);
      // Deleted meanwhile.
      if (!found) return { items: [], known: known ?? '' };
      const lines = found.history.toSorted((a, b) => a.id - b.id);
      const news = untilMerged(lines).filter((line) =>
        known ? line.id > Number(known) : Date.parse(line.created_at) >= unread,
      );
      const deeds = await deedsOf(news, { all: found.assets?.User ?? {}, customer }, signal);
      const items =
        deeds.length > 0 ? [{ body: Buffer.from(JSON.stringify({ ticket: id, deeds } satisfies Told)) }] : [];
      return { items, known: String(lines.at(-1)?.id ?? known ?? '') };
    },
  });
}

/** Behind that Zammad itself writes a public article, in the name of whoever merged the ticket. */
function untilMerged(lines: readonly Line[]): readonly Line[] {
  const merge = lines.findIndex(isMerge);
  return merge < 0 ? lines : lines.slice(0, merge);
}

/**
 * The oldest first, and no more than can be looked into. Each page begins where the one before it ended, so that none is
 * passed over whose place in the list changes meanwhile.
 */
async function movedSince({ idField }: Config, api: Api, since: number, signal: AbortSignal): Promise<Moved[]> {
  const found = new Map<string, Moved>();
  let [from, page] = [since, 1];
  for (let i = 0; i < MOST_PAGES; i++) {
    const condition = {
      [`ticket.${idField}`]: { operator: 'contains', value: 'tkt_' },
      'ticket.updated_at': { operator: 'after (absolute)', value: new Date(from).toISOString() },
    };
    const tickets = await api.search(condition, page, signal);
    for (const ticket of tickets) found.set(ticket.id, ticket);
    const all = [...found.values()];
    const news = all.filter((ticket) => movedAt(ticket) > since + NEW_MS);
    if (tickets.length < PAGE || news.length >= ENOUGH) return all;
    const last = Math.max(...tickets.map(movedAt));
    [from, page] = last > from ? [last, 1] : [from, page + 1];
  }
  throw new RetryableError('Zammad lists more tickets that moved than can be looked through');
}

function movedAt({ updated_at: at }: Moved): number {
  return Date.parse(at);
}

/** Deleted meanwhile, or moved where it may not be seen. */
function gone(error: unknown): undefined {
  if (isRefused(error, 403, 404)) return undefined;
  throw error;
}

function isMove({ object, attribute, value_to: to }: Line): boolean {
  return object === 'Ticket' && attribute === 'state' && to !== '';
}

function isWritten({ object, type }: Line): boolean {
  return object === 'Ticket::Article' && type === 'created';
}

function moved(line: Line, { all }: People): Deed {
  const { firstname = '', lastname = '', login = '' } = all[line.created_by_id] ?? {};
  const by = `${firstname} ${lastname}`.trim() || login || `user ${line.created_by_id}`;
  return { kind: 'state', id: String(line.id), state: line.value_to, time: line.created_at, by };
}

async function said(api: Api, { attachments, ...article }: Article, { all, customer }: People): Promise<Deed> {
  const files = (attachments ?? []).map(({ id, filename: name, size, preferences }) => ({
    id,
    name,
    size,
    type: preferences?.['Content-Type'] || preferences?.['Mime-Type'] || '',
  }));
  const pictures = picturesIn(withoutQuote(article.body), `${article.ticket_id}/${article.id}`).filter(
    (picture) => !files.some(({ id }) => id === picture),
  );
  for (const id of pictures) files.push(await pictureOf(api, article, id));
  return {
    kind: 'article',
    id: article.id,
    place: article.ticket_id,
    type: article.type,
    sender: article.sender,
    inside: article.internal,
    from: article.from,
    to: article.to,
    customer: all[customer]?.email ?? '',
    body: article.body,
    isHtml: article.content_type.startsWith('text/html'),
    time: article.created_at,
    files,
  };
}

/** One within the text isn't listed as a file: what it is, it says when it is asked for. */
async function pictureOf(api: Api, { ticket_id: ticket, id: article }: Article, id: string): Promise<File> {
  const found = await api.download(`${ticket}/${article}/${id}`).catch((error: unknown) => {
    if (error instanceof PermanentError) return undefined;
    throw error;
  });
  found?.body.destroy();
  const [type = ''] = (found?.headers['content-type'] ?? '').split(';', 1);
  const [, ending = ''] = type.split('/');
  return { id, name: `picture-${id}${/^[a-z]{1,5}$/.test(ending) ? `.${ending}` : ''}`, type, size: '' };
}
