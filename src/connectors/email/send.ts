import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import type SmtpConnection from 'nodemailer/lib/smtp-connection';
import type { AccessTokens } from '../../core/access-tokens.ts';
import type { Context, Reply } from '../../core/connector.ts';
import { domainOf } from './addresses.ts';
import { composeMail, type Mail, type Sender } from './compose.ts';
import { isLoopback, portOf, tlsOptions, type Smtp } from './config.ts';
import { toSendError } from './send-errors.ts';

/** Milliseconds: until it may be written to, without a word, and in all (a try may take five minutes). */
const LIMITS = { connect: 20_000, greeting: 15_000, silence: 120_000, whole: 240_000 };

export interface SenderDeps {
  readonly sender: Sender;
  readonly smtp: Smtp;
  readonly context: Pick<Context, 'clock' | 'http'>;
  /** For a login with OAuth2. */
  readonly tokens?: AccessTokens | undefined;
}

/**
 * Sends answers by SMTP, each over a connection of its own. A mail whose outcome is unknown is sent again with the
 * same Message-ID: see docs/decisions/0011-a-mail-that-may-have-gone-out.md.
 */
export function createSender(deps: SenderDeps): {
  reply(reply: Reply): Promise<void>;
  test(): Promise<string>;
} {
  const server = deps.smtp.host;
  return {
    async reply(reply) {
      if (reply.sent.length > 0) return;
      const mail = composeMail(deps.sender, reply);
      await onConnection(deps, (connection, progress) => handOver(connection, mail, progress));
      await reply.partSent(mail.messageId);
    },
    async test() {
      await onConnection(deps, () => Promise.resolve());
      return deps.smtp.user === undefined ? `${server} answers` : `${server} lets ${deps.smtp.user} in`;
    },
  };
}

interface Progress {
  handedOver: boolean;
}

type Work = (connection: SmtpConnection, progress: Progress) => Promise<void>;

/** Opens a connection, signs in, works, and leaves nothing behind. */
async function onConnection(deps: SenderDeps, work: Work): Promise<void> {
  const { smtp, context } = deps;
  const progress: Progress = { handedOver: false };
  const ended = new AbortController();
  let connection: SmtpConnection | undefined;
  try {
    const opened = await connectionTo(deps);
    connection = opened;
    const broken = brokenOf(opened);
    const late = context.clock.sleep(LIMITS.whole, ended.signal).then(() => {
      throw new Error(`took longer than ${LIMITS.whole / 60_000} minutes`);
    });
    late.catch(() => undefined);
    await Promise.race([converse(deps, opened, () => work(opened, progress)), broken, late]);
    opened.quit();
  } catch (error) {
    throw toSendError(error, smtp, progress);
  } finally {
    ended.abort();
    connection?.close();
  }
}

async function connectionTo({ sender, smtp, context }: SenderDeps): Promise<SmtpConnection> {
  const { default: Connection } = await import('nodemailer/lib/smtp-connection');
  const { host, secure } = smtp;
  const port = portOf(smtp, 'smtp');
  // The address was checked: connect to it, and hold the certificate against the name.
  const address = await context.http.resolve(host, port);
  // Nobody stands between this machine and itself.
  const isPlain = !secure && isLoopback(host);
  const servername = isIP(host) === 0 ? host : undefined;
  return new Connection({
    host: address,
    port,
    secure,
    requireTLS: !secure && !isPlain,
    ignoreTLS: isPlain,
    ...(servername !== undefined && { servername }),
    tls: { ...(servername !== undefined && { servername }), ...tlsOptions(smtp) },
    name: domainOf(sender.address),
    connectionTimeout: LIMITS.connect,
    greetingTimeout: LIMITS.greeting,
    socketTimeout: LIMITS.silence,
    socketCloseTimeout: 1000,
    maxResponseSize: 64 * 1024,
  });
}

/** Rejects when the connection fails or ends, whatever is being waited for. */
function brokenOf(connection: SmtpConnection): Promise<never> {
  const broken = new Promise<never>((_, reject) => {
    connection.on('error', reject);
    // After what was being waited for has heard of it: that says more.
    connection.on('end', () => setImmediate(reject, new Error('the connection ended')));
  });
  broken.catch(() => undefined);
  return broken;
}

async function converse(deps: SenderDeps, connection: SmtpConnection, work: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
  await signIn(deps, connection);
  await work();
}

async function signIn({ smtp, tokens }: SenderDeps, connection: SmtpConnection): Promise<void> {
  const { user, password } = smtp;
  if (user === undefined) return;
  const login = (given: Parameters<SmtpConnection['login']>[0]) =>
    answered((done) => {
      connection.login(given, done);
    });
  if (password !== undefined) return login({ user, pass: password.reveal() });
  if (!tokens) return;
  const token = await tokens.current();
  try {
    await login(withToken(user, token));
  } catch (error) {
    if ((error as { code?: string }).code !== 'EAUTH') throw error;
    // Refused before its time: our clocks differ, or somebody took it back.
    tokens.forget(token);
    await login(withToken(user, await tokens.current()));
  }
}

function withToken(user: string, token: string): Parameters<SmtpConnection['login']>[0] {
  const oauth2 = {
    getToken(_again: boolean, done: (error: null, token: string) => void) {
      done(null, token);
    },
    buildXOAuth2Token: (value: string) =>
      Buffer.from(`user=${user}\u0001auth=Bearer ${value}\u0001\u0001`).toString('base64'),
  };
  // All that a login asks of nodemailer's own source of tokens.
  return { user, method: 'XOAUTH2', oauth2: oauth2 as never };
}

/** Sends the mail to the one recipient that was meant, whatever else stands in its headers. */
async function handOver(connection: SmtpConnection, mail: Mail, progress: Progress): Promise<void> {
  const { default: Composer } = await import('nodemailer/lib/mail-composer');
  const node = new Composer(mail.content).compile();
  const { from, to } = node.getEnvelope();
  async function* bytes() {
    yield* node.createReadStream();
    progress.handedOver = true;
  }
  const message = Readable.from(bytes(), { objectMode: false });
  await answered((done) => {
    connection.send({ from, to, size: mail.size }, message, done);
  });
}

function answered(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
