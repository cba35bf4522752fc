import { z } from 'zod';
import { Attachment, Broken, Ignored, Wake } from './envelope.ts';
import { ticketStatuses } from './ticket.ts';

/**
 * What an agent did in a help desk, in our words. What the gateway did there itself is left out: it would go round in
 * circles.
 */

const id = z.string().min(1).max(512);

const common = {
  /** The vendor's own, unique within the destination for ever: what comes again is done once. */
  id,
  /** The ticket's name there (`TicketRef.externalId`). */
  ticket: id,
  /** When he did it by the vendor's clock, milliseconds since the epoch. */
  at: z.number().int().min(0).max(8_640_000_000_000_000),
  /** Who it was, for people. */
  agent: z.string().max(1000),
};

const said = {
  ...common,
  /** Plain text, without the quotes that the help desk adds. */
  text: z.string().max(1_000_000),
  html: z.string().max(2_000_000).optional(),
  /** Fetched through `Destination.download`. */
  attachments: z.array(Attachment).max(200).default([]),
};

export const Action = z.discriminatedUnion('kind', [
  /** An answer: it goes to the customer. */
  z.strictObject({ kind: z.literal('reply'), ...said }),
  /** For colleagues only. */
  z.strictObject({ kind: z.literal('note'), ...said }),
  /** The last writer wins, by the vendor's time. */
  z.strictObject({ kind: z.literal('status'), ...common, status: z.enum(ticketStatuses) }),
  Ignored,
  Wake,
  Broken,
]);
export type Action = z.output<typeof Action>;
/** What authors of destinations write: every default left out. */
export type ActionInput = z.input<typeof Action>;
