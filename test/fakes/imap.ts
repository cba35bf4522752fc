import { createServer, type AddressInfo, type Socket } from 'node:net';

/** One command of the client: its tag, its name in capitals, and what stands behind it. */
export interface ImapCommand {
  readonly tag: string;
  readonly name: string;
  readonly rest: string;
  readonly socket: Socket;
  /** Writes lines. */
  say(...lines: readonly string[]): void;
}

/** Answers a command as it likes; `false`: as an honest server does. */
export type Whim = (command: ImapCommand) => boolean;

export interface FakeImap {
  readonly port: number;
  /** Names of the commands so far, over all connections. */
  readonly commands: readonly string[];
  /** Connections that are open. */
  readonly open: () => number;
  close(): Promise<void>;
}

/** A mailbox with one mail in it, whose server may have whims. `greet` replaces its first words. */
export async function startImap(
  mail: string,
  whims: { readonly greet?: (socket: Socket) => void; readonly whim?: Whim } = {},
): Promise<FakeImap> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const size = Buffer.byteLength(mail);

  function answer({ tag, name, rest, say }: ImapCommand): void {
    if (name === 'CAPABILITY') say('* CAPABILITY IMAP4rev1 IDLE');
    if (name === 'LIST') say('* LIST (\\HasNoChildren) "/" INBOX');
    const opens = name === 'EXAMINE' || name === 'SELECT';
    if (opens) say('* FLAGS (\\Seen)', '* 1 EXISTS', '* OK [UIDVALIDITY 7] x', '* OK [UIDNEXT 2] x');
    if (name === 'UID SEARCH') say(/(^|\D)1(\D|$)/.test(rest) ? '* SEARCH 1' : '* SEARCH');
    if (name === 'UID FETCH') {
      const isWhole = rest.includes('BODY.PEEK[]');
      const what = isWhole ? `BODY[] {${size}}\r\n${mail}` : `RFC822.SIZE ${size}`;
      say(`* 1 FETCH (UID 1 INTERNALDATE "31-Jan-2026 10:00:00 +0000" ${what})`);
    }
    if (name === 'LOGOUT') say('* BYE');
    // Its end is another line.
    if (name === 'IDLE') say('+ idling');
    else say(`${tag} OK done`);
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    const say = (...lines: readonly string[]) => {
      if (socket.writable) socket.write(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
    };
    let waiting = '';
    let idle = '';
    socket.on('data', (chunk) => {
      const lines = (waiting + chunk.toString('latin1')).split('\r\n');
      waiting = lines.pop() ?? '';
      for (const line of lines) {
        if (line === 'DONE') {
          say(`${idle} OK done`);
          continue;
        }
        const [, tag = '', name = '', rest = ''] = /^(\S+) ((?:UID )?\S+) ?(.*)$/.exec(line) ?? [];
        const command = { tag, name: name.toUpperCase(), rest, socket, say };
        commands.push(command.name);
        if (command.name === 'IDLE') idle = tag;
        if (!whims.whim?.(command)) answer(command);
      }
    });
    if (whims.greet) whims.greet(socket);
    else say('* OK ready');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    commands,
    open: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
