import type { Carried } from './field-mapping.ts';
import { escapeHtml } from './escape-html.ts';
import { describe, filesOf, type Block, type Note } from './words-of.ts';
import type { Message } from './ticket.ts';

/**
 * A message in words, for help desks: who wrote when through which channel, what, and what of it isn't shown here.
 * Everything that is left out is named, with a link to where it is.
 */

export interface Wording {
  /** The address of the installation: where links lead. */
  readonly publicUrl: string;
  /** Most bytes (UTF-8) of what comes out. */
  readonly max: number;
  /** Files that are stored but don't go along: id of the attachment → why. */
  readonly unsent?: ReadonlyMap<string, string>;
}

type Said = Carried & { readonly transcript: readonly Message[] };

export function toPlainText(said: Said, wording: Wording): string {
  return render(said, wording, {
    block: ({ head, body, notes }) => {
      const shown = notes.map(({ text, href }) => (href === undefined ? text : `${text}: ${href}`));
      return [head, body, shown.join('\n')].filter((part) => part !== '').join('\n\n');
    },
    between: '\n\n--------\n\n',
  });
}

/** Markup of our own with everything of others escaped; the HTML that somebody sent never goes along. */
export function toSafeHtml(said: Said, wording: Wording): string {
  return render(said, wording, {
    block: ({ head, body, notes }) => {
      const text = body === '' ? '' : `<p>${escapeHtml(body).replaceAll('\n', '<br>')}</p>`;
      const shown = notes.map((note) => `<li>${htmlOf(note)}</li>`).join('');
      return `<p><b>${escapeHtml(head)}</b></p>${text}${shown && `<ul>${shown}</ul>`}`;
    },
    between: '<hr>',
  });
}

function htmlOf({ text, href }: Note): string {
  return href === undefined ? escapeHtml(text) : `<a href="${escapeHtml(href)}">${escapeHtml(text)}</a>`;
}

interface Markup {
  block(block: Block): string;
  readonly between: string;
}

function render({ ticket, message, transcript }: Said, wording: Wording, markup: Markup): string {
  const link = `${wording.publicUrl}/t/${ticket.id}`;
  const files = filesOf(message, wording);
  const last = fitted(describe(message, { ticket, link, files }), { max: wording.max, link, markup });
  const before = transcript.map((each) =>
    describe(each, { ticket, link, files: filesOf(each, { ...wording, unsent: 'all' }) }),
  );
  return [...earlier(before, wording.max - sizeOf(last) - sizeOf(markup.between), link, markup), last].join(
    markup.between,
  );
}

/** What was said before, as much of its end as fits; what doesn't is counted. */
function earlier(blocks: readonly Block[], room: number, link: string, markup: Markup): string[] {
  const shown: string[] = [];
  const gap = sizeOf(markup.between);
  const missing = (count: number) =>
    markup.block({
      head: `${count} earlier ${count === 1 ? 'message is' : 'messages are'} not shown here`,
      body: '',
      notes: [{ text: 'All of it', href: link }],
    });
  let left = room;
  for (const [index, block] of [...blocks.entries()].toReversed()) {
    const text = markup.block(block);
    const reserve = index === 0 ? 0 : sizeOf(missing(index)) + gap;
    if (sizeOf(text) + gap + reserve > left) {
      const note = missing(index + 1);
      return sizeOf(note) + gap > left ? shown : [note, ...shown];
    }
    left -= sizeOf(text) + gap;
    shown.unshift(text);
  }
  return shown;
}

/** The block in at most so many bytes: first its text is cut, then its notes, each time saying so. */
function fitted(block: Block, { max, link, markup }: { max: number; link: string; markup: Markup }): string {
  const whole = markup.block(block);
  if (sizeOf(whole) <= max) return whole;
  const withText = (body: string, notes: readonly Note[]) => {
    const cut = block.body.length - body.length;
    const mark = cut === 0 ? [] : [{ text: `Cut here: ${cut} more characters. The whole text`, href: link }];
    return markup.block({ ...block, body, notes: [...mark, ...notes] });
  };
  const withNotes = (count: number) => {
    const left = block.notes.length - count;
    const mark = left === 0 ? [] : [{ text: `${left} more lines`, href: link }];
    return [...block.notes.slice(0, count), ...mark];
  };
  // The notes may have at most half of it, the text gets the rest.
  const count = mostOf(block.notes.length, (n) => sizeOf(withText('', withNotes(n))) <= max / 2);
  const notes = withNotes(count);
  const length = mostOf(block.body.length, (n) => sizeOf(withText(headOf(block.body, n), notes)) <= max);
  return withText(headOf(block.body, length), notes);
}

/** The largest number up to `most` that fits; 0 where none does. */
function mostOf(most: number, fits: (n: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The beginning of a text, never half of a character. */
function headOf(text: string, length: number): string {
  const code = text.charCodeAt(length - 1);
  return text.slice(0, code >= 0xd800 && code <= 0xdbff && length < text.length ? length - 1 : length);
}

function sizeOf(text: string): number {
  return Buffer.byteLength(text);
}
