import type { callOutcomes } from '../../core/envelope.ts';

/** How far a call is, what became of it, and whether Binotel has a recording of it. */
export interface End {
  readonly stage: 'ringing' | 'answered' | 'ended';
  readonly outcome: (typeof callOutcomes)[number];
  readonly recorded: boolean;
}

const ended = (outcome: End['outcome'], recorded = false): End => ({ stage: 'ended', outcome, recorded });

/** States of a call: https://developers.binotel.ua/#stats. Recordings are of `ANSWER` and `VM-SUCCESS` only. */
const ENDS: Readonly<Record<string, End>> = {
  CALLING: { stage: 'ringing', outcome: 'ringing', recorded: false },
  ONLINE: { stage: 'answered', outcome: 'answered', recorded: false },
  ANSWER: ended('answered', true),
  TRANSFER: ended('answered'),
  BUSY: ended('busy'),
  NOANSWER: ended('missed'),
  CANCEL: ended('missed'),
  CONGESTION: ended('failed'),
  CHANUNAVAIL: ended('failed'),
  VM: ended('voicemail'),
  'VM-SUCCESS': ended('voicemail', true),
};

/** Of faxes and SMS, which stand in the same list. */
const OTHERS: ReadonlySet<string> = new Set(['SMS-SENDING', 'SMS-SUCCESS', 'SMS-FAILED', 'SUCCESS', 'FAILED']);

/** Undefined for what is no call. One that nobody has described yet counts by whether anybody talked. */
export function endOf(disposition: string, talkedSec: number | undefined): End | undefined {
  const state = disposition.toUpperCase();
  if (OTHERS.has(state)) return undefined;
  return ENDS[state] ?? ended((talkedSec ?? 0) > 0 ? 'answered' : 'missed');
}
