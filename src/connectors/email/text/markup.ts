import type { FormatCallback } from 'html-to-text';
import { compile } from 'html-to-text';
import { MOST_HTML } from '../mail.ts';
import { announces } from './lines.ts';

/** The text of a mail in HTML. */
export interface Markup {
  /** All of it, quotes marked with `>`. */
  readonly text: string;
  /** The same without what its program marked as signature or as the mail that is answered. */
  readonly marked: string;
  /** The program marked something. */
  readonly isMarked: boolean;
}

/** Letters of nobody's alphabet, each alone in a line, for what is lost when tags go. */
const MARKS = { quote: '\ue000', signature: '\ue001', intro: '\ue002', end: '\ue003', rest: '\ue004' } as const;

const around =
  (mark: string, breaks: number): FormatCallback =>
  (element, walk, builder) => {
    const write = (letter: string, before: number, after: number) => {
      builder.openBlock({ leadingLineBreaks: before });
      builder.addInline(letter);
      builder.closeBlock({ trailingLineBreaks: after });
    };
    write(mark, breaks, 1);
    if (mark === MARKS.rest) return walk(element.children, builder);
    builder.openBlock({ leadingLineBreaks: 1 });
    walk(element.children, builder);
    builder.closeBlock({ trailingLineBreaks: 1 });
    write(MARKS.end, 1, breaks);
  };

/** Below it stands the mail that is answered: Outlook on the web, on phones and for Mac, Zimbra. */
const RESTS = [
  ...['#appendonsend', '#divRplyFwdMsg', '#mail-editor-reference-message-container', '#OLK_SRC_BODY_SECTION'],
  ...['#zwchr', '#ms-outlook-mobile-body-separator-line', '.ms-outlook-mobile-reference-message'],
];
/** Quotes: everybody's blockquote, and the containers of those that use none. */
const QUOTES = ['blockquote', '.yahoo_quoted', '.yahoo-quoted', '.protonmail_quote', '.tutanota_quote', '.zmail_extra'];
/** The quotes that are none: Gmail and Apple Mail indent with them. */
const INDENTS = ['blockquote[style*="border:none"]', 'blockquote[style*="border: none"]'];
const INTROS = ['.moz-cite-prefix', '.gmail_attr'];
const SIGNATURES = [
  ...['.gmail_signature', '.gmail_signature_prefix', '.moz-signature', '#Signature', '#AppleMailSignature'],
  ...['#ms-outlook-mobile-signature', '.protonmail_signature_block', '.ms-outlook-mobile-signature'],
];

const convert = compile({
  wordwrap: false,
  formatters: {
    quote: around(MARKS.quote, 2),
    signature: around(MARKS.signature, 1),
    intro: around(MARKS.intro, 1),
    rest: around(MARKS.rest, 1),
  },
  selectors: [
    { selector: 'img', format: 'skip' },
    { selector: 'a', options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true } },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
    { selector: 'table', format: 'dataTable', options: { uppercaseHeaderCells: false, maxColumnWidth: 60 } },
    ...QUOTES.map((selector) => ({ selector, format: 'quote' })),
    ...INDENTS.map((selector) => ({ selector, format: 'block' })),
    ...INTROS.map((selector) => ({ selector, format: 'intro' })),
    ...SIGNATURES.map((selector) => ({ selector, format: 'signature' })),
    ...RESTS.map((selector) => ({ selector, format: 'rest' })),
    // What nobody sees: the first words that a list of mails shows.
    ...['[style*="display:none"]', '[style*="display: none"]'].map((selector) => ({ selector, format: 'skip' })),
  ],
  limits: { maxInputLength: MOST_HTML },
});

/** More tags than any mail has that people read; beyond it the structure is more work than it is worth. */
const MOST_TAGS = 50_000;

export function readMarkup(html: string): Markup {
  try {
    if (html.split('<', MOST_TAGS).length < MOST_TAGS) return unmarked(convert(html.replace(/[\ue000-\ue004]/g, '')));
  } catch {
    // Nested deeper than the stack is.
  }
  const text = html.slice(0, MOST_HTML).replace(/<(?:[^<>]*>)?/g, ' ');
  return { text, marked: text, isMarked: false };
}

/** More lines are no signature: somebody wrote his text into it. */
const LONGEST_SIGNATURE = 20;
/** Quotes in quotes beyond it look the same. */
const DEEPEST = 20;

/** From lines with marks to what they mean. */
function unmarked(converted: string): Markup {
  const page: Page = { open: [], text: [], marked: [], signature: [], isMarked: false, isRest: false };
  for (const line of converted.split('\n')) {
    const mark = line.trim();
    if (mark.length === 1 && mark >= MARKS.quote && mark <= MARKS.rest) noteMark(page, mark);
    else noteLine(page, line);
  }
  return { text: tidied(page.text), marked: tidied(page.marked), isMarked: page.isMarked };
}

interface Page {
  /** Marks that haven't ended. */
  readonly open: string[];
  readonly text: string[];
  readonly marked: string[];
  /** Of the one that is open. */
  readonly signature: string[];
  isMarked: boolean;
  /** All that follows is quoted. */
  isRest: boolean;
}

function noteMark(page: Page, mark: string): void {
  page.isMarked = true;
  if (mark === MARKS.rest) page.isRest = true;
  else if (mark !== MARKS.end) page.open.push(mark);
  else if (page.open.pop() === MARKS.signature && !page.open.includes(MARKS.signature)) {
    if (page.signature.length > LONGEST_SIGNATURE) page.marked.push(...page.signature);
    page.signature.length = 0;
  }
}

function noteLine({ open, text, marked, signature, isRest }: Page, line: string): void {
  const quotes = Math.min(DEEPEST, open.filter((mark) => mark === MARKS.quote).length);
  const quoted = '> '.repeat(quotes) + line;
  text.push(quoted);
  if (isRest) return;
  const isIntro = open.at(-1) === MARKS.intro && line.trim() !== '' && !announces(line.trim());
  const isSignature = quotes === 0 && open.includes(MARKS.signature);
  (isSignature ? signature : marked).push(isIntro ? `> ${quoted}` : quoted);
}

/** With at most one blank line at a time, in and around quotes too. */
function tidied(lines: readonly string[]): string {
  const kept: string[] = [];
  const isBlank = (line: string | undefined) => line !== undefined && /^[> ]*$/.test(line);
  for (const line of lines) {
    if (!isBlank(line) || !isBlank(kept.at(-1))) kept.push(line.trimEnd());
    else if (line === '') kept[kept.length - 1] = '';
  }
  return kept.join('\n').trim();
}
