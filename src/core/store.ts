import type { CallStatements } from './call-statements.ts';
import type { FollowingStatements } from './following-statements.ts';
import type { PartStatements } from './part-statements.ts';
import type { ReplayStatements } from './replay-statements.ts';
import type { Readable } from 'node:stream';
import type { Reader } from './reader.ts';
import type { IdempotentRow, KeyRow, SessionRow, UserRow } from './access-rows.ts';
import type {
  AttachmentRow,
  AttemptRow,
  ChangeRow,
  CustomerRow,
  EndpointRow,
  EndpointState,
  EventRow,
  IdentifierRow,
  Lease,
  MessageContent,
  MessageRow,
  PayloadRow,
  RouteRow,
  Task,
  TaskRefRow,
  TaskResult,
  TicketPatch,
  TicketRow,
} from './rows.ts';
import type { Merge } from './people.ts';
import type { Link } from './ticket.ts';

/**
 * The store: everything that must survive. One body of code over SQLite or PostgreSQL. Times are epoch
 * milliseconds in rows and RFC 3339 in what readers get.
 */
export interface Store {
  /**
   * Runs `work` in a transaction and resolves once it is durable; it may be taken back and run again, so
   * it does nothing but write here. Whoever shares one of `locks` runs one
   * after the other. A `work` that throws is rolled back alone and its error passed on; a store that
   * can't write throws `RetryableError`, and nothing of `work` remains.
   */
  write<T>(locks: readonly string[], work: (tx: Transaction) => Promise<T>): Promise<T>;
  readonly read: Reader;
  readonly blobs: Blobs;
  /** With which another thread can write as well; undefined where the database is a server. */
  readonly shared?: SharedFile;
  /** What `doctor` and `/readyz` report. Throws when the store can't be used. */
  health(): Promise<StoreHealth>;
  close(): Promise<void>;
}

/** A database file, and what its writers take turns by. */
export interface SharedFile {
  readonly file: string;
  readonly baton: SharedArrayBuffer;
}

export interface StoreHealth {
  readonly database: string;
  readonly journal: string;
  readonly synchronous: string;
  /** Bytes. */
  readonly size: number;
  readonly tasksWaiting: number;
}

/** Bytes by SHA-256: stored once, whoever sends them. */
export interface Blobs {
  /** Durable when it resolves. Fails with `PermanentError` beyond `maxBytes`. */
  save(bytes: Readable | Buffer, maxBytes: number): Promise<{ readonly sha256: string; readonly size: number }>;
  /** All of it, or from one byte to another, both counted from 0. */
  open(sha256: string, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  size(sha256: string): Promise<number>;
  read(sha256: string): Promise<Buffer>;
  /**
   * Removes bytes that no row names any more. They stay when they were saved again in the last minutes: whoever did
   * that may be about to name them. Resolves also when they are gone already.
   */
  remove(sha256: string): Promise<void>;
}

/** What is older than these times (epoch milliseconds) goes, `batch` rows of each kind at most. */
export interface RetentionLimits {
  readonly payloadsBefore: number;
  readonly tasksBefore: number;
  readonly idempotentBefore: number;
  /** Items whose message never came. */
  readonly earlyBefore: number;
  /** Recordings of calls lose their bytes. */
  readonly recordingsBefore: number;
  readonly batch: number;
}

export interface Swept {
  /** How many rows went, or lost their bytes. */
  readonly rows: number;
  /** Blobs that nothing names any more, by SHA-256: to be removed once this is committed. */
  readonly blobs: readonly string[];
}

/** A part of what was said in a ticket: in one thread, before a position. */
export interface Conversation {
  readonly thread?: string;
  readonly beforeSeq?: number;
}

/** The statements of the way in and of the outbox, valid inside `Store.write` only. */
export interface Transaction extends CallStatements, PartStatements, FollowingStatements, ReplayStatements {
  // Ledger
  /** Stores what was received; repeated bytes may point at the first payload that had them. */
  savePayload(row: PayloadRow): Promise<void>;
  /** The payload that holds these bytes, if it is `id` or the one that `id` points at. */
  payloadWith(id: string, bytes: Pick<PayloadRow, 'body' | 'blob'>): Promise<string | undefined>;
  insertEvent(row: EventRow): Promise<void>;
  /** An item that came before the message it is about (deletion, receipt): found again by `takeEarly`. */
  saveEarly(endpointId: string, externalId: string, item: object, at: number): Promise<void>;
  takeEarly(endpointId: string, externalId: string): Promise<readonly object[]>;

  // Messages
  findMessage(endpointId: string, externalId: string): Promise<MessageRow | undefined>;
  message(id: string): Promise<MessageRow | undefined>;
  insertMessage(
    row: Omit<MessageRow, keyof MessageContent | 'ticketId'> & { readonly ticketId: string | null },
    content: MessageContent,
  ): Promise<void>;
  /** Replaces the content; what was there stays as history. */
  reviseMessage(message: MessageRow, content: MessageContent, at: number): Promise<void>;
  /** The same was said again under a higher number: what is older than that comes late. */
  raiseRevision(messageId: string, revision: number): Promise<void>;
  /** Keeps a revision that came late, as history only. */
  saveRevision(messageId: string, content: MessageContent, at: number): Promise<void>;
  deleteMessage(id: string, at: number): Promise<void>;
  saveReaction(messageId: string, author: string, emoji: string, at: number): Promise<void>;
  insertAttachment(row: AttachmentRow): Promise<void>;
  /** The channel's ids of a message's files. */
  attachmentIds(messageId: string): Promise<readonly string[]>;
  attachment(rowId: string): Promise<AttachmentRow | undefined>;
  updateAttachment(
    rowId: string,
    patch: { state: 'stored' | 'failed'; sha256?: string; size?: number; error?: string | null },
  ): Promise<void>;
  deleteAttachment(rowId: string): Promise<void>;

  // Customers
  customer(id: string): Promise<CustomerRow | undefined>;
  insertCustomer(row: { id: string; name: string | null; locale: string | null; at: number }): Promise<void>;
  /** Fills in what isn't known yet. */
  completeCustomer(id: string, known: { name?: string; locale?: string }, at: number): Promise<void>;
  /** Notes that his channel is asked who a customer without a name is; false where he has one, or was asked for after `since`. */
  askProfile(id: string, at: number, since: number): Promise<boolean>;
  identifier(kind: string, value: string): Promise<IdentifierRow | undefined>;
  identifiersOf(customerId: string): Promise<readonly IdentifierRow[]>;
  /** Inserts it, or gives it to another customer or trust. */
  saveIdentifier(row: IdentifierRow, at: number): Promise<void>;
  saveClaim(customerId: string, kind: string, value: string, at: number): Promise<void>;
  /** The oldest customer with that claim and without any identifier, not merged away. */
  claimant(kind: string, value: string): Promise<string | undefined>;
  /** Moves identifiers, claims, tickets and messages and lists what moved, for undo. */
  moveCustomer(from: string, to: string, evidence: string, mergeId: string, at: number): Promise<void>;
  /** Takes a merge back: everything that moved, and only that. Returns the two customers. */
  undoMerge(mergeId: string, at: number): Promise<Pick<Merge, 'kind' | 'winner' | 'loser'> | undefined>;
  /** Notes that two are not the same person, for `undoMerge`; the id of the note, of an older one if that says so already. */
  tellApart(customerId: string, other: string, evidence: string, mergeId: string, at: number): Promise<string>;
  /**
   * Gives identifiers and the messages that came by them to another customer; listed for undo. A ticket in which nobody
   * else wrote goes along, with what was answered in it.
   */
  splitCustomer(
    from: string,
    to: string,
    identifiers: readonly { kind: string; value: string }[],
    evidence: string,
    mergeId: string,
    at: number,
  ): Promise<void>;

  // Tickets
  ticket(id: string): Promise<TicketRow | undefined>;
  ticketByNumber(number: number): Promise<TicketRow | undefined>;
  insertTicket(
    row: Omit<TicketRow, 'number' | 'version' | 'lastSeq' | 'mergedInto' | 'lastInboundAt' | 'closedAt' | 'updatedAt'>,
  ): Promise<number>;
  /** Takes the next position in the ticket for a message and notes the time. */
  nextSeq(
    ticketId: string,
    at: number,
    direction: 'inbound' | 'outbound' | 'note',
  ): Promise<{ seq: number; version: number }>;
  /** As `updateTicket`, unless a status that was set after `setAt` stands already: then undefined, and nothing changes. */
  setStatus(
    id: string,
    patch: Pick<TicketRow, 'status' | 'closedAt'> & { readonly setAt: number },
    at: number,
  ): Promise<number | undefined>;
  /** Returns the new version. */
  updateTicket(id: string, patch: TicketPatch, at: number): Promise<number>;
  /** The current ticket of a vendor's thread. */
  ticketOfThread(endpointId: string, externalId: string): Promise<TicketRow | undefined>;
  /** `shared`: several people write there, so that no message from elsewhere may join its ticket. */
  saveThread(endpointId: string, externalId: string, ticketId: string, shared?: 'shared'): Promise<void>;
  /** The customer's last message through a channel; a machine's (out of office, bounce) only where no person wrote. */
  lastInbound(
    ticketId: string,
    endpointId: string,
    where?: Conversation,
  ): Promise<{ readonly id: string; readonly thread: string | null } | undefined>;
  /** External ids of messages and of parts of answers, oldest first; the last 20. */
  externalIds(ticketId: string, endpointId: string, where?: Conversation): Promise<readonly string[]>;
  /** The customer's ticket with the latest message since `since` that isn't solved, closed or of a shared thread. */
  recentOpenTicket(customerId: string, since: number): Promise<TicketRow | undefined>;
  isParticipant(ticketId: string, customerId: string): Promise<boolean>;
  /** Moves messages to another ticket, at its end, in their order. */
  moveMessages(messageIds: readonly string[], to: string, at: number): Promise<void>;
  messageIds(ticketId: string): Promise<readonly string[]>;
  /** Whether a customer has had an automatic answer since then. */
  wasAutoReplied(customerId: string, since: number): Promise<boolean>;
  repointThreads(from: string, to: string): Promise<void>;

  // Change feed and outbox
  insertChange(row: ChangeRow): Promise<number>;
  /** Adds a task at the end of its line; `dueAt` is when it may start once it is the head; null: once its file is there. */
  insertTask(
    row: Omit<Task, 'state' | 'attempts' | 'uncertain' | 'interruptions'>,
    dueAt: number | null,
  ): Promise<TaskRefRow>;
  /** The right to work on a task, if it is due, free, the head of its line, and its endpoint not paused. Counts the try. */
  lease(taskId: string, token: string, now: number, until: number): Promise<Lease | undefined>;
  /** Ends a try: nothing happens (false) unless `token` still holds the lease. Makes the next in line due. */
  finish(
    lease: Lease,
    result: TaskResult,
    attempt: AttemptRow,
    now: number,
  ): Promise<{ held: boolean; next?: TaskRefRow }>;
  /** Gives the open tasks of one ticket to another one: they take their turn in its lines. */
  moveTasks(from: string, to: string, now: number): Promise<readonly TaskRefRow[]>;
  task(id: string): Promise<Task | undefined>;
  link(destinationId: string, ticketId: string): Promise<Link | undefined>;
  /** Throws `PermanentError` when the far id is already another ticket's. */
  saveLink(
    destinationId: string,
    ticketId: string,
    ref: { externalId: string; url?: string },
    at: number,
  ): Promise<void>;
  ticketOfLink(destinationId: string, externalId: string): Promise<string | undefined>;
  /** Notes what an agent did in a destination, and the message it became; false when that was noted before. */
  saveAction(destinationId: string, externalId: string, messageId: string | null, at: number): Promise<boolean>;
  /** The destination where an agent wrote a message; undefined for what was written elsewhere. */
  originOf(messageId: string): Promise<string | undefined>;

  // Endpoints
  endpointState(endpointId: string): Promise<EndpointState>;
  updateEndpointState(endpointId: string, patch: Partial<Omit<EndpointState, 'endpointId'>>): Promise<void>;
  saveEndpoint(row: EndpointRow): Promise<void>;
  /** With everything that was known of it: cursor, failures, secrets. */
  deleteEndpoint(id: string): Promise<void>;
  /** A small secret of an endpoint, encrypted; replaces the one of that name. */
  saveSecret(endpointId: string, name: string, sealed: Buffer): Promise<void>;
  saveRoute(row: RouteRow): Promise<void>;
  deleteRoute(id: string): Promise<boolean>;

  // Processes
  /** A process that works on this store: what it takes is held under its id (hexadecimal, never used before). */
  enterProcess(id: string): Promise<void>;
  /** Shows that it is alive. */
  beatProcess(id: string): Promise<void>;
  /** Forgets a process and frees what it holds, channels and tasks; nothing happens (false) once it has moved on from `beat`. */
  endProcess(id: string, beat?: number): Promise<boolean>;
  /** The right to fetch from a channel; false while another process that is known has it. */
  takeChannel(endpointId: string, processId: string): Promise<boolean>;
  /** Takes that right away from whoever has it. */
  freeChannel(endpointId: string): Promise<void>;
  /** Where fetching goes on. Throws `LeaseLostError` unless the process has the right to fetch. */
  saveCursor(endpointId: string, cursor: string, processId: string): Promise<void>;

  // Access
  saveKey(row: KeyRow): Promise<void>;
  revokeKey(id: string, at: number): Promise<boolean>;
  saveUser(row: UserRow): Promise<void>;
  /** With the sessions that he has. */
  deleteUser(id: string): Promise<boolean>;
  saveSession(row: SessionRow): Promise<void>;
  deleteSession(hash: string): Promise<void>;
  /** Takes a one-time token: true once, while it is valid. */
  takeToken(hash: string, now: number): Promise<boolean>;
  saveToken(hash: string, expiresAt: number): Promise<void>;
  /** What was done under a key. */
  idempotent(key: string): Promise<IdempotentRow | undefined>;
  saveIdempotent(row: IdempotentRow): Promise<void>;
  audit(row: { at: number; actor: string; action: string; target: string; detail?: string }): Promise<void>;
  /** Deletes what is older than the retention, a batch at a time. */
  sweepRetention(limits: RetentionLimits): Promise<Swept>;
}
