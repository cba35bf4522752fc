import { parentPort, workerData } from 'node:worker_threads';
import { createIds } from './core/id.ts';
import { errorAsData } from './core/error-data.ts';
import { targetsOf, type Routing } from './dispatch/routes.ts';
import type { FilerJobs, FilerReport, FilerStart } from './filer.ts';
import { file, type FilingDeps } from './normalizer/filing.ts';
import { openSecondWriter } from './store/second-writer.ts';

/** The thread that files: only this, so that a message waits for nothing else that the gateway does. */

const { shared, policy, proofKey, after } = workerData as FilerStart;
const writer = openSecondWriter(shared);
// It has no clock: it is always as late as what it files.
let now = after;
let routing: Routing | undefined;
const deps: FilingDeps = {
  newId: createIds({ now: () => now }, after),
  policy,
  proofKey: Buffer.from(proofKey),
  targetsOf: (facts) => (routing ? targetsOf(facts, routing) : []),
};
let report: FilerReport[number][] = [];

parentPort?.on('message', (jobs: FilerJobs) => {
  if (jobs === 'close') return void close();
  routing = jobs.routing;
  for (const [id, filing] of jobs.filings) {
    now = filing.now;
    file(writer, filing, deps).then(
      (filed) => {
        tell([id, filed]);
      },
      (error: unknown) => {
        tell([id, { error: errorAsData(error) }]);
      },
    );
  }
});

/** Once for all that one commit made durable. */
function tell(result: FilerReport[number]): void {
  if (report.push(result) > 1) return;
  setImmediate(() => {
    parentPort?.postMessage(report satisfies FilerReport);
    report = [];
  });
}

async function close(): Promise<void> {
  await writer.close();
  // After the last report.
  setImmediate(() => parentPort?.close());
}
