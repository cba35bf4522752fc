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
  /** Decoded from its transfer encoding; empty for a multipart. */
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
  readonly text: string;
  readonly html: string;
  readonly files: readonly FilePart[];
}

export interface FilePart extends Part {
  readonly inline: boolean;
}

/** Markup to text; may be slow and may throw. */
export type ToText = (html: string) => string;

export function bodyOf(root: Part, toText: ToText): Body {
  const files: FilePart[] = [];
  const pieces = piecesOf(root, files, { related: false, first: true });
  const text = pieces.map(({ plain, html }) => (isBlank(plain) ? toText(html ?? '') : (plain ?? '')).trimEnd());
  const html = pieces.some((piece) => piece.html !== undefined)
    ? pieces.map((piece) => piece.html ?? toHtml(piece.plain ?? ''))
    : [];
  return { text: text.filter((each) => each.trim() !== '').join('\n\n'), html: html.join('\n'), files };
}

interface Place {
  /** Below a multipart/related, whose parts belong into its first one. */
  readonly related: boolean;
  /** Nothing that could be the body came before. */
  readonly first: boolean;
}

function piecesOf(part: Part, files: FilePart[], place: Place): Piece[] {
  if (!part.mediaType.startsWith('multipart/')) return leafOf(part, files, place);
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
  const isText = part.mediaType === 'text/plain' || part.mediaType === 'text/html';
  // A name alone makes the first text no file: some programs name the body.
  if (isText && part.disposition !== 'attachment' && (part.name === '' || place.first)) {
    return [part.mediaType === 'text/html' ? { html: part.text() } : { plain: part.text() }];
  }
  files.push({ ...part, inline: part.disposition !== 'attachment' && part.cid !== '' && place.related });
  return [];
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === '';
}

function toHtml(text: string): string {
  const escaped = text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  return `<pre>${escaped}</pre>`;
}
