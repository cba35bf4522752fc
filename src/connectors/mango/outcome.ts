import type { callOutcomes } from '../../core/envelope.ts';

type Outcome = (typeof callOutcomes)[number];

/** The far end said so, or the employee talked already. */
const BUSY: ReadonlySet<number> = new Set([1121, 1193]);

/**
 * How a call ended in which nobody talked, by the code of its end. A code that nobody has described yet counts as its class:
 * 113x to 115x numbers that can't be reached or are barred, 2xxx billing, 32xx no such number, 42xx and 45xx not possible or
 * not allowed, 5xxx Mango's own faults. API Mango Office 1.9, list of result codes
 */
export function outcomeOf(reason: number | undefined, direction: 'inbound' | 'outbound'): Outcome {
  if (reason === undefined) return 'missed';
  if (BUSY.has(reason)) return 'busy';
  // The phone of an employee that can't be reached: the customer's call was missed.
  const isBarred = direction === 'outbound' && reason >= 1130 && reason < 1160;
  const hundreds = Math.floor(reason / 100);
  const isFault = [2, 5].includes(Math.floor(reason / 1000)) || [32, 42, 45].includes(hundreds);
  return isBarred || isFault ? 'failed' : 'missed';
}
