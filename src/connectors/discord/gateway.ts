import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Channel, Http, Raw, Socket } from '../../core/connector.ts';
import { PermanentError, RateLimitedError, RetryableError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { Secret } from '../../core/secret.ts';
import type { DiscordApi } from './api.ts';
import { Frame } from './event.ts';
import { endingOf } from './failures.ts';
import { cursorOf, readCursor, sessionOf } from './session.ts';
import type { Session } from './session.ts';

/** Of one event: at the beginning each server is told whole, with all its channels and emoji. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Heartbeats are answered every 41 s or so, and watched by themselves. */
const IDLE_MS = 180_000;
/** A connection on which Discord hasn't greeted by then is dead. */
const HELLO_MS = 30_000;
/** https://discord.com/developers/docs/events/gateway-events#invalid-session: before a session is begun anew. */
const REST_MS = 3000;

/** Servers, messages and reactions in them and in private, and what is written there. */
const INTENTS = (1 << 0) | (1 << 9) | (1 << 10) | (1 << 12) | (1 << 13) | (1 << 15);

/** https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway */
const OP = { dispatch: 0, heartbeat: 1, identify: 2, resume: 6, reconnect: 7, invalid: 9, hello: 10, ack: 11 } as const;
/** The session is unknown, or not where we think it is. */
const LOST: readonly (number | undefined)[] = [4003, 4007, 4009];

/** How servers and their channels are, or change: nobody has said anything. */
const SCENERY = /^(GUILD|CHANNEL|THREAD|STAGE|VOICE|USER|PRESENCE|TYPING)_/;

type Stream = NonNullable<Channel['stream']>;
type Emit = Parameters<Stream>[1];

interface Deps {
  readonly api: DiscordApi;
  readonly http: Http;
  readonly clock: Clock;
  readonly token: Secret;
  /** What an event becomes, told beside who we are. */
  readonly toRaw: (frame: Frame, self: string | undefined) => Promise<Raw>;
}

/**
 * The Gateway: https://discord.com/developers/docs/events/gateway. Its session is the cursor, so that what happens while
 * a connection is renewed, or we are restarted, is told afterwards. Once a session is gone, this ends and begins anew:
 * then the host asks for what was missed.
 */
export function createStream(deps: Deps): Stream {
  return async (cursor, emit, signal) => {
    let session = readCursor(cursor);
    for (let isFirst = true; ; isFirst = false) {
      const was = session;
      session = await serve(deps, was, emit, signal);
      if (session) continue;
      if (!was || !isFirst) throw new RetryableError('the session with Discord is lost: a new one is begun');
      await deps.clock.sleep(REST_MS, signal);
    }
  };
}

const Start = z.object({
  url: z.string().max(1000),
  session_start_limit: z.object({ remaining: z.number(), reset_after: z.number() }),
});

async function dial({ api, http }: Deps, session: Session | undefined, signal: AbortSignal): Promise<Socket> {
  const root = session?.url ?? (await begin(api, signal));
  if (!api.isDiscord(root)) throw new PermanentError("Discord names an address for events which isn't Discord's");
  const url = new URL(root);
  url.search = 'v=10&encoding=json';
  return http.socket({ url: url.href, maxBytes: MAX_BYTES, idleMs: IDLE_MS, signal });
}

/** Whoever begins more sessions in a day than he may has his token taken away. */
async function begin(api: DiscordApi, signal: AbortSignal): Promise<string> {
  const { url, session_start_limit: limit } = await api.ask('/gateway/bot', Start, signal);
  if (limit.remaining > 0) return url;
  throw new RateLimitedError('the bot has begun as many sessions as it may for now', limit.reset_after);
}

/** One connection. */
interface Line {
  readonly socket: Socket;
  readonly emit: Emit;
  /** Breaks it off, which leaves the session as it is. */
  readonly over: AbortController;
  session: Session | undefined;
  seq: number | null;
  /** Discord has said that events come. */
  isOpen: boolean;
  isAnswered: boolean;
  /** What has come waits to be stored: who doesn't read doesn't see answers either. */
  isBusy: boolean;
}

/** One connection from its beginning to its end; the session to go on with, or undefined once there is none. */
async function serve(
  deps: Deps,
  session: Session | undefined,
  emit: Emit,
  signal: AbortSignal,
): Promise<Session | undefined> {
  const over = new AbortController();
  const socket = await dial(deps, session, AbortSignal.any([signal, over.signal])).catch((error: unknown) => {
    // Where it is to go on nobody may be any more, or it was another stand-in.
    if (!session || signal.aborted) throw error;
  });
  if (!socket) return undefined;
  const seq = session?.seq ?? null;
  const line: Line = { socket, emit, over, session, seq, isOpen: false, isAnswered: true, isBusy: false };
  const greeted = new AbortController();
  try {
    breakOffUnless(deps.clock, greeted.signal, over);
    return await listen(deps, line, () => greeted.abort());
  } catch (error) {
    throw over.signal.aborted ? over.signal.reason : error;
  } finally {
    greeted.abort();
    over.abort();
  }
}

function breakOffUnless(clock: Clock, greeted: AbortSignal, over: AbortController): void {
  const late = () => over.abort(new RetryableError('Discord does not greet'));
  void clock.sleep(HELLO_MS, greeted).then(late, () => undefined);
}

async function listen(deps: Deps, line: Line, greet: () => void): Promise<Session | undefined> {
  const { socket } = line;
  for await (const body of socket.messages) {
    const frame = read(body);
    const next = frame ? await react(deps, line, frame, greet) : await store(line, async () => ({ body }));
    if (next === 'lost') return undefined;
    if (next === 'again') return again(line);
  }
  const code = socket.closeCode();
  if (!line.isOpen && LOST.includes(code)) return undefined;
  throw endingOf(code);
}

/** `lost`: the session is no more; `again`: it goes on by another connection. */
async function react(deps: Deps, line: Line, frame: Frame, greet: () => void): Promise<'lost' | 'again' | undefined> {
  switch (frame.op) {
    case OP.dispatch:
      await dispatch(deps, line, frame);
      return undefined;
    case OP.hello:
      greet();
      hello(deps, line, frame.d);
      return undefined;
    case OP.ack:
      line.isAnswered = true;
      return undefined;
    case OP.heartbeat:
      beat(line);
      return undefined;
    case OP.reconnect:
      return 'again';
    case OP.invalid:
      return frame.d === true ? 'again' : 'lost';
    default:
      await store(line, () => deps.toRaw(frame, line.session?.self));
      return undefined;
  }
}

/** What can't be read is stored all the same, and shown. */
function read(body: Buffer): Frame | undefined {
  try {
    return Frame.parse(parseJson(body));
  } catch {
    return undefined;
  }
}

/** Where no events came yet it would be asked for again and again: the host takes its time. */
function again({ isOpen, session }: Line): Session | undefined {
  if (!isOpen) throw new RetryableError('Discord asks to connect again');
  return session;
}

const Hello = z.object({ heartbeat_interval: z.number().min(1000) });

function hello({ clock, token }: Deps, line: Line, d: unknown): void {
  const { heartbeat_interval } = Hello.parse(d);
  void keepAlive(clock, line, heartbeat_interval).catch(() => undefined);
  const { session } = line;
  if (session) return send(line, OP.resume, { token: token.reveal(), session_id: session.id, seq: session.seq });
  const properties = { os: process.platform, browser: 'tributary', device: 'tributary' };
  send(line, OP.identify, { token: token.reveal(), intents: INTENTS, properties });
}

/** Until the connection is over. One that no longer answers looks like one on which nothing happens. */
async function keepAlive(clock: Clock, line: Line, everyMs: number): Promise<void> {
  // The first one at any time within, so that not all bots speak at once when Discord has been away.
  for (let wait = everyMs * Math.random(); ; wait = everyMs) {
    await clock.sleep(wait, line.over.signal);
    if (!line.isAnswered && !line.isBusy) return line.over.abort(new RetryableError('Discord no longer answers'));
    line.isAnswered = false;
    beat(line);
  }
}

function beat(line: Line): void {
  send(line, OP.heartbeat, line.seq);
}

function send({ socket }: Line, op: number, d: unknown): void {
  socket.send(JSON.stringify({ op, d }));
}

async function dispatch({ toRaw }: Deps, line: Line, frame: Frame): Promise<void> {
  const { t, s, d } = frame;
  const seq = s ?? line.seq ?? 0;
  line.seq = seq;
  line.isOpen ||= t === 'READY' || t === 'RESUMED';
  const session = t === 'READY' ? sessionOf(d, seq) : line.session && { ...line.session, seq };
  if (!['READY', 'RESUMED'].includes(t ?? '') && !SCENERY.test(t ?? '')) {
    await store(line, () => toRaw(frame, session?.self), session && cursorOf(session));
  }
  line.session = session;
}

async function store(line: Line, toRaw: () => Promise<Raw>, cursor?: string): Promise<undefined> {
  line.isBusy = true;
  try {
    await line.emit(await toRaw(), cursor);
  } finally {
    line.isBusy = false;
  }
}
