import { z } from 'zod';

/**
 * What we read of VK's events, https://dev.vk.com/ru/api/community-events/json-schema: it adds keys all the time, so
 * the rest is left alone.
 */

/** Persons are above zero, communities below; `parseJson` gives what is longer than 2^53 as text. */
const id = z.union([z.string().min(1).max(64), z.number().int()]).transform(String);
const text = z.string().catch('');
/** Seconds since the epoch. */
const time = z.number().int().min(0).max(8_640_000_000_000);
const attachments = z.array(z.unknown()).catch([]);

export const Event = z.object({
  type: z.string().min(1),
  object: z.unknown().optional(),
  group_id: id.optional(),
  secret: z.string().optional(),
});

/** A message inside a message: forwarded, or answered. */
export interface Forwarded {
  readonly from_id: string;
  readonly text: string;
  readonly attachments: readonly unknown[];
  readonly geo?: unknown;
  readonly fwd_messages: readonly Forwarded[];
  readonly conversation_message_id?: string | undefined;
}

const spoken = {
  from_id: id,
  text,
  attachments,
  geo: z.unknown().optional(),
  fwd_messages: z.lazy((): z.ZodType<readonly Forwarded[]> => z.array(Forwarded).catch([])),
};

const Forwarded = z.object({ ...spoken, conversation_message_id: id.optional() });

export const Message = z.object({
  ...spoken,
  peer_id: id,
  conversation_message_id: id,
  date: time,
  update_time: time.optional(),
  reply_message: Forwarded.optional().catch(undefined),
  action: z.object({ type: z.string() }).optional(),
  payload: z.string().optional().catch(undefined),
  ref: z.string().optional().catch(undefined),
  ref_source: z.string().optional().catch(undefined),
  is_cropped: z.boolean().optional().catch(undefined),
});

/** Since version 5.103 the message stands beside what the client can show. */
export const NewMessage = z.object({
  message: z.unknown().optional(),
  client_info: z.object({ lang_id: z.number() }).optional().catch(undefined),
});

export const Pressed = z.object({
  user_id: id,
  peer_id: id,
  event_id: z.string().min(1).max(200),
  payload: z.unknown().optional(),
  conversation_message_id: id.optional(),
});

export const Read = z.object({ from_id: id, peer_id: id, conversation_message_id: id });

export const Reaction = z.object({
  reacted_id: id,
  peer_id: id,
  cmid: id,
  reaction_id: z.number().int().optional(),
});

export const Permission = z.object({ user_id: id });

export const Comment = z.object({
  id,
  from_id: id,
  date: time,
  text,
  attachments,
  reply_to_user: id.optional(),
  reply_to_comment: id.optional(),
});

/** Whatever may have files. */
export const Attached = z.object({ attachments });

export const Post = z.object({ id, owner_id: id, from_id: id, date: time, text, attachments });

const Price = z.object({ text }).catch({ text: '' });

/** https://dev.vk.com/ru/reference/objects/market-order */
export const Order = z.object({
  id,
  user_id: id,
  date: time,
  status: z.number().int().min(0),
  display_order_id: text,
  total_price: Price,
  comment: text,
  address: text,
  delivery: z.object({ address: text, type: text }).catch({ address: '', type: '' }),
  recipient: z.object({ name: text, phone: text }).catch({ name: '', phone: '' }),
  preview_order_items: z.array(z.object({ title: text, quantity: z.number().int().catch(1), price: Price })).catch([]),
});

export const Lead = z.object({
  lead_id: id,
  user_id: id,
  form_id: id,
  form_name: text,
  ad_id: id.optional(),
  answers: z.array(
    z.object({ key: text, question: text, answer: z.union([z.string(), z.array(z.string())]).catch('') }),
  ),
});
