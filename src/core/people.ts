import { z } from 'zod';
import { Fields, Identifier, Trust } from './envelope.ts';
import { Customer } from './ticket.ts';

/** What is known of who is who, beside the customers themselves. */

const id = z.string();
const time = z.iso.datetime().meta({ description: 'RFC 3339, UTC' });

/**
 * A join of two customers (`loser` went into `winner`), a split (`winner` was split from `loser`), or that somebody has
 * told them apart: `winner` was looked at, and `loser` isn't the same person.
 */
export const Merge = z
  .object({
    id,
    kind: z.enum(['merge', 'split', 'apart']),
    winner: id,
    loser: id,
    /** Why, in words: of whoever did it, or of what proved it. */
    evidence: z.string(),
    at: time,
    undoneAt: time.nullable(),
  })
  .meta({ id: 'Merge' });
export type Merge = z.output<typeof Merge>;

/** Where an identifier of a customer was seen, among his last messages. */
export const Trace = z
  .object({
    kind: Identifier.shape.kind,
    value: Identifier.shape.value,
    /** How many of his last 1,000 messages came by it. */
    messages: z.number().int(),
    /** Ids, the one it came through last first. */
    channels: z.array(id),
    last: z.object({ messageId: id, ticketId: id.nullable(), at: time }),
  })
  .meta({ id: 'Trace' });
export type Trace = z.output<typeof Trace>;

/** Somebody who could be the same person, and what both have; `trust` in it as it is his, `ownTrust` as it is the customer's. */
export const Suggestion = z
  .object({
    customer: Customer,
    shared: z.array(
      z.object({ kind: Identifier.shape.kind, value: Identifier.shape.value, trust: Trust, ownTrust: Trust }),
    ),
  })
  .meta({ id: 'Suggestion' });
export type Suggestion = z.output<typeof Suggestion>;

/** What a message said before it was changed. */
export const MessageContentView = z
  .object({
    revision: z.number().int(),
    at: time.meta({ description: 'When something else took its place' }),
    occurredAt: time,
    subject: z.string().nullable(),
    text: z.string(),
    textFull: z.string().nullable(),
    html: z.string().nullable(),
    fields: Fields,
  })
  .meta({ id: 'MessageContent' });
export type MessageContentView = z.output<typeof MessageContentView>;
