import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startPostgres, type Postgres } from '../test/fakes/postgres.ts';
import { runLoad, type LoadResult } from './load.ts';
import { createRequests, SECRET } from './requests.ts';

export const KEY = 'a-key-with-every-scope-for-the-bench-only';

/** What all sections are told. */
export interface Options {
  /** Thrown away after the run. */
  readonly folder: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  /** Messages in the store that has grown. */
  readonly messages: number;
  /** Deliveries that wait. */
  readonly waiting: number;
  /** Ends something when the section is over, however it went. */
  readonly atEnd: (end: () => Promise<void>) => void;
}

/** Of a process so far: seconds of processor; bytes of memory now and at most. */
export interface Usage {
  readonly cpu: number;
  readonly rss: number;
  readonly peak: number;
}

/** A server in a process of its own. */
export interface Server {
  readonly name: string;
  readonly port: number;
  readonly health: { readonly database: string; readonly journal: string; readonly synchronous: string } | undefined;
  usage(): Promise<Usage>;
  /** May be called twice. */
  stop(): Promise<void>;
}

/** Only what a program needs: a `DATABASE_URL` of whoever runs the bench must not be measured, or written to. */
export const plainEnv = (env: Readonly<Record<string, string>>): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  ...env,
});

export async function startServer(
  { folder, atEnd }: Options,
  { name, script, env = {} }: { name: string; script: string; env?: Readonly<Record<string, string>> },
): Promise<Server> {
  const path = join(fileURLToPath(new URL('.', import.meta.url)), script);
  // What it logs must not stand in the middle of the tables.
  const child = fork(path, { cwd: folder, env: plainEnv(env), execArgv: [], stdio: ['ignore', 2, 2, 'ipc'] });
  const ended = once(child, 'exit');
  const failed = ended.then(([code, signal]) => {
    throw new Error(`${name} ended with ${String(code ?? signal)}`);
  });
  failed.catch(() => undefined);
  const heard = <T>() => Promise.race([once(child, 'message') as Promise<[T]>, failed]).then(([message]) => message);
  const stop = async () => {
    child.kill();
    await ended;
  };
  atEnd(stop);
  const { port, health } = await heard<Pick<Server, 'port' | 'health'>>();
  return { name, port, health, stop, usage: () => ask(child, heard<Usage>) };
}

function ask<T>(child: ChildProcess, heard: () => Promise<T>): Promise<T> {
  const answer = heard();
  child.send('usage');
  return answer;
}

/** A gateway as it is built, with the channel `intake`, on a data folder of its own. `yaml` is added to it. */
export function startGateway(
  options: Options,
  gateway: { readonly name: string; readonly data: string; readonly database?: string; readonly yaml?: string },
): Promise<Server> {
  const env = gatewayEnv(options.folder, gateway);
  return startServer(options, { name: gateway.name, script: 'gateway-server.mjs', env });
}

export function gatewayEnv(
  folder: string,
  { data, database, yaml = '' }: { readonly data: string; readonly database?: string; readonly yaml?: string },
): Record<string, string> {
  const config = join(folder, `${data}.yaml`);
  writeFileSync(
    config,
    `channels:\n  - { id: intake, type: webhook, auth: { type: standard_webhooks, secret: "${SECRET}" } }\n${yaml}`,
  );
  return {
    PORT: '0',
    HOST: '127.0.0.1',
    DATA_DIR: join(folder, data),
    TRIBUTARY_CONFIG: config,
    ADMIN_API_KEY: KEY,
    LOG_LEVEL: 'warn',
    ...(database !== undefined && { DATABASE_URL: database }),
  };
}

/** A PostgreSQL of our own, in a temporary folder, with `fsync` on. */
export async function startDatabase({ atEnd }: Options): Promise<Postgres> {
  const server = await startPostgres();
  atEnd(() => server.stop());
  return server;
}

/** Longest that is waited for a server that goes on working after it has answered, seconds. */
const PATIENCE = 60;
const LOOK_MS = 250;
/** Looks in a row at which it did next to nothing: the search index follows in steps with pauses between them. */
const CALM_LOOKS = 4;

/** Waits until a server does nothing any more: what it still has to do must not slow the next one down. */
export async function settled(server: Server): Promise<void> {
  let last = (await server.usage()).cpu;
  for (let calm = 0, looks = 0; calm < CALM_LOOKS; looks++) {
    if (looks * LOOK_MS > PATIENCE * 1000) {
      console.error(
        `${server.name} was still at work after ${PATIENCE} s, and what came next had less of the processor`,
      );
      return;
    }
    await sleep(LOOK_MS);
    const now = (await server.usage()).cpu;
    calm = now - last < 0.01 ? calm + 1 : 0;
    last = now;
  }
}

/** Of one round: what the generator saw, and the processor seconds that the servers took until they had answered, and after. */
export type Round = LoadResult & { readonly cpu: number; readonly cpuAfter: number };

/** More than any server here answers, a second: that many are written beforehand. */
const MOST_PER_SECOND = 8_000;

/** One round against servers that share the connections; the requests are written before the clock starts. */
async function runRound(group: readonly Server[], options: Options, next: () => Buffer): Promise<Round> {
  const requests = Array.from({ length: options.seconds * MOST_PER_SECOND }, next);
  const cpuOf = async () => {
    const used = await Promise.all(group.map((server) => server.usage()));
    return used.reduce((sum, each) => sum + each.cpu, 0);
  };
  const before = await cpuOf();
  const result = await runLoad({
    ports: group.map(({ port }) => port),
    connections: options.connections,
    seconds: options.seconds,
    next: () => requests.pop(),
  });
  const answered = await cpuOf();
  if (result.failed > 0) {
    throw new Error(`${group[0]?.name ?? '?'}: ${result.failed} requests were not answered with 2xx`);
  }
  await Promise.all(group.map(settled));
  return { ...result, cpu: answered - before, cpuAfter: (await cpuOf()) - answered };
}

/** All groups in turn, several rounds after one that warms up; each begins when the one before it has settled. */
export async function runRounds(
  groups: readonly (readonly Server[])[],
  options: Options,
  next = createRequests(),
): Promise<Round[][]> {
  const results = groups.map((): Round[] => []);
  for (const server of groups.flat()) await settled(server);
  for (let round = 0; round <= options.rounds; round++) {
    for (const [index, group] of groups.entries()) {
      const result = await runRound(group, options, next);
      if (round > 0) results[index]?.push(result);
    }
  }
  return results;
}
