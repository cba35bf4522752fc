import type { IncomingMessage } from 'node:http';
import { BadPayloadError, RateLimitedError } from '../core/errors.ts';

export const NOTHING: Buffer = Buffer.alloc(0);

/** The sender hung up before his request was complete: there is nobody to answer. */
export class HungUpError extends Error {}

/** What can be refused by the head alone: encoded bodies, which nobody decodes, and announced lengths. */
export function checkHead(headers: Readonly<Record<string, string>>, maxBytes: number): void {
  const encoding = headers['content-encoding'];
  const transfer = headers['transfer-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new BadPayloadError('the body is encoded, and nothing is decoded here', { status: 415 });
  }
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    throw new BadPayloadError('the body has a transfer encoding other than chunked', { status: 415 });
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

function tooLarge(maxBytes: number): BadPayloadError {
  return new BadPayloadError(`the body is larger than ${maxBytes} bytes`, { status: 413 });
}

/** Pieces that may be of any size; beyond, they must have `PIECE_BYTES` on average. */
const FREE_PIECES = 1000;
const PIECE_BYTES = 64;

/**
 * The bytes of a request, at most `maxBytes`; stops reading with the first one too many. A megabyte in
 * chunks of one byte would keep the process busy for seconds, so very many tiny pieces are refused too.
 * `hold` is asked before bytes are kept: false when all bodies together are too many.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  hold: (bytes: number) => boolean,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body = NOTHING;
    let size = 0;
    let pieces = 0;
    const stop = (): void => {
      request.off('data', take).off('end', end).off('error', lost).off('close', lost);
    };
    const refuse = (error: BadPayloadError | RateLimitedError): void => {
      stop();
      request.pause();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      if (size + chunk.length > maxBytes) return refuse(tooLarge(maxBytes));
      if (++pieces > FREE_PIECES && pieces * PIECE_BYTES > size) {
        return refuse(new BadPayloadError('the body comes in too many tiny pieces', { status: 400 }));
      }
      if (!hold(chunk.length)) return refuse(new RateLimitedError('too many bodies are being read', 1000));
      body = size === 0 ? chunk : append(body, size, chunk, maxBytes);
      size += chunk.length;
    };
    const end = (): void => {
      stop();
      resolve(body.length === size ? body : body.subarray(0, size));
    };
    const lost = (): void => {
      stop();
      reject(new HungUpError());
    };
    request.on('data', take).on('end', end).on('error', lost).on('close', lost);
  });
}

/**
 * Into one buffer that doubles, not a list: a million chunks of one byte would be a million objects.
 * The first chunk is kept as it came, because most bodies have only one.
 */
function append(body: Buffer, size: number, chunk: Buffer, maxBytes: number): Buffer {
  let target = body;
  if (size + chunk.length > body.length) {
    target = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(16_384, 2 * (size + chunk.length))));
    body.copy(target, 0, 0, size);
  }
  chunk.copy(target, size);
  return target;
}
