import assert from 'node:assert/strict';
import { vk } from '../../src/connectors/vk/vk.ts';
import type { Channel } from '../../src/core/connector.ts';
import type { TributaryError } from '../../src/core/errors.ts';
import { createHttp } from '../../src/http/http.ts';
import type { Egress } from '../../src/http/http.ts';
import { fakeClock } from './clock.ts';
import { fakeContext, fakeLog } from './context.ts';
import { readVkSchema } from './vk-schema.ts';
import type { VkSchema } from './vk-schema.ts';
import { GROUP, KEY, startVk, USER_KEY } from './vk.ts';
import type { FakeVk } from './vk.ts';

/** A stand-in for VK for each test of a suite, and channels that reach it. */
export interface VkBench {
  readonly api: FakeVk;
  open(settings?: object, log?: ReturnType<typeof fakeLog>): Promise<Channel>;
}

/** Called in a suite: fails a test whose calls or events VK's description doesn't allow. */
export function vkBench(): VkBench {
  let api: FakeVk;
  let egress: Egress;
  let schema: VkSchema;
  const clock = fakeClock();

  before(() => {
    schema = readVkSchema();
  });
  beforeEach(async () => {
    api = await startVk(schema);
    egress = createHttp({ allow: ['127.0.0.1'], clock });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  return {
    get api() {
      return api;
    },
    async open(settings = {}, log = fakeLog()) {
      const config = vk.config.parse({ group: GROUP, token: KEY, apiRoot: api.root, ...settings });
      return vk.open(config, fakeContext({ id: 'community', clock, log, http: egress.for({ hosts: [] }) }));
    },
  };
}

/** What the work was rejected with, as the class that it should be; shows no access key. */
export async function failure<E extends TributaryError>(
  kind: abstract new (...parts: never[]) => E,
  work: Promise<unknown>,
): Promise<E> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof kind, `threw ${String(error)}`);
  const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
  assert.ok(!all.includes(KEY) && !all.includes(USER_KEY), 'an access key is in the error');
  return error;
}
