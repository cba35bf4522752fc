import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** A private Redis on loopback, with its data in a folder of its own. */
export interface RedisServer {
  readonly url: string;
  /** Forgets everything. */
  empty(): Promise<void>;
  /** Ends it at once, as a crash would; `start` brings it back with what it had written down. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Stops answering, and answers again, with its connections open. */
  hang(): void;
  goOn(): void;
  stop(): Promise<void>;
}

const PROGRAM = '/usr/bin/redis-server';

/** Why it can't be started here, or undefined when it can. */
export function redisMissing(): string | undefined {
  return existsSync(PROGRAM) ? undefined : 'Redis is not installed (redis-server)';
}

export async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;

  /** What it answers to a command; nothing when it isn't there. */
  function say(command: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(''));
      socket.on('data', (answer) => {
        resolve(answer.toString());
        socket.destroy();
      });
      socket.write(`${command}\r\n`);
    });
  }

  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    empty: async () => void (await say('FLUSHALL')),
    async start() {
      const args = [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--save',
        '',
        '--appendonly',
        'yes',
      ];
      child = spawn(PROGRAM, [...args, '--maxmemory-policy', 'noeviction'], { stdio: 'ignore' });
      await until(async () => (await say('PING')).startsWith('+PONG'), 'Redis answers');
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    hang: () => void child?.kill('SIGSTOP'),
    goOn: () => void child?.kill('SIGCONT'),
    async stop() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
