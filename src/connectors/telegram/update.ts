import { z } from 'zod';

/** What we read of https://core.telegram.org/bots/api: Telegram adds keys all the time, so the rest is left alone. */

/** Ids have up to 52 bits; `parseJson` gives what is longer as text. */
const id = z.union([z.string().min(1).max(64), z.number().int()]).transform(String);
const text = z.string().optional();
/** Seconds since the epoch. */
const time = z.number().int().min(0).max(8_640_000_000_000);

const User = z.object({
  id,
  is_bot: z.boolean().default(false),
  first_name: text,
  last_name: text,
  username: text,
  language_code: text,
});
export type User = z.output<typeof User>;

const Chat = z.object({
  id,
  type: z.string().default('private'),
  title: text,
  username: text,
  first_name: text,
  last_name: text,
});
export type Chat = z.output<typeof Chat>;

const Origin = z.object({
  sender_user: User.optional(),
  sender_user_name: text,
  sender_chat: Chat.optional(),
  chat: Chat.optional(),
});

const Entity = z.object({ type: z.string(), url: text });

const place = {
  chat: Chat,
  message_thread_id: id.optional(),
  is_topic_message: z.boolean().optional(),
  /** `user` is the customer: it is his conversation with the channel. */
  direct_messages_topic: z.object({ topic_id: id, user: z.object({ id }).optional() }).optional(),
  business_connection_id: z.string().min(1).max(200).optional(),
};

/** Its content stands beside these keys, under the name of its kind: see `contentOf`. */
export const Message = z.looseObject({
  ...place,
  message_id: id,
  date: time,
  edit_date: time.optional(),
  from: User.optional(),
  sender_chat: Chat.optional(),
  author_signature: text,
  forward_origin: Origin.optional(),
  is_automatic_forward: z.boolean().optional(),
  reply_to_message: z.object({ message_id: id }).optional(),
  quote: z.object({ text: z.string() }).optional(),
  via_bot: User.optional(),
  media_group_id: id.optional(),
  text,
  caption: text,
  entities: z.array(Entity).optional(),
  caption_entities: z.array(Entity).optional(),
  migrate_to_chat_id: id.optional(),
  migrate_from_chat_id: id.optional(),
});
export type Message = z.output<typeof Message>;
export type Located = Pick<Message, keyof typeof place>;

export const CallbackQuery = z.object({
  id: z.string().min(1).max(200),
  from: User,
  message: z
    .object({
      ...place,
      message_id: id.optional(),
      reply_markup: z
        .object({
          inline_keyboard: z.array(z.array(z.object({ text: z.string(), callback_data: text }))).optional(),
        })
        .optional(),
    })
    .nullish(),
  data: text,
});

export type CallbackQuery = z.output<typeof CallbackQuery>;

export const DeletedMessages = z.object({
  business_connection_id: z.string().min(1).max(200),
  chat: Chat,
  message_ids: z.array(id),
});

export const Reaction = z.object({
  chat: Chat,
  message_id: id,
  date: time,
  user: User.optional(),
  actor_chat: Chat.optional(),
  new_reaction: z.array(z.object({ type: z.string(), emoji: text })),
});

export const Membership = z.object({
  chat: Chat,
  from: User,
  old_chat_member: z.object({ status: z.string() }),
  new_chat_member: z.object({ status: z.string() }),
});

export const Connection = z.object({ user: User, is_enabled: z.boolean().default(true) });

/** Whatever was delivered: the kind of the update is the name of its other key. */
export const Update = z.looseObject({ update_id: z.number().int().default(0) });
