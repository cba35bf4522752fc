import { z } from 'zod';

/** What we read of https://docs.slack.dev/reference/events: Slack adds keys all the time, so the rest is left alone. */

const ts = z.string().regex(/^\d{1,10}\.\d{1,6}$/);
const id = z.string().regex(/^[A-Za-z0-9_-]{1,100}$/);
/** What is empty or not as described is left out. */
const word = z.string().min(1).max(1000).optional().catch(undefined);
const someTs = ts.optional().catch(undefined);
const list = <T extends z.ZodType>(element: T) => z.array(element).catch([]);

export const File = z.looseObject({
  id: z.string().max(100).catch(''),
  name: word,
  title: word,
  mimetype: z.string().min(1).max(255).optional().catch(undefined),
  size: z.number().int().min(0).optional().catch(undefined),
  mode: word,
  is_external: z.boolean().catch(false),
  url_private: word,
  url_private_download: word,
});
export type File = z.output<typeof File>;

/** Something below a message: another message that was passed on, a link that is shown, what a program adds. */
const Addition = z.object({
  is_share: z.boolean().catch(false),
  author_name: word,
  title: z.string().catch(''),
  pretext: z.string().catch(''),
  text: z.string().catch(''),
  fallback: z.string().catch(''),
  files: list(File),
});

const Bot = z.object({ name: word, app_id: word }).optional().catch(undefined);
const Person = z.object({ real_name: word, display_name: word }).optional().catch(undefined);

export const Message = z.looseObject({
  ts,
  subtype: word,
  user: word,
  user_team: word,
  user_profile: Person,
  bot_id: word,
  app_id: word,
  bot_profile: Bot,
  username: word,
  text: z.string().catch(''),
  thread_ts: someTs,
  edited: z.object({ ts }).optional().catch(undefined),
  files: list(File),
  attachments: list(Addition),
  blocks: list(z.unknown()),
});
export type Message = z.output<typeof Message>;

/** Where: `channel_type` isn't told of mentions. */
const where = { channel: id, channel_type: word, event_ts: someTs };

export const Said = Message.extend(where);
export const Changed = z.object({ ...where, message: Message, previous_message: Message.optional().catch(undefined) });
export const Deleted = z.object({ ...where, deleted_ts: ts });
export type Where = Pick<z.output<typeof Said>, keyof typeof where>;

export const Reaction = z.object({
  user: id,
  reaction: z.string().max(200),
  item: z.object({ type: z.string(), channel: word, ts: someTs }),
  event_ts: ts,
});

const Event = z.looseObject({ type: z.string(), subtype: word });
export type Event = z.output<typeof Event>;

/** What Slack delivers, by whatever way; https://docs.slack.dev/apis/events-api#callback-field */
export const Delivery = z.object({
  type: z.string().catch(''),
  event: Event.optional(),
  team_id: word,
  api_app_id: word,
  authorizations: list(z.object({ user_id: word, is_bot: z.boolean().catch(false) })),
});

/** How the same comes through a socket: https://docs.slack.dev/apis/events-api/using-socket-mode */
export const Frame = z.object({
  type: z.string(),
  envelope_id: z.string().min(1).max(200).optional(),
  reason: z.string().max(200).optional(),
  payload: z.unknown().optional(),
});
