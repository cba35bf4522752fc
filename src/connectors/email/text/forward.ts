import { headerAt, quotedHeaderAt } from './header.ts';
import type { Header } from './header.ts';
import { introEndingIn } from './intro.ts';
import type { Line } from './lines.ts';
import { announces, linesOf } from './lines.ts';
import type { Named } from './people.ts';
import { peopleIn } from './people.ts';
import { quotesIn } from './quotes.ts';
import { joined, replyIn } from './reply.ts';
import { withoutPrefixes } from './subject.ts';

/** A mail that somebody passed on, as its text says. */
export interface Forward {
  /** What he wrote above it. */
  readonly note: string;
  /** Who wrote it first. */
  readonly from?: Named;
  readonly to: readonly Named[];
  readonly cc: readonly Named[];
  /** As it is written there. */
  readonly date: string;
  readonly subject: string;
  /** Its text, with whatever is quoted in it. */
  readonly text: string;
  /** What of that its author wrote. */
  readonly reply: string;
}

/**
 * The mail that is passed on in a text, or undefined. Answers quote too: so the text or the subject must say that it is
 * a forward, or the subject be unknown.
 */
export function forwardIn(text: string, subject: string | undefined): Forward | undefined {
  const lines = linesOf(text);
  const said = withoutPrefixes(subject ?? '');
  const header = subject === undefined || said.isForward ? firstHeader(lines) : undefined;
  const announced = announcement(lines);
  const found = announced && header && header.start < announced.start ? header : (announced ?? header);
  return found && toForward(lines, found, said.subject);
}

function toForward(lines: readonly Line[], { start, header }: Found, subject: string): Forward {
  const { from = '', to = '', cc = '', date = '', ...values } = header.values;
  const text = joined(lines.slice(header.end).map(withoutMark));
  const author = peopleIn(from)[0] ?? (from === '' ? undefined : { name: from.slice(0, 200), address: '' });
  return {
    note: joined(withoutRule(lines.slice(0, start))),
    ...(author && { from: author }),
    to: peopleIn(to),
    cc: peopleIn(cc),
    date,
    subject: values.subject ?? subject,
    text,
    reply: replyIn(text),
  };
}

interface Found {
  /** The first line that isn't the note any more. */
  readonly start: number;
  readonly header: Header;
}

/** `Forwarded message`, or a quote that begins with the original message without anybody's `wrote` above it. */
function announcement(lines: readonly Line[]): Found | undefined {
  const first = lines.findIndex(({ depth }) => depth > 0);
  const quotes = quotesIn(lines);
  for (const [at, line] of lines.entries()) {
    // An answer: what was forwarded in it is history.
    if (quotes.get(line)?.kind === 'intro') return undefined;
    const kind = announces(line.bare);
    if (kind === undefined) continue;
    if (kind === 'original' && at !== first) return undefined;
    const next = lines.findIndex(({ bare }, index) => index > at && bare !== '');
    const header = next < 0 ? undefined : (headerAt(lines, next) ?? introduction(lines, next));
    return header?.values.from === undefined ? undefined : { start: at, header };
  }
  return undefined;
}

/** Yandex has one line instead of a header: `22.11.2026, 10:00, "Ann Smith" <ann@example.com>:`. */
function introduction(lines: readonly Line[], at: number): Header | undefined {
  const { bare = '' } = lines[at] ?? {};
  if (introEndingIn(lines, at)?.start !== at) return undefined;
  const [name, ...before] = bare.split(', ').toReversed();
  return { end: at + 1, values: { from: name ?? '', date: before.toReversed().join(', ') } };
}

function firstHeader(lines: readonly Line[]): Found | undefined {
  for (let at = 0; at < lines.length; at++) {
    const header = quotedHeaderAt(lines, at);
    if (header) return { start: at, header };
  }
  return undefined;
}

function withoutRule(lines: readonly Line[]): readonly Line[] {
  const last = lines.findLastIndex(({ bare }) => bare !== '');
  return /^[-_=]{5,}$/.test(lines[last]?.bare ?? '') ? lines.slice(0, last) : lines;
}

/** One mark is taken off: what was quoted in the mail itself keeps its own. */
function withoutMark(line: Line): Line {
  return { ...line, raw: line.raw.replace(/^ ?> ?/, '') };
}
