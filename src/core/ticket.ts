import { z } from 'zod';
import { automatics, Call, Identifier, receiptStates, Review } from './envelope.ts';

/**
 * What the API, outgoing webhooks, destinations and the console see: one shape for all of them.
 * Times are RFC 3339 in UTC.
 */

const time = z.iso.datetime().meta({ description: 'RFC 3339, UTC' });
const id = z.string();

export const ticketStatuses = ['new', 'open', 'pending', 'solved', 'closed'] as const;
export type TicketStatus = (typeof ticketStatuses)[number];
export const priorities = ['low', 'normal', 'high', 'urgent'] as const;
export type Priority = (typeof priorities)[number];

const ChannelRef = z.object({ id, type: z.string() });

/** A ticket's name in a destination. */
export const Link = z.object({ destination: id, externalId: z.string(), url: z.string().nullable() });
export type Link = z.output<typeof Link>;

/** A conversation with a customer. */
export const Ticket = z
  .object({
    id,
    number: z.number().int(),
    subject: z.string(),
    status: z.enum(ticketStatuses),
    priority: z.enum(priorities),
    channel: ChannelRef,
    customer: z.object({ id, name: z.string().nullable() }),
    assignee: z.string().nullable(),
    team: z.string().nullable(),
    tags: z.array(z.string()),
    fields: z.record(z.string(), z.string()),
    language: z.string().nullable(),
    messageCount: z.number().int(),
    lastMessageAt: time.nullable(),
    createdAt: time,
    updatedAt: time,
    links: z.array(Link),
    /** Grows with every change of the ticket. */
    version: z.number().int(),
    /** Set when the ticket was merged into another one. */
    mergedInto: id.nullable(),
  })
  .meta({ id: 'Ticket' });
export type Ticket = z.output<typeof Ticket>;

/** The rule that found the ticket, strongest first. */
export const threadRules = ['ticket_number', 'reference', 'thread', 'recent', 'new', 'agent', 'moved'] as const;

export const messageKinds = ['message', 'form', 'review', 'call', 'note'] as const;
export const deliveryStates = ['waiting', ...receiptStates] as const;

/** A file of a message. `url` answers with the bytes once they are stored. */
export const MessageAttachment = z.object({
  id,
  name: z.string(),
  mediaType: z.string(),
  /** Bytes; null until known. */
  size: z.number().int().nullable(),
  state: z.enum(['waiting', 'stored', 'failed']),
  /** Why it can't be had. */
  error: z.string().nullable(),
  inline: z.boolean(),
  url: z.string(),
});

/** A template of a channel (see `ReplyTemplate`) with a value for each of its parameters. */
export const TemplateUse = z.strictObject({
  id: z.string().min(1).max(512),
  values: z.record(z.string().min(1).max(200), z.string().min(1).max(4000)),
});
export type TemplateUse = z.output<typeof TemplateUse>;

/** An envelope once filed, an agent's answer, or a note. */
export const Message = z
  .object({
    id,
    /** Null on a call that opened no ticket and joined none. */
    ticketId: id.nullable(),
    kind: z.enum(messageKinds),
    direction: z.enum(['inbound', 'outbound']),
    channel: ChannelRef.nullable(),
    author: z.object({ name: z.string().nullable(), identifiers: z.array(Identifier) }),
    /** False when the sender could be somebody else: no verified identifier came with it. */
    verified: z.boolean(),
    subject: z.string().nullable(),
    text: z.string(),
    textFull: z.string().nullable(),
    html: z.string().nullable(),
    attachments: z.array(MessageAttachment),
    call: Call.nullable(),
    review: Review.nullable(),
    fields: z.record(z.string(), z.string()),
    reactions: z.array(z.object({ author: z.string(), emoji: z.string() })),
    automatic: z.enum(automatics).nullable(),
    /** Only on an answer that was made from one of its channel's templates: which one, and its values by name. */
    template: TemplateUse.optional(),
    externalId: z.string().nullable(),
    revision: z.number().int(),
    occurredAt: time,
    receivedAt: time,
    deletedAt: time.nullable(),
    /** What became of an answer; null on what customers wrote. */
    delivery: z.object({ state: z.enum(deliveryStates), error: z.string().nullable() }).nullable(),
    threadedBy: z.object({ rule: z.enum(threadRules), evidence: z.string() }),
  })
  .meta({ id: 'Message' });
export type Message = z.output<typeof Message>;

/** Not for the customer's eyes: what colleagues tell each other, and that an answer didn't reach him. */
export function isInternal({
  kind,
  delivery,
}: {
  readonly kind: string;
  readonly delivery: { readonly state: string } | null;
}): boolean {
  return kind === 'note' || delivery?.state === 'failed';
}

/** A way to recognise a customer, or one that he only typed (`claimed`). */
export const CustomerIdentifier = Identifier.extend({ firstSeenAt: time }).meta({ id: 'CustomerIdentifier' });

/** A person. */
export const Customer = z
  .object({
    id,
    name: z.string().nullable(),
    locale: z.string().nullable(),
    identifiers: z.array(CustomerIdentifier),
    createdAt: time,
    updatedAt: time,
    /** Set when this customer was joined into another one. */
    mergedInto: id.nullable(),
  })
  .meta({ id: 'Customer' });
export type Customer = z.output<typeof Customer>;

export const outcomes = [
  'ticket_created',
  'appended',
  'revised',
  'duplicate',
  'receipt',
  'ignored',
  'rejected',
  'quarantined',
] as const;
export type Outcome = (typeof outcomes)[number];

/** A row of the ledger: what became of one item that was received. */
export const LedgerEvent = z
  .object({
    id,
    endpoint: id,
    outcome: z.enum(outcomes),
    reason: z.string().nullable(),
    externalId: z.string().nullable(),
    ticketId: id.nullable(),
    messageId: id.nullable(),
    payloadId: id,
    /** Position of the item in its payload. */
    item: z.number().int(),
    receivedAt: time,
    /** Set on an event that an operator's replay wrote. */
    replayOf: id.nullable(),
  })
  .meta({ id: 'Event' });
export type LedgerEvent = z.output<typeof LedgerEvent>;

export const taskStates = ['waiting', 'delivering', 'delivered', 'dead', 'needs_check'] as const;
export type TaskState = (typeof taskStates)[number];

/** One try of a delivery. */
export const Attempt = z.object({
  number: z.number().int(),
  startedAt: time,
  endedAt: time.nullable(),
  /** `delivered`, or why not: the error's class name. */
  outcome: z.string(),
  error: z.string().nullable(),
  hint: z.string().nullable(),
  request: z.string().nullable(),
  response: z.string().nullable(),
});
export type Attempt = z.output<typeof Attempt>;

/** Something on its way to a destination. */
export const DeliveryView = z
  .object({
    id,
    destination: id,
    /** What it says: the event type. */
    type: z.string(),
    state: z.enum(taskStates),
    ticketId: id.nullable(),
    messageId: id.nullable(),
    attempts: z.number().int(),
    /** When it is tried next; null while it waits for the one before it in its ticket, and at the end. */
    nextAttemptAt: time.nullable(),
    error: z.string().nullable(),
    /** When somebody asked to send it again together with others; null once it is its turn. */
    replayAt: time.nullable(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Delivery' });
export type DeliveryView = z.output<typeof DeliveryView>;

export const changeTypes = [
  'ticket.created',
  'ticket.updated',
  'ticket.assigned',
  'ticket.status_changed',
  'ticket.merged',
  'message.received',
  'message.updated',
  'message.sent',
  'message.delivered',
  'message.failed',
  'note.created',
  'call.missed',
  'call.ended',
  'review.received',
  'customer.created',
  'customer.merged',
  'customer.split',
  'channel.health_changed',
  'delivery.exhausted',
  'test.ping',
] as const;
export type ChangeType = (typeof changeTypes)[number];

/** A row of the change feed, in commit order, and the body of an outgoing webhook. */
export const Change = z
  .object({
    /** Position in the feed: `after=` continues behind it. */
    seq: z.number().int(),
    type: z.enum(changeTypes),
    timestamp: time,
    data: z
      .object({
        /** Version of the ticket or customer when this happened: a late one can be recognised. */
        version: z.number().int(),
        ticket: Ticket.optional(),
        message: Message.optional(),
        customer: Customer.optional(),
      })
      .catchall(z.unknown()),
  })
  .meta({ id: 'Change' });
export type Change = z.output<typeof Change>;

/** RFC 3339 of epoch milliseconds. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
