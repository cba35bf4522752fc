import { z } from 'zod';

/** What we read of https://dev.max.ru/docs-api/objects/Update: MAX adds keys all the time, so the rest is left alone. */

/** Ids have up to 64 bits; `parseJson` gives those beyond 2^53 as text. */
export const id = z.union([z.number().int(), z.string().regex(/^-?\d{1,20}$/)]).transform(String);
const mid = z.string().min(1).max(200);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined)
  .catch(undefined);
/** Milliseconds since the epoch. */
const time = z.number().int().min(0).max(8_640_000_000_000_000);

export const User = z.object({
  user_id: id,
  first_name: text,
  last_name: text,
  /** What `first_name` and `last_name` were before; still sent. */
  name: text,
  username: text,
  is_bot: z.boolean().nullish().catch(undefined),
});
export type User = z.output<typeof User>;

/** https://dev.max.ru/docs-api/objects/Message: of every kind of attachment what we need, and of one that is malformed what can be read. */
export const Attachment = z.object({
  type: z.string().max(100).catch('unknown'),
  payload: z
    .object({
      url: text,
      token: text,
      code: text,
      vcf_info: text,
      hash: text,
      max_info: User.nullish().catch(undefined),
      buttons: z.unknown().optional(),
    })
    .nullish()
    .catch(undefined),
  filename: text,
  size: z.number().int().min(0).nullish().catch(undefined),
  transcription: text,
  title: text,
  description: text,
  latitude: z.number().nullish().catch(undefined),
  longitude: z.number().nullish().catch(undefined),
  data: text,
});
export type Attachment = z.output<typeof Attachment>;

const Body = z.object({ mid, text, attachments: z.array(Attachment).nullish() });
export type Body = z.output<typeof Body>;

export const Message = z.object({
  /** Missing where a channel speaks. */
  sender: User.nullish(),
  recipient: z.object({ chat_id: id.nullish(), chat_type: z.string().max(100).default('dialog') }),
  timestamp: time,
  link: z
    .object({ type: z.string(), sender: User.nullish().catch(undefined), message: Body.nullish().catch(undefined) })
    .nullish(),
  body: Body.nullish(),
});
export type Message = z.output<typeof Message>;

const locale = text.transform((value) => value?.slice(0, 35));

/** Of `message_created` and `message_edited`. */
export const Written = z.object({ timestamp: time, message: Message, user_locale: locale });

export const Removed = z.object({ timestamp: time, message_id: mid });

export const Pressed = z.object({
  callback: z.object({ timestamp: time, callback_id: z.string().min(1).max(400), payload: text, user: User }),
  /** Missing where it was deleted since. */
  message: Message.nullish().catch(undefined),
  user_locale: locale,
});

export const Notice = z.object({
  chat_id: id.nullish().catch(undefined),
  user: User.nullish().catch(undefined),
  title: text,
  payload: text,
});
