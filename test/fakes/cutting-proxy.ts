import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A line to a server that breaks when it is told to. */
export interface CuttingProxy {
  readonly port: number;
  /** Connections made so far. */
  readonly connections: () => number;
  /** Breaks each connection, now and later, once so many bytes came from the server; undefined: no longer. */
  cutAfter(bytes: number | undefined): void;
  /** Passes nothing on any more, in either direction, without closing: as a dead line does. */
  freeze(): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: number): Promise<CuttingProxy> {
  let limit: number | undefined;
  let count = 0;
  let frozen = false;
  const open = new Set<Socket>();

  const server = createServer((near) => {
    count += 1;
    let passed = 0;
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        open.delete(socket);
        (socket === near ? far : near).destroy();
      });
    }
    near.on('data', (chunk) => {
      if (!frozen) far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (frozen) return;
      const room = limit === undefined ? chunk.length : Math.max(0, limit - passed);
      passed += chunk.length;
      // What still fits goes through first: the reader sees half a mail.
      near.write(chunk.subarray(0, room), () => {
        if (room < chunk.length) near.destroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    connections: () => count,
    cutAfter(bytes) {
      limit = bytes;
    },
    freeze() {
      frozen = true;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
