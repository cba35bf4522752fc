import type { Counts } from './counts.ts';
import type { TaskRef } from './queue.ts';
import type { ReplayFilter } from './replay-statements.ts';
import type { AuditRow, IdempotentRow, KeyRow, SessionRow, UserRow } from './access-rows.ts';
import type { AttachmentRow, EndpointRow, EndpointState, Moved, PayloadRow, RouteRow } from './rows.ts';
import type { Merge, MessageContentView, Suggestion, Trace } from './people.ts';
import type {
  Attempt,
  Change,
  Customer,
  DeliveryView,
  LedgerEvent,
  Message,
  Outcome,
  Priority,
  TaskState,
  Ticket,
  TicketStatus,
} from './ticket.ts';

/** A page of a list; `nextCursor` is null on the last one. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly nextCursor: string | null;
}

export interface PageRequest {
  /** 1 to 200. */
  readonly limit: number;
  readonly cursor?: string;
}

export interface TicketFilter {
  readonly status?: readonly TicketStatus[];
  readonly channel?: string;
  readonly channelType?: string;
  readonly customer?: string;
  /** Null: those that nobody has. */
  readonly assignee?: string | null;
  readonly team?: string;
  readonly priority?: Priority;
  /** In small or capital letters. */
  readonly tag?: string;
  readonly kind?: string;
  /** Words of messages, subjects, customers' names, or a ticket number. */
  readonly q?: string;
  readonly updatedSince?: number;
  /** `updatedAt` or `createdAt`, newest first with a minus. */
  readonly sort?: '-updatedAt' | 'updatedAt' | '-createdAt' | 'createdAt';
}

export interface Progress {
  readonly askedAt: number | null;
  readonly answeredAt: number | null;
  readonly closedAt: number | null;
}

/** Everything that is read outside a transaction. A cursor that isn't one of ours throws `BadPayloadError` (400). */
export interface Reader {
  tickets(filter: TicketFilter, page: PageRequest): Promise<Page<Ticket>>;
  ticket(id: string): Promise<Ticket | undefined>;
  ticketByNumber(number: number): Promise<Ticket | undefined>;
  /** The tags and teams that tickets have, in order, at most 200 of each. */
  labels(): Promise<{ readonly tags: readonly string[]; readonly teams: readonly string[] }>;
  /** The vendor's threads of a channel, those whose tickets moved last first. */
  threads(endpointId: string, limit: number): Promise<readonly string[]>;
  /** In order. */
  messages(ticketId: string, page: PageRequest): Promise<Page<Message>>;
  message(id: string): Promise<Message | undefined>;
  /** What a message said before, the oldest first. */
  history(messageId: string): Promise<readonly MessageContentView[]>;
  /**
   * What was said in a channel under external ids of `<thread>/<key>`: messages, and answers once they went out; newest
   * first, without what was taken back. `message`: only that one.
   */
  said(
    endpointId: string,
    thread: string,
    page: PageRequest & { readonly message?: string },
  ): Promise<Page<{ readonly key: string; readonly message: Message }>>;
  /** Messages of a ticket before a position that `destination` never got, without notes and answers that failed. */
  undelivered(destinationId: string, ticketId: string, beforeMessage: string): Promise<readonly Message[]>;
  /**
   * When a ticket's customer wrote or called last, when he was answered, and when it was closed, milliseconds since the
   * epoch. What is internal doesn't count, nor what machines wrote.
   */
  progress(ticketId: string): Promise<Progress>;
  attachment(
    id: string,
  ): Promise<(AttachmentRow & { readonly payloadId: string | null; readonly endpointId: string | null }) | undefined>;
  customers(
    filter: { q?: string; identifier?: { kind: string; value: string } },
    page: PageRequest,
  ): Promise<Page<Customer>>;
  customer(id: string): Promise<Customer | undefined>;
  /** Messages of all his tickets, newest first. */
  timeline(customerId: string, page: PageRequest): Promise<Page<Message>>;
  /** Joins and splits that he was part of, the newest first. */
  merges(customerId: string): Promise<readonly Merge[]>;
  /**
   * What `moveCustomer`, `splitCustomer` and `undoMerge` would move now, with the same refusals. All of it as it stands at one
   * moment; nobody who writes waits for it.
   */
  wouldMove(from: string, to: string): Promise<Moved>;
  wouldSplit(from: string, identifiers: readonly { kind: string; value: string }[]): Promise<Moved>;
  wouldUndo(mergeId: string): Promise<Moved | undefined>;
  /** By what he wrote last: each identifier that came with his messages, the one that came last first. */
  traces(customerId: string): Promise<readonly Trace[]>;
  /**
   * Who could be the same person: customers with an identifier or claim that he has too, the surest first, at most 10.
   * Without those that somebody has told apart from him, and without values that many have.
   */
  suggestions(customerId: string): Promise<readonly Suggestion[]>;
  events(
    filter: { endpoint?: string; outcome?: Outcome; since?: number; q?: string; payload?: string; message?: string },
    page: PageRequest,
  ): Promise<Page<LedgerEvent>>;
  event(id: string): Promise<LedgerEvent | undefined>;
  payload(id: string): Promise<PayloadRow | undefined>;
  /** Units received against events written, in a span of time by the arrival of the payload. */
  balance(
    from: number,
    to: number,
  ): Promise<{ received: number; outcomes: Readonly<Record<Outcome, number>>; balanced: boolean }>;
  deliveries(
    filter: { destination?: string; state?: TaskState; ticket?: string; message?: string; since?: number },
    page: PageRequest,
  ): Promise<Page<DeliveryView>>;
  delivery(id: string): Promise<(DeliveryView & { readonly log: readonly Attempt[] }) | undefined>;
  /** Ids of tasks that may be worked on now: due heads of unpaused endpoints, at most `perEndpoint` each; one where it keeps failing. */
  dueTasks(now: number, perEndpoint: number): Promise<readonly TaskRef[]>;
  /**
   * Ids of tasks to be sent again now, the oldest first: so many of each destination that no more than `most` of its tasks
   * are due at a time.
   */
  replays(now: number, most: number): Promise<readonly string[]>;
  /** How many tasks a replay would send again. */
  replayCount(filter: ReplayFilter): Promise<number>;
  /** The feed behind a position, in commit order. */
  changes(after: number, limit: number): Promise<readonly Change[]>;
  change(seq: number): Promise<Change | undefined>;
  lastChange(): Promise<number>;
  endpointStates(): Promise<readonly EndpointState[]>;
  /** Tasks waiting per endpoint, and when the oldest was made. */
  backlog(): Promise<readonly { endpointId: string; waiting: number; dead: number; oldestAt: number | null }[]>;
  cursor(endpointId: string): Promise<string | undefined>;
  /** What was counted between each of these times and the next: beginnings of hours, and at the end the time that it is now. */
  counts(edges: readonly number[]): Promise<Counts>;
  /** Processes that work on this store; the beat of one that is alive grows. */
  processes(): Promise<readonly { readonly id: string; readonly beat: number }[]>;
  /** Channels that a known process has the right to fetch from, with its id. */
  channelHolders(): Promise<ReadonlyMap<string, string>>;
  /** As `saveSecret` stored it. */
  secret(endpointId: string, name: string): Promise<Buffer | undefined>;
  endpoints(): Promise<readonly EndpointRow[]>;
  routes(): Promise<readonly RouteRow[]>;
  keys(): Promise<readonly KeyRow[]>;
  keyByPrefix(prefix: string): Promise<KeyRow | undefined>;
  session(hash: string, now: number): Promise<(SessionRow & { readonly user: UserRow }) | undefined>;
  users(): Promise<readonly UserRow[]>;
  /** What was done, the last first. */
  audit(page: PageRequest): Promise<Page<AuditRow>>;
  idempotent(key: string): Promise<IdempotentRow | undefined>;
}
