/** Exactly what was received: pushed or fetched. Connectors read it, nobody changes it. */
export interface Payload {
  readonly endpointId: string;
  /** Milliseconds since the epoch, by our clock. */
  readonly receivedAt: number;
  /** `POST` for webhooks; `POLL`, `STREAM` or `RECONCILE` for what a connector fetched. */
  readonly method: string;
  /** Path and query as received, without the secret token of an address. */
  readonly url: string;
  /** Names in lower case; without a prototype, so a header called `__proto__` is only a header. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The sender's IP address; behind a configured proxy, the one the proxy names. */
  readonly remoteAddress?: string;
}

/** A request on its way in: a payload that nobody has verified yet. */
export interface WebhookRequest extends Payload {
  /** The secret part of `/webhooks/:endpointId/:token`, where the vendor can't sign. */
  readonly token?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** What came of a webhook, for `respond`. */
export interface Receipt {
  /** One entry per item, in order. */
  readonly items: readonly {
    readonly outcome: string;
    readonly ticketId?: string;
    readonly ticketNumber?: number;
    /**
     * Where the sender sees how his request is doing, if this item has opened its ticket. Of one that was there before he
     * may have to see nothing: who only says who he is comes into the ticket of whom he names.
     */
    readonly statusUrl?: string;
  }[];
}

/** The parameters behind `?`, each as often as it stands there. */
export function queryOf(payload: Payload): URLSearchParams {
  const start = payload.url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : payload.url.slice(start + 1));
}
