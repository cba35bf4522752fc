import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { Channel, Http, Socket } from '../../core/connector.ts';
import { PermanentError, RetryableError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import type { SlackApi } from './api.ts';
import { Frame } from './event.ts';

/** Of one event: messages with many blocks and files are large. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Slack sends a ping every few seconds. */
const IDLE_MS = 60_000;
/** A connection on which Slack has said nothing else by then gets no events. */
const HELLO_MS = 30_000;

type Stream = NonNullable<Channel['stream']>;
type Emit = Parameters<Stream>[1];

const Opened = z.object({ url: z.string() });

/**
 * Socket Mode: https://docs.slack.dev/apis/events-api/using-socket-mode. Each event is acknowledged once it is stored;
 * what isn't, Slack sends again. A connection lasts for some hours: its successor is open before it ends.
 */
export function createStream({
  api,
  http,
  clock,
}: {
  readonly api: SlackApi;
  readonly http: Http;
  readonly clock: Clock;
}): Stream {
  async function dial(signal: AbortSignal): Promise<Socket> {
    const { url } = await api.tell('apps.connections.open', Opened, {}, signal);
    if (!api.isSlack(url)) throw new PermanentError("Slack names an address for events which isn't Slack's");
    return http.socket({ url, maxBytes: MAX_BYTES, idleMs: IDLE_MS, signal });
  }

  return async (_cursor, emit, signal) => {
    let current: Socket | undefined;
    try {
      for (;;) {
        const socket = await dial(signal);
        const { greeted, replaced } = serve(socket, emit);
        const heard = new AbortController();
        void clock.sleep(HELLO_MS, heard.signal).then(
          () => socket.close(),
          () => undefined,
        );
        await greeted.finally(() => heard.abort());
        current?.close();
        current = socket;
        await replaced;
      }
    } finally {
      current?.close();
    }
  };
}

/** `greeted`: Slack sends events here; `replaced`: it wants another connection. Both fail when it breaks. */
function serve(socket: Socket, emit: Emit): { readonly greeted: Promise<void>; readonly replaced: Promise<void> } {
  let greet: () => void = () => undefined;
  let replace: () => void = () => undefined;
  const greeting = new Promise<void>((resolve) => (greet = resolve));
  const replacing = new Promise<void>((resolve) => (replace = resolve));

  async function listen(): Promise<never> {
    for await (const body of socket.messages) {
      const { type, envelope_id, reason } = read(body);
      if (type === 'hello') greet();
      else if (type === 'disconnect') partWith(reason, replace);
      else {
        await emit({ body, headers: { 'content-type': 'application/json' } });
        if (envelope_id !== undefined) socket.send(JSON.stringify({ envelope_id }));
      }
    }
    throw new RetryableError('Slack closed the connection');
  }

  const served = listen();
  // Once it is replaced nobody waits for its end.
  served.catch(() => undefined);
  return { greeted: Promise.race([greeting, served]), replaced: Promise.race([replacing, served]) };
}

/** What can't be read is stored all the same, and shown. */
function read(body: Buffer): Partial<z.output<typeof Frame>> {
  try {
    return Frame.parse(parseJson(body));
  } catch {
    return {};
  }
}

function partWith(reason: string | undefined, replace: () => void): void {
  if (reason !== 'link_disabled') return replace();
  throw new PermanentError('Socket Mode was switched off', { hint: 'Switch it on again in the app’s page.' });
}
