import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/** A process of our own code, which may be ended at any time. */
export interface Child {
  /** Its entry, named as in the sources (`new URL('./worker.ts', import.meta.url)`), also in what was built. */
  readonly module: URL;
  /** Its arguments, in clear for everybody on the machine. */
  readonly args?: readonly string[];
  /** Megabytes of objects: one that needs more ends itself. Buffers don't count. */
  readonly mostMb: number;
  /** All that it finds in its environment: whoever takes it over finds no secret of ours there. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a process that talks over a channel of its own, and writes nowhere. */
export function startChild({ module, args = [], mostMb, env = {} }: Child): ChildProcess {
  const entry = builtOrSource(module);
  const sources = entry.pathname.endsWith('.ts') ? ['--import', tsx()] : [];
  return fork(fileURLToPath(entry), args, {
    execArgv: [`--max-old-space-size=${mostMb}`, ...sources],
    env,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
}

/** Starts a thread of our own code, with what it finds in `workerData`. */
export function startThread(module: URL, workerData: unknown): Worker {
  const entry = builtOrSource(module);
  if (!entry.pathname.endsWith('.ts')) return new Worker(entry, { workerData });
  // Not every Node has its threads take the loader of the sources over.
  const loader = new URL('esm/api/index.mjs', tsx());
  const load = `import('${loader.href}').then(({ register }) => (register(), import('${entry.href}')))`;
  return new Worker(load, { eval: true, workerData });
}

/** Modules are named as in the sources; in what was built they end in `.js`. */
export function builtOrSource(module: URL): URL {
  return existsSync(module) ? module : new URL(module.href.replace(/\.ts$/, '.js'));
}

function tsx(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}

const WATCH_MS = 2000;

/**
 * In such a process: it ends with the gateway, or when the gateway ends it, and at no other signal: those meant for the
 * gateway reach its children too. `leave` is called when the gateway is gone, and has to end it.
 */
export function liveWithGateway(leave: () => void): void {
  process.on('disconnect', leave);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  // Work that hangs hears no `disconnect`: after a gateway that was killed, a thread ends its process.
  const watch = `setInterval(() => {
    if (process.ppid !== ${process.ppid}) process.kill(process.pid, 'SIGKILL');
  }, ${WATCH_MS})`;
  new Worker(watch, { eval: true }).unref();
}
