import { createIds } from '../../src/core/id.ts';
import type { AttemptRow, Lease, Task, TaskResult } from '../../src/core/rows.ts';
import type { Store } from '../../src/core/store.ts';
import { fakeClock } from '../fakes/clock.ts';
import { fill } from '../fakes/database.ts';

/** Makes an empty store. */
export type OpenStore = () => Promise<{ store: Store; close(): Promise<void> }>;

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const DELIVERED: TaskResult = { state: 'delivered' };
export const DEAD: TaskResult = { state: 'dead' };

/** What the suites of the store do again and again, on the store of the running test. */
export function storeTools(current: () => Store) {
  const clock = fakeClock();
  const newId = createIds(clock);
  type Work<T> = (rows: ReturnType<typeof fill>) => Promise<T>;
  /** Writes rows with everything left out that a test doesn't care about. */
  const make = <T>(work: Work<T>) => current().write([], (tx) => work(fill({ tx, clock, newId })));
  const attempt = (given: Partial<AttemptRow>): AttemptRow => ({
    startedAt: clock.now(),
    endedAt: clock.now(),
    outcome: 'delivered',
    error: null,
    hint: null,
    request: null,
    response: null,
    ...given,
  });
  return {
    clock,
    newId,
    make,
    task: (given: Partial<Task> = {}, dueAt?: number) => make((rows) => rows.task(given, dueAt)),
    taskOf: (id: string) => current().write([], (tx) => tx.task(id)),
    lease: (id: string, token = 'mine', now = clock.now(), until = now + 5 * MINUTE) =>
      current().write([`task ${id}`], (tx) => tx.lease(id, token, now, until)),
    finish: (held: Lease, result: TaskResult = DELIVERED, given: Partial<AttemptRow> = {}) =>
      current().write([`task ${held.task.id}`], (tx) => tx.finish(held, result, attempt(given), clock.now())),
    due: async (perEndpoint = 100, now = clock.now()) =>
      (await current().read.dueTasks(now, perEndpoint)).map(({ id }) => id),
  };
}
