import { io } from 'socket.io-client';
import { createCell } from './cell.ts';
import type { Cell } from './cell.ts';
import type { Change } from './views.ts';

export interface Live {
  /** Whether changes arrive, and when something was heard last (milliseconds since the epoch). */
  readonly link: Cell<{ readonly up: boolean; readonly heardAt: number }>;
}

const RETRY_MS = 2000;

/**
 * Follows the change feed from a position on. After an interruption it goes on behind the last change seen; when that
 * is too far back, `reset` is called and everything has to be read again. `refused`: the session may be over.
 */
export function createLive(deps: {
  readonly after: number;
  readonly changed: (change: Change) => void;
  readonly reset: () => void;
  readonly refused: () => void;
}): Live {
  let seq = deps.after;
  const link = createCell({ up: true, heardAt: Date.now() });
  const socket = io('/console', { reconnectionDelay: 500, reconnectionDelayMax: 3000 });

  const heard = () => {
    link.set({ up: socket.connected, heardAt: Date.now() });
  };
  const lost = () => {
    link.set({ ...link.get(), up: false });
  };
  /** For the cases in which the library leaves it at that: the server refused or ended the connection. */
  const again = () => {
    deps.refused();
    setTimeout(() => socket.connect(), RETRY_MS);
  };

  socket.on('connect', () => {
    heard();
    socket.emit('subscribe', { after: seq });
  });
  socket.on('change', (change: Change) => {
    heard();
    if (change.seq <= seq) return;
    seq = change.seq;
    deps.changed(change);
  });
  socket.on('reset', ({ last }: { readonly last: number }) => {
    seq = last;
    deps.reset();
  });
  socket.on('disconnect', (reason) => {
    lost();
    if (reason === 'io server disconnect') again();
  });
  socket.on('connect_error', () => {
    lost();
    if (!socket.active) again();
  });
  socket.io.on('ping', heard);
  return { link };
}
