import { z } from 'zod';
import { ignored } from '../../../core/envelope.ts';
import type { CallProgress, ItemInput } from '../../../core/envelope.ts';
import { itemOf, outcomeOf } from './call.ts';
import type { About } from './call.ts';

/** A call as Twilio lists it: https://www.twilio.com/docs/voice/api/call-resource. Times are RFC 2822. */
export const ListedCall = z.looseObject({
  sid: z.string().min(1),
  parent_call_sid: z.string().nullish(),
  direction: z.string(),
  status: z.string(),
  from: z.string().nullish(),
  to: z.string().nullish(),
  caller_name: z.string().nullish(),
  date_created: z.string().nullish(),
  start_time: z.string().nullish(),
  end_time: z.string().nullish(),
  /** Seconds. */
  duration: z.string().nullish(),
  answered_by: z.string().nullish(),
});
export type ListedCall = z.output<typeof ListedCall>;

/** https://www.twilio.com/docs/voice/api/recording */
export const ListedRecording = z.looseObject({ sid: z.string(), status: z.string(), source: z.string().nullish() });
export type ListedRecording = z.output<typeof ListedRecording>;

export const ListedTranscription = z.looseObject({ status: z.string(), transcription_text: z.string().nullish() });
export type ListedTranscription = z.output<typeof ListedTranscription>;

/** What `reconcile` hands over: a call with its legs, its recordings, and what was written down of a message. */
export const Listed = z.object({
  call: ListedCall,
  legs: z.array(ListedCall),
  recordings: z.array(ListedRecording),
  transcriptions: z.array(ListedTranscription),
});
export type Listed = z.output<typeof Listed>;

/** When a call began or ended; undefined where Twilio doesn't say. */
export function timeOf(text: string | null | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
}

/** What a caller left on the voicemail, as far as it can be fetched. */
export function messageIn(recordings: readonly ListedRecording[]): ListedRecording | undefined {
  return recordings.find(({ source, status }) => source === 'RecordVerb' && status === 'completed');
}

/** A call of the list, in the words of what is pushed about it. */
export function fromListed(value: unknown, about: About): ItemInput {
  const listed = Listed.parse(value);
  return listed.call.direction === 'inbound' ? fromInbound(listed, about) : fromCallBack(listed, about);
}

function fromInbound({ call, legs, recordings, transcriptions }: Listed, about: About): ItemInput {
  const ends: CallProgress = { direction: 'inbound', from: call.from ?? '', to: call.to ?? '', ...endOf(call) };
  const name = call.caller_name ? { name: call.caller_name } : {};
  const base = { id: call.sid, at: beginOf(call, about), customer: call.from ?? '', ...name };
  const message = messageIn(recordings);
  if (message) {
    const written = transcriptions.find(({ status }) => status === 'completed')?.transcription_text;
    const transcript = written ? { transcript: written.slice(0, 1_000_000) } : {};
    const rank = written ? 'written' : 'recorded';
    return itemOf(about, {
      ...base,
      rank,
      call: { ...ends, outcome: 'voicemail', ...transcript },
      recording: message.sid,
    });
  }
  const taken = legs.find(isTaken);
  if (taken)
    return itemOf(about, {
      ...base,
      rank: 'listed',
      call: { ...ends, ...talkOf(taken, taken.to) },
      ...talkIn(recordings),
    });
  const outcome = outcomeOf(call.status);
  if (!outcome) return ignored(`status_${call.status}`, 'it goes on');
  return itemOf(about, { ...base, rank: 'ended', call: { ...ends, outcome } });
}

/** We asked Twilio to call an agent, and through him the customer, who is the leg. */
function fromCallBack({ call, legs, recordings }: Listed, about: About): ItemInput {
  const [leg] = legs;
  if (!leg) return ignored('call_back_unanswered', 'the agent did not take it, so nobody was called');
  const ends: CallProgress = {
    direction: 'outbound',
    from: call.from ?? '',
    to: leg.to ?? '',
    agent: call.to ?? '',
    ...endOf(call),
  };
  const reached: CallProgress = isMachine(leg)
    ? { outcome: 'voicemail' }
    : { outcome: outcomeOf(leg.status) ?? 'missed' };
  const said = isTaken(leg) ? talkOf(leg, call.to) : reached;
  const base = { id: call.sid, at: beginOf(call, about), customer: leg.to ?? '' };
  return itemOf(about, { ...base, rank: 'listed', call: { ...ends, ...said }, ...talkIn(recordings) });
}

/** Answered by somebody, as far as the list knows. */
function isTaken(leg: ListedCall): boolean {
  return leg.status === 'completed' && !isMachine(leg);
}

/** `machine_start`, `machine_end_beep` …: https://www.twilio.com/docs/voice/answering-machine-detection */
function isMachine({ answered_by }: ListedCall): boolean {
  return /^(machine|fax)/.test(answered_by ?? '');
}

function talkOf(leg: ListedCall, agent: string | null | undefined): CallProgress {
  const answeredAt = timeOf(leg.start_time);
  const talkedSec = leg.duration ? Number(leg.duration) : NaN;
  return {
    outcome: 'answered',
    ...(agent && { agent: agent.slice(0, 1000) }),
    ...(answeredAt !== undefined && { answeredAt }),
    ...(talkedSec >= 0 && { talkedSec }),
  };
}

function talkIn(recordings: readonly ListedRecording[]): { readonly recording?: string } {
  const talk = recordings.find(({ source, status }) => source !== 'RecordVerb' && status === 'completed');
  return talk ? { recording: talk.sid } : {};
}

function beginOf(call: ListedCall, about: About): number {
  return timeOf(call.start_time) ?? timeOf(call.date_created) ?? about.receivedAt;
}

function endOf(call: ListedCall): { readonly endedAt?: number } {
  const endedAt = timeOf(call.end_time);
  return endedAt === undefined ? {} : { endedAt };
}
