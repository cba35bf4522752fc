import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { partyOf, toAttachments, toFields } from './about.ts';
import type { About } from './about.ts';
import { commentOf, nameOf, threadOf } from './address.ts';
import type { Spot, Surface } from './address.ts';
import { contentOf, plainText } from './content.ts';
import { Comment, Post } from './event.ts';

/** What is commented on, by the kind of event, and the keys that name it. */
const SPOTS: Readonly<Record<string, { readonly on: Surface; readonly item: string; readonly owner: string }>> = {
  wall_reply: { on: 'wall', item: 'post_id', owner: 'post_owner_id' },
  photo_comment: { on: 'photo', item: 'photo_id', owner: 'photo_owner_id' },
  video_comment: { on: 'video', item: 'video_id', owner: 'video_owner_id' },
  market_comment: { on: 'market', item: 'item_id', owner: 'market_owner_id' },
  board_post: { on: 'topic', item: 'topic_id', owner: 'topic_owner_id' },
};

const number = z.union([z.string().regex(/^-?\d{1,20}$/), z.number().int()]).transform(String);

/** A comment, its edit or its end. Public: kept apart from what the same person writes in private. */
export function fromComment(object: unknown, { type, receivedAt, self }: About): ItemInput {
  const [, what = '', step = ''] = /^(\w+)_(new|edit|restore|delete)$/.exec(type) ?? [];
  const spot = spotOf(object, what, self);
  if (step === 'delete') {
    const { id } = z.object({ id: number }).parse(object);
    return { kind: 'deletion', externalId: commentOf(spot, id), occurredAt: receivedAt };
  }
  const comment = Comment.parse(object);
  const { id, from_id: from, reply_to_user: to, reply_to_comment: answered } = comment;
  const isOwn = from === self;
  const author = isOwn ? to : from;
  if (author === undefined) return ignored(type, 'a comment of the community that answers nobody');
  return {
    ...saidBy(comment),
    externalId: commentOf(spot, id),
    // VK tells no time of an edit, and numbers none.
    revision: step === 'new' ? 0 : receivedAt,
    direction: isOwn ? 'outbound' : 'inbound',
    thread: {
      externalId: threadOf({ spot, author }),
      shared: true,
      references: answered === undefined ? [] : [commentOf(spot, answered)],
    },
    fields: toFields({ ...contentOf(comment).fields, link: `https://vk.com/${nameOf(spot)}?reply=${id}` }),
  };
}

/** What somebody wrote on the community's wall, or suggested for it. */
export function fromPost(object: unknown, { type, self }: About): ItemInput {
  const post = Post.parse(object);
  const { id: item, owner_id: owner, from_id: author } = post;
  if (author === self) return ignored(type, 'a post of the community itself');
  const spot: Spot = { on: 'wall', owner, item };
  return {
    ...saidBy(post),
    externalId: nameOf(spot),
    thread: { externalId: threadOf({ spot, author }), shared: true },
    fields: toFields({ ...contentOf(post).fields, link: `https://vk.com/${nameOf(spot)}` }),
  };
}

function saidBy(said: Pick<z.output<typeof Comment>, 'from_id' | 'date' | 'text' | 'attachments'>) {
  const { lines, files } = contentOf(said);
  return {
    kind: 'message',
    occurredAt: said.date * 1000,
    sender: partyOf(said.from_id),
    text: [plainText(said.text), ...lines].filter(Boolean).join('\n'),
    attachments: toAttachments(files),
  } satisfies Partial<EnvelopeInput>;
}

function spotOf(object: unknown, what: string, self: string): Spot {
  const keys = SPOTS[what];
  if (!keys) throw new Error(`${what} is commented on nowhere`);
  const given = z.record(z.string(), z.unknown()).parse(object);
  const owner = number.parse(given[keys.owner] ?? given.owner_id ?? self);
  return { on: keys.on, owner, item: number.parse(given[keys.item]) };
}
