import { z } from 'zod';

/** https://github.com/microsoft/Agents/blob/main/specs/activity/protocol-activity.md; what isn't as described is left out. */

/** Ids are strings; what comes as a number is one all the same. */
const id = z.union([z.string().min(1).max(400), z.number().int()]).transform(String);
const text = z.string().optional().catch(undefined);

const Account = z.object({ id, name: text, aadObjectId: id.optional().catch(undefined) });
export type Account = z.output<typeof Account>;

const Conversation = z.object({
  id,
  conversationType: text,
  isGroup: z.boolean().optional().catch(undefined),
  name: text,
});

const File = z.object({ downloadUrl: text, uniqueId: text, fileType: text }).optional().catch(undefined);
export const FileInfo = z.object({
  contentType: z.string().max(255).toLowerCase().catch(''),
  contentUrl: text,
  name: text,
  /** Of a file; for other types something else, or a text. */
  content: z.union([z.string(), File]).catch(undefined),
});
export type FileInfo = z.output<typeof FileInfo>;

const Entity = z.object({
  type: text,
  /** Of a mention: as it stands in the text. */
  text,
  mentioned: z.object({ id }).optional().catch(undefined),
  quotedReply: z.object({ messageId: id }).optional().catch(undefined),
});

const list = <T extends z.ZodType>(schema: T) =>
  z
    .array(z.unknown())
    .catch([])
    .transform((all) => all.flatMap((one) => schema.safeParse(one).data ?? []));

/** What every activity has. */
export const Activity = z.looseObject({
  type: z.string().min(1).max(200),
  channelId: text,
  serviceUrl: text,
  timestamp: z.iso
    .datetime({ offset: true })
    .transform((time) => Date.parse(time))
    .optional()
    .catch(undefined),
  name: text,
  action: text,
  channelData: z
    .object({
      eventType: text,
      tenant: z.object({ id: text }).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});
export type Activity = z.output<typeof Activity>;

/** Where something happened, and who did it. */
export const Place = z.object({ conversation: Conversation, from: Account });

export const Message = z.object({
  id,
  text: z.string().nullish(),
  locale: z.string().max(35).optional().catch(undefined),
  recipient: z.object({ id }).optional().catch(undefined),
  attachments: list(FileInfo),
  entities: list(Entity),
  /** What somebody filled in or pressed. */
  value: z.unknown().optional(),
});
export type Message = z.output<typeof Message>;

const reactions = z.array(z.object({ type: z.string().min(1) })).default([]);
export const Reactions = z.object({ replyToId: id, reactionsAdded: reactions, reactionsRemoved: reactions });

export const ReadReceipt = z.object({ value: z.object({ lastReadMessageId: id }) });
