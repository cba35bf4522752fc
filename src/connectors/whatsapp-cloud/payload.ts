import { z } from 'zod';

/**
 * What we read of what WhatsApp pushes: Meta adds keys all the time, so the rest is left alone.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
 */

/** Ids are text also where they look like numbers; `parseJson` gives long ones as text. */
const id = z.union([z.string().min(1).max(500), z.number().int()]).transform(String);
const text = z.string().optional();
const list = z.array(z.unknown()).default([]);
/** Seconds since the epoch, as text or as a number; as milliseconds. */
const time = z
  .union([z.string().regex(/^\d{1,12}$/), z.number().int().min(0)])
  .transform((seconds) => Number(seconds) * 1000)
  .pipe(z.number().max(8_640_000_000_000_000));

export const Payload = z.object({ object: z.string(), entry: z.array(z.object({ changes: list })) });

export const Change = z.object({
  field: z.string().min(1).default('messages'),
  value: z
    .looseObject({
      metadata: z.object({ phone_number_id: id.optional(), display_phone_number: text }).optional(),
      contacts: list,
      messages: list,
      message_echoes: list,
      statuses: list,
      calls: list,
      user_preferences: list,
      errors: list,
    })
    .optional(),
});
export type Value = NonNullable<z.output<typeof Change>['value']>;

/** `wa_id` is missing where the person hides his number; `user_id` is his id for this business. */
export const Contact = z.object({
  profile: z.object({ name: text, username: text }).default({}),
  wa_id: id.optional(),
  user_id: id.optional(),
  parent_user_id: id.optional(),
});

/** Who a message or a call is from, and to. */
const ends = {
  from: id.optional(),
  from_user_id: id.optional(),
  from_parent_user_id: id.optional(),
  to: id.optional(),
  to_user_id: id.optional(),
  to_parent_user_id: id.optional(),
};
export type Ends = { readonly [key in keyof typeof ends]?: string | undefined };

export const Problem = z.object({
  code: z.number().optional(),
  title: text,
  message: text,
  error_data: z.object({ details: text }).nullish(),
});
export type Problem = z.output<typeof Problem>;

/** Its content stands under the name of its type: see `contentOf`. */
export const Message = z.looseObject({
  ...ends,
  id: id.optional(),
  type: z.string().min(1).default('unknown'),
  timestamp: time.optional(),
  group_id: id.optional(),
  context: z
    .object({
      id: id.optional(),
      forwarded: z.boolean().optional(),
      frequently_forwarded: z.boolean().optional(),
      referred_product: z.object({ catalog_id: id.optional(), product_retailer_id: id.optional() }).optional(),
    })
    .nullish(),
  referral: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(Problem).default([]),
});
export type Message = z.output<typeof Message>;

/** `message` has no id of its own. */
export const Edit = z.object({ original_message_id: id, message: z.looseObject({}) });
export const Revoke = z.object({ original_message_id: id });
/** An `emoji` that is empty or missing takes it back. */
export const Reaction = z.object({ message_id: id, emoji: z.string().default('') });

export const System = z.object({
  type: z.string().default('unknown'),
  body: z.string().default(''),
  wa_id: id.optional(),
  new_wa_id: id.optional(),
  user_id: id.optional(),
  previous_user_id: id.optional(),
});

export const Status = z.object({
  id,
  status: z.string(),
  timestamp: time.optional(),
  type: text,
  errors: z.array(Problem).default([]),
});

export const Call = z.object({
  ...ends,
  id,
  event: z.string(),
  direction: z.string().default('USER_INITIATED'),
  timestamp: time.optional(),
  start_time: time.optional(),
  /** Seconds spoken; missing where nobody answered. */
  duration: z.number().min(0).default(0),
});

export const Preference = z.object({ category: z.string(), value: z.string(), detail: text });
