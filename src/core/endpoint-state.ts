export interface EndpointState {
  readonly endpointId: string;
  /** Nothing goes out before; `null` when it isn't paused. */
  readonly pausedUntil: number | null;
  readonly pauseReason: string | null;
  /** Set when credentials were refused. */
  readonly needsReauth: boolean;
  readonly disabledAt: number | null;
  /** Failures since the last success. */
  readonly failures: number;
  readonly lastInAt: number | null;
  readonly lastOutAt: number | null;
  readonly lastError: string | null;
  readonly lastErrorAt: number | null;
  /** How it goes with what is fetched; the fields above are about the way out, which may work all the same. */
  readonly inbound: InboundState;
  /** When something came in that couldn't be read, the last time. */
  readonly quarantinedAt: number | null;
  /** The vendor was asked for what he holds, and everything up to here is filed; null: never. */
  readonly reconciledAt: number | null;
  /** Messages that were found that way because they had never been pushed. */
  readonly missed: number;
}

/** Of a channel that polls, streams, or has to connect. */
export interface InboundState {
  /** Tries in a row that failed. */
  readonly failures: number;
  /** Set when credentials were refused. */
  readonly needsReauth: boolean;
  readonly lastError: string | null;
  readonly lastErrorAt: number | null;
}
