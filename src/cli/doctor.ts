import { accessSync, constants, readdirSync, statfsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { textOf } from '../core/errors.ts';
import { clean, UNHEALTHY } from './cli.ts';
import type { Cli, Settings, SettingsProblem } from './cli.ts';
import { connect, readRunning } from './client.ts';
import type { Client } from './client.ts';
import { allOf } from './lists.ts';
import { brotliWarning } from './runtime.ts';

/** One check: how it came out, and what to do about it. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly text: string;
  readonly remedy?: string;
}

export interface Patient {
  readonly loaded: { readonly config: Settings } | { readonly problems: readonly SettingsProblem[] };
  readonly dataDir: string;
  /** Reads the whole database and says what is wrong with it; only while no gateway runs. */
  readonly checkDatabase: (path: string) => readonly string[];
}

/** Looks at everything that commonly goes wrong. Exit code 3 when a check failed. */
export async function doctor(cli: Cli, patient: Patient): Promise<number> {
  const checks = [
    ...checkRuntime(),
    ...checkConfig(patient),
    ...checkFolder(patient.dataDir),
    ...checkModes(cli, patient),
    checkClock(cli, patient.dataDir),
    ...('config' in patient.loaded ? [checkPublicUrl(patient.loaded.config)] : []),
    ...(await checkGateway(patient)),
  ];
  const failed = checks.some(({ state }) => state === 'failed');
  cli.show({ healthy: !failed, checks }, () => checks.map((check) => toText(cli, check)).join('\n'));
  return failed ? UNHEALTHY : 0;
}

function toText({ color }: Cli, { name, state, text, remedy }: Check): string {
  const mark = { ok: color.green('✔'), warning: color.yellow('!'), failed: color.red('✖') }[state];
  return `${mark} ${name.padEnd(14)} ${clean(text)}${remedy && state !== 'ok' ? `\n  ${' '.repeat(14)} ${color.dim(remedy)}` : ''}`;
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

function checkConfig({ loaded }: Patient): Check[] {
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
function checkModes({ cwd }: Cli, { dataDir }: Patient): Check[] {
  const files = [dataDir, ...PRIVATE.map((name) => join(dataDir, name)), resolve(cwd, '.env')];
  const open = files.filter((file) => ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0);
  if (open.length === 0)
    return [{ name: 'file rights', state: 'ok', text: 'data and secrets are for their owner only' }];
  return [
    {
      name: 'file rights',
      state: 'failed',
      text: `others may read ${open.join(', ')}`,
      remedy: `chmod go= ${open.join(' ')}`,
    },
  ];
}

/** Files from the future say that the clock was set back: order and retries hang on it. */
function checkClock({ clock }: Cli, dataDir: string): Check {
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

function checkPublicUrl({ server: { publicUrl, host, port } }: Settings): Check {
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

async function checkGateway(patient: Patient): Promise<Check[]> {
  const { dataDir, loaded } = patient;
  const stopped: Check = { name: 'gateway', state: 'warning', text: 'does not run', remedy: 'Start it: npm start' };
  if (!readRunning(dataDir)) return [stopped, ...checkFile(patient)];
  try {
    const client = connect(dataDir);
    const ready = await client.send({ method: 'GET', path: '/readyz', headers: {}, body: Buffer.alloc(0) });
    const gateway: Check =
      ready.status === 200
        ? { name: 'gateway', state: 'ok', text: `ready at ${client.url}, process ${client.pid}` }
        : {
            name: 'gateway',
            state: 'failed',
            text: `not ready: ${clean(ready.body.toString('utf8')).slice(0, 300)}`,
            remedy: 'Look into its log.',
          };
    return [gateway, ...(await checkEndpoints(client, 'channels')), ...(await checkEndpoints(client, 'destinations'))];
  } catch (error) {
    const text = `left its address behind, but: ${textOf(error)}`;
    return [{ ...stopped, text }, ...('config' in loaded ? checkFile(patient) : [])];
  }
}

function checkFile({ loaded, checkDatabase }: Patient): Check[] {
  const path = 'config' in loaded ? loaded.config.store.path : undefined;
  if (path === undefined || !statSync(path, { throwIfNoEntry: false })) return [];
  try {
    const found = checkDatabase(path);
    if (found.length === 0) return [{ name: 'database', state: 'ok', text: `${path} is sound` }];
    const remedy = 'Stop here and put back a backup, or copy the file away before anything else.';
    return [{ name: 'database', state: 'failed', text: `${path}: ${found.slice(0, 3).join('; ')}`, remedy }];
  } catch (error) {
    return [{ name: 'database', state: 'failed', text: `${path}: ${textOf(error)}`, remedy: 'Put back a backup.' }];
  }
}

const Endpoint = z.object({
  id: z.string(),
  type: z.string(),
  health: z.object({
    state: z.string(),
    problem: z.string().nullable(),
    lastError: z.string().nullable(),
    pauseReason: z.string().nullable(),
    dead: z.number(),
  }),
});

async function checkEndpoints(client: Client, what: 'channels' | 'destinations'): Promise<Check[]> {
  return z
    .array(Endpoint)
    .parse(await allOf(client, `/${what}`))
    .map(({ id, type, health }) => {
      const evidence = [health.problem, health.pauseReason, health.lastError].find((text) => text !== null);
      const dead = health.dead > 0 ? `, ${health.dead} dead deliveries` : '';
      return {
        name: what.slice(0, -1),
        state: stateOf(health),
        text: `${id} (${type}): ${health.state}${dead}${evidence ? `: ${evidence}` : ''}`,
        remedy:
          health.state === 'needs_reauth'
            ? 'Enter its credentials again.'
            : 'See the log of the gateway, and `npx tributary deliveries list`.',
      };
    });
}

function stateOf({ state, problem, dead }: { state: string; problem: string | null; dead: number }): Check['state'] {
  if (problem !== null || state === 'needs_reauth') return 'failed';
  return dead > 0 || ['degraded', 'paused'].includes(state) ? 'warning' : 'ok';
}
