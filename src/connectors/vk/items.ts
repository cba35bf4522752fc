import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import type { About } from './about.ts';
import { fromComment, fromPost } from './comments.ts';
import { Event } from './event.ts';
import { fromLead, fromOrder } from './forms.ts';
import { fromMessage, fromPermission, fromPressed, fromReaction, fromRead } from './messages.ts';

/** The kinds of event that say something to a business; every other one is ignored by its name. */
const KINDS: Readonly<Record<string, (object: unknown, about: About) => ItemInput>> = {
  message_new: fromMessage,
  message_reply: fromMessage,
  message_edit: fromMessage,
  message_event: fromPressed,
  message_read: fromRead,
  message_reaction_event: fromReaction,
  message_allow: fromPermission,
  message_deny: fromPermission,
  wall_post_new: fromPost,
  market_order_new: fromOrder,
  market_order_edit: fromOrder,
  lead_forms_new: fromLead,
  ...Object.fromEntries(
    ['wall_reply', 'photo_comment', 'video_comment', 'market_comment', 'board_post'].flatMap((what) =>
      ['new', 'edit', 'restore', 'delete'].map((step) => [`${what}_${step}`, fromComment] as const),
    ),
  ),
};

/** What the community is asked to tell: everything else only costs. */
export const EVENTS = Object.keys(KINDS);

/** One event of a community (https://dev.vk.com/ru/api/community-events/json-schema) as an item. */
export function toItem(value: unknown, about: Omit<About, 'type'>): ItemInput {
  const { type, object } = Event.parse(value);
  if (type === 'confirmation') return ignored(type, 'VK asks whether this address is ours');
  const read = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (!read) return ignored(type, 'a kind of event that is no message to the business');
  return read(object, { ...about, type });
}
