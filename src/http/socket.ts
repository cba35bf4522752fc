import type { ClientRequest } from 'node:http';
import { createWebSocketStream, WebSocket } from 'ws';
import type { Http, HttpRequest, Socket } from '../core/connector.ts';
import { refusalOf } from './body.ts';
import { beginCall } from './call.ts';
import { codes, failureAt, failureOf, nameOf, withCode } from './failure.ts';
import type { Outlet } from './request.ts';
import { addressOf, bare, headersOf, requestHeaders } from './request.ts';

type SocketRequest = Parameters<Http['socket']>[0];

/** How long the far end may take to say goodbye. */
const GOODBYE_MS = 1000;

/** What stands for "none was given" (RFC 6455, 7.4.1): without a status, and without a goodbye. */
const NO_CODE: readonly number[] = [1005, 1006];

/** A WebSocket on the guarded agent. Its errors are those of a call to the same address. */
export async function openSocket(outlet: Outlet, request: SocketRequest): Promise<Socket> {
  const asked: HttpRequest = bare({ url: request.url.replace(/^ws/, 'http'), headers: request.headers ?? {} });
  const { firstByteMs } = outlet.limits;
  const call = beginCall({ firstByteMs, totalMs: firstByteMs }, request.signal);
  try {
    call.signal.throwIfAborted();
    const socket = dial(outlet, asked, request.maxBytes, (sent) => call.watch(sent));
    // Listens from the beginning: the first messages may come together with the answer.
    const stream = createWebSocketStream(socket, { readableObjectMode: true });
    stream.on('error', () => undefined);
    let closed: number | undefined;
    socket.once('close', (code) => (closed = NO_CODE.includes(code) ? undefined : code));
    await opened(socket, outlet, asked, call.signal);
    watch(socket, request, (reason) => stream.destroy(reason));
    return {
      messages: messagesOf(stream, asked),
      send: (text) => socket.send(text, () => undefined),
      close() {
        socket.close();
        setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
      },
      closeCode: () => closed,
    };
  } catch (error) {
    throw failureOf(asked, error, call);
  } finally {
    call.end();
  }
}

function dial(
  outlet: Outlet,
  asked: HttpRequest,
  maxPayload: number,
  onRequest: (sent: ClientRequest) => void,
): WebSocket {
  const address = addressOf(asked.url);
  const options = {
    agent: address.startsWith('https:') ? outlet.agents.https : outlet.agents.http,
    headers: requestHeaders(outlet, asked),
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload,
    finishRequest(sent: ClientRequest) {
      onRequest(sent);
      sent.end();
    },
  };
  const socket = new WebSocket(address, bare(options));
  // Whatever it is, the stream on it tells.
  socket.on('error', () => undefined);
  return socket;
}

function opened(socket: WebSocket, outlet: Outlet, asked: HttpRequest, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const fail = (reason: Error) => {
      socket.terminate();
      reject(reason);
    };
    signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true });
    socket.once('open', resolve);
    socket.once('error', fail);
    socket.once('unexpected-response', (_sent, answer) => {
      const headers = headersOf(Object.entries(answer.headers));
      const refused = { status: answer.statusCode ?? 0, headers, body: answer };
      void refusalOf(asked, refused, outlet.clock.now()).then(fail, fail);
    });
  });
}

/** Breaks it off when nothing comes any more, and when it isn't wanted any more. */
function watch(socket: WebSocket, { idleMs, signal }: SocketRequest, breakOff: (reason: Error) => void): void {
  const silent = () => {
    // While whoever reads is busy with what has come, nothing more is taken.
    if (socket.isPaused) idle.refresh();
    else breakOff(withCode(codes.deadline, `nothing came within ${idleMs} ms`));
  };
  const idle = setTimeout(silent, idleMs);
  for (const sign of ['message', 'ping', 'pong'] as const) socket.on(sign, () => idle.refresh());
  const abort = () => breakOff(withCode(codes.aborted, 'called off', signal.reason));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => {
    clearTimeout(idle);
    signal.removeEventListener('abort', abort);
  });
}

async function* messagesOf(stream: AsyncIterable<string | Buffer>, asked: HttpRequest): AsyncGenerator<Buffer> {
  try {
    for await (const message of stream) yield Buffer.from(message as string);
  } catch (error) {
    throw failureAt(nameOf(asked), error, { outcomeUnknown: false });
  }
}
