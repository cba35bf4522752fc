import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { codes, withCode } from './failure.ts';
import type { Progress } from './failure.ts';

/** One call on its way: its deadlines, and how far it got. */
export interface Call extends Progress {
  /** Told of the request as soon as there is one. */
  watch(request: ClientRequest): void;
  /** The answer has begun. */
  answered(): void;
  /** Clears the timers. */
  end(): void;
}

export interface Deadlines {
  /** From the last byte of the request to the first of the answer. */
  readonly firstByteMs: number;
  readonly totalMs: number;
}

export function beginCall(deadlines: Deadlines, signal: AbortSignal | undefined): Call {
  const controller = new AbortController();
  const fail = (text: string) => () => controller.abort(withCode(codes.deadline, text));
  const total = setTimeout(fail(`not done within ${deadlines.totalMs} ms`), deadlines.totalMs);
  let first: NodeJS.Timeout | undefined;
  let hasBegun = false;
  let isAnswered = false;
  const abort = () => controller.abort(withCode(codes.aborted, 'called off', signal?.reason));
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);

  return {
    signal: controller.signal,
    watch(request) {
      request.once('socket', (socket: Socket) => {
        const up = () => (hasBegun = true);
        if (request.reusedSocket) up();
        else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', up);
      });
      request.once('finish', () => {
        if (!isAnswered)
          first = setTimeout(fail(`no answer within ${deadlines.firstByteMs} ms`), deadlines.firstByteMs);
      });
    },
    answered() {
      hasBegun = true;
      isAnswered = true;
      clearTimeout(first);
    },
    hasBegun: () => hasBegun,
    end() {
      clearTimeout(first);
      clearTimeout(total);
      signal?.removeEventListener('abort', abort);
    },
  };
}
