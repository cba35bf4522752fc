import { z } from 'zod';

/**
 * What we read of what Meta pushes for Pages and Instagram accounts: it adds keys all the time, so the rest is left alone.
 * https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
 */

/** Ids are text also where they look like numbers; `parseJson` gives long ones as text. */
export const id = z.union([z.string().min(1).max(300), z.number().int()]).transform(String);
/** What the ids of comments begin with here: messages have ids like theirs. */
export const COMMENT = 'comment:';

/** Meta writes null where it has nothing to say. */
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined);
export const optionalId = id.nullish().transform((value) => value ?? undefined);
const list = z.array(z.unknown()).default([]);
/** Milliseconds since the epoch; undefined where it says none that can be read. Feeds and Meta's tests count in seconds. */
export const time = z
  .unknown()
  .optional()
  .transform(toMs)
  .transform((at) => (at !== undefined && at >= 0 && at <= 8_640_000_000_000_000 ? at : undefined));

function toMs(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const number = Number(value);
  if (Number.isFinite(number)) return Math.floor(number < 100_000_000_000 ? number * 1000 : number);
  const parsed = Date.parse(String(value));
  return Number.isNaN(parsed) ? undefined : parsed;
}

export const Payload = z.object({ object: z.string(), entry: z.array(z.unknown()) });

/** One account's part of a notification; Instagram Login writes a change right into it. */
export const Entry = z.object({
  id: id.optional(),
  time,
  messaging: list,
  standby: list,
  changes: list,
  field: z.string().optional(),
  value: z.unknown().optional(),
});
export type Entry = z.output<typeof Entry>;

export const Change = z.object({ field: z.string().min(1), value: z.unknown().optional() });

const Party = z.looseObject({ id: id.optional() }).default({});
/** What happened stands under the name of its kind. */
export const Event = z.looseObject({ sender: Party, recipient: Party, timestamp: time });
export type Event = z.output<typeof Event>;

const referral = z.record(z.string(), z.unknown()).nullish();

export const Attached = z.looseObject({
  type: z.string().default('unknown'),
  title: text,
  url: text,
  payload: z.unknown().optional(),
});

export const Message = z.looseObject({
  mid: id,
  text,
  is_echo: z.boolean().nullish(),
  is_deleted: z.boolean().nullish(),
  is_unsupported: z.boolean().nullish(),
  metadata: z.unknown().optional(),
  quick_reply: z.looseObject({ payload: text }).nullish(),
  reply_to: z.looseObject({ mid: optionalId, story: z.looseObject({ id: optionalId, url: text }).nullish() }).nullish(),
  referral,
  attachments: z
    .array(Attached)
    .nullish()
    .transform((value) => value ?? []),
});
export type Message = z.output<typeof Message>;

/** `num_edit` counts from 1; Instagram tells of new messages with 0 and without words. */
export const Edit = z.object({ mid: id, text, num_edit: z.coerce.number().int().min(0).default(1) });
export const Postback = z.object({ mid: optionalId, title: text, payload: text, referral });
export const Reaction = z.object({ mid: id, action: z.string(), emoji: text, reaction: text });
/** Everything before `watermark` was delivered or read; only some name the messages. */
export const Seen = z.object({ mid: optionalId, mids: z.array(id).nullish(), watermark: time });
