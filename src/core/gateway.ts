import type { Action } from './action.ts';
import type { Channel, CanReply, Connector } from './connector.ts';
import type { Destination, DestinationType, Preview } from './destination.ts';
import type { AutoReply } from './auto-reply.ts';
import type { Item } from './envelope.ts';
import type { Payload, WebhookRequest } from './payload.ts';
import type { ReplayFilter } from './replay-statements.ts';
import type { Routes } from './routing.ts';
import type { Receipt, Webhook } from './connector.ts';
import type { Moved } from './rows.ts';
import type { StatusPages } from './status-page.ts';
import type { Store } from './store.ts';
import type { Clock } from './clock.ts';
import type { Log } from './connector.ts';
import type { Change, Priority, TemplateUse, TicketStatus } from './ticket.ts';

export type { Route, RouteFacts, Routed, Routes, Target } from './routing.ts';

/** What the composition root hands to the edges: the API, the command line, the web. */
export interface Gateway {
  readonly version: string;
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly intake: Intake;
  readonly desk: Desk;
  readonly endpoints: Endpoints;
  readonly routes: Routes;
  readonly outbox: Outbox;
  readonly refusals: Refusals;
  readonly statusPages: StatusPages;
  /** Called with every change after its commit, in order; returns what ends it. */
  onChange(listener: (change: Change) => void): () => void;
}

/** The one way in for what customers send. */
export interface Intake {
  /**
   * Files a payload, and the cursor behind it: durable when it resolves. Throws `RetryableError` when the store can't
   * write, `LeaseLostError` when the process has no right to the cursor any more.
   */
  receive(payload: Payload, fetched?: Fetched): Promise<Receipt>;
  /** Files the item of an event again, after a fix or an operator's decision. Throws `PermanentError` when its bytes are gone. */
  replay(eventId: string, actor: string): Promise<Receipt>;
  /** What the endpoint of an event makes of its bytes now; stores nothing. Throws `PermanentError` when they are gone. */
  reread(eventId: string): Promise<readonly (Item | Action)[]>;
  /** What a channel would make of a payload; stores nothing. */
  dryRun(endpointId: string, payload: Payload): Promise<readonly (Item | Action)[]>;
}

/** Where fetching from a channel goes on, and the process that has the right to say so. */
export interface Fetched {
  readonly cursor: string;
  readonly processId: string;
}

export interface NewReply {
  /** Left out with a template, whose text it is then. */
  readonly text?: string;
  readonly html?: string;
  /** Channel id; the one the last message came through when left out. */
  readonly channel?: string;
  readonly attachments?: readonly { readonly name: string; readonly mediaType: string; readonly content: Buffer }[];
  /** One of those that `replyChannels` offers, instead of words and files. */
  readonly template?: TemplateUse;
}

/** The one way in for what agents do: through the API, the console, or a help desk. */
/** Something that is done once, however often it is asked for. */
export interface Once {
  /** Who asks, and his key. */
  readonly key: string;
  /** What he asks for: the same key with another request is another matter. */
  readonly request: string;
  /** What was done before this (milliseconds since the epoch) doesn't count any more. */
  readonly since: number;
}

/** `reason`: what says that they are one person, or two; kept with what was done. */
export interface Why {
  readonly reason?: string;
  readonly once?: Once | undefined;
}

export interface Desk {
  /**
   * `actor`: who does it, for the audit log (`user:usr_…`, `key:key_…`). Every call returns the id of what it made or
   * changed; a repeat with the same `once` returns that of the first and changes nothing. Unknown ids throw
   * `NotFoundError`; a template that doesn't fit, or is needed, `BadPayloadError` (422).
   */
  reply(ticketId: string, reply: NewReply, actor: string, once?: Once): Promise<{ readonly messageId: string }>;
  note(
    ticketId: string,
    note: { readonly text: string },
    actor: string,
    once?: Once,
  ): Promise<{ readonly messageId: string }>;
  createTicket(
    ticket: {
      readonly subject?: string;
      /** Filed as the first note: nothing is sent. */
      readonly text: string;
      readonly customer:
        | { readonly id: string }
        | {
            readonly name?: string;
            readonly identifiers: readonly { readonly kind: string; readonly value: string }[];
          };
      readonly priority?: Priority;
      readonly tags?: readonly string[];
      readonly fields?: Readonly<Record<string, string>>;
    },
    actor: string,
    once?: Once,
  ): Promise<{ readonly ticketId: string }>;
  /** `ifVersion`: refuses with `ConflictError` when the ticket has changed since. */
  updateTicket(ticketId: string, patch: DeskPatch, actor: string, ifVersion?: number): Promise<void>;
  mergeTickets(from: string, into: string, actor: string, once?: Once): Promise<void>;
  /** Moves messages into a new ticket of the same customer. */
  splitTicket(
    ticketId: string,
    messages: readonly string[],
    actor: string,
    once?: Once,
  ): Promise<{ readonly ticketId: string }>;
  mergeCustomers(from: string, into: string, actor: string, why?: Why): Promise<{ readonly mergeId: string }>;
  undoMerge(mergeId: string, actor: string, once?: Once): Promise<void>;
  splitCustomer(
    customerId: string,
    identifiers: readonly { readonly kind: string; readonly value: string }[],
    actor: string,
    why?: Why,
  ): Promise<{ readonly customerId: string }>;
  /** These two are not the same person: they are not suggested for each other any more, until `undoMerge` with this id. */
  tellApart(customerId: string, other: string, actor: string, why?: Why): Promise<{ readonly mergeId: string }>;
  /** What each of these would move now, with the same refusals; nothing is changed. */
  previewMerge(from: string, into: string): Promise<Moved>;
  previewUndo(mergeId: string): Promise<Moved>;
  previewSplit(
    customerId: string,
    identifiers: readonly { readonly kind: string; readonly value: string }[],
  ): Promise<Moved>;
  /** Which channels an answer may take, the first one the default. */
  replyChannels(ticketId: string): Promise<readonly ({ readonly channel: string; readonly type: string } & CanReply)[]>;
}

export interface DeskPatch {
  readonly subject?: string;
  readonly status?: TicketStatus;
  readonly priority?: Priority;
  readonly assignee?: string | null;
  readonly team?: string | null;
  readonly tags?: readonly string[];
  readonly fields?: Readonly<Record<string, string>>;
  readonly language?: string | null;
}

/** A channel or destination, opened. */
export interface Endpoint {
  readonly id: string;
  readonly role: 'channel' | 'destination';
  readonly type: string;
  readonly name: string;
  readonly enabled: boolean;
  /** What a customer hears by itself when he opens a ticket; channels only. */
  readonly autoReply?: AutoReply;
  /** `config/tributary.yaml:14`, or null for one made over the API. */
  readonly source: string | null;
  /** The settings with every secret masked. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Set while it couldn't be opened: why. */
  readonly problem: string | null;
  readonly channel?: Channel;
  readonly destination?: Destination;
  /** How vendors push to it, if they do. */
  readonly webhook?: Webhook;
}

export interface Endpoints {
  readonly connectors: readonly Connector[];
  readonly destinationTypes: readonly DestinationType[];
  all(role?: 'channel' | 'destination'): readonly Endpoint[];
  readonly get: (id: string) => Endpoint | undefined;
  /** Checks, opens, stores. Throws `BadPayloadError` (422) that names each field. */
  create(role: 'channel' | 'destination', definition: EndpointInput): Promise<Endpoint>;
  /** A masked secret keeps its value. Throws `PermanentError` for endpoints from the YAML. */
  update(id: string, patch: Partial<Omit<EndpointInput, 'id' | 'type'>>): Promise<Endpoint>;
  remove(id: string): Promise<void>;
}

export interface EndpointInput {
  readonly id: string;
  readonly type: string;
  readonly name?: string;
  readonly enabled?: boolean;
  /** Channels only; null: none. */
  readonly autoReply?: AutoReply | null;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface Outbox {
  /** Sends one delivery again. Unknown: undefined. */
  replay(taskId: string, actor: string): Promise<{ readonly id: string } | undefined>;
  /** How many a replay would send again. */
  countReplays(filter: ReplayFilter): Promise<number>;
  /**
   * Sends all that match again, under the ids that they had, the oldest first and behind whatever is new: a few at a time,
   * while little else is due at their destination. How many.
   */
  replayAll(filter: ReplayFilter, actor: string): Promise<number>;
  /** Takes back what has not begun; how many. */
  cancelReplays(destinationId: string, actor: string): Promise<number>;
  /**
   * What a destination would be sent to create a ticket with this message, its first one when left out. Nothing is sent.
   * Throws `NotFoundError`, and `PermanentError` for a destination that shows nothing beforehand.
   */
  preview(endpointId: string, what: { readonly ticketId: string; readonly messageId?: string }): Promise<Preview>;
  /** Ends a pause: the operator has repaired it. */
  resume(endpointId: string): Promise<void>;
}

/** Requests that were refused: counted and sampled outside the ledger, redacted and bounded. */
export interface Refusals {
  note(request: WebhookRequest, status: number, reason: string): void;
  /** The newest first, at most 50 per endpoint. */
  of(endpointId: string): readonly Refusal[];
}

export interface Refusal {
  readonly at: string;
  readonly status: number;
  readonly reason: string;
  readonly method: string;
  readonly remoteAddress: string | null;
  /** Names only: values may hold secrets. */
  readonly headers: readonly string[];
  /** Bytes. */
  readonly size: number;
}
