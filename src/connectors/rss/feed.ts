import { createHash } from 'node:crypto';
import { z } from 'zod';
import { PermanentError } from '../../core/errors.ts';
import { readTime } from './time.ts';
import { markupOf, textOf } from './xml.ts';
import type { Element } from './xml.ts';

const line = z.string().max(1000).optional();

/** One entry of a feed, as `poll` hands it over. */
export const Entry = z.object({
  id: z.string().min(1).max(512),
  feed: line,
  title: line,
  url: z.string().max(2000).optional(),
  author: z.object({ name: line, email: line, uri: line }),
  at: z.number().optional(),
  /** Markup, or text where nothing in it is a tag. */
  content: z.string(),
  categories: z.string().max(1000).optional(),
  enclosure: z.string().max(2000).optional(),
  answers: z.string().max(512).optional(),
  language: z.string().max(35).optional(),
});
export type Entry = z.output<typeof Entry>;

const MOST_ENTRIES = 1000;
const LONGEST = 1_000_000;

/** The entries of RSS 2.0, RSS 1.0 or Atom, the oldest first. `url`: where it was read. Throws when it is none of them. */
export function entriesOf(root: Element, url: string): Entry[] {
  if (!['rss', 'feed', 'rdf:rdf'].includes(root.name)) {
    throw new PermanentError('the answer is neither RSS nor Atom', {
      hint: 'Set the address of the feed, not of a page.',
    });
  }
  const channel = childOf(root, 'channel') ?? root;
  const all = [...childrenOf(channel, 'item'), ...childrenOf(root, 'item'), ...childrenOf(root, 'entry')];
  const about = {
    feed: textAt(channel, 'title'),
    language: textAt(channel, 'language') ?? root.attributes['xml:lang']?.slice(0, 35),
    base: root.attributes['xml:base'] ?? linkOf(channel, url) ?? url,
  };
  return named(all.slice(0, MOST_ENTRIES).map((element) => toEntry(element, about))).toReversed();
}

interface About {
  readonly feed: string | undefined;
  readonly language: string | undefined;
  readonly base: string;
}

function toEntry(element: Element, { feed, language, base }: About): Entry {
  const url = linkOf(element, element.attributes['xml:base'] ?? base);
  const title = textAt(element, 'title');
  const date = ['published', 'pubdate', 'dc:date', 'updated', 'issued']
    .map((name) => textAt(element, name))
    .find(Boolean);
  const at = date === undefined ? undefined : readTime(date);
  const content = contentOf(element);
  const given = textAt(element, 'guid') ?? textAt(element, 'id') ?? url;
  const reference = childOf(element, 'thr:in-reply-to')?.attributes['ref'];
  return {
    id: given === undefined ? `sha256:${hash([title, date, content])}` : shortId(given),
    feed,
    title,
    url,
    author: authorOf(element),
    at,
    content: content.slice(0, LONGEST).toWellFormed(),
    categories: categoriesOf(element),
    enclosure: childOf(element, 'enclosure')?.attributes['url']?.slice(0, 2000),
    answers: reference ? shortId(reference) : undefined,
    language: language?.slice(0, 35),
  };
}

/** Some feeds give all their entries one id: then what it says tells them apart. */
function named(entries: readonly Entry[]): Entry[] {
  const count = new Map<string, number>();
  for (const { id } of entries) count.set(id, (count.get(id) ?? 0) + 1);
  return entries.map((entry) =>
    (count.get(entry.id) ?? 0) > 1
      ? { ...entry, id: `sha256:${hash([entry.id, entry.url, entry.title, entry.content])}` }
      : entry,
  );
}

function authorOf(element: Element): Entry['author'] {
  const author = childOf(element, 'author');
  const creator = textAt(element, 'dc:creator');
  if (author && ['name', 'email', 'uri'].some((name) => childOf(author, name))) {
    return { name: textAt(author, 'name') ?? creator, email: textAt(author, 'email'), uri: textAt(author, 'uri') };
  }
  const text = textAt(element, 'author');
  // RSS: `o@example.com (Olena)`
  const [, email, name] = /^([^\s@()]{1,64}@[^\s@()]{1,190})(?: \(([^()]{1,200})\))?$/.exec(text ?? '') ?? [];
  return { name: creator ?? (email === undefined ? text : name), email };
}

function contentOf(element: Element): string {
  const names = ['content:encoded', 'content', 'description', 'summary'];
  const found = names
    .map((name) => childOf(element, name))
    .find((child) => child !== undefined && textOf(child).trim());
  if (!found) return '';
  return found.attributes['type'] === 'xhtml' ? markupOf(found) : textOf(found);
}

/** Atom has several, RSS has one; only what a browser would open. */
function linkOf(element: Element, base: string): string | undefined {
  const links = childrenOf(element, 'link');
  const atom = links.find(
    ({ attributes: { href, rel } }) => href !== undefined && (rel ?? 'alternate') === 'alternate',
  );
  const given = (links.map(textOf).find((text) => text.trim()) ?? atom?.attributes['href'])?.trim();
  if (!given || !URL.canParse(given, base)) return undefined;
  const { protocol, href } = new URL(given, base);
  return ['http:', 'https:'].includes(protocol) && href.length <= 2000 ? href : undefined;
}

function categoriesOf(element: Element): string | undefined {
  const names = childrenOf(element, 'category').map((one) => textOf(one).trim() || one.attributes['term']);
  return names.filter(Boolean).join(', ').slice(0, 1000) || undefined;
}

function childrenOf({ children }: Element, name: string): Element[] {
  return children.filter((child) => typeof child !== 'string').filter((child) => child.name === name);
}

function childOf(element: Element, name: string): Element | undefined {
  return childrenOf(element, name)[0];
}

function textAt(element: Element, name: string): string | undefined {
  const found = childOf(element, name);
  const text = found && textOf(found).replace(/\s+/g, ' ').trim();
  return text ? text.slice(0, 1000).toWellFormed() : undefined;
}

const shortId = (id: string) => (id.length <= 512 ? id : `sha256:${hash([id])}`);

/** Of several texts, as one. */
export function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
