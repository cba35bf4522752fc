import type { SMTPServer, SMTPServerDataStream, SMTPServerOptions, SMTPServerSession } from 'smtp-server';
import type { Context, Raw } from '../../core/connector.ts';
import { textOf } from '../../core/errors.ts';
import { isOwnAddress } from '../../core/mail-address.ts';

/** Of one listener. */
const LIMITS = {
  perAddress: 20,
  /** Recipients that aren't ours, before the connection is ended. */
  strangers: 10,
  /** Mail on its way in lies in memory: at most as much as so many of the largest. */
  largest: 5,
  /** Milliseconds of a connection in all, however busily it talks. */
  lifetime: 600_000,
};

type Connections = SMTPServer['connections'];

export interface SessionDeps {
  /** Addresses that mail is taken for, in lower case; with anything behind a + as well. */
  readonly own: readonly string[];
  /** Of one mail. */
  readonly maxBytes: number;
  readonly context: Pick<Context, 'clock' | 'log'>;
  readonly emit: (raw: Raw) => Promise<void>;
  readonly connections: () => Connections;
}

/** What a listener says to whoever calls, and whose mail it is storing (by session). */
export function createSessions({ own, maxBytes, context, emit, connections }: SessionDeps): {
  readonly handlers: SMTPServerOptions;
  readonly filing: ReadonlyMap<string, Promise<void>>;
} {
  const lifetimes = new Map<string, AbortController>();
  const strangers = new Map<string, number>();
  /** Sessions whose mail is being stored: they hear of it even while everything stops. */
  const filing = new Map<string, Promise<void>>();
  const mostBytes = LIMITS.largest * maxBytes;
  let heldBytes = 0;

  async function take(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let full = false;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        // Read to its end all the same: the sender hears the answer only then.
        if (full || stream.sizeExceeded || heldBytes + chunk.length > mostBytes) {
          full = true;
          heldBytes -= bytes;
          bytes = chunks.length = 0;
          continue;
        }
        chunks.push(chunk);
        bytes += chunk.length;
        heldBytes += chunk.length;
      }
      if (full) throw refusal(452, 'busy, try again later');
      const stored = emit({ body: Buffer.concat(chunks), headers: envelopeOf(session) });
      filing.set(session.id, stored);
      await stored;
    } finally {
      filing.delete(session.id);
      heldBytes -= bytes;
    }
  }

  const handlers: SMTPServerOptions = {
    onConnect(session, done) {
      const { remoteAddress } = session;
      const same = [...connections()].filter((each) => each.remoteAddress === remoteAddress);
      if (same.length > LIMITS.perAddress) {
        done(refusal(421, 'too many connections from your address'));
        return;
      }
      const lifetime = new AbortController();
      lifetimes.set(session.id, lifetime);
      const expire = () => {
        dismiss(connections(), (id) => id === session.id);
      };
      void context.clock.sleep(LIMITS.lifetime, lifetime.signal).then(expire, () => undefined);
      done();
    },
    onRcptTo({ address }, session, done) {
      if (isOwnAddress(address, own)) {
        done();
        return;
      }
      const count = (strangers.get(session.id) ?? 0) + 1;
      strangers.set(session.id, count);
      done(refusal(count > LIMITS.strangers ? 421 : 550, 'no such mailbox here'));
    },
    onData(stream, session, done) {
      take(stream, session).then(
        () => {
          done(null, 'stored');
        },
        (error: unknown) => {
          context.log.warn({ error: textOf(error), from: session.remoteAddress }, 'a mail was not taken');
          done(isRefusal(error) ? error : refusal(451, 'not stored, try again later'));
        },
      );
    },
    onClose(session) {
      lifetimes.get(session.id)?.abort();
      lifetimes.delete(session.id);
      strangers.delete(session.id);
    },
  };
  return { handlers, filing };
}

/** What the sender's server said besides the mail itself. */
function envelopeOf({ envelope, remoteAddress, hostNameAppearsAs }: SMTPServerSession): Record<string, string> {
  return {
    'x-smtp-mail-from': envelope.mailFrom ? envelope.mailFrom.address : '',
    'x-smtp-rcpt-to': envelope.rcptTo.map(({ address }) => address).join(', '),
    'x-smtp-remote': remoteAddress,
    'x-smtp-helo': hostNameAppearsAs,
  };
}

function refusal(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && 'responseCode' in error;
}

/** Sends away whoever it is: he comes again. */
export function dismiss(connections: Connections, which: (id: string) => boolean): void {
  for (const connection of [...connections]) {
    if (which(connection.id)) connection.send(421, 'try again later');
  }
}
