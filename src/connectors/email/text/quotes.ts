import { headerAt, quotedHeaderAt } from './header.ts';
import { introEndingIn } from './intro.ts';
import type { Line } from './lines.ts';
import { announces } from './lines.ts';

/** Lines that say that what follows is somebody else's. */
export interface Quote {
  readonly kind: 'intro' | 'header' | 'forwarded' | 'original';
  /** How many lines it has; for an announcement, with the header below it. */
  readonly length: number;
}

/** Where quotes begin: by the first line of what announces them. */
export type Quotes = ReadonlyMap<Line, Quote>;

export function quotesIn(lines: readonly Line[]): Quotes {
  const quotes = new Map<Line, Quote>();
  for (let at = 0; at < lines.length;) {
    const length = noteQuote(lines, at, quotes);
    at += Math.max(1, length);
  }
  return quotes;
}

/** Notes what begins in line `at`, or as an introduction ends in it; returns how many lines are done with. */
function noteQuote(lines: readonly Line[], at: number, quotes: Map<Line, Quote>): number {
  const line = lines[at];
  if (!line || line.bare === '') return 1;
  const announced = announces(line.bare);
  if (announced) {
    const length = endOfHeader(lines, at + 1) - at;
    quotes.set(line, { kind: announced, length });
    return length;
  }
  const header = quotedHeaderAt(lines, at);
  if (header) {
    quotes.set(line, { kind: 'header', length: header.end - at });
    return header.end - at;
  }
  const intro = introEndingIn(lines, at);
  const first = intro && lines[intro.start];
  if (intro && first && (intro.isSure || isQuoted(lines, intro))) {
    quotes.set(first, { kind: 'intro', length: intro.end - intro.start });
  }
  return 1;
}

/** Behind the header that may follow an announcement. */
function endOfHeader(lines: readonly Line[], from: number): number {
  const blank = lines.slice(from, from + 4).findIndex(({ bare }) => bare !== '');
  return (blank >= 0 && headerAt(lines, from + blank)?.end) || from;
}

/** Whether quoted lines follow. */
function isQuoted(lines: readonly Line[], { start, end }: { readonly start: number; readonly end: number }): boolean {
  const next = lines.slice(end, end + 6).find(({ bare }) => bare !== '');
  return (next?.depth ?? 0) > (lines[start]?.depth ?? 0);
}
