import { statSync } from 'node:fs';
import { z } from 'zod';
import { checkEndpoint } from '../core/check.ts';
import type { Check } from '../core/check.ts';
import { textOf } from '../core/errors.ts';
import { clean, UNHEALTHY } from './cli.ts';
import type { Cli, Settings, SettingsProblem } from './cli.ts';
import { connect, readRunning } from './client.ts';
import type { Client } from './client.ts';
import { allOf } from './lists.ts';
import { examineMachine } from './machine.ts';

export interface Patient {
  readonly loaded: { readonly config: Settings } | { readonly problems: readonly SettingsProblem[] };
  readonly dataDir: string;
  /** Reads the whole database and says what is wrong with it; only while no gateway runs. */
  readonly checkDatabase: (path: string) => readonly string[];
}

/** Looks at everything that commonly goes wrong. Exit code 3 when a check failed. */
export async function doctor(cli: Cli, patient: Patient): Promise<number> {
  const { cwd, clock } = cli;
  const checks = [...examineMachine({ ...patient, cwd, clock }), ...(await checkGateway(patient))];
  const failed = checks.some(({ state }) => state === 'failed');
  cli.show({ healthy: !failed, checks }, () => checks.map((check) => toText(cli, check)).join('\n'));
  return failed ? UNHEALTHY : 0;
}

function toText({ color }: Cli, { name, state, text, remedy }: Check): string {
  const mark = { ok: color.green('✔'), warning: color.yellow('!'), failed: color.red('✖') }[state];
  return `${mark} ${name.padEnd(14)} ${clean(text)}${remedy && state !== 'ok' ? `\n  ${' '.repeat(14)} ${color.dim(remedy)}` : ''}`;
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
  const role = what === 'channels' ? 'channel' : 'destination';
  const all = z.array(Endpoint).parse(await allOf(client, `/${what}`));
  return all.map((endpoint) => checkEndpoint(role, endpoint));
}
