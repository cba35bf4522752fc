import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import type { MailComposerOptions } from 'nodemailer/lib/mail-composer';
import type SmtpConnection from 'nodemailer/lib/smtp-connection';
import type { Clock } from '../core/clock.ts';
import type { Http } from '../core/http.ts';
import { isLoopback, portOf, tlsOptions } from '../core/mail-server.ts';
import { headerLine, type MailRoute, type OutgoingMail, type Smtp } from '../core/smtp.ts';
import { toSendError } from './smtp-errors.ts';

/** Milliseconds: until it may be written to, without a word, and in all (a try may take five minutes). */
const LIMITS = { connect: 20_000, greeting: 15_000, silence: 120_000, whole: 240_000 };

export interface SmtpDeps {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly resolve: Http['resolve'];
}

/**
 * Sends mail by SMTP, each over a connection of its own. What becomes of a mail whose outcome is unknown:
 * docs/decisions/0011-a-mail-that-may-have-gone-out.md.
 */
export function createSmtp(deps: SmtpDeps): Smtp {
  return {
    send: (route, mail) => onConnection(deps, route, (connection, progress) => handOver(connection, mail, progress)),
    async test(route) {
      await onConnection(deps, route, () => Promise.resolve());
      const { host, user } = route.server;
      return user === undefined ? `${host} answers` : `${host} lets ${user} in`;
    },
  };
}

interface Progress {
  handedOver: boolean;
}

type Work = (connection: SmtpConnection, progress: Progress) => Promise<void>;

/** Opens a connection, signs in, works, and leaves nothing behind. */
async function onConnection(deps: SmtpDeps, route: MailRoute, work: Work): Promise<void> {
  const progress: Progress = { handedOver: false };
  const ended = new AbortController();
  let connection: SmtpConnection | undefined;
  try {
    const opened = await connectionTo(deps, route);
    connection = opened;
    const broken = brokenOf(opened);
    const late = deps.clock.sleep(LIMITS.whole, ended.signal).then(() => {
      throw new Error(`took longer than ${LIMITS.whole / 60_000} minutes`);
    });
    late.catch(() => undefined);
    await Promise.race([converse(route, opened, () => work(opened, progress)), broken, late]);
    opened.quit();
  } catch (error) {
    throw toSendError(error, route.server, progress);
  } finally {
    ended.abort();
    connection?.close();
  }
}

async function connectionTo({ resolve }: SmtpDeps, { server, name }: MailRoute): Promise<SmtpConnection> {
  const { default: Connection } = await import('nodemailer/lib/smtp-connection');
  const { host, secure } = server;
  const port = portOf(server, 'smtp');
  // The address was checked: connect to it, and hold the certificate against the name.
  const address = await resolve(host, port);
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
    tls: { ...(servername !== undefined && { servername }), ...tlsOptions(server) },
    name,
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

async function converse(route: MailRoute, connection: SmtpConnection, work: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
  await signIn(route, connection);
  await work();
}

async function signIn({ server, tokens }: MailRoute, connection: SmtpConnection): Promise<void> {
  const { user, password } = server;
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
async function handOver(connection: SmtpConnection, mail: OutgoingMail, progress: Progress): Promise<void> {
  const { default: Composer } = await import('nodemailer/lib/mail-composer');
  const node = new Composer(contentOf(mail)).compile();
  const { from, to } = node.getEnvelope();
  async function* bytes() {
    yield* node.createReadStream();
    progress.handedOver = true;
  }
  const message = Readable.from(bytes(), { objectMode: false });
  await answered((done) => {
    connection.send({ from, to, size: sizeOf(mail) }, message, done);
  });
}

/** At least so many bytes on the wire. */
function sizeOf({ files, text, html }: OutgoingMail): number {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return Math.ceil((bytes * 4) / 3) + Buffer.byteLength(text) + Buffer.byteLength(html);
}

function contentOf({ from, to, replyTo, messageId, references, files, ...mail }: OutgoingMail): MailComposerOptions {
  const { subject, date, inReplyTo, headers, text, html } = mail;
  return {
    from: { name: headerLine(from.name), address: from.address },
    to: { name: '', address: to },
    ...(replyTo !== undefined && { replyTo: { name: '', address: replyTo } }),
    subject: headerLine(subject),
    date,
    messageId: `<${messageId}>`,
    ...(inReplyTo !== undefined && { inReplyTo }),
    ...(references && references.length > 0 && { references: [...references] }),
    ...(headers && { headers: { ...headers } }),
    text,
    html,
    attachments: files.map(({ name, mediaType, content }) => ({
      filename: headerLine(name),
      contentType: mediaType,
      content,
    })),
    // Nothing in a mail is to be fetched or read from disk on its way.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

function answered(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
