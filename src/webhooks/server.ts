import type { Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { counterOf, createIsTrusted } from './address.ts';

/** How the HTTP server must be made: Node's own limits are generous enough to be held open for minutes. */
export const httpServerOptions: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 5_000,
  /** All headers together; Node answers 431 beyond. */
  maxHeaderSize: 16_384,
  insecureHTTPParser: false,
};

/** Most headers of one request. */
export const MAX_HEADERS = 100;

export interface ServerLimits {
  /** Open connections in all; 10,000 when left out. */
  readonly connections?: number;
  /** Open connections from one address (IPv6: one /64), trusted proxies excepted; 1,000 when left out. */
  readonly perAddress?: number;
  readonly trustProxy?: readonly string[];
}

/**
 * Bounds what one sender can hold open. When an address has too many connections, its oldest idle one makes
 * room for the new one; when none is idle, the new one is closed. What isn't HTTP, Node itself answers with
 * 400, 408 or 431.
 */
export function hardenServer(server: Server, limits: ServerLimits = {}): void {
  const perAddress = limits.perAddress ?? 1_000;
  const isTrusted = createIsTrusted(limits.trustProxy ?? []);
  const open = new Map<string, Set<Socket>>();

  server.maxConnections = limits.connections ?? 10_000;
  server.maxHeadersCount = MAX_HEADERS;
  // No listener would mean that the connection is closed without a word.
  server.on('connect', (_request, socket: Socket) => close(socket, '405 Method Not Allowed\r\nAllow: GET, POST'));

  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
    if (address === undefined || isTrusted(address)) return;
    const name = counterOf(address);
    const sockets = open.get(name) ?? new Set<Socket>();
    if (sockets.size >= perAddress) {
      const idle = firstIdle(sockets);
      if (!idle) return void socket.destroy();
      sockets.delete(idle);
      idle.destroy();
    }
    sockets.add(socket);
    open.set(name, sockets);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0 && open.get(name) === sockets) open.delete(name);
    });
  });
}

/** One that never said anything, or that Node keeps open between two requests (only then it has a timeout). */
function firstIdle(sockets: ReadonlySet<Socket>): Socket | undefined {
  for (const socket of sockets) {
    if (socket.bytesRead === 0 || (socket.timeout ?? 0) > 0) return socket;
  }
  return undefined;
}

function close(socket: Socket, status: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
