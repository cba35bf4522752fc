import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/fakes/free-port.ts';
import { median } from './load.ts';
import { NOBODY } from './p8.ts';
import { table, type Section } from './report.ts';
import { seedSqlite } from './seed.ts';
import { gatewayEnv, plainEnv, type Options } from './servers.ts';

const COMMAND = fileURLToPath(new URL('../bin/tributary.cjs', import.meta.url));
/** Longest that a start may take, seconds. */
const PATIENCE = 60;

/** P9: from `tributary start` to the first `/readyz` that says yes, by the clock on the wall. */
export async function p9(options: Options): Promise<Section> {
  const { folder, messages, waiting, rounds } = options;
  await seedSqlite(`${folder}/p9-waiting`, { messages: waiting, waitingFor: 'crm' });
  await seedSqlite(`${folder}/p9-full`, { messages, perTicket: 1 });
  const empty: number[] = [];
  const backlog: number[] = [];
  const full: number[] = [];
  for (let round = 0; round < rounds; round++) {
    empty.push(await startOnce(options, gatewayEnv(folder, { data: `p9-empty-${round}` })));
    backlog.push(await startOnce(options, gatewayEnv(folder, { data: 'p9-waiting', yaml: NOBODY })));
    full.push(await startOnce(options, gatewayEnv(folder, { data: 'p9-full' })));
  }
  const cases = [
    { what: 'nothing there yet', times: empty, most: 1 },
    { what: `${waiting} deliveries wait`, times: backlog, most: 2 },
    { what: `${messages} tickets`, times: full, most: 5 },
  ];
  return {
    text: [
      'SQLite; from the command to the first `/readyz` that says yes. `npm ci` isn’t measured here: it needs a registry.',
      table(
        ['start', 'median', 'slowest'],
        cases.map(({ what, times }) => [what, `${median(times).toFixed(2)} s`, `${Math.max(...times).toFixed(2)} s`]),
      ),
    ].join('\n\n'),
    goals: cases.map(({ what, times, most }) => ({
      what: `P9: start, ${what}`,
      value: median(times),
      unit: ' s',
      wanted: ['at most', most] as const,
    })),
  };
}

/** Seconds until it was ready. */
async function startOnce({ folder, atEnd }: Options, env: Readonly<Record<string, string>>): Promise<number> {
  const port = await freePort();
  const started = performance.now();
  const child = spawn(process.execPath, [COMMAND, 'start'], {
    cwd: folder,
    env: plainEnv({ ...env, PORT: String(port) }),
    stdio: ['ignore', 'ignore', 2],
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await ended;
  };
  atEnd(stop);
  while (!(await isReady(port))) {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}`);
    if (performance.now() - started > PATIENCE * 1000) throw new Error(`the gateway wasn’t ready after ${PATIENCE} s`);
    await sleep(10);
  }
  const took = performance.now() - started;
  await stop();
  return took / 1000;
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
