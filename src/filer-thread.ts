import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { errorAsData } from './core/error-data.ts';
import { createIds } from './core/id.ts';
import { targetsOf, type Routing } from './dispatch/routes.ts';
import type { FilerJobs, FilerReport, FilerStart } from './filer.ts';
import { file, type FilingDeps } from './normalizer/filing.ts';
import { openSecondWriter } from './store/second-writer.ts';

/** The thread that files: only this, so that a message waits for nothing else that the gateway does. */
if (parentPort) serve(parentPort, workerData as FilerStart);

function serve(port: MessagePort, { shared, policy, proofKey, after }: FilerStart): void {
  const writer = openSecondWriter(shared);
  // It has no clock: it is always as late as what it files.
  let now = after;
  let routing: Routing | undefined;
  let report: FilerReport[number][] = [];
  const deps: FilingDeps = {
    newId: createIds({ now: () => now }, after),
    policy,
    proofKey: Buffer.from(proofKey),
    targetsOf: (facts) => (routing ? targetsOf(facts, routing) : []),
  };

  /** Once for all that one commit made durable. */
  function tell(result: FilerReport[number]): void {
    if (report.push(result) > 1) return;
    setImmediate(() => {
      port.postMessage(report satisfies FilerReport);
      report = [];
    });
  }

  async function close(): Promise<void> {
    await writer.close();
    // After the last report.
    setImmediate(() => {
      port.close();
    });
  }

  port.on('message', (jobs: FilerJobs) => {
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
}
