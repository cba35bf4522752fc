import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** How long what a test left open (sockets that are closing, pooled connections) may take to go away. */
const GRACE_MS = 20_000;

/**
 * Mocha's own output, then what was skipped and why; the counts of each test file go to the file named by TEST_COUNTS,
 * from which scripts/test.mjs prints its last line. A run that doesn't end by itself has left something open: that is a
 * failure.
 */
export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const files = {};
    const count = ({ file = '' }, outcome) => {
      files[file] ??= { passed: 0, failed: 0, skipped: 0 };
      files[file][outcome]++;
    };
    const skipped = new Map();
    runner.on('pass', (test) => count(test, 'passed'));
    // Mocha reports a failed hook as one failure and says nothing of the tests that it kept from running.
    runner.on('fail', (test) => count(test, 'failed'));
    runner.on('pending', (test) => {
      count(test, 'skipped');
      const reason = reasonOf(test);
      skipped.set(reason, [...(skipped.get(reason) ?? []), test.fullTitle()]);
    });
    runner.on('end', () => {
      printSkipped(skipped);
      report(files);
      const watch = setTimeout(() => {
        process.stdout.write(`\nThe tests left open: ${process.getActiveResourcesInfo().join(', ')}\n`);
        count({}, 'failed');
        report(files);
        process.exit(1);
      }, GRACE_MS);
      watch.unref();
    });
  }
}

function reasonOf(test) {
  for (let at = test; at; at = at.parent) {
    if (at.skipReason) return at.skipReason;
  }
  return 'no reason given';
}

function printSkipped(skipped) {
  for (const [reason, titles] of skipped) {
    process.stdout.write(
      `\nSkipped, ${reason} (${titles.length}):\n${titles.map((title) => `  - ${title}\n`).join('')}`,
    );
  }
}

function report(files) {
  if (process.env.TEST_COUNTS) writeFileSync(process.env.TEST_COUNTS, JSON.stringify(files));
}
