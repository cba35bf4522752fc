import { accessSync, constants, readdirSync, statfsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Check } from '../core/check.ts';
import type { Now } from '../core/clock.ts';
import { textOf } from '../core/errors.ts';
import type { Settings, SettingsProblem } from './cli.ts';
import { brotliWarning } from './runtime.ts';

/** Where a gateway runs, or would. */
export interface Place {
  readonly loaded:
    { readonly config: Pick<Settings, 'file' | 'server'> } | { readonly problems: readonly SettingsProblem[] };
  readonly dataDir: string;
  /** Where `.env` would lie. */
  readonly cwd: string;
  readonly clock: Now;
}

/** Everything that can be seen from beside a gateway, whether it runs or not: the same for `doctor` and the console. */
export function examineMachine(place: Place): readonly Check[] {
  const { loaded, dataDir } = place;
  return [
    ...checkRuntime(),
    ...checkConfig(loaded),
    ...checkFolder(dataDir),
    checkModes(place),
    checkClock(place),
    ...('config' in loaded ? [checkPublicUrl(loaded.config)] : []),
  ];
}

function checkRuntime(): Check[] {
  const node = process.versions.node;
  const brotli = brotliWarning(process.versions['brotli'] ?? '');
  const upgrade = 'Install a current Node (22 or newer).';
  return [
    brotli
      ? { name: 'node', state: 'warning', text: `${node}: ${brotli}`, remedy: upgrade }
      : { name: 'node', state: 'ok', text: node },
    process.getuid?.() === 0
      ? { name: 'user', state: 'warning', text: 'root', remedy: 'Run the gateway as a user of its own.' }
      : { name: 'user', state: 'ok', text: 'not root' },
  ];
}

function checkConfig(loaded: Place['loaded']): Check[] {
  if ('config' in loaded) return [{ name: 'config', state: 'ok', text: loaded.config.file ?? 'defaults, no file' }];
  return loaded.problems.map(({ file, line, path, message, remedy }) => ({
    name: 'config',
    state: 'failed',
    text: `${file}${line === undefined ? '' : `:${line}`} ${path} ${message}`,
    remedy,
  }));
}

const MB = 1024 * 1024;

function checkFolder(folder: string): Check[] {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(folder);
    const free = Math.floor((bavail * bsize) / MB);
    const state = free < 100 ? 'failed' : free < 1024 ? 'warning' : 'ok';
    return [
      { name: 'data folder', state: 'ok', text: folder },
      {
        name: 'disk',
        state,
        text: `${free} MB free`,
        remedy: 'Free some space: the gateway refuses messages that it can not store.',
      },
    ];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return [{ name: 'data folder', state: 'ok', text: `${folder} is made on the first start` }];
    }
    return [
      {
        name: 'data folder',
        state: 'failed',
        text: `${folder}: ${textOf(error)}`,
        remedy: `Give it to the user of the gateway: chown -R <user> ${folder}`,
      },
    ];
  }
}

const PRIVATE = ['tributary.db', 'tributary.db-wal', 'tributary.db-shm', 'secret.key', 'gateway.json'];

/** Nobody else on the machine may read what is kept. */
function checkModes({ dataDir, cwd }: Place): Check {
  const files = [dataDir, ...PRIVATE.map((name) => join(dataDir, name)), resolve(cwd, '.env')];
  const open = files.filter((file) => ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0);
  if (open.length === 0) return { name: 'file rights', state: 'ok', text: 'data and secrets are for their owner only' };
  return {
    name: 'file rights',
    state: 'failed',
    text: `others may read ${open.join(', ')}`,
    remedy: `chmod go= ${open.join(' ')}`,
  };
}

/** Files from the future say that the clock was set back: order and retries hang on it. */
function checkClock({ clock, dataDir }: Place): Check {
  const now = clock.now();
  const newest = Math.max(
    0,
    ...namesIn(dataDir).map((name) => statSync(join(dataDir, name), { throwIfNoEntry: false })?.mtimeMs ?? 0),
  );
  const aheadSec = Math.round((newest - now) / 1000);
  const text = new Date(now).toISOString();
  if (aheadSec <= 60) return { name: 'clock', state: 'ok', text };
  return {
    name: 'clock',
    state: 'warning',
    text: `${text}, ${aheadSec} s behind the newest file of the data folder`,
    remedy: 'Let the clock be set over the network: timedatectl set-ntp true',
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function checkPublicUrl({ server: { publicUrl, host, port } }: Pick<Settings, 'server'>): Check {
  const name = 'public address';
  if (!publicUrl) {
    const remedy = 'Vendors that call us need one: PUBLIC_URL=https://…';
    return { name, state: 'warning', text: `not set: http://${host}:${port}`, remedy };
  }
  if (publicUrl.startsWith('https:') || /^http:\/\/(localhost|127\.|\[::1\])/.test(publicUrl))
    return { name, state: 'ok', text: publicUrl };
  return {
    name,
    state: 'warning',
    text: `${publicUrl} is not encrypted`,
    remedy: 'Put a proxy with a certificate before it, and set PUBLIC_URL=https://…',
  };
}
