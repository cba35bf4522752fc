import { createOffload } from '../../src/offload.ts';
import { fakeLog } from './context.ts';

/** A gateway whose mail hangs: `node --import tsx offload-gateway.ts <file that gets the process's id>`. */
void createOffload({ log: fakeLog() }).run({
  worker: new URL('./offload-worker.ts', import.meta.url),
  input: { does: 'hang', tries: process.argv[2] },
  deadlineMs: 3_600_000,
});
