import { startPostgres } from './fakes/postgres.ts';
import { startRedis } from './fakes/redis.ts';
import { mishapsOf } from './suites/mishaps.ts';
import { runSoak } from './suites/soak.ts';

/**
 * The long form of the kill tests: `npm run soak`. 20,000 messages over 40 kills unless SOAK_MESSAGES,
 * SOAK_THREADS, SOAK_KILLS or SOAK_SEED say otherwise. With `-- --cluster`, three processes on a PostgreSQL and
 * a Redis of its own, to which something happens as well. Exit 1 when anything was lost, doubled or out of order.
 */
const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);

async function startCluster() {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  return {
    processes: 3,
    databaseUrl: await postgres.createDatabase(),
    redisUrl: redis.url,
    mishaps: mishapsOf({ postgres, redis }),
    stop: () => Promise.all([postgres.stop(), redis.stop()]),
  };
}

const cluster = process.argv.includes('--cluster') ? await startCluster() : undefined;
const result = await runSoak({
  messages: number('SOAK_MESSAGES', 20_000),
  threads: number('SOAK_THREADS', 500),
  kills: number('SOAK_KILLS', 40),
  seed: number('SOAK_SEED', Math.floor(Math.random() * 1e9)),
  cluster,
  report: (line) => {
    console.log(line);
  },
}).finally(() => cluster?.stop());
const { lost, doubled, disordered, balance } = result;
for (const line of [...lost, ...doubled, ...disordered].slice(0, 50)) console.log(line);
console.log(
  `${result.acknowledged} acknowledged in ${result.sends} sends over ${result.kills} kills: ` +
    `${lost.length} lost, ${doubled.length} doubled, ${disordered.length} out of order; ` +
    `balance ${balance.balanced ? 'exact' : 'WRONG'} over ${balance.received} received`,
);
process.exitCode = lost.length + doubled.length + disordered.length === 0 && balance.balanced ? 0 : 1;
