import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');

/** Where Debian puts it; `CHROMIUM` names another one. */
const program = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

export const hasBrowser = existsSync(program);

/** A browser that talks to nobody but the pages it is sent to. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: program,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A gateway in a process of its own, started as `npm start` does. */
export interface StartedGateway {
  readonly url: string;
  readonly port: number;
  /** Makes the first admin. */
  readonly setupLink: string;
  /** Calls the API with every scope; throws unless it answers 2xx. */
  api(path: string, method?: 'GET' | 'POST' | 'PATCH', body?: object): Promise<unknown>;
  /** Stops it and takes its folder away. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

const LogLine = z.object({ url: z.string().optional(), open: z.string().optional() });
/** A first start may have to build. */
const START_MS = 240_000;

/** `config`: the YAML file; without it the gateway runs without a configuration. */
export async function startProcess(config?: string): Promise<StartedGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-browser-'));
  const file = join(folder, 'tributary.yaml');
  if (config !== undefined) writeFileSync(file, config);
  const adminKey = 'a'.repeat(40);
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [join(ROOT, 'bin/tributary.cjs'), 'start'], {
    cwd: folder,
    env: {
      ...{ PATH, HOME, PORT: '0', DATA_DIR: join(folder, 'data'), ADMIN_API_KEY: adminKey, LOG_FORMAT: 'json' },
      ...(config !== undefined && { TRIBUTARY_CONFIG: file }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const stop = async () => {
    child.kill('SIGTERM');
    const code = await ended;
    rmSync(folder, { recursive: true, force: true });
    return code;
  };
  const late = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    const { url, setupLink } = await announced(child.stdout, child.stderr);
    clearTimeout(late);
    return {
      url,
      port: Number(new URL(url).port),
      setupLink,
      async api(path, method = 'GET', body) {
        const headers = { authorization: `Bearer ${adminKey}`, ...(body && { 'content-type': 'application/json' }) };
        const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
        const response = await fetch(`${url}/api/v1${path}`, init);
        if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
        return response.json();
      },
      stop,
    };
  } catch (error) {
    clearTimeout(late);
    await stop();
    throw error;
  }
}

/** What it says once it has started. */
async function announced(stdout: NodeJS.ReadableStream, stderr: NodeJS.ReadableStream) {
  const said: string[] = [];
  stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const lines = createInterface({ input: stdout });
  let url: string | undefined;
  for await (const line of lines) {
    said.push(line);
    const entry = LogLine.safeParse(readJson(line));
    if (!entry.success) continue;
    url ??= entry.data.url;
    if (url === undefined || entry.data.open === undefined) continue;
    // From here on nobody listens: what it says must not fill the pipe.
    stdout.resume();
    return { url, setupLink: entry.data.open };
  }
  throw new Error(`The gateway did not start:\n${said.join('\n')}`);
}

function readJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** A stretch of network in front of a port on loopback, that can be cut. */
export interface Relay {
  readonly origin: string;
  /** Breaks every connection and takes no new ones. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function startRelay(target: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let state: 'whole' | 'cut' = 'whole';
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((near) => {
    keep(near);
    if (state === 'cut') return void near.destroy();
    const far = connect(target, '127.0.0.1');
    keep(far);
    near.pipe(far);
    far.pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      state = 'cut';
      breakAll();
    },
    mend() {
      state = 'whole';
    },
    async close() {
      server.close();
      breakAll();
      await once(server, 'close');
    },
  };
}
