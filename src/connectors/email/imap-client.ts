import type { ImapFlow, ImapFlowOptions } from 'imapflow';
import type { AccessTokens } from '../../core/access-tokens.ts';
import type { Context } from '../../core/connector.ts';
import { isLoopback, portOf, tlsOptions } from '../../core/mail-server.ts';
import type { Imap } from './config.ts';
import { toImapError } from './imap-errors.ts';
import { answered } from './imap-patience.ts';

export interface ImapDeps {
  readonly imap: Imap;
  readonly context: Pick<Context, 'clock' | 'http' | 'log'>;
  /** For a login with OAuth2. */
  readonly tokens: AccessTokens | undefined;
}

/** From the first packet to the last word of the login. */
const SIGN_IN_MS = 60_000;
/** On top of the pause between two looks: how long a server may be silent while it owes us an answer. */
const SILENCE_MS = 60_000;
/** What an answer may hold besides one mail. */
const MARGIN = 4 * 1024 * 1024;

/**
 * Connects and signs in; the caller closes it. Closed at once when the signal aborts. TLS from the first
 * byte, or STARTTLS that must succeed; only to this machine itself a password may go unprotected.
 */
export async function connectImap(deps: ImapDeps, signal: AbortSignal): Promise<ImapFlow> {
  const token = await deps.tokens?.current();
  try {
    return await signIn(deps, token, signal);
  } catch (error) {
    if (token === undefined || !deps.tokens || !isLoginRefused(error)) throw toImapError(deps.imap, error);
    // Revoked before its time, or cut short by the vendor: once more with a new one.
    deps.tokens.forget(token);
    const fresh = await deps.tokens.current();
    return await signIn(deps, fresh, signal).catch((again: unknown) => {
      throw toImapError(deps.imap, again);
    });
  }
}

async function signIn(deps: ImapDeps, token: string | undefined, signal: AbortSignal): Promise<ImapFlow> {
  const { imap, context } = deps;
  const address = await context.http.resolve(imap.host, portOf(imap, 'imap'));
  const { ImapFlow } = await import('imapflow');
  signal.throwIfAborted();
  const client = new ImapFlow(optionsOf(imap, address, token));
  // What it says is said again by the command that fails of it; without a listener it would end the process.
  client.on('error', (error) => {
    context.log.debug({ error: error.message }, 'a connection to the mail server ended');
  });
  const close = () => {
    client.close();
  };
  signal.addEventListener('abort', close, { once: true });
  client.once('close', () => {
    signal.removeEventListener('abort', close);
  });
  await answered(context.clock, client.connect(), SIGN_IN_MS);
  return client;
}

function optionsOf(imap: Imap, address: string, token: string | undefined): ImapFlowOptions {
  const isPlain = !imap.secure && isLoopback(imap.host);
  return {
    host: address,
    // The certificate is checked against what the operator wrote; for an address there is no name to send.
    ...(address !== imap.host && { servername: imap.host }),
    port: portOf(imap, 'imap'),
    secure: imap.secure,
    doSTARTTLS: !imap.secure && !isPlain,
    tls: tlsOptions(imap),
    auth: {
      user: imap.user,
      ...(token === undefined ? { pass: imap.password?.reveal() ?? '' } : { accessToken: token }),
    },
    clientInfo: { name: 'Tributary' },
    logger: false,
    disableAutoIdle: true,
    disableCompression: true,
    maxIdleTime: imap.pollSeconds * 1000,
    socketTimeout: imap.pollSeconds * 1000 + SILENCE_MS,
    maxLiteralSize: imap.maxBytes + MARGIN,
    maxResponseSize: imap.maxBytes + 2 * MARGIN,
  };
}

function isLoginRefused(error: unknown): boolean {
  return error instanceof Error && 'authenticationFailed' in error && error.authenticationFailed === true;
}

/** The names of all folders that hold mail. */
export async function foldersOf(client: ImapFlow): Promise<string[]> {
  const folders = await client.list();
  return folders.filter(({ flags }) => !flags.has('\\Noselect')).map(({ path }) => path);
}

/** `INBOX` is the one name whose case doesn't matter. */
export function isSameFolder(a: string, b: string): boolean {
  return a === b || (a.toUpperCase() === 'INBOX' && b.toUpperCase() === 'INBOX');
}
