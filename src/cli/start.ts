import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Gateway } from '../core/gateway.ts';
import { textOf, TributaryError } from '../core/errors.ts';
import { clean, CommandError, FAILED } from './cli.ts';
import type { Cli, Settings } from './cli.ts';
import { brotliWarning } from './runtime.ts';

/** A gateway that was started. */
export interface Running {
  readonly url: string;
  /** What this process does; it listens only with `web`. */
  readonly roles: readonly string[];
  readonly gateway: Gateway;
  /** The one-time link for the first admin; undefined once there is one. */
  readonly setupLink: () => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}

export interface StartOptions {
  /** Refuse a Node whose Brotli decoder is vulnerable. */
  readonly strictRuntime?: boolean;
}

/** Longest time that stopping may take. */
const STOP_MS = 20_000;

/** Starts the gateway, says where it is, and runs until it is told to stop. Returns the exit code. */
export async function start(
  cli: Cli,
  settings: Settings,
  options: StartOptions,
  begin: () => Promise<Running>,
): Promise<number> {
  const warning = brotliWarning(process.versions['brotli'] ?? '');
  if (warning && options.strictRuntime) {
    throw new CommandError(warning, { remedy: 'Install a current Node, or start without --strict-runtime.' });
  }
  // Whatever is written from here on is for this user only.
  process.umask(0o077);
  const startedAt = performance.now();
  const running = await begin().catch((error: unknown) => {
    throw whyNot(error, settings);
  });
  const { log } = running.gateway;
  if (warning) log.warn({ brotli: process.versions['brotli'] }, warning);
  if (process.getuid?.() === 0) log.warn({}, 'runs as root: give it a user of its own');
  await announce(cli, settings, running, Math.round(performance.now() - startedAt));
  return await untilStopped(running);
}

async function announce(cli: Cli, settings: Settings, running: Running, tookMs: number): Promise<void> {
  const { gateway, url, roles } = running;
  const link = roles.includes('web') ? await running.setupLink() : undefined;
  if (cli.stdout.isTTY && settings.log.format !== 'json' && !cli.wantsJson()) {
    return cli.print(banner(cli, settings, running, link, tookMs));
  }
  gateway.log.info({ url, roles, version: gateway.version, node: process.versions.node, tookMs }, 'started');
  if (link) gateway.log.info({ open: link }, 'one-time set-up link, 30 minutes');
  for (const { id, type, problem, source } of gateway.endpoints.all('channel')) {
    gateway.log.info({ channel: id, type, problem, source }, problem ? 'channel has a problem' : 'channel is open');
  }
}

function banner(
  cli: Cli,
  settings: Settings,
  { gateway, url, roles }: Running,
  link: string | undefined,
  tookMs: number,
): string {
  const { bold, cyan, dim, green, red } = cli.color;
  const line = (name: string, text: string, note = '') =>
    `  ${bold(name.padEnd(10))}${text}${note && `  ${dim(note)}`}`;
  const channels = gateway.endpoints.all('channel').map(({ id, type, enabled, problem }, index) => {
    const where = type === 'form' ? `${gateway.publicUrl}/forms/${id}` : '';
    const state = problem ? red(clean(problem)) : enabled ? green('open') : 'switched off';
    return line(
      index === 0 ? 'Channels' : '',
      `${id.padEnd(12)} ${type.padEnd(10)} ${[where && cyan(where), state].filter(Boolean).join('  ')}`,
    );
  });
  const open = link
    ? line('Open', cyan(link), 'one-time set-up link, 30 min')
    : line('Open', cyan(url), '`npx tributary admin link` signs you in');
  const places = roles.includes('web')
    ? [open, line('API', cyan(`${url}/docs/api`))]
    : [line('Role', roles.join(', '), 'nobody is answered here: that is for role web')];
  const isPublic = settings.server.publicUrl !== undefined;
  const onFile = settings.store.path !== undefined;
  return [
    '',
    `  ${green('▲')} ${bold(`Tributary ${gateway.version}`)}   ${dim(`Node ${process.versions.node} · ${onFile ? 'SQLite WAL' : 'PostgreSQL'} · ${tookMs} ms`)}`,
    '',
    ...places,
    line('Data', settings.dataDir, `${onFile ? 'tributary.db' : 'blobs'} + secret.key: back up both`),
    line('Config', settings.file ?? 'defaults', settings.file ? '' : '`npx tributary init` writes a file'),
    '',
    ...(channels.length > 0 ? channels : [line('Channels', 'none', 'write some into config/tributary.yaml')]),
    line(
      'Public',
      isPublic ? gateway.publicUrl : 'not set',
      isPublic ? '' : 'vendors that call us need PUBLIC_URL=https://…',
    ),
    '',
    dim('  Ctrl-C stops it.'),
    '',
  ].join('\n');
}

/** What went wrong at the start, with one thing to do about it. */
function whyNot(error: unknown, { server }: Settings): CommandError {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') {
    const pid = pidOn(server.port);
    return new CommandError(`port ${server.port} on ${server.host} is taken${pid ? ` by process ${pid}` : ''}`, {
      cause: error,
      remedy: `${pid ? `Stop it (kill ${pid}), or` : 'Stop what listens there, or'} take another port: PORT=${server.port + 1} npm start`,
    });
  }
  if (!(error instanceof TributaryError) && (code === 'EACCES' || code === 'EADDRNOTAVAIL')) {
    return new CommandError(`can't start (${code}): ${textOf(error)}`, {
      cause: error,
      remedy: 'Check HOST, PORT (below 1024 needs privileges) and the rights on the data folder.',
    });
  }
  const remedy = error instanceof TributaryError ? error.hint : 'Run `npx tributary doctor`.';
  return new CommandError(textOf(error), { cause: error, remedy });
}

/** `EADDRINUSE` and the like, of the error or of what caused it. */
function codeOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return 'code' in error ? error.code : codeOf(error.cause);
}

/** The process that listens on a port, where Linux tells. */
export function pidOn(port: number): number | undefined {
  try {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeningOn(readFileSync(file, 'utf8'), hex));
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .find((pid) => linksOf(`/proc/${pid}/fd`).some((link) => sockets.includes(link)));
  } catch {
    // Not Linux, or not ours to read.
    return undefined;
  }
}

function listeningOn(table: string, hexPort: string): string[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hexPort}`) && state === '0A')
    .map((columns) => `socket:[${columns[9] ?? ''}]`);
}

function linksOf(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(`${folder}/${name}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** Resolves with the exit code once a signal has come and everything in flight is done. */
function untilStopped({ gateway: { log }, close }: Running): Promise<number> {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  return new Promise((resolve) => {
    const end = (code: number) => {
      for (const signal of signals) process.off(signal, stop);
      process.off('uncaughtException', crash);
      resolve(code);
      // Whatever still holds the process must not keep it: everything is stored.
      setTimeout(() => process.exit(code), 1000).unref();
    };
    const crash = (error: unknown) => {
      log.error({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'a bug: stopping');
      // The state of the process is unknown: what was answered is stored, the rest is sent again.
      process.exit(FAILED);
    };
    let stopping = false;
    function stop(signal: NodeJS.Signals): void {
      if (stopping) process.exit(FAILED);
      stopping = true;
      log.info({ signal }, 'stopping');
      setTimeout(() => {
        log.error({ seconds: STOP_MS / 1000 }, 'did not stop in time');
        process.exit(FAILED);
      }, STOP_MS).unref();
      close().then(
        () => end(0),
        (error: unknown) => {
          log.error({ error: textOf(error) }, 'did not stop cleanly');
          end(FAILED);
        },
      );
    }
    for (const signal of signals) process.on(signal, stop);
    process.on('uncaughtException', crash);
  });
}
