import { z } from 'zod';
import type { ItemInput } from '../../../core/envelope.ts';
import { ignored, partyOf, toFields } from '../items.ts';
import type { At } from '../items.ts';
import { COMMENT, id } from '../payload.ts';

/** https://developers.facebook.com/docs/graph-api/webhooks/reference/instagram */
const Comment = z.object({
  id,
  from: z.object({ id, username: z.string().nullish(), self_ig_scoped_id: id.nullish() }),
  text: z.string().nullish(),
  parent_id: id.nullish(),
  media: z
    .object({
      id,
      media_product_type: z.string().nullish(),
      ad_id: id.nullish(),
      ad_title: z.string().nullish(),
    })
    .nullish(),
});

/** A comment below what the account shows. Its edits and its end are not told. */
export function fromComment(value: unknown, at: At): ItemInput {
  const { id: comment, from, text, parent_id: parent, media } = Comment.parse(value);
  // The account itself goes by one of two ids, depending on how the app was allowed in.
  const isOwn = from.id === at.account || from.id === from.self_ig_scoped_id;
  if (isOwn && !parent) return ignored('comments', 'a comment of the account that answers nobody');
  return {
    kind: 'message',
    externalId: `${COMMENT}${comment}`,
    occurredAt: at.toldAt,
    direction: isOwn ? 'outbound' : 'inbound',
    sender: partyOf(at, isOwn ? at.account : from.id, from.username && `@${from.username}`),
    // Public: it is kept apart from the chat of the same person.
    thread: {
      ...(!isOwn && { externalId: `media:${media?.id ?? comment}/${from.id}` }),
      shared: true,
      references: parent ? [`${COMMENT}${parent}`] : [],
    },
    text: text || '⚠️ unsupported',
    fields: toFields({
      media: media?.id,
      media_kind: media?.media_product_type ?? undefined,
      ad: media?.ad_id ?? undefined,
      ad_title: media?.ad_title ?? undefined,
      unsupported: text ? undefined : 'yes',
    }),
  };
}

export function isPublic(thread: string): boolean {
  return thread.startsWith('media:');
}
