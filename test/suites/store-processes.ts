import assert from 'node:assert/strict';
import { LeaseLostError } from '../../src/core/errors.ts';
import type { Store, Transaction } from '../../src/core/store.ts';
import { storeTools, type OpenStore } from './store-tools.ts';

/** Several processes on one store: who has the right to what. */
export function describeProcesses(open: OpenStore): void {
  describe('its processes', () => {
    let store: Store;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
      for (const id of ['aa', 'bb']) await write((tx) => tx.enterProcess(id));
    });
    afterEach(() => close());
    const { task, lease, finish, due } = storeTools(() => store);
    const write = <T>(work: (tx: Transaction) => Promise<T>) => store.write([], work);
    const take = (id: string, channel = 'mail') => write((tx) => tx.takeChannel(channel, id));
    const save = (id: string, cursor: string) => write((tx) => tx.saveCursor('mail', cursor, id));
    const holders = async () => Object.fromEntries(await store.read.channelHolders());

    it('have a channel one at a time', async () => {
      assert.deepEqual(await Promise.all([take('aa'), take('bb')]), [true, false]);
      assert.equal(await take('aa'), true, 'it has it already');
      assert.equal(await take('bb', 'bot'), true);
      assert.deepEqual(await holders(), { mail: 'aa', bot: 'bb' });
    });

    it('take a channel over when the one that had it is forgotten, or it was taken away from it', async () => {
      await take('aa');
      await write((tx) => tx.endProcess('aa'));
      assert.deepEqual([await holders(), await take('bb')], [{}, true]);
      await write((tx) => tx.freeChannel('mail'));
      assert.deepEqual([await holders(), await take('bb')], [{}, true]);
      // Given up, and not aware of it yet.
      assert.equal(await take('aa', 'bot'), true);
      assert.equal(await take('bb', 'bot'), true);
    });

    it('move the cursor of a channel only while they have it', async () => {
      await assert.rejects(save('aa', 'early'), LeaseLostError);
      await take('aa');
      await save('aa', 'first');
      await write((tx) => tx.endProcess('aa'));
      await take('bb');
      await save('bb', 'second');
      await assert.rejects(save('aa', 'late'), LeaseLostError);
      assert.equal(await store.read.cursor('mail'), 'second');
    });

    it('keep nothing of what came with a cursor that they may not move', async () => {
      const work = async (tx: Transaction) => {
        await tx.insertChange({ type: 'test.ping', at: 1, version: 1 });
        await tx.saveCursor('mail', 'late', 'aa');
      };
      await assert.rejects(write(work), LeaseLostError);
      assert.equal(await store.read.lastChange(), 0);
    });

    it('leave their tasks to others when they are forgotten, and nobody else’s', async () => {
      const [first, second] = [await task(), await task()];
      const held = (await lease(first, 'aa.1'))!;
      await lease(second, 'bb.1');
      assert.deepEqual(await due(), []);
      await write((tx) => tx.endProcess('aa'));
      assert.deepEqual(await due(), [first]);
      assert.equal((await lease(first, 'bb.2'))?.task.uncertain, true);
      assert.equal((await finish(held)).held, false, 'whoever wakes up late ends nothing');
    });

    it('are not given up once they have moved on', async () => {
      const seen = await store.read.processes();
      assert.deepEqual(seen.map(({ id }) => id).sort(), ['aa', 'bb']);
      const id = await task();
      await lease(id, 'aa.1');
      await write((tx) => tx.beatProcess('aa'));
      assert.equal(await write((tx) => tx.endProcess('aa', seen[0]!.beat)), false);
      assert.deepEqual(await due(), []);
      const { beat } = (await store.read.processes()).find((each) => each.id === 'aa')!;
      assert.equal(await write((tx) => tx.endProcess('aa', beat)), true);
      assert.equal(await write((tx) => tx.endProcess('aa', beat)), false, 'it is gone');
      assert.deepEqual(await due(), [id]);
    });
  });
}
