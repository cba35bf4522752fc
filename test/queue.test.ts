import assert from 'node:assert/strict';
import { createEmbeddedQueue } from '../src/queue/embedded.ts';
import { describeQueue } from './suites/queue.ts';

describeQueue('in memory', async (options) => ({ queue: createEmbeddedQueue(options), close: async () => undefined }));

describe('a queue in memory', () => {
  it('holds a thousand ids of an endpoint: the others are found again by the sweep', async () => {
    const queue = createEmbeddedQueue({ perEndpoint: 1 });
    queue.push(Array.from({ length: 5000 }, (_, index) => ({ id: `t-${index}`, endpointId: 'crm' })));
    queue.push([{ id: 'other', endpointId: 'desk' }]);
    const begun: string[] = [];
    queue.start(async ({ id }) => void begun.push(id));
    await new Promise(setImmediate);
    await queue.stop();
    assert.deepEqual(
      begun.toSorted(),
      ['other', ...Array.from({ length: 1000 }, (_, index) => `t-${index}`)].toSorted(),
    );
  });
});
