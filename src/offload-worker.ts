import { parentPort } from 'node:worker_threads';
import { TributaryError, textOf } from './core/errors.ts';
import type { ErrorAsData, Job, Report } from './offload.ts';

/**
 * What every thread of the pool runs: one job after the other, each the default export of a module. It knows
 * nothing of the work, so that one pool serves every plugin.
 */

type Work = (input: unknown) => unknown;

parentPort?.on('message', (job: Job) => void work(job));

async function work(job: Job): Promise<void> {
  try {
    const { default: run } = (await import(job.module)) as { readonly default: Work };
    // Loading is ours to answer for, not the work's: its time begins here.
    report({ kind: 'begun' });
    const result = await run(job.input);
    report({ kind: 'done', result });
  } catch (error) {
    report({ kind: 'failed', error: toData(error) });
  }
}

function report(message: Report): void {
  parentPort?.postMessage(message);
}

/** Classes don't survive the way to another thread: the name and what the host reads of it do. */
function toData(error: unknown): ErrorAsData {
  const name = error instanceof Error ? error.name : 'Error';
  const hint = error instanceof TributaryError ? error.hint : undefined;
  return { name, text: textOf(error).slice(0, LONGEST_TEXT), hint };
}

/** A parser's error may quote everything that it read. */
const LONGEST_TEXT = 2000;
