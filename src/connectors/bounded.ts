import type { Clock } from '../core/clock.ts';
import { RetryableError } from '../core/errors.ts';

/** How long work whose signal was aborted may take to end. */
const GRACE_MS = 5000;

/** A controller that is aborted with its parent. */
export function childOf(parent: AbortSignal): AbortController {
  const child = new AbortController();
  const pass = () => {
    child.abort(parent.reason);
  };
  if (parent.aborted) pass();
  parent.addEventListener('abort', pass, { once: true });
  // What is over leaves nothing behind at a parent that lives for weeks.
  child.signal.addEventListener('abort', () => {
    parent.removeEventListener('abort', pass);
  });
  return child;
}

/** Runs `work` until it ends, `deadlineMs` have passed or `parent` is aborted; work that ignores that is left behind. */
export async function bounded<T>(
  clock: Clock,
  parent: AbortSignal,
  deadlineMs: number | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent.throwIfAborted();
  const own = childOf(parent);
  const over = new AbortController();
  const grace = async (): Promise<never> => {
    await new Promise((resolve) => {
      own.signal.addEventListener('abort', resolve, { once: true });
    });
    await clock.sleep(GRACE_MS, over.signal);
    throw own.signal.reason;
  };
  if (deadlineMs !== undefined) {
    const late = () => {
      own.abort(new RetryableError(`nothing came back within ${deadlineMs / 1000} s`));
    };
    void clock.sleep(deadlineMs, over.signal).then(late, () => undefined);
  }
  try {
    const left = grace();
    left.catch(() => undefined);
    return await Promise.race([work(own.signal), left]);
  } catch (error) {
    // What it says when it is interrupted is no reason.
    throw own.signal.aborted ? own.signal.reason : error;
  } finally {
    over.abort();
    own.abort();
  }
}
