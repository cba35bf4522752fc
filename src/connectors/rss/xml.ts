import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type * as sax from 'sax';
import type { QualifiedAttribute } from 'sax';
import { PermanentError, RetryableError } from '../../core/errors.ts';

/** An element with everything in it, in order. Names are in small letters, with their prefix. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: (Element | string)[];
}

export type Sax = Pick<typeof sax, 'parser'>;

/** No feed is deeper, and none that people read has more elements. */
const DEEPEST = 200;
const MOST_ELEMENTS = 100_000;

/**
 * The root of a document, read leniently: unknown entities stay as they are written. What a document defines itself
 * (DTD, entities) is never used, so nothing in it can grow or be fetched. Throws for what is no XML, cut off, too deep
 * or too large.
 */
export function readXml({ parser: create }: Sax, text: string): Element {
  // Lenient; https://github.com/isaacs/sax-js
  const parser = create(false, { lowercase: true, position: false });
  const document: Element = { name: '', attributes: {}, children: [] };
  const open = [document];
  let count = 0;
  const add = (part: Element | string) => open.at(-1)?.children.push(part);
  parser.onopentag = ({ name, attributes }) => {
    if (++count > MOST_ELEMENTS || open.length > DEEPEST) throw tooLarge();
    const pairs = Object.entries<string | QualifiedAttribute>(attributes);
    const plain = pairs.map(([key, value]) => [key, typeof value === 'string' ? value : value.value] as const);
    const element: Element = { name, attributes: Object.fromEntries(plain), children: [] };
    add(element);
    open.push(element);
  };
  parser.onclosetag = (name) => {
    if (open.length > 1 && open.at(-1)?.name === name) open.pop();
  };
  parser.ontext = parser.oncdata = add;
  // It goes on behind what it can't read.
  parser.onerror = () => parser.resume();
  parser.write(text).close();
  const root = document.children.find((child) => typeof child !== 'string');
  if (!root) throw new PermanentError('the answer is no XML', { hint: 'Set the address of a feed.' });
  if (open.length > 1) throw new RetryableError('the feed is cut off');
  return root;
}

function tooLarge(): PermanentError {
  return new PermanentError(`the feed has more than ${MOST_ELEMENTS} elements, or is deeper than ${DEEPEST}`);
}

/** The words in an element and in everything in it. */
export function textOf(element: Element | undefined): string {
  return (element?.children ?? []).map((child) => (typeof child === 'string' ? child : textOf(child))).join('');
}

/** What is in an element, as markup; only what links needs of the attributes. */
export function markupOf({ children }: Element): string {
  return children
    .map((child) => {
      if (typeof child === 'string') return escaped(child);
      const name = child.name.split(':').at(-1) ?? '';
      const href = child.attributes['href'];
      return `<${name}${href === undefined ? '' : ` href="${escaped(href)}"`}>${markupOf(child)}</${name}>`;
    })
    .join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/**
 * The text of a document. What is UTF-8 is read so, whatever is said of it: hardly any other text is by chance. Else by
 * its byte-order mark, by what it says of itself, and by what the server says of it.
 */
export function decoded(bytes: Buffer, contentType: string): string {
  if (isUtf8(bytes)) return new TextDecoder('utf-8').decode(bytes);
  const head = bytes.subarray(0, 200).toString('latin1');
  const mark = head.startsWith('\xff\xfe') ? 'utf-16le' : head.startsWith('\xfe\xff') ? 'utf-16be' : undefined;
  const own = /^[^<]{0,10}<\?xml[^>]{0,150}encoding=["']([\w.:-]{1,40})/i.exec(head)?.[1];
  const said = /charset=["']?([\w.:-]{1,40})/i.exec(contentType.slice(0, 500))?.[1];
  for (const label of [mark, own, said]) {
    const decoder = label === undefined || /^utf-?8$/i.test(label) ? undefined : decoderOf(label);
    if (decoder) return decoder.decode(bytes);
  }
  return new TextDecoder('utf-8').decode(bytes);
}

function decoderOf(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}
