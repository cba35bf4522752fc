import type { Context, Runnable } from 'mocha';

/**
 * Skips the running test, or from a `before` hook its whole suite, and says why in the summary. `REQUIRE_ALL=1`
 * makes the skip a failure.
 *
 *     before(function () {
 *       skipUnless(this, existsSync('../shared'), 'the collected fixtures are not beside the repository');
 *     });
 */
export function skipUnless(context: Context, condition: unknown, reason: string): void {
  if (condition) return;
  // Read by scripts/reporter.mjs. A hook that skips does so for its suite.
  const runnable: Runnable & { type?: string } = context.runnable();
  Object.assign(runnable.type === 'hook' ? (runnable.parent ?? runnable) : runnable, { skipReason: reason });
  context.skip();
}
