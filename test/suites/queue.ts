import assert from 'node:assert/strict';
import type { Queue, TaskRef } from '../../src/core/queue.ts';

/** Work that ends when it is told to. */
interface Desk {
  /** Ids that are being worked on. */
  readonly running: readonly string[];
  /** Every id that was ever begun, in order. */
  readonly begun: readonly string[];
  /** Most that ran at the same moment, per endpoint. */
  readonly most: ReadonlyMap<string, number>;
  readonly run: (ref: TaskRef) => Promise<void>;
  end(id: string): Promise<void>;
  endAll(): Promise<void>;
}

function createDesk(): Desk {
  const open = new Map<string, { readonly ref: TaskRef; readonly end: () => void }>();
  const begun: string[] = [];
  const most = new Map<string, number>();
  const desk: Desk = {
    get running() {
      return [...open.keys()];
    },
    begun,
    most,
    run(ref) {
      begun.push(ref.id);
      return new Promise<void>((resolve) => {
        open.set(ref.id, { ref, end: resolve });
        const count = [...open.values()].filter((each) => each.ref.endpointId === ref.endpointId).length;
        most.set(ref.endpointId, Math.max(most.get(ref.endpointId) ?? 0, count));
      });
    },
    async end(id) {
      open.get(id)?.end();
      open.delete(id);
      await settle();
    },
    async endAll() {
      while (open.size > 0) await desk.end([...open.keys()][0]!);
    },
  };
  return desk;
}

/** Lets whatever was started by the last call get going, also in queues that live in another process. */
const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

/** The contract of a queue as tests: every queue passes them. `open` makes an empty one. */
export function describeQueue(
  name: string,
  open: (options: { readonly perEndpoint: number }) => Promise<{ queue: Queue; close(): Promise<void> }>,
): void {
  describe(`a queue ${name}`, () => {
    const PER_ENDPOINT = 3;
    let queue: Queue;
    let close: () => Promise<void>;
    let desk: Desk;

    beforeEach(async () => {
      ({ queue, close } = await open({ perEndpoint: PER_ENDPOINT }));
      desk = createDesk();
    });
    afterEach(async () => {
      const stopped = queue.stop();
      await desk.endAll();
      await stopped;
      await close();
    });

    const refs = (endpointId: string, count: number, from = 0) =>
      Array.from({ length: count }, (_, index) => ({ id: `${endpointId}-${from + index}`, endpointId }));
    async function push(pushed: readonly TaskRef[]): Promise<void> {
      assert.equal(queue.push(pushed), undefined);
      await settle();
    }

    it('works on what is pushed, before and after it was started', async () => {
      await push(refs('crm', 1));
      assert.deepEqual(desk.begun, []);
      queue.start(desk.run);
      await push(refs('desk', 1));
      assert.deepEqual(desk.begun.toSorted(), ['crm-0', 'desk-0']);
    });

    it('takes anything without throwing or waiting: nothing, very much, and what comes after its end', async () => {
      await push([]);
      await push(refs('crm', 20_000));
      queue.start(desk.run);
      await settle();
      assert.equal(desk.running.length, PER_ENDPOINT);
      const stopped = queue.stop();
      await push(refs('crm', 10, 30_000));
      await desk.endAll();
      await stopped;
      await push(refs('crm', 10, 40_000));
      assert.equal(desk.begun.length, PER_ENDPOINT);
    });

    it('works on so many tasks of an endpoint at once, and goes on as they end', async () => {
      queue.start(desk.run);
      await push(refs('crm', 10));
      assert.equal(desk.running.length, PER_ENDPOINT);
      for (let ended = 1; ended <= 10; ended++) {
        await desk.end(desk.running[0]!);
        assert.equal(desk.running.length, Math.min(PER_ENDPOINT, 10 - ended));
      }
      assert.equal(desk.begun.length, 10);
      assert.equal(desk.most.get('crm'), PER_ENDPOINT);
    });

    it('does not let an endpoint that never answers hold up another one', async () => {
      queue.start(desk.run);
      await push(refs('slow', 50));
      for (let i = 0; i < 20; i++) {
        await push(refs('crm', 1, i));
        assert.ok(desk.running.includes(`crm-${i}`));
        await desk.end(`crm-${i}`);
      }
      assert.equal(desk.running.filter((id) => id.startsWith('slow')).length, PER_ENDPOINT);
    });

    it('works once on an id that is pushed again while it waits', async () => {
      queue.start(desk.run);
      await push(refs('crm', 5));
      await push(refs('crm', 5));
      await push([...refs('crm', 5), ...refs('crm', 5)]);
      await desk.endAll();
      const waited = desk.begun.filter((id) => id === 'crm-3' || id === 'crm-4');
      assert.deepEqual(waited, ['crm-3', 'crm-4']);
    });

    it('works again on an id that is pushed after it was done', async () => {
      queue.start(desk.run);
      await push(refs('crm', 1));
      await desk.endAll();
      await push(refs('crm', 1));
      assert.deepEqual(desk.begun, ['crm-0', 'crm-0']);
    });

    it('stops once those that run are done, and begins none of those that wait', async () => {
      queue.start(desk.run);
      await push([...refs('crm', 10), ...refs('desk', 1)]);
      let stopped = 'not yet';
      const stop = queue.stop().then(() => (stopped = 'yes'));
      await settle();
      assert.equal(stopped, 'not yet');
      const begun = desk.begun.length;
      await desk.end('desk-0');
      assert.equal(stopped, 'not yet');
      await desk.endAll();
      await stop;
      assert.equal(desk.begun.length, begun);
    });

    it('stops at once when nothing runs', async () => {
      queue.start(desk.run);
      await queue.stop();
    });
  });
}
