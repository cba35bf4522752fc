import { z } from 'zod';
import { markIn } from '../../core/mark.ts';

/**
 * Texts of Jira are documents of nodes.
 * https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
 */

interface Node {
  readonly type: string;
  readonly text?: string | undefined;
  readonly attrs?: Readonly<Record<string, unknown>> | undefined;
  readonly marks?: readonly Node[] | undefined;
  readonly content?: readonly Node[] | undefined;
}

const Node: z.ZodType<Node> = z.lazy(() =>
  z.object({
    type: z.string(),
    text: z.string().optional(),
    attrs: z.record(z.string(), z.unknown()).optional(),
    marks: z.array(Node).optional(),
    content: z.array(Node).optional(),
  }),
);
/** What isn't one (empty, or text of old) is nothing. */
export const Document = Node.optional().catch(undefined);
export type Document = z.output<typeof Document>;

const BLOCKS: ReadonlySet<string> = new Set(['paragraph', 'heading', 'codeBlock', 'tableRow', 'rule']);

function linked(text: string, href: string): Node {
  return { type: 'text', text, marks: [{ type: 'link', attrs: { href } }] };
}

/**
 * Text as a document: nothing in it is read as markup, only addresses of ours become links. `link` stands before it:
 * what it says and where it leads.
 */
export function toDocument(text: string, publicUrl: string, link: { readonly text: string; readonly href: string }) {
  const blocks = text.split('\n\n').filter((block) => block.trim() !== '');
  const paragraphs = blocks.map((block) => ({ type: 'paragraph', content: inline(block, publicUrl) }));
  const head = { type: 'paragraph', content: [linked(link.text, link.href)] };
  return { type: 'doc', version: 1, content: [head, ...paragraphs] };
}

function inline(block: string, publicUrl: string): Node[] {
  return block.split('\n').flatMap((line, index) => {
    const start = line.indexOf(`${publicUrl}/`);
    // Where addresses stand they end the line: see `toPlainText`.
    const nodes =
      start < 0
        ? [{ type: 'text', text: line }]
        : [{ type: 'text', text: line.slice(0, start) }, linked(line.slice(start), line.slice(start))];
    return [...(index > 0 ? [{ type: 'hardBreak' }] : []), ...nodes.filter(({ text }) => text !== '')];
  });
}

/** A document as text, a block to the line. */
export function toText(node: Document): string {
  return node === undefined ? '' : textOf(node).trim();
}

function textOf(node: Node): string {
  const { type, content = [] } = node;
  const inside = leafOf(node) ?? content.map(textOf).join('');
  if (type === 'listItem') return `- ${inside.trim()}\n`;
  return BLOCKS.has(type) ? `${inside.trimEnd()}\n` : inside;
}

/** What is said by a node that holds no others. */
function leafOf({ type, text = '', attrs = {}, marks = [] }: Node): string | undefined {
  switch (type) {
    case 'text':
      return withAddress(text, marks);
    case 'hardBreak':
      return '\n';
    case 'mention':
    case 'emoji':
      return wordOf(attrs.text ?? attrs.shortName);
    case 'inlineCard':
    case 'blockCard':
      return wordOf(attrs.url);
    default:
      return undefined;
  }
}

/** Where a link leads is told, unless its text says so. */
function withAddress(text: string, marks: readonly Node[]): string {
  const href = wordOf(marks.find(({ type }) => type === 'link')?.attrs?.href);
  return href === '' || href === text || href === `mailto:${text}` ? text : `${text} (${href})`;
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Names of the files that stand in a document. */
export function filesIn({ type, attrs = {}, content = [] }: Node): string[] {
  const own = type === 'media' || type === 'mediaInline' ? [wordOf(attrs.alt)] : [];
  return [...own.filter((name) => name !== ''), ...content.flatMap(filesIn)];
}

/** The mark of a document of ours: the link that it begins with. */
export function markOn(document: Document): string | undefined {
  const link = document?.content?.[0]?.content?.[0]?.marks?.find(({ type }) => type === 'link');
  return markIn(`<a href="${wordOf(link?.attrs?.href)}">`);
}
