import { escapeHtml } from '../../core/escape-html.ts';
import { readMarkup } from './text/markup.ts';
import { replyIn } from './text/reply.ts';

/** From the parts of a mail to what a person reads, and what is a file. */

/** One part, as it was taken from the mail. */
export interface Part {
  /** From 1, in their order. */
  readonly position: number;
  readonly mediaType: string;
  readonly disposition: string;
  readonly name: string;
  readonly cid: string;
  readonly method: string;
  readonly children: readonly Part[];
  /** Decoded from its transfer encoding; of what has parts of its own, what stands around them. */
  bytes(): Buffer;
  /** Decoded from its charset as well. */
  text(): string;
}

/** A piece of the body, in one or both of its forms. */
interface Piece {
  readonly plain?: string;
  readonly html?: string;
}

export interface Body {
  /** All of it. */
  readonly text: string;
  /** What of it is new: without what is answered, and without signatures. */
  readonly reply: string;
  readonly html: string;
  readonly files: readonly FilePart[];
  /** Its forms have hardly a word in common: who reads the one doesn't know what the other says. */
  readonly isTwofold: boolean;
  /** Somewhere in it what looks like a part is none, since its boundaries are missing or wrong. */
  readonly isTorn: boolean;
}

export interface FilePart extends Part {
  readonly inline: boolean;
}

/** May take long. */
export function bodyOf(root: Part): Body {
  const files: FilePart[] = [];
  const pieces = piecesOf(root, files, { related: false, first: true });
  const readings = pieces.map(readPiece).filter(({ text }) => text.trim() !== '');
  const text = readings.map((each) => each.text.trimEnd()).join('\n\n');
  const html = pieces.some((piece) => piece.html !== undefined)
    ? pieces.map((piece) => piece.html ?? toHtml(piece.plain ?? ''))
    : [];
  return {
    text,
    reply: newest(replyIn(text), replyIn(readings.map((each) => each.marked.trimEnd()).join('\n\n'))),
    html: html.join('\n'),
    files,
    isTwofold: readings.some((each) => each.isTwofold),
    isTorn: isTorn(root),
  };
}

/** Every part says of itself what it is: where something else than a part does so, a part was overlooked. */
const STRAY = /^content-(?:type|disposition)[ \t]*:/im;

function isTorn(part: Part): boolean {
  if (part.children.length === 0) return isMultipart(part) && STRAY.test(part.text());
  return STRAY.test(part.bytes().toString('latin1')) || part.children.some(isTorn);
}

function isMultipart({ mediaType }: Part): boolean {
  return mediaType.startsWith('multipart/');
}

/** A piece as text, and the same without what its program marked as not new. */
function readPiece({ plain = '', html }: Piece): { text: string; marked: string; isTwofold: boolean } {
  if (html === undefined) return { text: plain, marked: plain, isTwofold: false };
  const markup = readMarkup(html);
  if (plain.trim() === '') return { ...markup, isTwofold: false };
  const isTwofold = differWholly(plain, markup.text);
  return { text: plain, marked: markup.isMarked && !isTwofold ? markup.marked : plain, isTwofold };
}

/** What programs mark is surer than what lines look like; where both say the same, the plain text has better lines. */
function newest(plain: string, marked: string): string {
  const letters = (text: string) => text.replace(/[^\p{L}\p{N}]+/gu, '');
  return marked === '' || letters(marked) === letters(plain) ? plain : marked;
}

/** Of fewer words that says nothing. */
const FEWEST_WORDS = 10;

function differWholly(one: string, other: string): boolean {
  const words = (text: string) =>
    new Set(
      text
        .slice(0, 20_000)
        .toLowerCase()
        .match(/\p{L}{4,30}/gu),
    );
  const [ours, theirs] = [words(one), words(other)];
  if (ours.size < FEWEST_WORDS || theirs.size < FEWEST_WORDS) return false;
  return [...ours].filter((word) => theirs.has(word)).length * 10 < Math.min(ours.size, theirs.size);
}

interface Place {
  /** Below a multipart/related, whose parts belong into its first one. */
  readonly related: boolean;
  /** Nothing that could be the body came before. */
  readonly first: boolean;
}

function piecesOf(part: Part, files: FilePart[], place: Place): Piece[] {
  // Whatever it is called: some call a mail of many parts plain text, and one without a boundary a multipart.
  if (part.children.length === 0) return leafOf(part, files, place);
  if (part.mediaType === 'multipart/alternative') return alternativesOf(part, files, place);
  const related = place.related || part.mediaType === 'multipart/related';
  const pieces: Piece[] = [];
  for (const child of part.children) {
    const first = place.first && pieces.length === 0;
    pieces.push(...piecesOf(child, files, { related, first }));
  }
  return pieces;
}

/** The same in several forms: the first that is text with the last that is HTML. */
function alternativesOf(part: Part, files: FilePart[], place: Place): Piece[] {
  const forms = part.children.map((child) => piecesOf(child, files, place)).filter((pieces) => pieces.length > 0);
  const plain = forms.find((pieces) => pieces.every((piece) => piece.html === undefined));
  const rich = forms.findLast((pieces) => pieces.some((piece) => piece.html !== undefined));
  if (!plain || !rich) return rich ?? plain ?? [];
  return [
    {
      plain: plain.map((piece) => piece.plain ?? '').join('\n'),
      html: rich.map((piece) => piece.html ?? toHtml(piece.plain ?? '')).join('\n'),
    },
  ];
}

function leafOf(part: Part, files: FilePart[], place: Place): Piece[] {
  const isText = part.mediaType === 'text/plain' || part.mediaType === 'text/html' || isMultipart(part);
  // Nothing but the end of parts that aren't there.
  if (isMultipart(part) && part.text().split('\n').every(isEnd)) return [];
  // A name alone makes the first text no file: some programs name the body.
  if (isText && part.disposition !== 'attachment' && (part.name === '' || place.first)) {
    return [part.mediaType === 'text/html' ? { html: part.text() } : { plain: part.text() }];
  }
  files.push({ ...part, inline: part.disposition !== 'attachment' && part.cid !== '' && place.related });
  return [];
}

function isEnd(line: string): boolean {
  return line.trim() === '' || /^--\S*--\s*$/.test(line);
}

function toHtml(text: string): string {
  return `<pre>${escapeHtml(text)}</pre>`;
}
