import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { Context, Raw } from '../../core/connector.ts';
import { TributaryError } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';
import { entriesOf, hash } from './feed.ts';
import type { Entry } from './feed.ts';
import { decoded, readXml } from './xml.ts';
import type { Sax } from './xml.ts';

const MAX_BYTES = 5 * 1024 * 1024;
/** Entries that are remembered, also when they have left the feed. */
const MOST_SEEN = 2000;

/** What the feed was like: `seen` says of each entry, the last one last, what it was. */
const Position = z.object({
  url: z.string(),
  etag: z.string().optional(),
  modified: z.string().optional(),
  seen: z.array(z.tuple([z.string(), z.string()])),
});
type Position = z.output<typeof Position>;

/** Asks for a feed: what is new in it, and what has changed since it was read last. */
export async function pollFeed(
  url: string,
  sax: Sax,
  context: Context,
  cursor: string | undefined,
  signal: AbortSignal,
) {
  const before = positionOf(cursor, url);
  const answer = await fetchFeed(before, context, signal);
  if (!answer) return { items: [], cursor: JSON.stringify(before) };
  const { headers, body } = answer;
  const seen = new Map(before.seen);
  const items: Raw[] = [];
  for (const entry of entriesOf(readXml(sax, decoded(body, headers['content-type'] ?? '')), url)) {
    const key = hash([entry.id]).slice(0, 16);
    const content = hash([entry.title, entry.url, entry.content]).slice(0, 16);
    const known = seen.get(key);
    if (known === content) continue;
    seen.delete(key);
    seen.set(key, content);
    items.push(rawOf(entry, known === undefined ? 0 : context.clock.now()));
  }
  const position: Position = {
    url,
    etag: headers['etag']?.slice(0, 500),
    modified: headers['last-modified']?.slice(0, 100),
    seen: [...seen].slice(-MOST_SEEN),
  };
  return { items, cursor: JSON.stringify(position) };
}

/** Feeds don't count their edits: the time at which one was noticed does it. */
function rawOf(entry: Entry, revision: number): Raw {
  return { body: Buffer.from(JSON.stringify({ ...entry, revision })) };
}

function positionOf(cursor: string | undefined, url: string): Position {
  const read = Position.safeParse(cursor === undefined ? undefined : jsonOf(Buffer.from(cursor)));
  return read.success && read.data.url === url ? read.data : { url, seen: [] };
}

/** Undefined when nothing has changed. */
async function fetchFeed({ url, etag, modified }: Position, context: Context, signal: AbortSignal) {
  const { hostname } = new URL(url);
  const headers = {
    accept: 'application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1',
    ...(etag && { 'if-none-match': etag }),
    ...(modified && { 'if-modified-since': modified }),
  };
  try {
    const answer = await context.http.stream({
      url,
      headers,
      maxBytes: MAX_BYTES,
      signal,
      mayFollow: (to) => to.hostname === hostname,
    });
    return { headers: answer.headers, body: await buffer(answer.body) };
  } catch (error) {
    if (error instanceof TributaryError && error.response?.status === 304) return undefined;
    throw error;
  }
}
