import type { Postgres } from '../fakes/postgres.ts';
import type { RedisServer } from '../fakes/redis.ts';

/** What befalls the servers of a cluster: Redis ends and comes back without what it had, twice, and PostgreSQL crashes. */
export function mishapsOf(servers: { readonly postgres: Postgres; readonly redis: RedisServer }) {
  const { postgres, redis } = servers;
  const loseRedis = async () => {
    await redis.kill();
    await redis.start();
    await redis.empty();
  };
  const crashPostgres = async () => {
    await postgres.crash();
    await postgres.start();
  };
  return [loseRedis, crashPostgres, loseRedis];
}
