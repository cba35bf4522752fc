import type { SMTPServer, SMTPServerOptions } from 'smtp-server';
import type { Channel, Context } from '../../core/connector.ts';
import { PermanentError, textOf } from '../../core/errors.ts';
import type { Listen } from './config.ts';
import { createSessions, dismiss } from './listen-session.ts';

const LIMITS = {
  connections: 100,
  recipients: 100,
  /** Bytes of a line: RFC 5321 asks for 512, extensions for more. */
  line: 2048,
  /** Milliseconds without a byte. */
  silence: 120_000,
  /** How long whoever is still connected may take to leave once it stops. */
  closing: 3000,
};

export interface ListenDeps {
  readonly listen: Listen;
  /** Addresses that mail is taken for, in lower case; with anything behind a + as well. */
  readonly own: readonly string[];
  /** What the server calls itself. */
  readonly name: string;
  readonly context: Pick<Context, 'clock' | 'log'>;
}

/**
 * Own SMTP intake: 250 once a mail is stored, else 451, so that its sender keeps it and tries again. Takes mail for
 * the channel's addresses only and hands none on. A message ends at CRLF.CRLF and nowhere else: what looks like an
 * end to others can't smuggle a second mail in.
 */
export function createListener(deps: ListenDeps): Required<Pick<Channel, 'stream'>> {
  const { listen, own, context } = deps;
  return {
    async stream(_cursor, emit, signal) {
      const { SMTPServer: Server } = await import('smtp-server');
      const sessions = createSessions({
        own,
        maxBytes: listen.maxBytes,
        context,
        emit,
        connections: () => server.connections,
      });
      const server = open(Server, { ...optionsOf(deps), ...sessions.handlers });
      try {
        await listening(server, listen);
        context.log.info({ host: listen.host, port: portOf(server) }, 'listening for mail');
        await ended(server, signal);
      } finally {
        await shutDown(server, sessions.filing);
      }
    },
  };
}

function optionsOf({ listen, name }: ListenDeps): SMTPServerOptions {
  const { tls } = listen;
  return {
    name,
    size: listen.maxBytes,
    rejectOversized: true,
    maxClients: LIMITS.connections,
    maxRecipients: LIMITS.recipients,
    maxCommandLength: LIMITS.line,
    socketTimeout: LIMITS.silence,
    closeTimeout: LIMITS.closing,
    disabledCommands: tls ? ['AUTH'] : ['AUTH', 'STARTTLS'],
    ...(tls && { cert: tls.cert, key: tls.key.reveal() }),
    disableReverseLookup: true,
    hideDSN: true,
    hideREQUIRETLS: true,
    logger: false,
  };
}

function open(Server: typeof SMTPServer, options: SMTPServerOptions): SMTPServer {
  try {
    const server = new Server(options);
    // Of single connections: whoever was cut off comes again.
    server.on('error', () => undefined);
    return server;
  } catch (cause) {
    throw new PermanentError(`listen.tls can't be used: ${textOf(cause)}`, {
      cause,
      hint: 'Give cert and key as PEM, the certificate first in its chain, both of one pair.',
    });
  }
}

function listening(server: SMTPServer, { host, port }: Listen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new PermanentError(`can't listen for mail on ${host}:${port}: ${cause.message}`, { cause, ...hintOf(cause) }),
      );
    });
    server.listen(port, host, resolve);
  });
}

function hintOf({ code }: NodeJS.ErrnoException): { hint: string } {
  if (code === 'EADDRINUSE') return { hint: 'Stop what listens there, or set another listen.port.' };
  if (code === 'EACCES')
    return { hint: 'Ports below 1024 need rights: set listen.port: 2525 and forward port 25 to it.' };
  return { hint: 'Set listen.host to an address of this machine.' };
}

function portOf(server: SMTPServer): number {
  const address = server.server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

/** Resolves when it is to stop, rejects when it can't go on. */
function ended(server: SMTPServer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    server.server.once('error', reject);
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}

/** Nobody comes in any more, who is being stored hears of it, everybody else is sent away. */
async function shutDown(server: SMTPServer, filing: ReadonlyMap<string, Promise<void>>): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(resolve);
  });
  dismiss(server.connections, (id) => !filing.has(id));
  await Promise.allSettled(filing.values());
  // Their answers are written in the turns after this one.
  await new Promise(setImmediate);
  dismiss(server.connections, () => true);
  await closed;
}
