import type { FormatCallback, HtmlToTextOptions } from 'html-to-text';

/** What somebody wrote in Teams' HTML. */
export interface Words {
  readonly text: string;
  /** With what he quotes, where he quotes something. */
  readonly textFull?: string;
  /** The messages that he quotes. */
  readonly quoted: readonly string[];
}

/** Teams takes messages of up to 100 KB. With more, or with more tags, reading takes longer than a message is worth. */
const MOST_HTML = 200_000;
const MOST_TAGS = 5000;
const SCHEMA = 'http://schema.skype.com';
/** Letters of nobody's alphabet around what is decided on once the tags are gone. */
const MARKS = { mention: '\ue000', quote: '\ue001', end: '\ue002' } as const;
const MENTION = /\ue000([^\ue000-\ue002]*)\ue002/g;
const QUOTE = /\ue001([^\ue000-\ue002]*)\ue002/g;

const marked =
  (mark: string, valueOf: (...given: Parameters<FormatCallback>) => void): FormatCallback =>
  (element, walk, builder, options) => {
    builder.addInline(mark);
    valueOf(element, walk, builder, options);
    builder.addInline(MARKS.end);
  };

const FORMATTERS: Record<string, FormatCallback> = {
  mention: marked(MARKS.mention, (element, walk, builder) => walk(element.children, builder)),
  quoted: marked(MARKS.quote, (element, _walk, builder) =>
    builder.addInline((element.attribs as Record<string, string | undefined>)['itemid'] ?? ''),
  ),
  emoji: (element, _walk, builder) =>
    builder.addInline((element.attribs as Record<string, string | undefined>)['alt'] ?? ''),
};

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  formatters: FORMATTERS,
  selectors: [
    { selector: 'a', options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true } },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
    { selector: 'p', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
    // Pictures come as files.
    { selector: 'img', format: 'skip' },
    { selector: `img[itemtype="${SCHEMA}/Emoji"]`, format: 'emoji' },
    { selector: 'emoji', format: 'emoji' },
    { selector: 'attachment', format: 'skip' },
    { selector: 'at', format: 'mention' },
    { selector: `span[itemtype="${SCHEMA}/Mention"]`, format: 'mention' },
  ],
  limits: { maxDepth: 100 },
};

const REPLY = `blockquote[itemtype="${SCHEMA}/Reply"]`;

/** Undefined where it is too much. `botNames`: mentions of the bot, which say nothing. */
export type ReadMarkup = (html: string, botNames: readonly string[]) => Words | undefined;

export async function createReadMarkup(): Promise<ReadMarkup> {
  const { compile } = await import('html-to-text');
  const withQuotes = compile(OPTIONS);
  const selectors = [...(OPTIONS.selectors ?? []), { selector: REPLY, format: 'quoted' }];
  const withoutQuotes = compile({ ...OPTIONS, selectors });
  return (html, botNames) => {
    if (html.length > MOST_HTML || html.split('<', MOST_TAGS).length === MOST_TAGS) return undefined;
    const clean = html.replace(/[\ue000-\ue002]/g, '');
    const read = withoutQuotes(clean);
    const quoted = Array.from(read.matchAll(QUOTE), ([, id = '']) => id).filter((id) => id !== '');
    const text = wordsOf(read, botNames);
    const isQuoting = read.includes(MARKS.quote);
    return { text, quoted, ...(isQuoting && { textFull: wordsOf(withQuotes(clean), botNames) }) };
  };
}

function wordsOf(read: string, botNames: readonly string[]): string {
  return read
    .replace(QUOTE, '')
    .replace(MENTION, (_, name: string) => (botNames.includes(name.trim()) ? '' : `@${name.trim()}`))
    .replaceAll('\u00a0', ' ')
    .trim();
}
