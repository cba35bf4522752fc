import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import type { Namespace, Socket } from 'socket.io';
import { z } from 'zod';
import type { Gateway } from '../core/gateway.ts';
import type { Change } from '../core/ticket.ts';
import { credentialsOf, isOwnOrigin } from './access.ts';
import type { Access, Credentials } from './access.ts';
import { attachChat, isChatOrigin, tellTyping } from './chat-sockets.ts';
import { allows } from './scopes.ts';

/** How often open sockets are checked against keys and sessions. */
const RECHECK_MS = 5000;
/** Who is further behind reads the lists again instead. */
const MOST_MISSED = 5000;
const PAGE = 200;
const MOST_BAD = 20;
const MAX_BYTES = 64 * 1024;

const Subscribe = z.strictObject({ after: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER) });
const Typing = z.strictObject({ ticketId: z.string().max(200) });
const HandshakeAuth = z.object({ token: z.string().max(1000) });
const BAD_EVENT = { error: 'bad_event' };

/**
 * The namespace `/console` of socket.io: every change as it happens, as `change`. `subscribe { after }` first
 * sends what was missed since then; nothing is skipped or repeated in between. Who missed too much hears
 * `reset { last }` and goes on from there. `typing { ticketId }` comes while a visitor of a web chat is typing, and tells
 * him that an agent is. Whatever else a client says is answered with `problem`. Visitors have a namespace of their own.
 */
export function attachSockets(server: HttpServer, gateway: Gateway, access: Access): { close(): Promise<void> } {
  const io = new Server(server, {
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: MAX_BYTES,
    connectTimeout: 10_000,
    transports: ['polling', 'websocket'],
    // Browsers name the page that asks, on websockets too, where CORS doesn't apply.
    allowRequest: ({ headers }, answer) => {
      const { origin } = headers;
      const allowed = origin === undefined || isOwnOrigin(headers, gateway.publicUrl) || isChatOrigin(origin, gateway);
      answer(allowed ? null : 'origin', allowed);
    },
  });
  io.of('/').use((_socket, next) => next(new Error('unauthorized')));
  const namespace = io.of('/console');

  attachChat(io, gateway);

  namespace.use((socket, next) => {
    const { headers } = socket.handshake;
    // A page that may show the chat has nothing to do here, whatever cookie it brings.
    if (headers.origin !== undefined && !isOwnOrigin(headers, gateway.publicUrl))
      return next(new Error('unauthorized'));
    const credentials = credentialsFrom(socket, gateway.publicUrl);
    access
      .identify(credentials)
      .then((actor) => {
        if (!actor || !allows(actor.scopes, 'changes:read')) return next(new Error('unauthorized'));
        socket.data = { credentials, scopes: actor.scopes } satisfies Listener;
        next();
      })
      .catch(() => next(new Error('unavailable')));
  });

  namespace.on('connection', (socket) => serve(socket, gateway, (ticketId) => tellTyping(io, ticketId)));

  const closing = new AbortController();
  const recheck = () =>
    void closeRevoked(namespace, access).catch((error: unknown) => {
      gateway.log.warn({ error: String(error) }, 'could not check who the open sockets belong to');
    });
  const stopListening = access.onRevoked(recheck);
  const rechecking = (async () => {
    while (!closing.signal.aborted) {
      await gateway.clock.sleep(RECHECK_MS, closing.signal).catch(() => undefined);
      if (!closing.signal.aborted) recheck();
    }
  })();

  return {
    async close() {
      closing.abort();
      stopListening();
      io.disconnectSockets(true);
      // Only the sockets: the HTTP server belongs to whoever made it.
      io.engine.close();
      await rechecking;
    },
  };
}

/** Whose socket it is. */
interface Listener {
  readonly credentials: Credentials;
  readonly scopes: readonly string[];
}

function credentialsFrom(socket: Socket, publicUrl: string): Credentials {
  const auth = HandshakeAuth.safeParse(socket.handshake.auth);
  return auth.success ? { bearer: auth.data.token } : credentialsOf(socket.handshake.headers, publicUrl);
}

/** Closes what belongs to keys and sessions that have ended. */
async function closeRevoked(namespace: Namespace, access: Access): Promise<void> {
  for (const socket of namespace.sockets.values()) {
    const actor = await access.identify((socket.data as Listener).credentials);
    if (!actor || !allows(actor.scopes, 'changes:read')) socket.disconnect(true);
  }
}

function serve(socket: Socket, gateway: Gateway, isTyping: (ticketId: string) => void): void {
  const { scopes } = socket.data as Listener;
  /** The last position sent; undefined until the client has said where it is. */
  let sent: number | undefined;
  let catchingUp = false;
  let came = false;
  let bad = 0;

  function send(change: Change): void {
    if (sent !== undefined && change.seq <= sent) return;
    sent = change.seq;
    socket.emit('change', change);
  }

  /**
   * Sends pages until the end of the feed. What comes meanwhile is only noted, and read with the next page; between
   * the last page and going live nothing is awaited.
   */
  async function subscribe(after: number): Promise<void> {
    catchingUp = true;
    const last = await gateway.store.read.lastChange();
    sent = after;
    if (after > last || last - after > MOST_MISSED) {
      sent = last;
      socket.emit('reset', { last });
    }
    for (let more = true; more && socket.connected;) {
      came = false;
      const page = await gateway.store.read.changes(sent, PAGE);
      page.forEach(send);
      more = page.length === PAGE || came;
    }
    catchingUp = false;
  }

  function refuse(acknowledge: unknown): void {
    if (typeof acknowledge === 'function') (acknowledge as (answer: object) => void)(BAD_EVENT);
    else socket.emit('problem', BAD_EVENT);
    if (++bad >= MOST_BAD) socket.disconnect(true);
  }

  socket.onAny((name: unknown, ...given: unknown[]) => {
    const typing = name === 'typing' && given.length === 1 ? Typing.safeParse(given[0]) : undefined;
    if (typing?.success && allows(scopes, 'tickets:write')) return isTyping(typing.data.ticketId);
    const read = name === 'subscribe' && given.length === 1 ? Subscribe.safeParse(given[0]) : undefined;
    if (!read?.success || catchingUp) return refuse(given.at(-1));
    subscribe(read.data.after).catch((error: unknown) => {
      gateway.log.warn({ error: String(error) }, 'could not read the change feed for a socket');
      // It comes back by itself and says again where it is.
      socket.conn.close();
    });
  });

  const stop = gateway.onChange((change) => {
    if (catchingUp) came = true;
    else send(change);
  });
  socket.on('disconnect', stop);
}
