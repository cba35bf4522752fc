import type { callOutcomes } from '../../core/envelope.ts';

type Outcome = (typeof callOutcomes)[number];

/** Statuses of the call log: https://help.ringostat.com/en/articles/6413217-call-log-description-of-call-statuses */
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  ANSWERED: 'answered',
  PROPER: 'answered',
  REPEATED: 'answered',
  'NO ANSWER': 'missed',
  'CLIENT NO ANSWER': 'missed',
  'NO FORWARD': 'missed',
  'NO EXTENSION': 'missed',
  'WRONG EXTENSION': 'missed',
  DECLINE: 'missed',
  BUSY: 'busy',
  VOICEMAIL: 'voicemail',
  FAILED: 'failed',
  'FAILED FORBIDDEN DESTINATION': 'failed',
};

/** What became of a call that has ended; a status that nobody has described yet counts by whether anybody talked. */
export function outcomeOf(disposition: string | undefined, talkedSec: number | undefined): Outcome {
  const status = (disposition ?? '').toUpperCase().replace(/[\s_+-]+/g, ' ');
  return OUTCOMES[status] ?? ((talkedSec ?? 0) > 0 ? 'answered' : 'missed');
}
