import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** A private Request Tracker 5 on SQLite: the queue General with the field TributaryId, an account for us, an agent. */
export interface RequestTracker {
  readonly origin: string;
  readonly port: number;
  /** Of the account `gateway`. */
  readonly token: string;
  /** As the agent `ivan` does it, over REST. */
  agent(method: string, path: string, body?: object): Promise<unknown>;
  /** As an administrator looks at it. */
  look(path: string, query?: Readonly<Record<string, string>>): Promise<Listed>;
  /** Ends it at once, in the middle of whatever it does. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface Listed {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly [key: string]: unknown;
}

const SERVER = '/usr/share/request-tracker5/libexec/rt-server';
const SETUP = '/usr/sbin/rt-setup-database-5';

/** Why it can't be started here, or undefined when it can. */
export function requestTrackerMissing(): string | undefined {
  return [SERVER, SETUP, '/usr/share/perl5/Starlet/Server.pm'].every((path) => existsSync(path))
    ? undefined
    : 'Request Tracker is not installed (request-tracker5, rt5-standalone, rt5-db-sqlite)';
}

const PASSWORD = 'correct horse battery';

export async function startRequestTracker(): Promise<RequestTracker> {
  const home = mkdtempSync(join(tmpdir(), 'request-tracker-'));
  chmodSync(home, 0o755);
  for (const name of ['data', 'conf.d', 'var', 'mason', 'sessions']) mkdirSync(join(home, name));
  const port = await freePort();
  writeFileSync(join(home, 'RT_SiteConfig.pm'), configOf(home, port));
  writeFileSync(join(home, 'seed.pl'), SEED);
  const env = {
    ...process.env,
    RT_SITE_CONFIG: join(home, 'RT_SiteConfig.pm'),
    RT_SITE_CONFIG_DIR: join(home, 'conf.d'),
  };
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  run(SETUP, '--action', 'init', '--skip-create', '--dba', 'root', '--dba-password', '');
  const token = /^token: (\S+)$/m.exec(run('perl', join(home, 'seed.pl')))?.[1] ?? '';
  const origin = `http://127.0.0.1:${port}`;
  let server: ChildProcess | undefined;

  async function call(authorization: string, method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${origin}/REST/2.0/${path}`, {
      method,
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as unknown;
  }

  const tracker: RequestTracker = {
    origin,
    port,
    token,
    agent: (method, path, body) =>
      call(`Basic ${Buffer.from(`ivan:${PASSWORD}`).toString('base64')}`, method, path, body),
    look: async (path, query = {}) =>
      (await call(`token ${token}`, 'GET', `${path}?${new URLSearchParams(query).toString()}`)) as Listed,
    async kill() {
      const running = server;
      server = undefined;
      if (running?.pid === undefined || running.exitCode !== null) return;
      const ended = new Promise((resolve) => running.once('exit', resolve));
      // The whole group: its workers would go on alone.
      process.kill(-running.pid, 'SIGKILL');
      await ended;
    },
    async start() {
      const args = ['--server', 'Starlet', '--max-workers', '2', '--host', '127.0.0.1', '--port', String(port)];
      server = spawn(SERVER, args, { env, stdio: 'ignore', detached: true });
      for (let tries = 0; tries < 300; tries++) {
        if (server.exitCode !== null) throw new Error(`Request Tracker did not start: exit code ${server.exitCode}`);
        if (await call(`token ${token}`, 'GET', 'rt').catch(() => false)) return;
        await sleep(100);
      }
      throw new Error('Request Tracker did not start in 30 s');
    },
    async stop() {
      await tracker.kill();
      rmSync(home, { recursive: true, force: true });
    },
  };
  try {
    await tracker.start();
  } catch (error) {
    await tracker.stop();
    throw error;
  }
  return tracker;
}

function configOf(home: string, port: number): string {
  const settings = {
    rtname: 'desk.test',
    Organization: 'desk.test',
    DatabaseType: 'SQLite',
    DatabaseName: join(home, 'data', 'rt.sqlite3'),
    WebDomain: '127.0.0.1',
    WebPort: String(port),
    WebPath: '',
    WebBaseURL: `http://127.0.0.1:${port}`,
    MailCommand: 'testfile',
    LogToSTDERR: 'error',
    CorrespondAddress: 'rt@desk.test',
    CommentAddress: 'rt-comment@desk.test',
    WebSessionClass: 'Apache::Session::File',
    MasonDataDir: join(home, 'mason'),
    MasonSessionDir: join(home, 'sessions'),
    VarPath: join(home, 'var'),
  };
  const lines = Object.entries(settings).map(([name, value]) => `Set($${name}, '${value}');`);
  return `${lines.join('\n')}\nSet($LogToSyslog, undef);\nSet($LogToFile, undef);\n1;\n`;
}

const SEED = `
use strict; use warnings;
use lib '/usr/share/request-tracker5/lib'; use RT -init;
my $system = RT->SystemUser;
my $field = RT::CustomField->new($system);
$field->Create(Name => 'TributaryId', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', MaxValues => 1);
$field->AddToObject(RT::Queue->new($system));
for my $name ('gateway', 'ivan') {
  my $user = RT::User->new($system);
  $user->Create(Name => $name, RealName => ucfirst $name, EmailAddress => "$name\\@desk.test", Privileged => 1, Password => '${PASSWORD}');
  $user->PrincipalObj->GrantRight(Right => 'SuperUser', Object => RT->System);
}
my $gateway = RT::User->new($system); $gateway->Load('gateway');
my ($id, $message, $token) = RT::AuthToken->new(RT::CurrentUser->new($gateway))->Create(Owner => $gateway->id, Description => 'gateway');
print "token: $token\\n";
`;
