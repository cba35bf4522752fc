import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';

const EVERY_MS = 20;
/** For machines that are busy with something else: what does happen is waited for no longer than it takes. */
export const PATIENCE_MS = 200_000;

/** Looks until it finds something, which it returns; fails with `what` when that never happens. */
export async function until<T>(
  look: () => T | Promise<T>,
  what = look.toString(),
): Promise<Exclude<T, undefined | false>> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await wait(EVERY_MS)) {
    const found = await look();
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
  }
  assert.fail(`never happened: ${what}`);
}
