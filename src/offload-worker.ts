import { liveWithGateway } from './core/child-process.ts';
import { errorAsData, LONGEST_TEXT } from './core/error-data.ts';
import { textOf } from './core/errors.ts';
import type { Job, Report } from './offload.ts';

/**
 * What every process of the pool runs: one job after the other, each the default export of a module. It knows
 * nothing of the work, so that one pool serves every plugin. It ends with the gateway, or when the gateway ends it,
 * and at no other signal: those meant for the gateway reach its children too.
 */

type Work = (input: unknown) => unknown;

process.on('message', (job: Job) => void work(job));
process.on('uncaughtException', (error) => {
  report({ kind: 'crashed', text: textOf(error).slice(0, LONGEST_TEXT) });
});
liveWithGateway(() => process.exit());

async function work(job: Job): Promise<void> {
  try {
    const { default: run } = (await import(job.module)) as { readonly default: Work };
    // Loading is ours to answer for, not the work's: its time begins here.
    report({ kind: 'begun' });
    const result = await run(job.input);
    report({ kind: 'done', result });
  } catch (error) {
    report({ kind: 'failed', error: errorAsData(error) });
  }
}

function report(message: Report): void {
  process.send?.(message);
}
