import type { Clock } from './clock.ts';
import { RateLimitedError } from './errors.ts';

export interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** When a vendor asks for patience, and doesn't say how long, milliseconds. */
  readonly restMs: number;
}

/**
 * Asks again as often as a vendor says that it was too much, after the rest that he wants. For long series of questions:
 * who began anew after each refusal would never come to the end.
 */
export async function patiently<T>({ clock, signal, restMs }: Patience, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RateLimitedError)) throw error;
      await clock.sleep(error.retryAfterMs ?? restMs, signal);
    }
  }
}
