import { escapeHtml } from './escape-html.ts';
import { htmlToText } from './html-text.ts';
import type { Message, Ticket } from './ticket.ts';

/**
 * What a help desk is given along with a message, where its agents don't see it, so that it is found again after a lost
 * answer and doesn't come back as an agent's. One delivery of one message: an edit, or that an answer failed, is another.
 */
export function markOf({
  id,
  revision,
  deletedAt,
  delivery,
}: Pick<Message, 'id' | 'revision' | 'deletedAt' | 'delivery'>) {
  const state = deletedAt === null ? (delivery?.state === 'failed' ? '.failed' : '') : '.deleted';
  return `${id}.${revision}${state}`;
}

/** Longest address of ours in what a help desk gives back; what is longer is somebody else's. */
const LONGEST = 3000;

/**
 * For help desks that keep nothing of ours out of sight: the words begin with a link to the ticket here, which carries the
 * mark and is of use to the agents.
 */
export function withMark(
  html: string,
  { publicUrl, ticket, message }: { readonly publicUrl: string; readonly ticket: Ticket; readonly message: Message },
): string {
  const href = `${publicUrl}/t/${ticket.id}#${markOf(message)}`;
  return `<p><a href="${escapeHtml(href)}">#${ticket.number}</a></p>${html}`;
}

/**
 * The mark of words that begin with it, whatever the help desk made of the markup around it. Of ours that somebody quotes
 * below his own words it is none.
 */
export function markIn(html: string): string | undefined {
  const start = html.indexOf('<a ');
  if (start < 0 || start > LONGEST || htmlToText(html.slice(0, start)) !== '') return undefined;
  const tag = html.slice(start, start + LONGEST).split('>', 1)[0] ?? '';
  const href = tag.split('href="')[1]?.split('"', 1)[0] ?? '';
  const [, mark] = href.includes('/t/tkt_') ? href.split('#') : [];
  return mark !== undefined && /^[a-z]{3}_[\w.-]{1,200}$/.test(mark) ? mark : undefined;
}

/** First line of a mail that asks colleagues for an answer: nothing from here on goes to the customer. */
export const ANSWER_ABOVE = '##- Answer above this line -##';
