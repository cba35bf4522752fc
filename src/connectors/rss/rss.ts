import { z } from 'zod';
import { defineConnector } from '../../core/connector.ts';
import type { EnvelopeInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { Entry } from './feed.ts';
import { pollFeed } from './poll.ts';

/** Longer markup, or with more tags, is cut before it is turned into text. */
const LONGEST = 300_000;
const MOST_TAGS = 20_000;
const DAY_MS = 86_400_000;

const Config = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .meta({ description: 'Address of the feed: RSS or Atom' }),
  everyMinutes: z.number().int().min(1).max(1440).default(10).meta({ description: 'How often it is asked' }),
});

/** Comments below posts, mentions in a monitoring service, a forum's new posts: whatever has a feed. */
export const rss = defineConnector({
  type: 'rss',
  title: 'RSS and Atom feeds',
  summary: 'Reads feeds: comments below posts, mentions, new posts of a forum.',
  docs: 'channels/rss.md',
  stability: 'beta',
  capabilities: {
    receive: ['poll'],
    reply: false,
    idempotent: false,
    attachments: { in: false, out: false },
    localhost: true,
    threads: 'topic',
    proven: ['prose'],
  },
  config: Config,
  async open({ url, everyMinutes }, context) {
    const { default: sax } = await import('sax');
    const toText = await createToText();
    return {
      pollEveryMs: everyMinutes * 60_000,
      poll: (cursor, signal) => pollFeed(url, sax, context, cursor, signal),
      normalize: (payload) => [toItem(payload, (entry) => toText(entry.content, entry.url ?? url))],
      async test() {
        const { items } = await pollFeed(url, sax, context, undefined, AbortSignal.timeout(30_000));
        return `the feed has ${items.length} entries`;
      },
    };
  },
});

const Handed = Entry.extend({ revision: z.number() });

function toItem({ body, endpointId, receivedAt }: Payload, toText: (entry: Entry) => string): EnvelopeInput {
  const entry = Handed.parse(parseJson(body));
  const { id, feed, title, url, author, at, categories, enclosure, answers, language, revision } = entry;
  const fields = { url, feed, categories, enclosure };
  return {
    kind: 'message',
    externalId: id,
    revision,
    // What claims to be from tomorrow has a wrong clock.
    occurredAt: at === undefined || at > receivedAt + DAY_MS ? receivedAt : at,
    sender: {
      ...(author.name && { name: author.name }),
      identifiers: identifiersOf(author, `rss:${endpointId}`, id),
      ...(language && { locale: language }),
    },
    ...(answers && { thread: { references: [answers] } }),
    ...(title && { subject: title }),
    text: toText(entry),
    fields: Object.fromEntries(Object.entries(fields).filter((pair): pair is [string, string] => !!pair[1])),
  };
}

/** A name alone is nobody in particular: two who are called Anna are two. */
function identifiersOf({ email, uri }: Entry['author'], kind: string, id: string) {
  const claims = [
    ...(email && email.length <= 254 ? [{ kind: 'email', value: email, trust: 'claimed' as const }] : []),
    ...(uri && uri.length <= 512 ? [{ kind, value: uri, trust: 'claimed' as const }] : []),
  ];
  return claims.length > 0 ? claims : [{ kind, value: id, trust: 'claimed' as const }];
}

/** Markup as text, with the addresses of its links; nothing of it is shown as markup. */
async function createToText(): Promise<(content: string, base: string) => string> {
  const { compile } = await import('html-to-text');
  const absolute = (path: string, base: string) => (URL.canParse(path, base) ? new URL(path, base).href : path);
  const read: (markup: string, base: string) => string = compile({
    wordwrap: false,
    selectors: [
      { selector: 'a', options: { pathRewrite: absolute, hideLinkHrefIfSameAsText: true } },
      { selector: 'img', format: 'skip' },
      ...['script', 'style', 'iframe'].map((selector) => ({ selector, format: 'skip' })),
    ],
    limits: { maxDepth: 100 },
  });
  return (content, base) => {
    if (!/<[a-z/!]/i.test(content)) return content.trim();
    const few = content.slice(0, LONGEST).split('<', MOST_TAGS).join('<');
    return read(few.toWellFormed(), base).trim();
  };
}
