import type { Namespace, Server, Socket } from 'socket.io';
import { z } from 'zod';
import type { Gateway } from '../core/gateway.ts';
import type { Change } from '../core/ticket.ts';
import { mayVisit, visitsOf } from './chat.ts';
import type { Visitor } from './chat.ts';

/** Open sockets of one visitor: more tabs than that look by themselves. */
const MOST_PER_VISITOR = 20;
/** Between two signs that a visitor is typing, milliseconds. */
const TYPING_EVERY_MS = 1000;
const MOST_BAD = 20;

const HandshakeAuth = z.object({ channel: z.string().max(200), token: z.string().max(5000) });

/**
 * The namespace `/chat` of socket.io: tells a visitor's pages that there is something to read (`changed`) and that
 * somebody is `typing`, and agents that he is. Nothing is said over it: a signal that is lost costs a moment.
 * Signs of typing reach those who are connected to the same process.
 */
export function attachChat(io: Server, gateway: Gateway): void {
  const namespace = io.of('/chat');

  namespace.use((socket, next) => {
    const visitor = visitorOf(socket, gateway);
    if (!visitor) return next(new Error('unauthorized'));
    if ((namespace.adapter.rooms.get(roomOf(visitor))?.size ?? 0) >= MOST_PER_VISITOR)
      return next(new Error('too_many'));
    socket.data = visitor;
    next();
  });

  let stop: (() => void) | undefined;
  namespace.on('connection', (socket) => {
    // The feed is read only while somebody listens.
    stop ??= gateway.onChange((change) => signal(namespace, gateway, change));
    void socket.join(roomOf(socket.data as Visitor));
    joinTicket(socket, gateway).catch((error: unknown) => {
      gateway.log.warn({ error: String(error) }, 'could not find the conversation of a chat');
    });
    serve(socket, { io, gateway });
    socket.on('disconnect', () => {
      if (namespace.sockets.size > 0) return;
      stop?.();
      stop = undefined;
    });
  });
}

/** Tells the visitors of a ticket that an agent is typing. */
export function tellTyping(io: Server, ticketId: string): void {
  io.of('/chat').to(ticketRoom(ticketId)).emit('typing');
}

/** Whether a page of this origin may open a socket at all; which namespace is another question. */
export function isChatOrigin(origin: string, gateway: Gateway): boolean {
  return gateway.endpoints.all('channel').some(({ id }) => visitsOf(gateway, id)?.origins.includes(origin));
}

function visitorOf(socket: Socket, gateway: Gateway): Visitor | undefined {
  const auth = HandshakeAuth.safeParse(socket.handshake.auth);
  if (!auth.success) return undefined;
  const { channel, token } = auth.data;
  const visits = visitsOf(gateway, channel);
  if (!visits || !mayVisit(socket.handshake.headers, visits, gateway.publicUrl)) return undefined;
  const thread = visits.threadOf(token);
  return thread === undefined ? undefined : { channel, thread };
}

const roomOf = ({ channel, thread }: Visitor) => `visitor ${channel}/${thread}`;
const ticketRoom = (id: string) => `ticket ${id}`;

/** An answer names its ticket and not the visitor, so his pages listen for that. */
async function joinTicket(socket: Socket, { store }: Gateway): Promise<void> {
  const { channel, thread } = socket.data as Visitor;
  const { data } = await store.read.said(channel, thread, { limit: 1 });
  const ticketId = data[0]?.message.ticketId;
  if (ticketId) await socket.join(ticketRoom(ticketId));
}

function signal(namespace: Namespace, gateway: Gateway, { data: { message } }: Change): void {
  const channel = message?.channel?.id;
  if (!message?.ticketId || !visitsOf(gateway, channel)) return;
  const room = ticketRoom(message.ticketId);
  if (message.direction === 'inbound' && channel !== undefined) {
    const visitor = roomOf({ channel, thread: message.externalId?.split('/', 1)[0] ?? '' });
    namespace.in(visitor).socketsJoin(room);
    namespace.to(visitor).emit('changed');
  } else {
    namespace.to(room).emit('changed');
  }
}

function serve(socket: Socket, { io, gateway }: { readonly io: Server; readonly gateway: Gateway }): void {
  let bad = 0;
  let typedAt = 0;
  socket.onAny((name: unknown, ...given: unknown[]) => {
    if (name !== 'typing' || given.length > 0) {
      if (++bad >= MOST_BAD) socket.disconnect(true);
      return;
    }
    const now = gateway.clock.now();
    if (Math.abs(now - typedAt) < TYPING_EVERY_MS) return;
    typedAt = now;
    for (const room of socket.rooms) {
      if (room.startsWith(ticketRoom('')))
        io.of('/console').emit('typing', { ticketId: room.slice(ticketRoom('').length) });
    }
  });
}
