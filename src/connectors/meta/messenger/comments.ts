import { z } from 'zod';
import { ignored } from '../../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../../core/envelope.ts';
import { fileAt } from '../content.ts';
import type { MetaFile } from '../content.ts';
import { partyOf, toFields } from '../items.ts';
import type { At } from '../items.ts';
import { COMMENT, id, optionalId, text } from '../payload.ts';

/**
 * What happens below and on the Page's posts.
 * https://developers.facebook.com/docs/graph-api/webhooks/reference/page/#feed
 */

const Feed = z.object({
  item: z.string().default('unknown'),
  verb: z.string().default('unknown'),
  /** Missing where Meta doesn't tell the app who it was; until version 2.11 two keys of their own. */
  from: z.object({ id, name: text }).nullish(),
  sender_id: optionalId,
  sender_name: text,
  post_id: optionalId,
  comment_id: optionalId,
  parent_id: optionalId,
  message: text,
  created_time: z.number().int().min(0).nullish(),
  photo: text,
  video: text,
  photos: z.array(z.string()).nullish(),
  link: text,
  reaction_type: text,
});
type Feed = z.output<typeof Feed>;

export const POST = 'post:';
/** Meta's own posts are `status`, `photo`, `video` or `share`; those of others `post` as well. */
const POSTS: readonly string[] = ['post', 'status', 'photo', 'video', 'share'];

export function fromFeed(value: unknown, at: At): ItemInput {
  const feed = Feed.parse(value);
  const { item, comment_id } = feed;
  if (item === 'comment' && comment_id) return fromComment(feed, comment_id, at);
  if ((item === 'reaction' || item === 'like') && comment_id) return fromReaction(feed, comment_id, at);
  if (POSTS.includes(item) && feed.post_id) return fromPost(feed, feed.post_id, at);
  return nothing(feed, 'nothing that a customer wrote');
}

function fromComment(feed: Feed, comment: string, at: At): ItemInput {
  const { verb } = feed;
  const externalId = `${COMMENT}${comment}`;
  if (verb === 'remove') return { kind: 'deletion', externalId, occurredAt: at.toldAt };
  if (verb !== 'add' && verb !== 'edited') return nothing(feed, 'what the Page did with a comment');
  const references = answeredBy(feed);
  const author = authorOf(feed);
  if (author?.id !== at.account) {
    const thread = threadOf(feed.post_id ?? comment, author?.id ?? comment);
    return { ...saidIn(feed, externalId, at), thread: { externalId: thread, shared: true, references } };
  }
  if (references.length === 0) return nothing(feed, 'a comment of the Page that answers nobody');
  return { ...saidIn(feed, externalId, at), direction: 'outbound', thread: { shared: true, references } };
}

/** Below a post the parent is the post; below a comment it is the comment. */
function answeredBy({ parent_id: parent, post_id: post }: Feed): string[] {
  return parent !== undefined && parent !== post ? [`${COMMENT}${parent}`] : [];
}

/** What somebody wrote on the Page. */
function fromPost(feed: Feed, post: string, at: At): ItemInput {
  const externalId = `${POST}${post}`;
  const author = authorOf(feed);
  if (feed.verb === 'remove') return { kind: 'deletion', externalId, occurredAt: at.toldAt };
  if (!author || author.id === at.account) return nothing(feed, 'a post of the Page itself');
  if (!['add', 'edit', 'edited'].includes(feed.verb)) return nothing(feed, 'what the Page did with a post');
  return { ...saidIn(feed, externalId, at), thread: { externalId: threadOf(post, author.id), shared: true } };
}

function saidIn(feed: Feed, externalId: string, at: At) {
  const { verb, message, link, created_time, post_id, comment_id } = feed;
  const files = filesOf(feed, externalId);
  const author = authorOf(feed);
  // A sticker, a moving picture: Meta doesn't tell which.
  const isSilent = !message && files.length === 0;
  const address = post_id && `https://www.facebook.com/${post_id}`;
  return {
    kind: 'message',
    externalId,
    // Facebook tells no time of an edit, and numbers none.
    revision: verb === 'add' ? 0 : Math.floor(at.toldAt / 1000),
    occurredAt: created_time ? created_time * 1000 : at.toldAt,
    sender: author ? partyOf(at, author.id, author.name) : unknownOf(at, externalId),
    text: message || (isSilent ? '⚠️ unsupported' : ''),
    attachments: files.map(({ url: _url, ...file }) => file),
    fields: toFields({
      link: address ? (comment_id ? `${address}?comment_id=${comment_id.split('_').at(-1)}` : address) : undefined,
      shared: link,
      unsupported: isSilent ? 'yes' : undefined,
    }),
  } satisfies Partial<EnvelopeInput>;
}

/** Files of comments and posts that stand in a change, for their download. */
export function filesInFeed(value: unknown): readonly MetaFile[] {
  const { data } = Feed.safeParse(value);
  if (!data) return [];
  if (data.comment_id) return filesOf(data, `${COMMENT}${data.comment_id}`);
  return data.post_id ? filesOf(data, `${POST}${data.post_id}`) : [];
}

function filesOf({ photo, video, photos }: Feed, externalId: string): MetaFile[] {
  const urls = [
    ...[photo, ...(photos ?? [])].flatMap((url) => (url ? [['image', url] as const] : [])),
    ...(video ? [['video', video] as const] : []),
  ];
  return urls.map(([kind, url], index) => fileAt(url, kind, `${externalId}/${index}`));
}

/** Facebook names what it shows as these. */
const EMOJI: Readonly<Record<string, string>> = {
  like: '👍',
  love: '❤️',
  care: '🥰',
  haha: '😆',
  wow: '😮',
  sad: '😢',
  angry: '😡',
};

function fromReaction(feed: Feed, comment: string, at: At): ItemInput {
  const { verb, item, reaction_type, created_time } = feed;
  const author = authorOf(feed);
  if (!author) return nothing(feed, 'by somebody whom Meta does not name');
  const type = item === 'like' ? 'like' : (reaction_type ?? 'like');
  const shown = Object.hasOwn(EMOJI, type) ? (EMOJI[type] ?? type) : type.slice(0, 64);
  return {
    kind: 'reaction',
    externalId: `${COMMENT}${comment}`,
    emoji: verb === 'remove' ? '' : shown,
    sender: partyOf(at, author.id, author.name),
    occurredAt: created_time ? created_time * 1000 : at.toldAt,
  };
}

function authorOf({ from, sender_id, sender_name }: Feed) {
  return from ?? (sender_id ? { id: sender_id, name: sender_name } : undefined);
}

/** Without an id of his own each would be the same customer as everybody else whom Meta doesn't name. */
function unknownOf({ idKind: kind }: At, value: string): EnvelopeInput['sender'] {
  return { identifiers: [{ kind, value, trust: 'observed' }] };
}

/** What one person writes below one post: public, so it is kept apart from his chat. */
function threadOf(post: string, author: string): string {
  return `feed:${post}/${author}`;
}

/** The post that a thread is below; undefined for a chat. */
export function postOf(thread: string): string | undefined {
  return /^feed:([\w-]+)\//.exec(thread)?.[1];
}

function nothing({ item, verb }: Feed, reason: string): ItemInput {
  return ignored(`feed ${item} ${verb}`, reason);
}
