import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { Queue, TaskRef } from '../../src/core/queue.ts';
import { until } from '../fakes/until.ts';

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
      await wait(1);
    },
    async endAll() {
      while (open.size > 0) await desk.end([...open.keys()][0]!);
    },
  };
  return desk;
}

/** Long enough for what should not happen to happen, also in a queue that lives in another process. */
const aMoment = () => wait(100);

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
    const push = (pushed: readonly TaskRef[]) => assert.equal(queue.push(pushed), undefined);
    const runs = (number: number) => until(() => desk.running.length === number, `${number} run`);
    const hasBegun = (number: number) => until(() => desk.begun.length >= number, `${number} have begun`);
    /** Ends whatever runs and whatever begins then, until so many have begun. */
    async function endUntil(number: number): Promise<void> {
      await until(async () => {
        await desk.endAll();
        return desk.begun.length >= number;
      }, `${number} have begun`);
      await aMoment();
      await desk.endAll();
    }

    it('works on what is pushed, before and after it was started', async () => {
      push(refs('crm', 1));
      await aMoment();
      assert.deepEqual(desk.begun, []);
      queue.start(desk.run);
      push(refs('desk', 1));
      await hasBegun(2);
      assert.deepEqual(desk.begun.toSorted(), ['crm-0', 'desk-0']);
    });

    it('takes anything without throwing or waiting: nothing, very much, and what comes after its end', async () => {
      push([]);
      push(refs('crm', 20_000));
      queue.start(desk.run);
      await runs(PER_ENDPOINT);
      const stopped = queue.stop();
      push(refs('crm', 10, 30_000));
      await desk.endAll();
      await stopped;
      push(refs('crm', 10, 40_000));
      await aMoment();
      assert.equal(desk.begun.length, PER_ENDPOINT);
    });

    it('works on so many tasks of an endpoint at once, and goes on as they end', async () => {
      queue.start(desk.run);
      push(refs('crm', 10));
      for (let ended = 0; ended < 10; ended++) {
        await runs(Math.min(PER_ENDPOINT, 10 - ended));
        await desk.end(desk.running[0]!);
      }
      assert.equal(desk.begun.length, 10);
      assert.equal(desk.most.get('crm'), PER_ENDPOINT);
    });

    it('does not let an endpoint that never answers hold up another one', async () => {
      queue.start(desk.run);
      push(refs('slow', 50));
      for (let i = 0; i < 20; i++) {
        push(refs('crm', 1, i));
        await until(() => desk.running.includes(`crm-${i}`), `crm-${i} runs`);
        await desk.end(`crm-${i}`);
      }
      assert.equal(desk.running.filter((id) => id.startsWith('slow')).length, PER_ENDPOINT);
    });

    it('works once on an id that is pushed again while it waits', async () => {
      queue.start(desk.run);
      push(refs('crm', 5));
      await runs(PER_ENDPOINT);
      push(refs('crm', 5));
      push([...refs('crm', 5), ...refs('crm', 5)]);
      await aMoment();
      await endUntil(5);
      const waited = desk.begun.filter((id) => id === 'crm-3' || id === 'crm-4');
      assert.deepEqual(waited.toSorted(), ['crm-3', 'crm-4']);
    });

    it('works again on an id that is pushed after it was done', async () => {
      queue.start(desk.run);
      push(refs('crm', 1));
      await endUntil(1);
      push(refs('crm', 1));
      await hasBegun(2);
      assert.deepEqual(desk.begun, ['crm-0', 'crm-0']);
    });

    it('stops once those that run are done, and begins none of those that wait', async () => {
      queue.start(desk.run);
      push([...refs('crm', 10), ...refs('desk', 1)]);
      await runs(PER_ENDPOINT + 1);
      let stopped = 'not yet';
      const stop = queue.stop().then(() => (stopped = 'yes'));
      await aMoment();
      assert.equal(stopped, 'not yet');
      const begun = desk.begun.length;
      await desk.end('desk-0');
      await aMoment();
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
