import type { Readable } from 'node:stream';
import type { z, ZodType } from 'zod';
import type { ActionInput } from './action.ts';
import type { Context, Fetching, Stability, Webhook } from './connector.ts';
import type { Attachment } from './envelope.ts';
import type { Carried } from './field-mapping.ts';
import type { Payload } from './payload.ts';
import type { Change, Message, Priority, Ticket, TicketStatus } from './ticket.ts';

type MaybePromise<T> = T | Promise<T>;

/** Facts for the catalogue. The suite asserts that they agree with the methods. */
export interface DestinationCapabilities {
  /** `tickets`: keeps tickets of its own (`createTicket` …). `events`: is told what happens (`notify`). */
  readonly carries: 'tickets' | 'events';
  /** The far end recognises a repeated call by our id, so an unknown outcome may simply be repeated. */
  readonly idempotent: boolean;
  readonly localhost: boolean;
  readonly proven: readonly string[];
}

/** Code for one kind of help desk or CRM. As a connector: importing does nothing, `open` touches no network. */
export interface DestinationType<C extends ZodType = ZodType> {
  readonly type: string;
  readonly title: string;
  readonly summary: string;
  readonly docs: string;
  readonly stability: Stability;
  readonly capabilities: DestinationCapabilities;
  readonly config: C;
  open(config: z.output<C>, context: Context): MaybePromise<Destination>;
}

export function defineDestination<C extends ZodType>(type: DestinationType<C>): DestinationType<C> {
  return type;
}

/** A ticket's name on the far side. */
export interface TicketRef {
  readonly externalId: string;
  readonly url?: string;
}

/** What a destination is told about one message of one ticket. */
export interface Delivery extends Carried {
  /** Stable over all tries: the idempotency key where the vendor has one. */
  readonly id: string;
  /** Messages before this one that were never delivered (their create went dead): shown as transcript. None is internal. */
  readonly transcript: readonly Message[];
  /** The bytes of an attachment of the message. */
  open(attachmentId: string): Promise<Readable>;
}

export interface TicketUpdate {
  readonly id: string;
  readonly ticket: Ticket;
  readonly status?: TicketStatus;
  readonly priority?: Priority;
  readonly assignee?: string | null;
}

/** A request that would be sent: without headers, since they hold credentials, and with files named, not included. */
export interface Preview {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

/** A configured destination. Optional methods are discovered by presence. */
export interface Destination extends Fetching {
  /** Told every event that the routes let through; `id` repeats over all tries (`webhook-id`). */
  notify?(event: { readonly id: string; readonly change: Change }): Promise<void>;
  createTicket?(delivery: Delivery): Promise<TicketRef>;
  /**
   * Adds a message to its ticket. An agent's answer that could not reach the customer comes with the delivery state
   * `failed`: to be shown to colleagues, with the reason. Resolves with the ticket's new name where it goes on under
   * another one (the follow-up of a closed ticket).
   */
  addMessage?(ref: TicketRef, delivery: Delivery): Promise<TicketRef | undefined | void>;
  update?(ref: TicketRef, update: TicketUpdate): Promise<void>;
  /** What `createTicket` would send, for the operator who tries his mapping. Pure: nothing is sent. */
  preview?(delivery: Delivery): MaybePromise<Preview>;
  /** Asked before a create with unknown outcome is repeated. */
  findTicket?(ticket: Ticket): Promise<TicketRef | undefined>;
  /** Asked before an append with unknown outcome is repeated. */
  hasMessage?(ref: TicketRef, message: Message): Promise<boolean>;
  /** The way back: what agents did there. Leaves out what we did ourselves. Pure, as in a connector. */
  normalize?(payload: Payload): MaybePromise<ActionInput[]>;
  readonly webhook?: Webhook;
  /** The bytes of a file that came with an agent's words; `attachment.id` must be enough to find them. */
  download?(attachment: Attachment, payload: Payload): Promise<Readable>;
  /** Tries the credentials; resolves with what the far side said, throws one of the five errors. */
  test?(): Promise<string>;
  close?(): Promise<void>;
}
