import type { TaskRefRow } from './rows.ts';

/** Which deliveries are sent again together. */
export interface ReplayFilter {
  readonly destination: string;
  readonly state: 'dead' | 'needs_check' | 'delivered';
  /** Those made since, epoch milliseconds. */
  readonly since?: number | undefined;
}

/** The statements about sending again what has ended. */
export interface ReplayStatements {
  /** Notes that tasks are to be sent again once their destination has little else to do: at most `most`, and how many. */
  requestReplays(filter: ReplayFilter, now: number, most: number): Promise<number>;
  /** Takes back what was noted and has not begun; how many. */
  cancelReplays(destinationId: string): Promise<number>;
  /** The same as `replayTask` for one that is noted still: not if it was called off, or begun by another process. */
  beginReplay(taskId: string, now: number): Promise<TaskRefRow | undefined>;
  /** Sets a dead, checked or delivered task to waiting again, due now. */
  replayTask(taskId: string, now: number): Promise<TaskRefRow | undefined>;
}
