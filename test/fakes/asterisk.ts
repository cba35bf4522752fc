import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { selfSigned } from './self-signed.ts';

export const AMI_SECRET = 'a-manager-secret-of-the-tests';

type Fields = Readonly<Record<string, string>>;

/** A manager interface on this machine; what it tells, and when it breaks, is said by the test. */
export interface FakeAsterisk {
  readonly port: number;
  /** Everything that was asked, over all connections. */
  readonly actions: readonly Fields[];
  /** Connections that have signed in, so far. */
  readonly logins: () => number;
  /** Channels that `CoreShowChannels` lists. */
  channels: readonly Fields[];
  /** Answers an action as it likes: fields of the answer, `silent`, or undefined for what Asterisk says. */
  whim: (action: Fields) => Fields | 'silent' | undefined;
  /** Told between the answer to `CoreShowChannels` and the list. */
  beforeList: readonly Fields[];
  /** Tells events to everybody who has signed in. */
  tell(...events: readonly Fields[]): void;
  /** Bytes as they stand. */
  write(bytes: string | Buffer): void;
  /** Breaks every connection. */
  cut(): void;
  close(): Promise<void>;
}

export async function startAsterisk(options: { readonly tls?: boolean } = {}): Promise<FakeAsterisk> {
  const sockets = new Set<Socket>();
  const signedIn = new Set<Socket>();
  const actions: Fields[] = [];
  let logins = 0;

  function answer(socket: Socket, action: Fields): void {
    const say = (fields: Fields) => socket.write(toText({ ...fields, ActionID: action['actionid'] ?? '' }));
    const whim = fake.whim(action);
    if (whim === 'silent') return;
    if (whim) return void say(whim);
    switch (action['action']) {
      case 'Challenge':
        return void say({ Response: 'Success', Challenge: '145769581' });
      case 'Login': {
        const key = createHash('md5').update(`145769581${AMI_SECRET}`).digest('hex');
        if (action['key'] !== key && action['secret'] !== AMI_SECRET) {
          return void say({ Response: 'Error', Message: 'Authentication failed' });
        }
        say({ Response: 'Success', Message: 'Authentication accepted' });
        socket.write(toText({ Event: 'FullyBooted', Privilege: 'system,all', Status: 'Fully Booted' }));
        logins++;
        signedIn.add(socket);
        return;
      }
      case 'Ping':
        return void say({ Response: 'Success', Ping: 'Pong', Timestamp: '1409169929.412068' });
      case 'CoreShowChannels':
        say({ Response: 'Success', EventList: 'start', Message: 'Channels will follow' });
        for (const event of fake.beforeList) socket.write(toText(event));
        for (const channel of fake.channels) say({ Event: 'CoreShowChannel', ...channel });
        return void say({ Event: 'CoreShowChannelsComplete', EventList: 'Complete', ListItems: '0' });
      case 'Originate':
        return void say({ Response: 'Success', Message: 'Originate successfully queued' });
      default:
        return void say({ Response: 'Error', Message: 'Invalid/unknown command' });
    }
  }

  function accept(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => [sockets, signedIn].forEach((each) => each.delete(socket)));
    socket.write('Asterisk Call Manager/7.0.3\r\n');
    let waiting = '';
    socket.on('data', (chunk) => {
      waiting += chunk.toString('utf8');
      for (let end = waiting.indexOf('\r\n\r\n'); end >= 0; end = waiting.indexOf('\r\n\r\n')) {
        const action = readFields(waiting.slice(0, end));
        waiting = waiting.slice(end + 4);
        actions.push(action);
        answer(socket, action);
      }
    });
  }

  const server: Server = options.tls
    ? createTlsServer({ key: selfSigned.key, cert: selfSigned.cert }, accept).on('tlsClientError', () => undefined)
    : createServer(accept);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const fake: FakeAsterisk = {
    port: (server.address() as AddressInfo).port,
    actions,
    logins: () => logins,
    channels: [],
    beforeList: [],
    whim: () => undefined,
    tell(...events) {
      for (const socket of signedIn) for (const event of events) socket.write(toText(event));
    },
    write(bytes) {
      for (const socket of signedIn) socket.write(bytes);
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      fake.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

function toText(fields: Fields): string {
  return `${Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\r\n`)
    .join('')}\r\n`;
}

/** Keys in lower case. */
export function readFields(text: string): Fields {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const pairs = lines.flatMap((line) => {
    const at = line.indexOf(':');
    return at < 0 ? [] : [[line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()] as const];
  });
  return Object.fromEntries(pairs);
}

/** A channel of a test: which it is, and which call it belongs to. */
export interface FakeChannel {
  readonly Channel: string;
  readonly Uniqueid: string;
  readonly Linkedid: string;
  readonly CallerIDNum: string;
  readonly Exten: string;
}

/** `seconds` since the epoch of the call's beginning and the number of the channel make its id. */
export function channel(
  name: string,
  nth: number,
  more: {
    readonly of?: FakeChannel;
    readonly number?: string;
    readonly exten?: string;
    readonly seconds?: number;
  } = {},
): FakeChannel {
  const Uniqueid = `${more.seconds ?? 1_700_000_000}.${nth}`;
  return {
    Channel: `${name}-${nth.toString(16).padStart(8, '0')}`,
    Uniqueid,
    Linkedid: more.of?.Linkedid ?? Uniqueid,
    CallerIDNum: more.number ?? '<unknown>',
    Exten: more.exten ?? '',
  };
}

/** Events about a channel, as Asterisk 13 and later tell them. */
export const told = {
  begins: (one: FakeChannel, more: Fields = {}) => ({ Event: 'Newchannel', ...one, ChannelState: '0', ...more }),
  dials: (one: FakeChannel, other: FakeChannel, dialString = '') => ({
    Event: 'DialBegin',
    ...one,
    DestChannel: other.Channel,
    DestUniqueid: other.Uniqueid,
    DestLinkedid: other.Linkedid,
    DialString: dialString,
  }),
  dialled: (one: FakeChannel, other: FakeChannel, status: string) => ({
    Event: 'DialEnd',
    ...one,
    DestChannel: other.Channel,
    DestUniqueid: other.Uniqueid,
    DestLinkedid: other.Linkedid,
    DialStatus: status,
  }),
  isUp: (one: FakeChannel) => ({ Event: 'Newstate', ...one, ChannelState: '6', ChannelStateDesc: 'Up' }),
  enters: (one: FakeChannel, linkedid = one.Linkedid) => ({ Event: 'BridgeEnter', ...one, Linkedid: linkedid }),
  ends: (one: FakeChannel) => ({ Event: 'Hangup', ...one, ChannelState: '6', Cause: '16' }),
};
