/** A task that may be worked on. Ids only: the outbox in the store is the truth. */
export interface TaskRef {
  readonly id: string;
  readonly endpointId: string;
  /** Files and profiles have a lane of their own: however slow they are, answers and deliveries of the same endpoint pass them. */
  readonly lane?: 'files';
}

/**
 * Spreads task ids over workers. It may lose, repeat and reorder everything: the sweep finds lost ids
 * again, the lease stops repeated ones, the outbox keeps the order.
 */
export interface Queue {
  /** Returns nothing and never blocks: a dead queue must not hold a webhook open. */
  push(refs: readonly TaskRef[]): void;
  /** Starts working; `run` never rejects. */
  start(run: (ref: TaskRef) => Promise<void>): void;
  /** Stops taking new ids and resolves when the running ones are done. */
  stop(): Promise<void>;
}
