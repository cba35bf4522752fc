import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** A private PostgreSQL on loopback, as durable as a real one, everything in a folder of its own. */
export interface Postgres {
  readonly port: number;
  /** Makes a database; its URL. */
  createDatabase(): Promise<string>;
  /** Deletes whatever the gateway wrote into one. */
  empty(url: string): Promise<void>;
  /** Runs a statement as the owner of everything, in a database or beside them. */
  run(text: string, url?: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends it without letting anybody finish, as a crash does. */
  crash(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Debian keeps the server's programs beside its versions, not on the path. */
function folderOfPrograms(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(root, version, 'bin')), '/usr/local/bin', '/usr/bin'];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** Why it can't be started here, or undefined when it can. */
export function postgresMissing(): string | undefined {
  return folderOfPrograms() === undefined ? 'PostgreSQL is not installed (postgresql)' : undefined;
}

const USER = 'tributary';

/** Much quicker than another database, or TRUNCATE, which makes files anew. */
const EMPTY = `DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version' LOOP
    EXECUTE 'DELETE FROM ' || quote_ident(name);
  END LOOP;
  FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
    EXECUTE 'ALTER SEQUENCE ' || quote_ident(name) || ' RESTART';
  END LOOP;
END $$`;

export async function startPostgres(): Promise<Postgres> {
  const programs = folderOfPrograms() ?? '';
  const home = mkdtempSync(join(tmpdir(), 'postgres-'));
  // It refuses to run as root; Debian's package brings a user for it.
  const owner: { uid?: number; gid?: number } = {};
  if (process.getuid?.() === 0) {
    const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])));
    chownSync(home, uid, gid);
    Object.assign(owner, { uid, gid });
  }
  const data = join(home, 'data');
  const making = ['-D', data, '-U', USER, '-A', 'trust', '--locale=C.UTF-8', '-E', 'UTF8'];
  execFileSync(join(programs, 'initdb'), making, { ...owner, stdio: 'ignore' });
  const port = await freePort();
  const urlOf = (database: string) => `postgres://${USER}@127.0.0.1:${port}/${database}`;
  let server: ReturnType<typeof spawn> | undefined;
  let count = 0;

  async function run(text: string, url = urlOf('postgres')) {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(text)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  async function start(): Promise<void> {
    const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${home}`, 'max_connections=200'];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    server = spawn(join(programs, 'postgres'), args, { ...owner, stdio: 'ignore' });
    await until(() =>
      run('SELECT 1').then(
        () => true,
        () => false,
      ),
    );
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = undefined;
    if (!ending || ending.exitCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await ended;
  }

  await start();
  return {
    port,
    async createDatabase() {
      const name = `test_${++count}`;
      await run(`CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    async empty(url) {
      await run(EMPTY, url);
    },
    run,
    crash: () => end('SIGQUIT'),
    start,
    async stop() {
      await end('SIGQUIT');
      rmSync(home, { recursive: true, force: true });
    },
  };
}
