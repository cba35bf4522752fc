import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Once } from '../core/gateway.ts';
import type { Actor } from './access.ts';
import type { Range } from './range.ts';
import type { Scope } from './scopes.ts';

/** What a handler is given: everything validated, and who asks. */
export interface Call<P = unknown, Q = unknown, B = unknown> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly actor: Actor;
  /** Version from `If-Match`; undefined without the header. */
  readonly ifVersion: number | undefined;
  /** Handed on to the desk: what it does is done once under the caller's Idempotency-Key. */
  readonly once: Once | undefined;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal;
}

/** What a handler answers. */
export interface Answer {
  /** JSON. */
  readonly body?: unknown;
  /** What a repeat with the same Idempotency-Key hears, where `body` holds a secret that must not be kept. */
  readonly kept?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON that is made while it is sent. */
  readonly stream?: () => AsyncIterable<string>;
  /** Bytes instead of JSON. */
  readonly file?: File;
}

/** Bytes that never change under their tag. */
export interface File {
  readonly size: number;
  /** Tells this version from any other. */
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly open: (range?: Range) => Promise<Readable>;
}

interface Facts {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/api/v1`, in the notation of OpenAPI: `/tickets/{id}`. */
  readonly path: string;
  /** What a key must be allowed; `any`: it is enough to be known. */
  readonly scope: Scope | 'any';
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Most bytes of a body; 1 MB when left out. */
  readonly maxBytes?: number;
  readonly ifMatch?: 'accepted';
  /** A POST that only reads: nothing is done once, and its answer is kept nowhere. */
  readonly effect?: 'none';
  readonly status?: 200 | 201 | 204;
  /** Schema of the answer; left out: none (204), or bytes. */
  readonly answer?: z.ZodType;
}

/** One route of the API: drives Express, the OpenAPI document and the scope test. */
export interface Operation extends Facts {
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType;
  handle(call: Call): Promise<Answer>;
}

const Nothing = z.strictObject({});

/** An operation with what it doesn't name filled in: no parameters, no body. */
export function operation<
  P extends z.ZodObject = typeof Nothing,
  Q extends z.ZodObject = typeof Nothing,
  B extends z.ZodType = typeof Nothing,
>(
  given: Facts & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    handle(call: Call<z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer>;
  },
): Operation {
  return {
    ...given,
    params: given.params ?? Nothing,
    query: given.query ?? Nothing,
    body: given.body ?? Nothing,
    handle: (call) => given.handle(call as Call<z.output<P>, z.output<Q>, z.output<B>>),
  };
}

/** Whether it takes a body that says something. */
export function takesBody(operation: Operation): boolean {
  return operation.body !== Nothing;
}
