import { z } from 'zod';
import { ignored } from '../../../core/envelope.ts';
import type { ItemInput } from '../../../core/envelope.ts';
import { partyOf, toFields } from '../items.ts';
import type { At } from '../items.ts';
import { COMMENT, id, optionalId, text } from '../payload.ts';

/** https://developers.facebook.com/docs/graph-api/webhooks/reference/instagram */
const Comment = z.object({
  id,
  from: z.object({ id, username: text, self_ig_scoped_id: optionalId }),
  text,
  parent_id: optionalId,
  media: z
    .object({ id: optionalId, media_product_type: text, ad_id: optionalId, ad_title: text })
    .nullish()
    .transform((media) => media ?? undefined),
});
type Comment = z.output<typeof Comment>;

/** A comment below what the account shows. Its edits and its end are not told. */
export function fromComment(value: unknown, at: At): ItemInput {
  const comment = Comment.parse(value);
  const { from, text: words, parent_id: parent } = comment;
  const references = parent === undefined ? [] : [`${COMMENT}${parent}`];
  const said = {
    kind: 'message',
    externalId: `${COMMENT}${comment.id}`,
    occurredAt: at.toldAt,
    text: words || '⚠️ unsupported',
    fields: fieldsOf(comment),
  } as const;
  // The account itself goes by one of two ids, depending on how the app was allowed in.
  const isOwn = from.id === at.account || from.id === from.self_ig_scoped_id;
  if (!isOwn) {
    const sender = partyOf(at, from.id, from.username && `@${from.username}`);
    // Public: it is kept apart from the chat of the same person.
    const externalId = `media:${comment.media?.id ?? comment.id}/${from.id}`;
    return { ...said, sender, thread: { externalId, shared: true, references } };
  }
  if (references.length === 0) return ignored('comments', 'a comment of the account that answers nobody');
  return { ...said, direction: 'outbound', sender: partyOf(at, at.account), thread: { shared: true, references } };
}

function fieldsOf({ media, text: words }: Comment): Record<string, string> {
  return toFields({
    media: media?.id,
    media_kind: media?.media_product_type,
    ad: media?.ad_id,
    ad_title: media?.ad_title,
    unsupported: words ? undefined : 'yes',
  });
}

export function isPublic(thread: string): boolean {
  return thread.startsWith('media:');
}
