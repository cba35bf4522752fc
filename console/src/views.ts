import type { Action } from '../../src/core/action.ts';
import type { Item } from '../../src/core/envelope.ts';
import type {
  Attempt,
  Change,
  ChangeType,
  Customer,
  DeliveryView,
  LedgerEvent,
  Message,
  Priority,
  TaskState,
  Ticket,
  TicketStatus,
} from '../../src/core/ticket.ts';
import type { Schema } from './sections/connect/fields.ts';

/** A channel that an answer could take. `reason` says why not, or what is special. */
export interface ReplyChannel {
  readonly channel: string;
  readonly type: string;
  readonly allowed: boolean;
  readonly reason: string | null;
  /** RFC 3339. */
  readonly until: string | null;
  readonly public: boolean;
  readonly longest: number | null;
  readonly replaces: boolean;
}

export type TicketView = Ticket & { readonly replyChannels: readonly ReplyChannel[] };

export interface Page<T> {
  readonly data: readonly T[];
  readonly nextCursor: string | null;
}

export interface Session {
  /** `user:usr_…` */
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
}

/** Which tickets, as the API is asked for them. */
export interface TicketsWanted {
  readonly q: string;
  readonly status: readonly TicketStatus[];
  readonly assignee?: string | undefined;
  readonly channel?: string | undefined;
  readonly team?: string | undefined;
  readonly tag?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly cursor?: string;
}

export interface TicketPatch {
  readonly status?: TicketStatus;
  readonly priority?: Priority;
  readonly assignee?: string | null;
  readonly team?: string | null;
  readonly tags?: readonly string[];
}

/** Somebody who can sign in. */
export interface User {
  readonly id: string;
  readonly name: string;
}

/** What tickets are marked with. */
export interface Labels {
  readonly tags: readonly string[];
  readonly teams: readonly string[];
}

export const healthStates = [
  'setting_up',
  'waiting_first',
  'healthy',
  'quiet',
  'degraded',
  'needs_reauth',
  'paused',
] as const;
export type HealthState = (typeof healthStates)[number];

/** How an endpoint is, with what says so. Times are RFC 3339. */
export interface Health {
  readonly state: HealthState;
  /** Why it could not be opened. */
  readonly problem: string | null;
  readonly lastInAt: string | null;
  readonly lastOutAt: string | null;
  /** Tasks that wait for it, those set aside for a person, and the age of the oldest that waits. */
  readonly backlog: number;
  readonly dead: number;
  readonly lagMs: number | null;
  /** Failures since the last success. */
  readonly failures: number;
  readonly lastError: string | null;
  readonly lastErrorAt: string | null;
  readonly quarantinedAt: string | null;
  readonly reconciledAt: string | null;
  readonly missed: number;
  readonly pausedUntil: string | null;
  readonly pauseReason: string | null;
  readonly linking: { readonly text: string; readonly qr: string | null } | null;
}

export type Role = 'channel' | 'destination';

/** A channel or a destination. */
export interface EndpointView {
  readonly id: string;
  readonly role: Role;
  readonly type: string;
  readonly name: string;
  readonly enabled: boolean;
  /** File and line; null: made over the API. */
  readonly source: string | null;
  /** What the vendor calls, the secret part of it masked. */
  readonly webhookUrl: string | null;
  /** The vendor is told that address by the gateway. */
  readonly registers: boolean;
  /** As its type has them, secrets masked. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** A text, or one per language. */
  readonly autoReply: unknown;
  /** Whether its credentials can be tried. */
  readonly testable: boolean;
  readonly health: Health;
}

/** A type of channels or destinations. */
export interface TypeEntry {
  readonly role: Role;
  readonly type: string;
  readonly title: string;
  readonly summary: string;
  readonly stability: 'alpha' | 'beta' | 'stable';
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** JSON Schema of its settings. */
  readonly config: Schema;
}

/** What is wrong with a field of a request. */
export interface FieldProblem {
  /** RFC 6901. */
  readonly pointer: string;
  readonly message: string;
}

/** Which messages go to which destinations. */
export interface RouteView {
  readonly id: string;
  /** File and line; null: made over the API. */
  readonly source: string | null;
  readonly when: Readonly<Record<string, unknown>>;
  readonly to: readonly string[];
  readonly stop: boolean;
}

/** A request that was turned away before anything of it was stored. */
export interface Refusal {
  readonly at: string;
  readonly status: number;
  readonly reason: string;
  readonly method: string;
  readonly remoteAddress: string | null;
  /** Names only. */
  readonly headers: readonly string[];
  readonly size: number;
}

/** What came of trying the credentials. */
export interface Trial {
  readonly ok: boolean;
  readonly text: string;
  readonly hint: string | null;
}

/** What was received with an event, as it came. */
export interface PayloadView {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string | null;
  /** Null once its bytes are gone. */
  readonly body: {
    readonly encoding: 'text' | 'base64';
    readonly content: string;
    /** Bytes of the whole. */
    readonly size: number;
    readonly truncated: boolean;
  } | null;
}

export type EventView = LedgerEvent & { readonly payload: PayloadView | null };

/** What a channel makes of something that came in; of a destination, what an agent did. */
export type ReadItem = Item | Action;

/** What came of filing something again. */
export interface Filed {
  readonly items: readonly { readonly outcome: Outcome; readonly ticketId?: string; readonly ticketNumber?: number }[];
}

/** Which events. */
export interface EventQuery {
  readonly endpoint?: string | undefined;
  readonly outcome?: Outcome | undefined;
  /** RFC 3339. */
  readonly since?: string | undefined;
  readonly q?: string | undefined;
  readonly payload?: string | undefined;
  readonly message?: string | undefined;
  readonly cursor?: string | undefined;
}

export type Outcome = LedgerEvent['outcome'];
export const outcomes: readonly Outcome[] = [
  'ticket_created',
  'appended',
  'revised',
  'duplicate',
  'receipt',
  'ignored',
  'rejected',
  'quarantined',
];

export const taskStates: readonly TaskState[] = ['waiting', 'delivering', 'delivered', 'dead', 'needs_check'];

/** A delivery with every try. */
export type DeliveryLog = DeliveryView & { readonly log: readonly Attempt[] };

export type {
  Attempt,
  Change,
  ChangeType,
  Customer,
  DeliveryView,
  LedgerEvent,
  Message,
  Priority,
  TaskState,
  Ticket,
  TicketStatus,
};
