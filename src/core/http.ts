import type { Agent } from 'node:http';
import type { Readable } from 'node:stream';

export interface HttpRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  /** Credentials in the body, or in the address where they may look like words: errors and logs don't show them. */
  readonly hidden?: string | readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a string or Buffer as it stands. */
  readonly body?: object | string | Buffer;
  /** Whole call, milliseconds. When left out: 30 s, 15 s of them until the answer begins. */
  readonly timeoutMs?: number;
  /** Most that is read of the answer; 64 KB when left out. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  /**
   * How long to wait after a 429 or 503 without a `Retry-After`, for those who say it in headers of their own: written as
   * that, in seconds or as an HTTP date.
   */
  readonly waitOf?: (answer: Pick<HttpResponse, 'status' | 'headers'>) => string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** At most `maxBytes` of it. */
  readonly text: string;
  /** The body as JSON (see `parseJson`), or undefined when it isn't or was cut. */
  readonly json: unknown;
}

/**
 * The guarded way out. Addresses are checked when connecting; no proxy from the environment, no
 * redirects, no Brotli, deadlines and byte caps. A status outside 2xx and every failure is thrown as
 * one of the five error classes.
 */
export interface Http {
  /** A call whose answer is small. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /**
   * A download: the body as a stream, at most `maxBytes` of it, then the stream fails. One redirect is followed if
   * `mayFollow` allows its address; headers of the request stay behind, credentials above all.
   */
  stream(
    request: HttpRequest & { readonly maxBytes: number; readonly mayFollow?: (to: URL) => boolean },
  ): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly body: Readable }>;
  /** `fetch` for SDKs that take one. */
  readonly fetch: typeof fetch;
  /**
   * A WebSocket, uncompressed. Resolves once it is open; `signal` ends it also later. `maxBytes` is the most that one
   * message may have, `idleMs` how long nothing may come, not even a ping, before it counts as broken.
   */
  socket(
    request: Pick<HttpRequest, 'headers'> & {
      /** `wss:` or `ws:`. */
      readonly url: string;
      readonly maxBytes: number;
      readonly idleMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<Socket>;
  /** The guarded agent, for SDKs that take one, by scheme. */
  readonly agents: { readonly http: Agent; readonly https: Agent };
  /**
   * An address of a host that may be reached, for protocols other than HTTP (IMAP, SMTP, AMI): connect to
   * it, and check the certificate against the name. Throws as `send` does.
   */
  resolve(host: string, port: number): Promise<string>;
  /**
   * Leave to hold a connection to a host for long, while all endpoints of this process together hold fewer
   * than `most`; waits for it, in order. Rejects with the signal's reason when aborted.
   */
  seat(host: string, most: number, signal: AbortSignal): Promise<Seat>;
}

/** A connection on which both sides speak at any time. */
export interface Socket {
  /** What comes, in order, once: ends when the far end closes, throws when it breaks. Whoever leaves the loop hangs up. */
  readonly messages: AsyncIterable<Buffer>;
  /** Sends text; what is sent into a connection that has ended is lost without a word. */
  send(text: string): void;
  close(): void;
  /** With which code the far end closed, once `messages` has ended; undefined when it gave none. */
  closeCode(): number | undefined;
}

/** Whoever has had his turn and sees that his seat is wanted gives it back and asks again. */
export interface Seat {
  isWanted(): boolean;
  release(): void;
}
