import type { Line } from './lines.ts';
import { linesOf } from './lines.ts';
import type { Quotes } from './quotes.ts';
import { quotesIn } from './quotes.ts';
import { isBanner, signatureIn } from './signature.ts';

/**
 * What a person wrote, without what he answers and without signatures: as it stands, but for lines left out. Empty
 * when everything is quoted. Answers between the lines of a quote are kept together with it.
 */
export function replyIn(text: string): string {
  const lines = linesOf(text);
  const quotes = quotesIn(lines);
  return joined(newIn(lines.slice(endOfBanner(lines)), { quotes, left: MOST_QUOTES }));
}

/** More of them one below the other are nobody's conversation: the rest counts as text. */
const MOST_QUOTES = 50;

interface Search {
  readonly quotes: Quotes;
  readonly left: number;
}

/** Without the blank lines at both ends. */
export function joined(lines: readonly Line[]): string {
  const first = lines.findIndex(({ bare }) => bare !== '');
  if (first < 0) return '';
  return lines
    .slice(first, lines.findLastIndex(({ bare }) => bare !== '') + 1)
    .map(({ raw }) => raw)
    .join('\n');
}

/** What is new: text, and quotes with answers below them. */
function newIn(lines: readonly Line[], { quotes, left }: Search): readonly Line[] {
  const search = { quotes, left: left - 1 };
  const start = lines.findIndex(({ bare }) => bare !== '');
  const top = lines[start];
  if (!top || left === 0) return lines;
  const quote = quotes.get(top);
  if (quote?.kind === 'intro') return belowIntro(lines.slice(start + quote.length), search);
  // Above it there is nothing: so what it announces is what there is. A header alone may be what a form has sent.
  const isAnnounced = quote?.kind === 'forwarded' || quote?.kind === 'original';
  if (isAnnounced && top.depth === 0) return newIn(lines.slice(start + quote.length), search);
  return aboveQuote(lines, top, search);
}

/** What stands above the first quote, and with an answer to it, the quote too. */
function aboveQuote(lines: readonly Line[], top: Line, search: Search): readonly Line[] {
  const at = lines.findIndex((line) => line.depth === 0 && line !== top && search.quotes.has(line));
  const next = lines[at] && search.quotes.get(lines[at]);
  if (!next) return withoutEnd(lines);
  const above = lines.slice(0, at);
  const answer = next.kind === 'intro' ? answerBelow(lines.slice(at + next.length), search) : undefined;
  return answer ? [...above, ...answer] : withoutEnd(above);
}

/** The quote comes first: then its text is new if nobody marked it as quoted, else what is written below. */
function belowIntro(lines: readonly Line[], search: Search): readonly Line[] {
  const end = endOfQuote(lines);
  const below = newIn(lines.slice(end), search);
  // More quotes follow: the answers are between their lines.
  return below.some(({ depth }) => depth > 0) ? [...lines.slice(0, end), ...below] : below;
}

/** A quote with somebody's text below it or between its lines; undefined when there is none. */
function answerBelow(lines: readonly Line[], search: Search): readonly Line[] | undefined {
  const end = endOfQuote(lines);
  if (!lines.slice(0, end).some(({ depth }) => depth > 0)) return undefined;
  const below = newIn(lines.slice(end), search);
  return below.some(({ bare, depth }) => bare !== '' && depth === 0) ? [...lines.slice(0, end), ...below] : undefined;
}

/** Behind the quoted lines that `lines` begin with, blank ones among them. */
function endOfQuote(lines: readonly Line[]): number {
  const end = lines.findIndex(({ bare, depth }) => bare !== '' && depth === 0);
  return end < 0 ? lines.length : end;
}

/** Text to the end: without its signature, and without a quote that nobody answers. */
function withoutEnd(lines: readonly Line[]): readonly Line[] {
  const rest = lines.slice(0, signatureIn(lines));
  const last = rest.findLastIndex(({ bare, depth }) => bare !== '' && depth === 0);
  // Nothing but a quote: then it is what there is.
  if (last < 0) return rest;
  return rest.slice(0, signatureIn(rest.slice(0, last + 1)));
}

/** Behind what a mail server put before the text: that it comes from outside. */
function endOfBanner(lines: readonly Line[]): number {
  const start = lines.findIndex(({ bare }) => bare !== '');
  const length = lines.slice(Math.max(0, start)).findIndex(({ bare }) => bare === '');
  if (start < 0 || length < 0) return 0;
  const paragraph = lines.slice(start, start + length).map(({ bare }) => bare);
  return isBanner(paragraph.join(' ').toLowerCase()) ? start + length : 0;
}
