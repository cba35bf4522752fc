import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Config } from './config.ts';
import { addressOf, closeServer, listen } from './listen.ts';
import { hardenServer, httpServerOptions } from './webhooks/server.ts';

/** Where this process is reached over HTTP. */
export interface Front {
  /** Without a slash at the end; where it would listen, if it did. */
  readonly url: string;
  /** Undefined in a process that answers nobody. */
  readonly server: Server | undefined;
  /** From now on requests are handled. */
  serve(handle: (request: IncomingMessage, response: ServerResponse) => void): void;
  /** Takes nobody in any more; who is in is served. */
  leave(): void;
  close(): Promise<void>;
}

/** Listens, since its address is known only then; whoever calls before `serve` is asked to come back. */
export async function openFront(address: Config['server']): Promise<Front> {
  const server = createServer(httpServerOptions);
  hardenServer(server, { trustProxy: address.trustProxy });
  let handle = (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(503, { 'retry-after': '1' }).end();
  };
  server.on('request', (request, response) => {
    handle(request, response);
  });
  return {
    url: await listen(server, address),
    server,
    serve(given) {
      handle = given;
    },
    leave() {
      server.close();
      server.closeIdleConnections();
    },
    close: () => closeServer(server),
  };
}

/** Of a process that answers nobody. */
export function noFront(address: Config['server']): Front {
  const nothing = () => undefined;
  return {
    url: addressOf(address, address.port),
    server: undefined,
    serve: nothing,
    leave: nothing,
    close: () => Promise.resolve(),
  };
}
