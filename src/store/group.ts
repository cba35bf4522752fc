import { RetryableError, textOf } from '../core/errors.ts';
import type { Baton } from './baton.ts';
import type { Recent } from './recent.ts';
import { isStorageError, type Database } from './sqlite.ts';

/** A piece of work that wants to be in the next commit. */
interface Job {
  run(): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Most jobs that share one commit: bounds how long the first of them waits. */
const GROUP = 128;

/**
 * Group commit. Jobs run one after the other inside one transaction, and all are answered after the one
 * commit that makes them durable. When one of them throws, the group is taken back and its jobs run
 * again, each under a savepoint, so that one is rolled back alone: that is rare, and the savepoints cost
 * every other group. An error of the storage itself (full disk, I/O) fails the whole group. What is
 * remembered of rows is forgotten whenever something that ran is undone, and when another writer has changed such rows.
 */
export function createGroupCommit(
  database: Database,
  { recent, baton }: { readonly recent: Pick<Recent, 'forget' | 'version'>; readonly baton: Baton },
): {
  submit<T>(run: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is waiting any more; later jobs are refused. */
  close(): Promise<void>;
} {
  let waiting: Job[] = [];
  let running: Promise<void> | undefined;
  let closed = false;
  const { forget } = recent;
  let known = baton.changes();

  async function drain(): Promise<void> {
    // Gives requests that arrive in the same turn of the event loop the chance to share the commit.
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      await baton.take();
      if (baton.changes() !== known) forget();
      known = baton.changes();
      const version = recent.version();
      const group = waiting.slice(0, GROUP);
      waiting = waiting.slice(GROUP);
      // Whoever is told goes on after it was handed over.
      const answer = await commit(group).finally(() => {
        if (recent.version() !== version) known = baton.addChange();
        baton.give();
      });
      answer();
      if (waiting.length > 0) await new Promise(setImmediate);
    }
    running = undefined;
  }

  /** How its jobs are to be answered. */
  async function commit(group: readonly Job[]): Promise<() => void> {
    try {
      const answers = (await runTogether(database, group)) ?? (await retryApart(group));
      return () => {
        for (const answer of answers) answer();
      };
    } catch (error) {
      rollBack(database);
      forget();
      const failure = new RetryableError(`the store can't write: ${textOf(error)}`, {
        cause: error,
        hint: 'Free space on the disk of the data folder and check its permissions; nothing needs a restart.',
      });
      return () => {
        for (const job of group) job.reject(failure);
      };
    }
  }

  function retryApart(group: readonly Job[]): Promise<(() => void)[]> {
    forget();
    return runApart(database, group, forget);
  }

  return {
    submit<T>(run: () => Promise<T>): Promise<T> {
      if (closed) return Promise.reject(new RetryableError('the store is closed'));
      return new Promise<T>((resolve, reject) => {
        waiting.push({ run, resolve, reject });
        running ??= drain();
      });
    },
    async close() {
      closed = true;
      await running;
    },
  };
}

/** All jobs in one transaction; undefined, and nothing done, when one of them throws. */
async function runTogether(database: Database, group: readonly Job[]): Promise<(() => void)[] | undefined> {
  database.exec('BEGIN IMMEDIATE');
  const answers: (() => void)[] = [];
  for (const job of group) {
    try {
      const value = await job.run();
      answers.push(() => {
        job.resolve(value);
      });
    } catch (error) {
      if (isStorageError(error)) throw error;
      database.exec('ROLLBACK');
      return undefined;
    }
  }
  database.exec('COMMIT');
  return answers;
}

/** All jobs in one transaction, each under its own savepoint: one that throws is rolled back alone. */
async function runApart(database: Database, group: readonly Job[], forget: () => void): Promise<(() => void)[]> {
  database.exec('BEGIN IMMEDIATE');
  const answers: (() => void)[] = [];
  for (const job of group) {
    database.exec('SAVEPOINT job');
    try {
      const value = await job.run();
      answers.push(() => {
        job.resolve(value);
      });
    } catch (error) {
      if (isStorageError(error)) throw error;
      database.exec('ROLLBACK TO job');
      forget();
      answers.push(() => {
        job.reject(error);
      });
    }
    database.exec('RELEASE job');
  }
  database.exec('COMMIT');
  return answers;
}

function rollBack(database: Database): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // SQLite rolls back by itself on a full disk; then there is nothing left to roll back.
  }
}
