import assert from 'node:assert/strict';
import { createBullmqQueue } from '../src/queue/bullmq.ts';
import { createEmbeddedQueue } from '../src/queue/embedded.ts';
import { fakeLog, type FakeLog } from './fakes/context.ts';
import { startReceiver } from './fakes/receiver.ts';
import { redisMissing, startRedis, type RedisServer } from './fakes/redis.ts';
import { until } from './fakes/until.ts';
import { INTAKE_SECRET, startWhole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';
import { describeQueue } from './suites/queue.ts';

let count = 0;

describe('with Redis', () => {
  let redis: RedisServer;
  let log: FakeLog;
  before(async function () {
    skipUnless(this, !redisMissing(), redisMissing() ?? '');
    redis = await startRedis();
  });
  after(() => redis?.stop());
  beforeEach(() => {
    log = fakeLog();
  });

  const open = (prefix = `test-${++count}`, perEndpoint = 3) =>
    createBullmqQueue({ url: redis.url, prefix, perEndpoint, fallback: createEmbeddedQueue({ perEndpoint }), log });

  const spreads = () => log.entries.filter(({ text }) => text.startsWith('Redis spreads')).length;

  describeQueue('in Redis', async ({ perEndpoint }) => {
    const queue = await open(undefined, perEndpoint);
    await until(() => spreads() === 1, 'Redis is reached');
    return { queue, close: async () => undefined };
  });

  describe('a queue in Redis', () => {
    const refs = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => ({ id: `t-${from + index}`, endpointId: 'crm' }));
    const isUp = (queues = 1) => until(() => spreads() >= queues, 'Redis is reached');

    it('shares the work of one process with another one, and of no other installation', async () => {
      const [one, two, other] = [await open('shared'), await open('shared'), await open('another')];
      const begun: string[][] = [[], [], []];
      for (const [index, queue] of [one, two, other].entries()) {
        queue.start(async ({ id }) => {
          begun[index]!.push(id);
          await new Promise((resolve) => setTimeout(resolve, 20));
        });
      }
      await isUp(3);
      // Whoever has heard of an endpoint works for it.
      for (const queue of [one, two, other]) queue.push([{ id: `first-${count++}`, endpointId: 'crm' }]);
      one.push(refs(0, 60));
      await until(() => begun[0]!.length + begun[1]!.length >= 62, 'all are worked on');
      assert.equal(new Set([...begun[0]!, ...begun[1]!]).size, 62);
      assert.ok(begun[0]!.length > 5 && begun[1]!.length > 5, `${begun[0]!.length} and ${begun[1]!.length}`);
      assert.equal(begun[2]!.length, 1);
      await Promise.all([one.stop(), two.stop(), other.stop()]);
    });

    it('works on what is pushed while Redis is dead or hangs, and says so once', async () => {
      const queue = await open();
      const begun = new Set<string>();
      queue.start(async ({ id }) => void begun.add(id));
      await isUp();
      await redis.kill();
      queue.push(refs(0, 10));
      await until(() => begun.size === 10, 'they are worked on without Redis');
      await redis.start();
      await isUp(2);
      redis.hang();
      queue.push(refs(10, 20));
      await until(() => begun.size === 20, 'they are worked on while it hangs');
      redis.goOn();
      assert.ok(log.entries.filter(({ level }) => level === 'warn').length <= 2, JSON.stringify(log.entries));
      await queue.stop();
    });

    it('works on what is pushed before Redis is there, and through it from then on', async () => {
      await redis.kill();
      const queue = await open();
      const begun = new Set<string>();
      queue.start(async ({ id }) => void begun.add(id));
      queue.push(refs(0, 3));
      await until(() => begun.size === 3, 'they are worked on without it');
      await redis.start();
      await isUp();
      queue.push(refs(3, 6));
      await until(() => begun.size === 6, 'they are worked on');
      await queue.stop();
    });

    it('goes on when Redis was emptied', async () => {
      const queue = await open();
      const begun: string[] = [];
      queue.start(async ({ id }) => void begun.push(id));
      await isUp();
      queue.push(refs(0, 5));
      await until(() => begun.length === 5, 'the first ones');
      await redis.empty();
      queue.push(refs(5, 10));
      await until(() => begun.length === 10, 'those after it');
      await queue.stop();
    });

    it('leaves also when Redis is gone', async () => {
      const queue = await open();
      queue.start(async () => undefined);
      await isUp();
      queue.push(refs(0, 1));
      await redis.kill();
      await queue.stop();
      queue.push(refs(1, 2));
      await redis.start();
    });

    it('carries a gateway’s deliveries out, also while it is dead', async () => {
      const receiver = await startReceiver();
      const yaml = `destinations:\n  - { id: crm, type: webhook, url: "${receiver.origin}", secret: "${INTAKE_SECRET}" }\nroutes:\n  - { to: [crm] }\n`;
      const whole = await startWhole({ yaml, log, env: { REDIS_URL: redis.url } });
      try {
        await isUp();
        const heard = (type: string) => receiver.requests.filter(({ body }) => body.includes(`"${type}"`)).length;
        assert.equal(await whole.send({ id: 'm-1', thread: 't', from: { id: 'u-1' }, text: 'one' }), 200);
        await until(() => heard('message.received') === 1, 'the first one is delivered');
        await redis.kill();
        assert.equal(await whole.send({ id: 'm-2', thread: 't', from: { id: 'u-1' }, text: 'two' }), 200);
        await until(() => heard('message.received') === 2, 'the second one is delivered');
      } finally {
        await whole.close();
        await receiver.close();
        await redis.start();
      }
    });
  });
});
