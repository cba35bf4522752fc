import type { AutoReply } from './auto-reply.ts';
import type { Attachment, Call, Envelope, Identifier, Trust } from './envelope.ts';
import type {
  Attempt,
  ChangeType,
  Message,
  Outcome,
  Priority,
  TaskState,
  TemplateUse,
  TicketStatus,
} from './ticket.ts';

export type { EndpointState, InboundState } from './endpoint-state.ts';

/** Rows as the store keeps them. Times are epoch milliseconds. */

export interface PayloadRow {
  readonly id: string;
  readonly endpointId: string;
  readonly receivedAt: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress?: string;
  /** Either the bytes, or where they are: an earlier payload with the same bytes, a blob. */
  readonly body: Buffer | undefined;
  readonly blob?: string;
  readonly sameAs?: string;
  /** How many items it says: the ledger must have as many events. */
  readonly units: number;
}

export interface EventRow {
  readonly id: string;
  readonly payloadId: string;
  readonly item: number;
  readonly endpointId: string;
  readonly outcome: Outcome;
  readonly reason?: string;
  readonly externalId?: string;
  readonly ticketId?: string;
  readonly messageId?: string;
  readonly receivedAt: number;
  readonly replayOf?: string;
}

export interface TicketRow {
  readonly id: string;
  readonly number: number;
  readonly subject: string;
  readonly status: TicketStatus;
  readonly priority: Priority;
  readonly channelId: string;
  readonly customerId: string;
  readonly assignee: string | null;
  readonly team: string | null;
  readonly tags: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
  readonly language: string | null;
  readonly lastSeq: number;
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastInboundAt: number | null;
  readonly closedAt: number | null;
  readonly mergedInto: string | null;
}

export type TicketPatch = Partial<
  Pick<
    TicketRow,
    | 'subject'
    | 'status'
    | 'priority'
    | 'customerId'
    | 'assignee'
    | 'team'
    | 'tags'
    | 'fields'
    | 'language'
    | 'mergedInto'
    | 'closedAt'
    | 'channelId'
  >
>;

/** What of a message may change with a revision. */
export type MessageContent = Pick<
  Envelope,
  'occurredAt' | 'subject' | 'text' | 'textFull' | 'html' | 'fields' | 'automatic'
> & {
  readonly revision: number;
  readonly review?: object;
  readonly call?: object;
};

export interface MessageRow extends MessageContent {
  readonly id: string;
  readonly ticketId: string;
  /** Position in the ticket: the order that is kept outward. */
  readonly seq: number;
  /** Null on notes. */
  readonly endpointId: string | null;
  readonly externalId: string | null;
  readonly customerId: string | null;
  readonly kind: Message['kind'];
  readonly direction: 'inbound' | 'outbound';
  readonly author: { readonly name?: string; readonly identifiers: readonly Identifier[] };
  readonly verified: boolean;
  readonly receivedAt: number;
  readonly deletedAt: number | null;
  readonly rule: Message['threadedBy']['rule'];
  readonly evidence: string;
  readonly delivery: {
    readonly state: NonNullable<Message['delivery']>['state'];
    readonly error?: string;
  } | null;
  readonly payloadId: string | null;
  /** The vendor's thread that it came in, or goes out in. */
  readonly thread?: string;
  readonly template?: TemplateUse;
}

/** A call as it is known; without a ticket, it stands on its customer's timeline only. */
export type CallRow = Omit<MessageRow, 'ticketId' | 'call'> & {
  readonly ticketId: string | null;
  readonly call?: Call;
};

export type KnownCall = Pick<CallRow, 'ticketId' | 'occurredAt'> & { readonly call: Call };

export interface AttachmentRow extends Attachment {
  /** Our own id; `id` is the channel's. */
  readonly rowId: string;
  readonly messageId: string;
  readonly state: 'waiting' | 'stored' | 'failed';
  readonly sha256?: string;
  /** The payload that announced it; absent for the files of answers. */
  readonly payloadId?: string | null;
  /** Why it can't be had. */
  readonly error?: string;
  /** When it was recorded, for what has a retention of its own. */
  readonly recordedAt?: number;
}

/** A part of an album as it is now; without content, its sender took it back. */
export interface AlbumPart {
  readonly endpointId: string;
  readonly externalId: string;
  readonly messageId: string;
  readonly key: string;
  readonly at: number;
  /** Where in the text it stands, for pieces of one. */
  readonly piece: number | undefined;
  readonly content: MessageContent | undefined;
  /** Its files: the channel's ids and ours. */
  readonly files: readonly { readonly id: string; readonly rowId: string }[];
}

export interface CustomerRow {
  readonly id: string;
  readonly name: string | null;
  readonly locale: string | null;
  readonly version: number;
  readonly mergedInto: string | null;
}

export interface IdentifierRow {
  readonly kind: string;
  readonly value: string;
  readonly trust: Trust;
  readonly customerId: string;
}

/** What a join, a split, or the undoing of one gives to another customer. */
export interface Moved {
  readonly identifiers: readonly { readonly kind: string; readonly value: string }[];
  readonly claims: readonly { readonly kind: string; readonly value: string }[];
  /** Ids, the oldest first. */
  readonly tickets: readonly string[];
  readonly messages: readonly string[];
}

export type TaskKind = 'deliver' | 'update' | 'notify' | 'reply' | 'download' | 'profile' | 'hang_up' | 'transcribe';

/** An entry of the outbox. Its line is (endpoint, ticket): one at a time, in order. */
export interface Task {
  readonly id: string;
  readonly kind: TaskKind;
  readonly endpointId: string;
  readonly ticketId: string | null;
  readonly messageId: string | null;
  /** The change it tells about, for `notify`, `update`, and what became of a message after it was delivered. */
  readonly changeSeq: number | null;
  /** What it says outward: the change's type, or the task's kind. */
  readonly type: string;
  /** Of an attachment, for `download`. */
  readonly attachmentId: string | null;
  readonly state: TaskState;
  /** Tries begun so far that count against the schedule. */
  readonly attempts: number;
  /** The outcome of the last try is unknown: look before repeating. */
  readonly uncertain: boolean;
  /** Tries that the end of the process cut off. */
  readonly interruptions: number;
  readonly createdAt: number;
}

/** What `lease` gives: the right to work on a task until a time. */
export interface Lease {
  readonly task: Task;
  readonly token: string;
  readonly attempt: number;
}

/** How a try ended. */
export type TaskResult =
  | { readonly state: 'delivered'; readonly note?: string }
  | { readonly state: 'waiting'; readonly dueAt: number; readonly countsAttempt: boolean; readonly uncertain: boolean }
  | { readonly state: 'dead' | 'needs_check' };

export interface AttemptRow extends Omit<Attempt, 'startedAt' | 'endedAt' | 'number'> {
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface ChangeRow {
  readonly type: ChangeType;
  readonly at: number;
  readonly version: number;
  readonly ticketId?: string;
  readonly messageId?: string;
  readonly customerId?: string;
  /** What else the event says: `{ from, to }` of a status, the other ticket of a merge. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A task as the queue needs it. */
export interface TaskRefRow {
  readonly id: string;
  readonly endpointId: string;
  /** Due now: worth pushing. */
  readonly due: boolean;
  /** See `TaskRef`. */
  readonly lane?: 'files';
}

/** A channel or destination made over the API. */
export interface EndpointRow {
  readonly id: string;
  readonly role: 'channel' | 'destination';
  readonly type: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly autoReply?: AutoReply;
  /** The settings, encrypted. */
  readonly sealed: Buffer;
  readonly at: number;
}

export interface RouteRow {
  readonly id: string;
  readonly position: number;
  readonly definition: object;
  readonly at: number;
}
