import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Context } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, textOf, TributaryError } from '../../core/errors.ts';
import { createBlockReader, toBytes, WORDS, type Block } from './blocks.ts';
import type { Settings } from './settings.ts';

/** How long an answer may take, the first one together with the connection; Asterisk gives them at once. */
const ANSWER_MS = 15_000;

export interface LineDeps {
  readonly settings: Settings;
  readonly context: Pick<Context, 'clock' | 'http' | 'log'>;
}

/** A connection on which we have signed in. */
export interface Line {
  /** `Asterisk Call Manager/` and its version. */
  readonly banner: string;
  /** What comes, in order; the answers to `ask` too. Throws `RetryableError` when the connection breaks or ends. */
  next(): Promise<Block>;
  /** Sends an action; its answer comes by `next`, under the ActionID that is returned. */
  send(action: string, fields?: Readonly<Record<string, string>>): string;
  /** Sends an action and waits for its answer; everything else that comes before that is passed over, or given to `other`. */
  ask(action: string, fields?: Readonly<Record<string, string>>, other?: (block: Block) => void): Promise<Block>;
  /** How much has come: grows with every byte. */
  heard(): number;
  /** Ends it; whoever reads is told why. */
  hangUp(reason?: Error): void;
}

/**
 * Connects and signs in, without the secret itself on the wire; `events` are the classes of events that are wanted.
 * https://docs.asterisk.org/Latest_API/API_Documentation/AMI_Actions/Login/
 */
export async function openLine(deps: LineDeps, events: string, signal: AbortSignal): Promise<Line> {
  const socket = await dial(deps, signal);
  const line = speak(deps, socket, signal);
  try {
    await signIn(deps, line, events);
    return line;
  } catch (error) {
    line.hangUp();
    throw error;
  }
}

function nameOf({ settings: { host, port } }: LineDeps): string {
  return `${host}:${port}`;
}

async function dial({ settings, context }: LineDeps, signal: AbortSignal): Promise<Socket> {
  const { host, port, tls } = settings;
  const address = await context.http.resolve(host, port);
  signal.throwIfAborted();
  if (!tls) return connect({ host: address, port });
  // The certificate is checked against what the operator wrote; for an address there is no name to send.
  return connectTls({
    host: address,
    port,
    ...(address !== host && { servername: host }),
    ...(tls.ca && { ca: tls.ca }),
  });
}

function speak(deps: LineDeps, socket: Socket, signal: AbortSignal): Line {
  const { clock } = deps.context;
  const reader = createBlockReader();
  const ready: Block[] = [];
  let banner = '';
  let reason: Error | undefined;
  let nth = 0;
  let heard = 0;

  function hangUp(why?: Error): void {
    reason ??= why;
    socket.destroy(why);
  }
  const abort = () => hangUp(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', abort));
  // What went wrong is told by whoever reads.
  socket.on('error', () => undefined);
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;

  async function next(): Promise<Block> {
    for (;;) {
      const block = ready.shift();
      if (block) return block;
      const chunk = await chunks.next().catch((error: unknown) => {
        throw reason ?? brokenBy(deps, error);
      });
      if (chunk.done) throw reason ?? new RetryableError(`${nameOf(deps)} has ended the connection`);
      heard++;
      const before = reader.dropped();
      ready.push(...reader.read(chunk.value));
      banner ||= ready[0]?.get(WORDS) ?? '';
      if (before === 0 && reader.dropped() > 0) {
        deps.context.log.warn({ host: deps.settings.host }, 'Asterisk sends blocks that are too long for an event');
      }
    }
  }

  function send(action: string, fields: Readonly<Record<string, string>> = {}): string {
    const id = String(++nth);
    socket.write(toBytes({ Action: action, ActionID: id, ...fields }));
    return id;
  }

  return {
    get banner() {
      return banner;
    },
    next,
    send,
    hangUp,
    heard: () => heard,
    async ask(action, fields, other) {
      const id = send(action, fields);
      const over = new AbortController();
      const late = () => hangUp(new RetryableError(`${nameOf(deps)} does not answer to ${action}`));
      void clock.sleep(ANSWER_MS, over.signal).then(late, () => undefined);
      try {
        for (;;) {
          const block = await next();
          if (block.has('response') && block.get('actionid') === id) return block;
          other?.(block);
        }
      } finally {
        over.abort();
      }
    },
  };
}

function brokenBy(deps: LineDeps, error: unknown): Error {
  if (error instanceof TributaryError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const hint = /CERT|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^UNABLE_TO|^EPROTO$/.test(code)
    ? 'Check that this port speaks TLS, and the certificate; one of your own authority is named in tls.ca.'
    : 'Check host and port, that manager.conf says enabled = yes and a bindaddr that is reached from here, and the firewall.';
  return new RetryableError(`${nameOf(deps)}: the connection failed (${code || textOf(error)})`, { hint });
}

async function signIn(deps: LineDeps, line: Line, events: string): Promise<void> {
  const { user, secret } = deps.settings;
  const offer = await line.ask('Challenge', { AuthType: 'MD5' });
  const challenge = offer.get('challenge');
  const key = () => createHash('md5').update(`${challenge}${secret.reveal()}`).digest('hex');
  const proof = challenge === undefined ? plain(deps, offer) : { AuthType: 'MD5', Key: key() };
  const answer = await line.ask('Login', { Username: user, ...proof, Events: events });
  if (isSuccess(answer)) return;
  throw new AuthExpiredError(`${nameOf(deps)} does not let ${user} in: ${wordsOf(deps, answer)}`, {
    hint: 'Compare user and secret with manager.conf (then `manager reload`), and its permit and deny with our address.',
  });
}

/** Whoever stands between could refuse the challenge to be told the secret: it goes only where nobody can. */
function plain(deps: LineDeps, refusal: Block): Record<string, string> {
  const { settings } = deps;
  const isGuarded = settings.tls !== undefined || isLoopback(settings.host);
  if (isGuarded) return { Secret: settings.secret.reveal() };
  throw new PermanentError(`${nameOf(deps)} offers no MD5 challenge: ${wordsOf(deps, refusal)}`, {
    hint: 'Set tls, so that the secret can be sent to it.',
  });
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}

export function isSuccess(answer: Block): boolean {
  return answer.get('response')?.toLowerCase() === 'success';
}

/** What Asterisk said, without what we said to it. */
export function wordsOf({ settings }: LineDeps, answer: Block): string {
  const said = answer.get('message') ?? answer.get('response') ?? 'no reason given';
  return said.replaceAll(settings.secret.reveal(), '[secret]').slice(0, 300);
}
