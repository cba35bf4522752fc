import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapFlow } from 'imapflow';
import { freePort } from './free-port.ts';

/** A private Dovecot: IMAP with IDLE on loopback, LMTP in, everything in a folder of its own. */
export interface Dovecot {
  readonly imapPort: number;
  readonly lmtpPort: number;
  readonly password: string;
  /** Puts mails into a mailbox as a delivery agent would, over one connection, in order. */
  deliver(user: string, mails: readonly (string | Buffer)[]): Promise<void>;
  /** Puts one mail into a folder with a date of receipt of our choosing. */
  save(user: string, mail: string | Buffer, options?: { folder?: string; received?: Date }): Promise<void>;
  /** Every mail of a user's inbox, as bytes in latin1. */
  read(user: string): Promise<string[]>;
  /** Every mail of a folder is renumbered: it is taken out, the folder made anew, and put back. */
  renumber(user: string, folder: string): void;
  /** Ends the user's connections. */
  kick(user: string): void;
  doveadm(...args: string[]): string;
  stop(): Promise<void>;
}

/** Why it can't be started here, or undefined when it can. */
export function dovecotMissing(): string | undefined {
  const found = ['/usr/sbin/dovecot', '/usr/bin/doveadm', '/usr/lib/dovecot/lmtp', '/usr/lib/dovecot/imap'].every(
    (path) => existsSync(path),
  );
  return found ? undefined : 'Dovecot is not installed (dovecot-imapd, dovecot-lmtpd)';
}

const PASSWORD = 'correct horse battery';

/** `introspection`: where access tokens are checked, up to the token itself; without it there are only passwords. */
export async function startDovecot(
  users: readonly string[],
  options: { readonly introspection?: string } = {},
): Promise<Dovecot> {
  const home = mkdtempSync(join(tmpdir(), 'dovecot-'));
  chmodSync(home, 0o755);
  for (const name of ['run', 'mail', 'home', 'log']) mkdirSync(join(home, name));
  const owner = process.getuid?.() === 0 ? 'mail' : userInfo().username;
  if (owner === 'mail') {
    const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, owner])));
    for (const name of ['mail', 'home']) chownSync(join(home, name), uid, gid);
  }
  const imapPort = await freePort();
  const lmtpPort = await freePort();
  writeFileSync(join(home, 'users'), users.map((user) => `${user}:{PLAIN}${PASSWORD}\n`).join(''));
  const { introspection } = options;
  const oauth2 = `introspection_url = ${introspection ?? ''}\nintrospection_mode = get\nusername_attribute = user\nactive_attribute = active\nactive_value = true\n`;
  writeFileSync(join(home, 'oauth2'), oauth2);
  const config = join(home, 'dovecot.conf');
  writeFileSync(config, configOf({ home, imapPort, lmtpPort, owner, introspection }));
  const server = spawn('/usr/sbin/dovecot', ['-F', '-c', config], { stdio: 'ignore' });
  try {
    await Promise.all([isUp(imapPort, server, home), isUp(lmtpPort, server, home)]);
  } catch (error) {
    server.kill();
    throw error;
  }

  const doveadm = (...args: string[]) =>
    execFileSync('/usr/bin/doveadm', ['-c', config, ...args], { encoding: 'utf8' });

  async function connected<T>(user: string, work: (client: ImapFlow) => Promise<T>): Promise<T> {
    const auth = { user, pass: PASSWORD };
    const client = new ImapFlow({ host: '127.0.0.1', port: imapPort, secure: false, auth, logger: false });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.logout();
    }
  }

  return {
    imapPort,
    lmtpPort,
    password: PASSWORD,
    deliver: (user, mails) => deliver(lmtpPort, user, mails),
    async save(user, content, { folder = 'INBOX', received } = {}) {
      await connected(user, (client) => client.append(folder, content, [], received));
    },
    read: (user) =>
      connected(user, async (client) => {
        await client.mailboxOpen('INBOX', { readOnly: true });
        const mails = await client.fetchAll('1:*', { source: true });
        return mails.map(({ source }) => source?.toString('latin1') ?? '');
      }),
    renumber(user, folder) {
      const other = `${folder}-before`;
      doveadm('mailbox', 'create', '-u', user, other);
      doveadm('move', '-u', user, other, 'mailbox', folder, 'all');
      if (folder === 'INBOX') {
        // The inbox itself can't be deleted: its list of UIDs is what knows them.
        doveadm(
          'mailbox',
          'update',
          '--uid-validity',
          String(Math.floor(Math.random() * 1e9) + 1e9),
          '-u',
          user,
          folder,
        );
      } else {
        doveadm('mailbox', 'delete', '-u', user, folder);
        doveadm('mailbox', 'create', '-u', user, folder);
      }
      doveadm('move', '-u', user, folder, 'mailbox', other, 'all');
      doveadm('mailbox', 'delete', '-u', user, other);
    },
    kick(user) {
      doveadm('kick', user);
    },
    doveadm,
    async stop() {
      const ended = server.exitCode === null ? new Promise((resolve) => server.once('exit', resolve)) : undefined;
      server.kill();
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function isUp(port: number, server: ChildProcess, home: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (server.exitCode !== null) break;
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (up) return;
    await sleep(50);
  }
  const log = join(home, 'log', 'dovecot.log');
  throw new Error(`Dovecot did not start: ${existsSync(log) ? readFileSync(log, 'utf8') : 'no log'}`);
}

/** Speaks LMTP, line by line: enough for a server that we started ourselves. */
async function deliver(port: number, user: string, mails: readonly (string | Buffer)[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  const lines = linesOf(socket);
  const expect = async (code: string) => {
    for (;;) {
      const line = (await lines.next()).value as string | undefined;
      if (!line?.startsWith(code)) throw new Error(`LMTP: ${line ?? 'closed'}`);
      if (line[3] !== '-') return;
    }
  };
  const say = async (text: string, code: string) => {
    socket.write(`${text}\r\n`);
    await expect(code);
  };
  try {
    await expect('220');
    await say('LHLO localhost', '250');
    for (const mail of mails) {
      await say('MAIL FROM:<>', '250');
      await say(`RCPT TO:<${user}>`, '250');
      await say('DATA', '354');
      const bytes = Buffer.isBuffer(mail) ? mail.toString('latin1') : Buffer.from(mail).toString('latin1');
      const stuffed = bytes.replaceAll(/\r?\n/g, '\r\n').replaceAll(/^\./gm, '..');
      socket.write(Buffer.from(stuffed.endsWith('\r\n') ? stuffed : `${stuffed}\r\n`, 'latin1'));
      await say('.', '250');
    }
    await say('QUIT', '221');
  } finally {
    socket.destroy();
  }
}

async function* linesOf(socket: NodeJS.ReadableStream): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of socket) {
    const parts = (rest + chunk.toString('utf8')).split('\r\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}

interface Settings {
  readonly home: string;
  readonly imapPort: number;
  readonly lmtpPort: number;
  readonly owner: string;
  readonly introspection: string | undefined;
}

function configOf({ home, imapPort, lmtpPort, owner, introspection }: Settings): string {
  return `base_dir = ${home}/run
state_dir = ${home}/run
instance_name = tributary-test
listen = 127.0.0.1
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
log_path = ${home}/log/dovecot.log
mail_location = maildir:${home}/mail/%u
mail_uid = ${owner}
first_valid_uid = 1
recipient_delimiter = +
mail_max_userip_connections = 10
default_process_limit = 40
default_client_limit = 200
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    auto = create
    special_use = \\Sent
  }
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u ${home}/users
}
userdb {
  driver = static
  args = uid=${owner} home=${home}/home/%u
}
auth_mechanisms = plain login${introspection === undefined ? '' : ' xoauth2 oauthbearer'}
auth_failure_delay = 0
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = ${imapPort}
  }
  inet_listener imaps {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${lmtpPort}
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
${introspection === undefined ? '' : withTokens(home)}${owner === 'mail' ? 'mail_gid = mail\n' : withoutRoot(owner)}`;
}

function withTokens(home: string): string {
  return `passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${home}/oauth2
}
`;
}

/** Every part runs as the user that starts it, in no cage. */
function withoutRoot(user: string): string {
  const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
  const caged = ['anvil', 'imap-login', 'director', 'ipc', 'old-stats', 'stats'];
  return `mail_gid = ${group}
default_internal_user = ${user}
default_internal_group = ${group}
default_login_user = ${user}
${caged.map((name) => `service ${name} {\n  chroot =\n}\n`).join('')}`;
}
