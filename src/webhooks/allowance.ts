import type { Clock } from '../core/clock.ts';

export interface AllowanceLimits {
  /** How much may be spent at once. */
  readonly burst: number;
  /** How much of it comes back each second. */
  readonly perSecond: number;
}

/** What strangers may cost us, by name. Only those who have spent something are remembered. */
interface Allowance {
  /** Milliseconds until the name may spend again; 0 when it may now. */
  waitOf(name: string): number;
  spend(name: string, cost: number): void;
}

/** Names remembered: with more, those who spent longest ago are forgotten. */
const MOST_NAMES = 10_000;

export function createAllowance(limits: AllowanceLimits, clock: Clock): Allowance {
  const spent = new Map<string, { readonly amount: number; readonly at: number }>();
  const amountOf = (name: string): number => {
    const entry = spent.get(name);
    // A clock that jumped back gives nothing back, and takes nothing.
    return entry ? Math.max(0, entry.amount - (Math.max(0, clock.now() - entry.at) / 1000) * limits.perSecond) : 0;
  };
  return {
    waitOf(name) {
      if (spent.size === 0) return 0;
      const excess = amountOf(name) - limits.burst;
      return excess < 0 ? 0 : Math.ceil((excess / limits.perSecond) * 1000) + 1;
    },
    spend(name, cost) {
      // No debt beyond twice the burst: one enormous request must not shut anybody out for long.
      const amount = Math.min(amountOf(name) + cost, 2 * limits.burst);
      spent.delete(name);
      spent.set(name, { amount, at: clock.now() });
      if (spent.size <= MOST_NAMES) return;
      for (const oldest of spent.keys()) {
        spent.delete(oldest);
        break;
      }
    },
  };
}
