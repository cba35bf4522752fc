import { z } from 'zod';
import { Snowflake } from './snowflake.ts';

/** What we read of https://discord.com/developers/docs/events/gateway-events: Discord adds keys all the time, so the rest is left alone. */

/** What is empty or not as described is left out. */
const word = z.string().min(1).max(1000).optional().catch(undefined);
const someId = Snowflake.optional().catch(undefined);
const words = z.string().catch('');
const time = z.iso.datetime({ offset: true });
const list = <T extends z.ZodType>(element: T) => z.array(element).catch([]);

/** A frame of the Gateway. Only those with `op` 0 have a sequence and a name. */
export const Frame = z.looseObject({
  op: z.number(),
  s: z.number().int().min(0).nullish().catch(undefined),
  t: z.string().max(200).nullish().catch(undefined),
  d: z.unknown().optional(),
});
export type Frame = z.output<typeof Frame>;

/** A frame with what we know beside it. */
export const Told = z.looseObject({
  op: z.number().optional().catch(undefined),
  t: z.string().nullish().catch(undefined),
  d: z.unknown().optional(),
  /** The user that we are. */
  self: someId,
  /** The title of the post that begins with this message. */
  subject: word,
});

export const User = z.object({
  id: Snowflake,
  username: word,
  global_name: word,
  bot: z.boolean().catch(false),
  system: z.boolean().catch(false),
});

export const File = z.object({
  id: Snowflake,
  filename: word,
  content_type: z.string().min(1).max(255).optional().catch(undefined),
  size: z.number().int().min(0).optional().catch(undefined),
  url: z.string().max(4000).catch(''),
});
export type File = z.output<typeof File>;

const Embed = z.object({
  title: words,
  description: words,
  url: word,
  fields: list(z.object({ name: words, value: words })),
});

const Poll = z.object({
  question: z.object({ text: words }).catch({ text: '' }),
  answers: list(z.object({ poll_media: z.object({ text: words }).catch({ text: '' }) })),
});

/** What a message holds, also one that was passed on. */
const content = {
  content: words,
  mentions: list(User),
  mention_channels: list(z.object({ id: Snowflake, name: words })),
  attachments: list(File),
  embeds: list(Embed),
  components: list(z.unknown()),
  sticker_items: list(z.object({ name: words })),
};

export const Content = z.object(content);
export type Content = z.output<typeof Content>;

/** What was passed on stands beside what is said. */
export const Whole = z.object({ ...content, message_snapshots: list(z.object({ message: Content })) });

export const Message = z.object({
  ...Whole.shape,
  id: Snowflake,
  channel_id: Snowflake,
  guild_id: someId,
  type: z.number(),
  author: User,
  member: z.object({ nick: word }).optional().catch(undefined),
  webhook_id: someId,
  timestamp: time,
  edited_timestamp: time.nullish().catch(undefined),
  message_reference: z
    .object({ type: z.number().catch(0), channel_id: someId, message_id: someId })
    .optional()
    .catch(undefined),
  poll: Poll.optional().catch(undefined),
});
export type Message = z.output<typeof Message>;

/** Of a change Discord may tell only what has changed. */
export const Changed = z.object({
  content: z.string(),
  author: z.object({ id: Snowflake }),
  edited_timestamp: time,
});

export const Deleted = z.object({ id: Snowflake });
export const DeletedBulk = z.object({ ids: z.array(Snowflake).max(1000) });

export const Reaction = z.object({
  user_id: Snowflake,
  message_id: Snowflake,
  member: z
    .object({ nick: word, user: User.optional().catch(undefined) })
    .optional()
    .catch(undefined),
  emoji: z.object({ id: someId.nullish(), name: words }),
});
