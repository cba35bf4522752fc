import assert from 'node:assert/strict';
import { postgresMissing, startPostgres, type Postgres } from './fakes/postgres.ts';
import { redisMissing, startRedis, type RedisServer } from './fakes/redis.ts';
import { skipUnless } from './skip.ts';
import { mishapsOf } from './suites/mishaps.ts';
import { runSoak } from './suites/soak.ts';

describe('three gateways on PostgreSQL and Redis, killed at random while they acknowledge', () => {
  let postgres: Postgres;
  let redis: RedisServer;
  before(async function () {
    const missing = postgresMissing() ?? redisMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  after(async () => {
    await Promise.all([postgres?.stop(), redis?.stop()]);
  });

  it('lose nothing, double nothing and keep the order of each ticket, whatever befalls both servers', async function () {
    this.timeout(600_000);
    const lines: string[] = [];
    const { lost, doubled, disordered, balance, acknowledged, kills } = await runSoak({
      messages: 300,
      threads: 30,
      kills: 5,
      seed: 20261123,
      report: (line) => lines.push(line),
      cluster: {
        processes: 3,
        databaseUrl: await postgres.createDatabase(),
        redisUrl: redis.url,
        mishaps: mishapsOf({ postgres, redis }),
      },
    });
    assert.deepEqual(
      { lost, doubled, disordered, balanced: balance.balanced },
      { lost: [], doubled: [], disordered: [], balanced: true },
      lines.join('\n'),
    );
    assert.equal(acknowledged, 300);
    assert.ok(kills > 0, 'none was ever killed');
  });
});
