import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';

/** What the receiver does with the next requests: one by one, where it is a function. */
export type Behaviour = Act | ((request: Received) => Act);

export type Act =
  | 'ok'
  /** Keeps the request and never answers. */
  | 'hang'
  /** Closes the connection once it has the request. */
  | 'drop'
  /** Begins a 200 and closes the connection in the middle of its body. */
  | 'cut'
  /** A 200 with 100 MB behind it. */
  | 'huge'
  /** A 200 whose body comes a byte at a time, for ever. */
  | 'trickle'
  /** A 200 marked as compressed with Brotli. */
  | 'brotli'
  /** What is not HTTP. */
  | 'garbage'
  | Answer;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A real HTTP server on loopback that records every request and behaves as told. */
export interface Receiver {
  /** `http://127.0.0.1:4123` */
  readonly origin: string;
  /** `127.0.0.1:4123` */
  readonly host: string;
  readonly port: number;
  readonly requests: Received[];
  /** How many connections were ever made to it. */
  connections(): number;
  /** Bytes that left this side. */
  bytesSent(): number;
  behave(next: Behaviour): void;
  close(): Promise<void>;
}

const CHUNK = Buffer.alloc(64 * 1024, 'a');
const HUGE_BYTES = 100 * 1024 * 1024;

export async function startReceiver(address = '127.0.0.1'): Promise<Receiver> {
  const requests: Received[] = [];
  const sockets = new Set<Socket>();
  let behaviour: Behaviour = 'ok';
  let connections = 0;
  let sentBefore = 0;

  const listener: RequestListener = (request, response) => {
    read(request)
      .then((received) => {
        requests.push(received);
        const told = typeof behaviour === 'function' ? behaviour(received) : behaviour;
        if (typeof told === 'string') ACTS[told](response);
        else response.writeHead(told.status, told.headers).end(told.body);
      })
      .catch(() => response.destroy());
  };
  const server = createServer(listener);
  server.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sentBefore += socket.bytesWritten;
      sockets.delete(socket);
    });
  });
  server.listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const host = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

  return {
    origin: `http://${host}`,
    host,
    port,
    requests,
    connections: () => connections,
    bytesSent: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, sentBefore),
    behave: (next) => {
      behaviour = next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = '', url = '', headers } = request;
  return { method, url, headers, body: Buffer.concat(chunks) };
}

const ACTS: Record<Extract<Act, string>, (response: ServerResponse) => void> = {
  ok: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}'),
  hang: () => undefined,
  drop: (response) => response.destroy(),
  cut(response) {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half', () => response.destroy());
  },
  huge(response) {
    response.writeHead(200, { 'content-length': String(HUGE_BYTES) });
    let left = HUGE_BYTES;
    const more = () => {
      while (left > 0 && !response.destroyed) {
        left -= CHUNK.length;
        if (!response.write(CHUNK)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  },
  trickle(response) {
    response.writeHead(200);
    const timer = setInterval(() => response.write('.'), 20);
    response.once('close', () => clearInterval(timer));
  },
  brotli: (response) =>
    response.writeHead(200, { 'content-encoding': 'br' }).end(Buffer.from([0x8b, 0x01, 0x80, 0x61])),
  garbage: (response) => response.socket?.end('\x15\x03\x01 this is not HTTP\r\n\r\n'),
};
