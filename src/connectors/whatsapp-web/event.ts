import { z } from 'zod';

/**
 * What we read of what the library tells (https://docs.wwebjs.dev/Message.html and its neighbours). WhatsApp Web changes
 * without notice: whatever isn't needed to know who said what may be anything.
 */

const words = z.string().nullish().catch(undefined);

/** Who, or where: `…@c.us` (a number), `…@lid` (somebody without his number), `…@g.us` (a group). */
export const Wid = z
  .union([z.string(), z.object({ _serialized: z.string() }).transform((wid) => wid._serialized)])
  // A device of somebody, and the other name of the same server.
  .transform((wid) => wid.replace(/:\d+@/, '@').replace(/@s\.whatsapp\.net$/, '@c.us'))
  .pipe(z.string().min(1).max(200));

/** A message's name: its own id is unique among those of its author. */
export const Key = z.object({
  fromMe: z.boolean().catch(false),
  remote: Wid,
  id: z.string().min(1).max(200),
  participant: Wid.nullish().catch(undefined),
  _serialized: z.string().max(512).optional(),
});
export type Key = z.output<typeof Key>;

const seconds = z.number().min(0).max(8_640_000_000_000);

const Data = z.object({
  notifyName: words,
  mimetype: words,
  filename: words,
  size: z.number().int().min(0).nullish().catch(undefined),
  quotedStanzaID: words,
  quotedParticipant: Wid.nullish().catch(undefined),
  subtype: words,
});

export const Message = z.object({
  id: Key,
  type: z.string().default('unknown'),
  body: words,
  timestamp: seconds.optional(),
  from: Wid.nullish().catch(undefined),
  to: Wid.nullish().catch(undefined),
  author: Wid.nullish().catch(undefined),
  hasMedia: z.boolean().catch(false),
  isStatus: z.boolean().catch(false),
  isForwarded: z.boolean().catch(false),
  latestEditSenderTimestampMs: z.coerce.number().int().min(0).catch(0),
  protocolMessageKey: Key.nullish().catch(undefined),
  location: z
    .object({ latitude: z.coerce.number(), longitude: z.coerce.number(), name: words, address: words, url: words })
    .nullish()
    .catch(undefined),
  vCards: z.array(z.string()).catch([]),
  pollOptions: z.array(z.object({ name: z.string() })).catch([]),
  inviteV4: z.object({ groupName: words }).nullish().catch(undefined),
  title: words,
  description: words,
  orderId: words,
  selectedButtonId: words,
  selectedRowId: words,
  _data: Data.catch({}),
});
export type Message = z.output<typeof Message>;

export const Reaction = z.object({
  id: z.object({ fromMe: z.boolean().catch(false) }).catch({ fromMe: false }),
  msgId: Key,
  reaction: z.string().nullish(),
  senderId: Wid,
  timestamp: seconds.optional(),
});

export const Ack = z.object({ message: z.object({ id: Key }), ack: z.number().int() });

export const Call = z.object({
  id: z.string().min(1).max(200),
  from: Wid,
  timestamp: seconds.nullish(),
  isVideo: z.boolean().catch(false),
  isGroup: z.boolean().catch(false),
  fromMe: z.boolean().catch(false),
});

export const Renumbered = z.object({ from: Wid, to: Wid });

/** What WhatsApp Web knows of somebody. `number`: his `…@c.us`, where he is only named by a `…@lid`. */
export const Person = z.object({ name: words, number: Wid.nullish().catch(undefined) });
export type Person = z.output<typeof Person>;

/** What the browser's process hands over, and what is filed as it came. */
export const Told = z.object({
  event: z.string().min(1).max(100),
  /** The number that is linked. */
  self: Wid.nullish().catch(undefined),
  /** By id, whoever the event names. */
  people: z.record(z.string(), Person).catch({}),
  /** The group in which it happened. */
  group: z.object({ name: words }).nullish().catch(undefined),
  data: z.unknown(),
});
export type Told = z.output<typeof Told>;
