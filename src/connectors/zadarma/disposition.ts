import type { callOutcomes } from '../../core/envelope.ts';

type Outcome = (typeof callOutcomes)[number];

/** How calls end, in notifications and in the statistics: https://zadarma.com/en/support/api/#api_webhook_notify_end */
const OUTCOMES: ReadonlyMap<string, Outcome> = new Map([
  ['answered', 'answered'],
  ['busy', 'busy'],
  ['cancel', 'missed'],
  ['no answer', 'missed'],
  ['failed', 'failed'],
  ['call failed', 'failed'],
  ['unallocated number', 'failed'],
  ['no money', 'failed'],
  ['no limit', 'failed'],
  ['no day limit', 'failed'],
  ['line limit', 'failed'],
  ['no money, no limit', 'failed'],
]);

/** One that nobody has described yet counts by whether anybody talked. */
export function outcomeOf(disposition: string | undefined, seconds: number | undefined): Outcome {
  return OUTCOMES.get((disposition ?? '').toLowerCase()) ?? ((seconds ?? 0) > 0 ? 'answered' : 'missed');
}
