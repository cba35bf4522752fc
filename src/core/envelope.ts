import { z } from 'zod';

/**
 * The envelope: something that happened between a customer and the business, in our words. Every
 * channel is turned into it, everything behind `normalizer/` knows nothing else.
 */

const id = z.string().min(1).max(512);
const line = z.string().max(1000);
const time = z.number().int().min(0).max(8_640_000_000_000_000);

/**
 * How sure we are that an identifier belongs to the sender. `verified`: the platform vouches; may join
 * customers. `observed`: carried but spoofable (caller id, From without DMARC); finds the same value,
 * joins nobody, grants nothing. `claimed`: typed by the person; a suggestion. There is no default.
 */
export const trusts = ['verified', 'observed', 'claimed'] as const;
export const Trust = z.enum(trusts);
export type Trust = z.output<typeof Trust>;

/**
 * A way to recognise a person. `kind` is `email`, `phone`, or a name that is unique per platform, such
 * as `telegram` or `webhook:<channel>`; e-mail addresses and phones are put into canonical form for you.
 */
export const Identifier = z.strictObject({
  kind: z
    .string()
    .regex(/^[a-z][a-z0-9_]*(:[A-Za-z0-9_.-]+)?$/)
    .max(100),
  value: id,
  trust: Trust,
});
export type Identifier = z.output<typeof Identifier>;

/** How the kind of something ends that was given for a phone or an address, and isn't one: `phone_unclear`. */
export const UNCLEAR = '_unclear';

/** A person as the channel shows him. `locale`: BCP 47, as far as the platform says it. */
export const Party = z.strictObject({
  name: line.optional(),
  identifiers: z.array(Identifier).min(1).max(20),
  locale: z.string().max(35).optional(),
});
export type Party = z.output<typeof Party>;

/** A file that came along. `id` is enough for the channel's `download` to find the bytes. */
export const Attachment = z.strictObject({
  id,
  name: line,
  mediaType: z.string().max(255),
  /** Bytes. */
  size: z.number().int().min(0).optional(),
  /** Shown inside the text rather than below it. */
  inline: z.boolean().optional(),
  /** Content-Id without brackets. */
  cid: z.string().max(998).optional(),
});
export type Attachment = z.output<typeof Attachment>;

/** What says which conversation it belongs to, strongest last: the vendor's thread, references, our own ticket. */
export const Thread = z.strictObject({
  /** The vendor's own grouping: chat, mail thread, call. */
  externalId: id.optional(),
  /** Several people write there (a group): somebody's message in it joins no open ticket of his own. */
  shared: z.boolean().optional(),
  /** External ids of earlier messages of this channel that this one answers. */
  references: z.array(id).max(100).default([]),
  /** Other channels that the same message may come through: what has its external id there is this one. */
  siblings: z.array(z.string().max(100)).max(20).optional(),
  /**
   * What it is about, without "Re:" and the like. `only`: it continues no ticket about something else. `guess`: it
   * answers something and doesn't say what, so it is the customer's last ticket if that is about the same.
   */
  about: z.strictObject({ subject: line, rule: z.enum(['only', 'guess']) }).optional(),
  /** Our ticket number as quoted by the sender; `proof` is our HMAC over it, if he had one. */
  ticket: z.strictObject({ number: z.number().int().min(1), proof: z.string().max(200).optional() }).optional(),
});
export type Thread = z.output<typeof Thread>;

/** Values that a form or a vendor sent along, by name: order number, page, campaign. */
export const Fields = z.record(z.string().min(1).max(200), z.string().max(10_000));

export const automatics = ['auto_reply', 'bounce', 'complaint', 'receipt', 'list', 'calendar', 'notification'] as const;

const common = {
  /** Unique within the channel for ever: the dedupe key. */
  externalId: id,
  /** Its id where `externalId` is taken by another message, told by its author, time or subject. */
  variant: id.optional(),
  /** Only grows: edit time, sequence, progress of a call. An older one never replaces a newer one. */
  revision: z.number().int().min(0).default(0),
  /** When it happened by the vendor's clock, milliseconds since the epoch. */
  occurredAt: time,
  direction: z.enum(['inbound', 'outbound']).default('inbound'),
  sender: Party,
  thread: Thread.default({ references: [] }),
  subject: line.optional(),
  /** What the person wrote, as plain text, without quotes and signatures. */
  text: z.string().max(1_000_000),
  /** The whole text where `text` is only the new part of it. */
  textFull: z.string().max(1_000_000).optional(),
  /** As received, never trusted: cleaned before it is shown. */
  html: z.string().max(2_000_000).optional(),
  attachments: z.array(Attachment).max(200).default([]),
  fields: Fields.default({}),
  /**
   * Parts that arrive apart and belong together (an album): one message, complete after `waitMs`. With `piece` they are
   * one text that was cut (a long SMS), put together again in the order of these numbers.
   */
  group: z
    .strictObject({
      key: id,
      waitMs: z.number().int().min(0).max(60_000),
      piece: z.number().int().min(0).max(1000).optional(),
    })
    .optional(),
  /** Set when a machine wrote it. */
  automatic: z.enum(automatics).optional(),
  /** It goes into a ticket that is there, and neither opens nor wakes one; without one it is `ignored`. A replay opens one. */
  quiet: z.boolean().optional(),
  /**
   * It names an address at which a destination awaits answers: our number and proof as they stand there. `reply`, `note`:
   * the platform proves that a colleague wrote it, no machine, to that address or to others as well. `echo`: it is the mail
   * that asked for an answer. `unproven`: any other.
   */
  awaited: z
    .strictObject({
      number: z.number().int().min(1),
      proof: z.string().max(200),
      as: z.enum(['reply', 'note', 'echo', 'unproven']),
    })
    .optional(),
  /** Of an answer given elsewhere, where the vendor keeps one (below a review): those before it in its thread are gone. */
  replaces: z.boolean().optional(),
};

export const Review = z.strictObject({
  rating: z.number(),
  maxRating: z.number().positive(),
  product: line.optional(),
  /** The vendor's number of the order that it is about. */
  order: line.optional(),
  /** What it is written in, BCP 47, as far as the vendor says it. */
  language: z.string().max(35).optional(),
  url: z.string().max(2000).optional(),
});
export type Review = z.output<typeof Review>;

export const callOutcomes = ['ringing', 'answered', 'missed', 'busy', 'failed', 'voicemail'] as const;
export const callMoods = ['positive', 'neutral', 'negative'] as const;

/** A call as it is known, put together from everything that was said of it. */
export const Call = z.strictObject({
  outcome: z.enum(callOutcomes),
  direction: z.enum(['inbound', 'outbound']),
  from: line,
  to: line,
  agent: line.optional(),
  /** Seconds. */
  waitedSec: z.number().min(0).optional(),
  talkedSec: z.number().min(0).optional(),
  /** Id of the attachment that holds the recording. */
  recording: id.optional(),
  transcript: z.string().max(1_000_000).optional(),
  /** What was said, in a few sentences. */
  summary: z.string().max(10_000).optional(),
  /** The customer's. */
  mood: z.enum(callMoods).optional(),
});
export type Call = z.output<typeof Call>;

/**
 * What one of the vendor's events says of a call: leave out what it doesn't say. A call is made of all of its events, in
 * whatever order they come: of each of these, what the highest revision says that says it at all.
 */
export const CallProgress = Call.partial().extend({
  /** When somebody answered, and when it was over: milliseconds since the epoch. `waitedSec` and `talkedSec` follow. */
  answeredAt: time.optional(),
  endedAt: time.optional(),
});
export type CallProgress = z.output<typeof CallProgress>;

/** The customer of a call. No identifiers: this event doesn't say who, or he withheld his number. */
const Caller = Party.extend({ identifiers: z.array(Identifier).max(20) });

/** Something that happened between a customer and the business. */
export const Envelope = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('message'), ...common }),
  z.strictObject({ kind: z.literal('form'), ...common }),
  z.strictObject({ kind: z.literal('review'), ...common, review: Review }),
  z.strictObject({
    kind: z.literal('call'),
    ...common,
    sender: Caller,
    call: CallProgress,
  }),
]);
export type Envelope = z.output<typeof Envelope>;

/** `replaced`: another answer has taken its place, and nobody sees this one any more. */
export const receiptStates = ['sent', 'delivered', 'read', 'failed', 'replaced'] as const;

/** What became of an answer of ours; `externalId` is the id the channel gave it. */
const Receipt = z.strictObject({
  kind: z.literal('receipt'),
  externalId: id,
  state: z.enum(receiptStates),
  occurredAt: time,
  reason: line.optional(),
});

const Deletion = z.strictObject({ kind: z.literal('deletion'), externalId: id, occurredAt: time });

/** An empty `emoji` takes the reaction back. */
const Reaction = z.strictObject({
  kind: z.literal('reaction'),
  externalId: id,
  emoji: z.string().max(64),
  sender: Party,
  occurredAt: time,
});

/** The vendor's thread goes on under another name (a group became a supergroup): its ticket stays the same. */
const Moved = z.strictObject({ kind: z.literal('moved'), from: id, to: id });

/** Deliberately not a message: named, so that nothing vanishes. */
export const Ignored = z.strictObject({ kind: z.literal('ignored'), name: line, reason: line });

/** Authentic, but blocked by policy (spam guard, blocked sender). A replay files the envelope after all. */
const Rejected = z.strictObject({ kind: z.literal('rejected'), reason: line, envelope: Envelope.optional() });

/** A notification that carries only an id: poll this endpoint now. */
export const Wake = z.strictObject({ kind: z.literal('wake') });

/** This element can't be read; the rest of the batch goes on. `at` is where (RFC 6901 pointer or position). */
export const Broken = z.strictObject({ kind: z.literal('broken'), at: line, error: z.string().max(4000) });

/** One thing that a payload says. */
export const Item = z.discriminatedUnion('kind', [
  ...Envelope.options,
  Receipt,
  Deletion,
  Reaction,
  Moved,
  Ignored,
  Rejected,
  Wake,
  Broken,
]);
export type Item = z.output<typeof Item>;
/** What authors of connectors write: every default left out. */
export type ItemInput = z.input<typeof Item>;
export type EnvelopeInput = z.input<typeof Envelope>;

export function isEnvelope(item: Item): item is Envelope {
  return item.kind === 'message' || item.kind === 'form' || item.kind === 'review' || item.kind === 'call';
}

/** An item that is only named in the ledger, with the reason; both cut to what an item may hold. */
export function ignored(name: string, reason: string): ItemInput {
  return { kind: 'ignored', name: name.slice(0, 1000), reason: reason.slice(0, 1000) };
}
