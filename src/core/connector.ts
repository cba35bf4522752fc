import type { Readable } from 'node:stream';
import type { z, ZodType } from 'zod';
import type { Clock } from './clock.ts';
import type { Attachment, Identifier, ItemInput } from './envelope.ts';
import type { Http } from './http.ts';
import type { HttpAnswer, Payload, Receipt, WebhookRequest } from './payload.ts';
import type { Secret } from './secret.ts';
import type { Smtp } from './smtp.ts';
import type { Message, Ticket } from './ticket.ts';

export type { Http, HttpRequest, HttpResponse, Seat, Socket } from './http.ts';
export type { Receipt } from './payload.ts';

type MaybePromise<T> = T | Promise<T>;

/** `alpha`: may change; `beta`: complete, little used; `stable`: proven against the vendor's own payloads. */
export type Stability = 'alpha' | 'beta' | 'stable';

/** Facts for the catalogue and the router. The suite asserts that they agree with the methods. */
export interface ConnectorCapabilities {
  readonly receive: readonly ('webhook' | 'poll' | 'stream')[];
  readonly reply: boolean;
  /** An answer that is sent again under the same id reaches the customer once, so an unknown outcome may simply be repeated. */
  readonly idempotent: boolean;
  /** Files in (`download`) and out (`reply` with attachments). */
  readonly attachments: { readonly in: boolean; readonly out: boolean };
  /** It can be asked to connect an agent and a customer by phone (`callBack`). */
  readonly callBack?: boolean;
  /** Works on a machine that nobody can reach from outside. */
  readonly localhost: boolean;
  /**
   * `person`: the vendor's thread is the person (a chat), so a new one may join the customer's open
   * ticket. `topic`: it is a subject (a mail thread), so a new one is a new ticket.
   */
  readonly threads: 'person' | 'topic';
  /**
   * What it was checked against: `116 collected payloads` (test/proven.test.ts counts them), `real payloads`,
   * `vendor description`, `signature vectors`, `prose`.
   */
  readonly proven: readonly string[];
}

/**
 * Code for one kind of channel. Importing it does nothing; `open` is called once per configured
 * channel, may import heavy SDKs, and must not touch the network.
 */
export interface Connector<C extends ZodType = ZodType> {
  /** `lower_snake_case`, unique. */
  readonly type: string;
  readonly title: string;
  /** One sentence for the catalogue. */
  readonly summary: string;
  /** Path of its page below `docs/`. */
  readonly docs: string;
  readonly stability: Stability;
  readonly capabilities: ConnectorCapabilities;
  /** What the operator writes besides `id` and `type`. A strict object; secrets through `secret()`. */
  readonly config: C;
  open(config: z.output<C>, context: Context): MaybePromise<Channel>;
}

export function defineConnector<C extends ZodType>(connector: Connector<C>): Connector<C> {
  return connector;
}

/** What the host lends to a channel or a destination. */
export interface Context {
  /** The endpoint's id from the configuration. */
  readonly id: string;
  /** The address that vendors call for this endpoint, without a token: `https://host/webhooks/<id>`. */
  readonly webhookUrl: string;
  /** The address of the installation, without a slash at the end. */
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly http: Http;
  readonly smtp: Smtp;
  /** 32 secret bytes of this installation, derived for this endpoint and purpose: the same in every process and after a restart. */
  key(purpose: string): Buffer;
  /** Small secrets that a vendor hands out while it runs (rotated refresh tokens), kept encrypted in the store. */
  readonly secrets: Secrets;
  /** The vendor's threads that are known here, those whose tickets moved last first, at most 500: for vendors who list none. */
  threads(): Promise<readonly string[]>;
  /**
   * A folder of its own below DATA_DIR, for what can't be anywhere else (a browser's profile): whoever needs it makes it,
   * for the gateway's user alone (0700). Of this machine only, and not in the store: nothing that can't be made again.
   */
  readonly folder: string;
  /**
   * Runs the default export of a module in a process of its own: for work that strangers' bytes can make slow.
   * `input` and the result are cloned. An error that it throws is passed on; a process that ran out of
   * time or memory, or died, is replaced and the work tried once more, then `BadPayloadError`.
   */
  offload<T>(work: {
    /** `new URL('./read-worker.ts', import.meta.url)`, also in what was built. */
    readonly worker: URL;
    readonly input: unknown;
    /** Milliseconds that it may take; how long it waited for a process doesn't count. */
    readonly deadlineMs: number;
  }): Promise<T>;
}

export interface Secrets {
  load(name: string): Promise<string | undefined>;
  /** Durable when it resolves: save a new token before it is used. */
  save(name: string, value: string): Promise<void>;
}

export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** How a vendor pushes to us. */
export interface Webhook {
  /** Methods that carry payloads; `['POST']` when left out. GET, HEAD and OPTIONS otherwise go to `challenge`. */
  readonly methods?: readonly string[];
  /** Largest body in bytes; 1 MiB when left out. */
  readonly maxBytes?: number;
  /** Set where the vendor can't sign: the secret part of the address. Checked by the host, before `verify`. */
  readonly token?: Secret;
  /**
   * Set where the vendor puts names of his own behind the address (`/webhooks/<id>/events/call`): whatever stands there is
   * ours too, and is left in `url`. Such a channel has no `token`.
   */
  readonly below?: true;
  /** `connect` tells the vendor the address: nobody has to enter it there. */
  readonly registered?: true;
  /** Throws `BadPayloadError` unless the vendor sent it; fails closed. A vendor's key that can't be fetched: `RetryableError`. */
  verify(request: WebhookRequest): MaybePromise<void>;
  /** Answers what carries no payload: the vendor's set-up question, a page, a preflight. Has no side effects. */
  challenge?(request: WebhookRequest): MaybePromise<HttpAnswer | undefined>;
  /** The answer that the vendor expects once everything is stored; 200 without a body when left out. */
  respond?(request: WebhookRequest, receipt: Receipt): HttpAnswer;
  /** The answer to a refused request where a person reads it (forms); problem+json or a constant body when left out. */
  refuse?(request: WebhookRequest, error: Error & { readonly status: number }): HttpAnswer | undefined;
}

/** What a poll or a stream hands over. */
export interface Raw {
  readonly body: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An agent's answer on its way to the customer. */
export interface Reply {
  /** Stable over all tries: the vendor's idempotency key where he has one. */
  readonly id: string;
  readonly ticket: Ticket;
  readonly message: Message;
  /** The vendor's thread to answer in, if the conversation has one. */
  readonly thread: string | undefined;
  /**
   * The message that it answers: the customer's last one before it, on this channel and in this thread; a machine's
   * only where no person wrote. Its author is who the answer goes to. The same over all tries.
   */
  readonly answers: Message | undefined;
  /** External ids of the conversation on this channel before it, ours included, oldest first; the last 20. */
  readonly references: readonly string[];
  /** Our proof over the ticket's number, 26 characters of 0-9 and a-v: who quotes both has had this answer. */
  readonly proof: string;
  /** Parts that went out in an earlier try: go on behind them. */
  readonly sent: readonly { readonly externalId: string }[];
  /**
   * Call after each part that went out: it is stored before the next one goes. `replaces`: the vendor keeps one answer,
   * so those before it in the thread are gone.
   */
  partSent(externalId: string, how?: { readonly replaces: boolean }): Promise<void>;
  /** The bytes of an attachment of the message. */
  open(attachmentId: string): Promise<Readable>;
}

/** A call that the vendor is asked to make: it rings at the agent's first, then at the customer's. */
export interface CallBack {
  /** The same when it is asked for again: the vendor's idempotency key where he has one. */
  readonly id: string;
  /** The customer's number, E.164. */
  readonly to: string;
  /** Where the agent picks up: his extension, user or number, as this vendor names them. */
  readonly agent: string;
}

/** A text that the vendor approved beforehand, with places for values. */
export interface ReplyTemplate {
  /** What the channel finds it by, unique in the channel: with the language where the vendor's name isn't. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** BCP 47. */
  readonly language: string;
  /** What the customer reads, `{{parameter}}` where a value goes. */
  readonly text: string;
  /** Every one needs a value, also those that `text` doesn't show (a link behind a button). */
  readonly parameters: readonly string[];
}

/** What a person has to do before a channel works, while it waits for him: shown in its health. */
export interface Linking {
  readonly text: string;
  /** What the code to be scanned says, where one is shown; it is drawn as a QR code. */
  readonly qr?: string;
}

export interface CanReply {
  /** Whether any text may go out. */
  readonly allowed: boolean;
  /** Why not, or what is special, for the agent. */
  readonly reason?: string;
  /** When the window closes, milliseconds since the epoch. */
  readonly until?: number;
  /** Everybody reads it, not the customer alone: it stands below a review. */
  readonly public?: boolean;
  /** Most characters (UTF-16 units) that the vendor takes and that go out as one: a longer answer is refused. */
  readonly longest?: number;
  /** The vendor keeps one answer: another one takes its place. */
  readonly replaces?: boolean;
  /** What may go out also where `allowed` is false; the answer's `message.template` says which one was chosen. */
  readonly templates?: readonly ReplyTemplate[];
}

/** Where customers sit at a page with a script of ours (web chat): who may ask from there for what was said. */
export interface Visits {
  /** Sites besides our own whose pages may ask, as browsers name them in `Origin`. */
  readonly origins: readonly string[];
  /**
   * The thread of the visitor whose token it is; undefined unless it is one of ours and still good. He may see what has
   * an external id of `<thread>/…` in this channel: his messages, and the answers that `reply` gave such an id.
   */
  threadOf(token: string): string | undefined;
}

/** A configured connector: one bot, mailbox, number. Optional methods are discovered by presence. */
export interface Channel {
  readonly webhook?: Webhook;
  readonly visits?: Visits;
  /**
   * Payload to items. Pure: no network, no clock, no memory, so that it can be repeated years later.
   * Throwing means a bug or an unknown shape: the payload is quarantined, its bytes kept.
   */
  normalize(payload: Payload): MaybePromise<ItemInput[]>;
  /** Tells the vendor where to push, or makes ready what `poll` needs. Called after opening, until it succeeds once. */
  connect?(signal: AbortSignal): Promise<void>;
  /**
   * What came behind `cursor`, oldest first; the host stores it together with the new cursor and asks again. `more`:
   * at once. Not called where there is a `stream`.
   */
  poll?(
    cursor: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly Raw[]; readonly cursor: string; readonly more?: boolean }>;
  /** Milliseconds from the beginning of one poll to the next; 5 s when left out. */
  readonly pollEveryMs?: number;
  /**
   * Runs until aborted; throws to be started again. `emit` resolves once it is stored, together with the
   * cursor if one is given, and throws `RetryableError` when it can't be.
   */
  stream?(
    cursor: string | undefined,
    emit: (raw: Raw, cursor?: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
  reply?(reply: Reply): Promise<void>;
  /** Whether an answer may go out now; a channel with `reply` and without it always may. Asked whenever a ticket is shown. */
  canReply?(conversation: {
    readonly ticket: Ticket;
    readonly lastInboundAt: number | undefined;
    /** The customer's last message of the ticket on this channel, where it is known. */
    readonly answers?: Message | undefined;
  }): MaybePromise<CanReply>;
  /**
   * Asks the vendor to connect an agent with a customer; resolves once he has taken it on, within 30 s. It is never
   * repeated by itself. `externalId` is what the events of that call will name it by, if he says so. Throws the errors
   * of `core/errors.ts`: `PermanentError` for an agent or a number that he refuses, `UncertainError` where it may ring.
   */
  callBack?(wish: CallBack, signal: AbortSignal): Promise<{ readonly externalId?: string }>;
  /**
   * What the vendor holds since `since` (milliseconds since the epoch), oldest first, for vendors who don't send again:
   * asked after every start and downtime, and every hour. It goes to `normalize` with the method `RECONCILE`, and must
   * give the same external ids as what is pushed: what is known already becomes a duplicate.
   */
  reconcile?(since: number, signal: AbortSignal): AsyncIterable<Raw>;
  /** What the vendor knows of a person whom his messages only number; undefined: nothing. */
  profile?(identifier: Identifier): Promise<{ readonly name?: string; readonly locale?: string } | undefined>;
  /** The bytes of an attachment; `payload` is the one that announced it. */
  download?(attachment: Attachment, payload: Payload): Promise<Readable>;
  /** What it waits for a person to do (scan a code), whichever process it runs in; undefined: for nothing. */
  linking?(): Promise<Linking | undefined>;
  /** Tries the credentials; resolves with what the vendor said, throws one of the five errors. */
  test?(): Promise<string>;
  close?(): Promise<void>;
}

/** How the host fetches from an endpoint. */
export type Fetching = Pick<Channel, 'connect' | 'poll' | 'pollEveryMs' | 'stream' | 'reconcile'>;
