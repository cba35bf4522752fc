import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import type { HttpRequest } from '../core/connector.ts';
import { PermanentError, RetryableError } from '../core/errors.ts';
import type { TributaryError } from '../core/errors.ts';
import { failureOf, failureOfStatus, nameOf } from './failure.ts';
import type { Call } from './call.ts';

/** What is kept of an answer when nothing else is said. */
export const KEPT_BYTES = 64 * 1024;

/** An answer whose body is still on its way. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/** The first `maxBytes` of a body; what comes behind them isn't read. */
export async function readStart(body: Readable, maxBytes: number): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop destroys the stream, and its connection with it.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, maxBytes), isWhole: size <= maxBytes };
}

/**
 * A compressed answer is refused before anything decodes it: it can be a bomb, and Brotli's decoder is not
 * safe on every supported Node. We ask for `identity`, so nobody honest sends one.
 */
export function refuseEncoded(request: HttpRequest, { headers, body }: Answer): void {
  if (!isEncoded(headers)) return;
  body.destroy();
  throw new RetryableError(`${nameOf(request)}: the answer is compressed, which was not asked for`, {
    outcomeUnknown: true,
    hint: 'Switch off compression at the far end for clients that accept only identity.',
  });
}

function isEncoded(headers: Answer['headers']): boolean {
  return !['', 'identity'].includes((headers['content-encoding'] ?? '').trim().toLowerCase());
}

/** The error in an answer outside 2xx. The status says what to do even where the body can't be had. */
export async function refusalOf(request: HttpRequest, answer: Answer, now: number): Promise<TributaryError> {
  const { status, headers, body } = answer;
  const start = isEncoded(headers) ? undefined : await readStart(body, KEPT_BYTES).catch(() => undefined);
  body.destroy();
  return failureOfStatus(request, { status, headers, text: start?.bytes.toString('utf8') ?? '' }, now);
}

/** Passes a body on and ends the call with it. Fails with `PermanentError` when it is longer than `maxBytes`. */
export function capBody(body: Readable, maxBytes: number, request: HttpRequest, call: Call): Readable {
  let size = 0;
  const capped = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > maxBytes) done(tooLarge(request, maxBytes));
      else done(null, chunk);
    },
  });
  body.on('error', (error) => capped.destroy(failureOf(request, error, call)));
  capped.once('close', () => {
    body.destroy();
    call.end();
  });
  return body.pipe(capped);
}

export function tooLarge(request: HttpRequest, maxBytes: number): PermanentError {
  return new PermanentError(`${nameOf(request)}: the file is larger than ${maxBytes} bytes`);
}
