import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What becomes of the next commit: the line breaks before the server hears of it, or before its answer is back. */
export type Cut = 'before' | 'after';

/** A line to PostgreSQL that breaks in the middle of a commit. */
export interface CommitProxy {
  /** The same database, over this line. */
  urlOf(url: string): string;
  /** For the next commit. `for good`: and nobody gets through after that. */
  cut(how: Cut, then?: 'for good'): void;
  close(): Promise<void>;
}

/** A simple query is the letter Q, a length and the text. */
const COMMIT = Buffer.from('COMMIT\0');

export async function startCommitProxy(port: number): Promise<CommitProxy> {
  let armed: { readonly how: Cut; readonly then: 'for good' | undefined } | undefined;
  let isClosed = false;
  const open = new Set<Socket>();

  const server = createServer((near) => {
    if (isClosed) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    let isLost = false;
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        open.delete(socket);
        (socket === near ? far : near).destroy();
      });
    }
    near.on('data', (chunk) => {
      if (armed && chunk.includes(COMMIT)) {
        const { how, then } = armed;
        armed = undefined;
        isClosed = then === 'for good';
        isLost = true;
        if (isClosed) for (const socket of open) if (socket !== near && socket !== far) socket.destroy();
        if (how === 'before') return near.destroy();
      }
      return far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (isLost) near.destroy();
      else near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own = (server.address() as AddressInfo).port;

  return {
    urlOf: (url) => url.replace(`:${port}/`, `:${own}/`),
    cut(how, then) {
      armed = { how, then };
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
