import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config } from './config.ts';
import { PermanentError, textOf } from './core/errors.ts';

/** How long requests that are in flight may take once it stops, milliseconds. */
const STOP_MS = 8_000;

/** Resolves with the address, without a slash at the end; rejects when the port can't be had. */
export async function listen(server: Server, { host, port }: Config['server']): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port: actual } = server.address() as AddressInfo;
  return addressOf({ host }, actual);
}

/** Without a slash at the end. */
export function addressOf({ host }: Pick<Config['server'], 'host'>, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Lets answers that are being made go out, then ends what is left. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  server.closeIdleConnections();
  const late = setTimeout(() => {
    server.closeAllConnections();
  }, STOP_MS);
  await closed;
  clearTimeout(late);
}

/** Why it can't start, with what to do about it. */
export function startError(error: unknown, dataDir: string, { host, port }: Config['server']): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    return new PermanentError(`port ${port} on ${host} is in use`, {
      cause: error,
      hint: `Stop what listens there, or choose another port: PORT=${port + 1} npm start`,
    });
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    return new PermanentError(`can't listen on ${host}:${port}: ${textOf(error)}`, {
      cause: error,
      hint: 'Set HOST and PORT.',
    });
  }
  return error instanceof Error ? error : new Error(`can't start with ${dataDir}: ${textOf(error)}`);
}
