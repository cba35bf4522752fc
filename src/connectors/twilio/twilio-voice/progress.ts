import type { CallProgress, ItemInput } from '../../../core/envelope.ts';
import { ignored } from '../../../core/envelope.ts';
import type { Fields } from '../form.ts';
import { isRecording, itemOf, outcomeOf } from './call.ts';
import type { About } from './call.ts';
import type { Place, Step } from './steps.ts';

/** What one of Twilio's requests says: where in the call it asks, and the fields of it. */
export interface Push extends About {
  readonly place: Place;
  readonly fields: Fields;
}

/** What a request with a step of ours says. */
export function fromStep(step: Step, push: Push): ItemInput {
  const id = push.place.call ?? push.fields.CallSid;
  if (id === undefined) return ignored(step, 'the request names no call');
  return STEPS[step](id, push);
}

const STEPS: Readonly<Record<Step, (id: string, push: Push) => ItemInput>> = {
  accept: () => ignored('agent_rings', 'the phone of an agent was picked up, perhaps by his voicemail'),
  accepted: fromAccepted,
  dialed: (id, push) => fromDial(id, push, bothEnds(push)),
  talk: fromTalk,
  recorded: (id, push) => fromMessage(id, push, bothEnds(push)),
  message: (id, push) => fromMessage(id, push, {}),
  words: fromWords,
  agent: (id, push) =>
    itemOf(push, { ...callBack(id, push), rank: 'began', call: { ...callBackEnds(push), outcome: 'ringing' } }),
  connect: (id, push) =>
    itemOf(push, { ...callBack(id, push), rank: 'began', call: { ...callBackEnds(push), outcome: 'ringing' } }),
  connected: fromConnected,
  callback: fromCallBack,
};

function beginOf({ place, receivedAt }: Push): number {
  return place.at ?? receivedAt;
}

function bothEnds({ fields }: Push): {
  readonly customer?: string;
  readonly name?: string;
  readonly ends: CallProgress;
} {
  const { From, To, CallerName: name } = fields;
  return {
    ...(From !== undefined && { customer: From }),
    ...(name !== undefined && { name }),
    ends: { direction: 'inbound', ...(From !== undefined && { from: From }), ...(To !== undefined && { to: To }) },
  };
}

/** A call comes in. */
export function fromBeginning(id: string, push: Push): ItemInput {
  const { customer, name, ends } = bothEnds(push);
  return itemOf(push, { id, at: beginOf(push), rank: 'began', customer, name, call: { ...ends, outcome: 'ringing' } });
}

/** A call is over, says the number's status callback: not who took it. */
export function fromEnd(id: string, outcome: 'missed' | 'busy' | 'failed', push: Push): ItemInput {
  const { customer, name, ends } = bothEnds(push);
  const endedAt = saidAt(push);
  const lasted = Number(push.fields.CallDuration ?? 0) * 1000;
  const at = push.place.at ?? endedAt - (Number.isFinite(lasted) ? lasted : 0);
  return itemOf(push, { id, at, rank: 'ended', customer, name, call: { ...ends, outcome, endedAt } });
}

/** Requests about the progress of a call say when it happened; the others happen as they come. */
function saidAt({ fields, receivedAt }: Push): number {
  const said = Date.parse(fields.Timestamp ?? '');
  return Number.isNaN(said) ? receivedAt : said;
}

/** Asked on the agent's leg: its `To` is he. */
function fromAccepted(id: string, push: Push): ItemInput {
  const { fields, receivedAt } = push;
  if (fields.Digits === undefined) return ignored('agent_pressed_nothing', 'nobody took the call at this phone');
  const call: CallProgress = { direction: 'inbound', outcome: 'answered', answeredAt: receivedAt };
  const agent = fields.To !== undefined && { agent: fields.To.slice(0, 1000) };
  return itemOf(push, { id, at: beginOf(push), rank: 'accepted', call: { ...call, ...agent } });
}

/**
 * Whether a person took it, as `<Dial>` tells in the end. Who didn't press a key isn't connected, though his phone was
 * picked up: https://www.twilio.com/docs/voice/twiml/dial#action
 */
export function wasAnswered({ DialCallStatus, DialBridged }: Fields): boolean {
  return (DialCallStatus === 'completed' || DialCallStatus === 'answered') && DialBridged !== 'false';
}

function dialOf(fields: Fields): CallProgress {
  if (!wasAnswered(fields)) return { outcome: outcomeOf(fields.DialCallStatus) ?? 'missed' };
  const talkedSec = Number(fields.DialCallDuration ?? NaN);
  return { outcome: 'answered', ...(talkedSec >= 0 && { talkedSec }) };
}

function fromDial(id: string, push: Push, said: ReturnType<typeof bothEnds>): ItemInput {
  const { customer, name, ends } = said;
  return itemOf(push, {
    id,
    at: beginOf(push),
    rank: 'dialed',
    customer,
    name,
    call: { ...ends, ...dialOf(push.fields) },
  });
}

/** The recording of a talk that was over before: it says nothing else of the call. */
function fromTalk(id: string, push: Push): ItemInput {
  const recording = recordingOf(push.fields);
  if (typeof recording !== 'string') return recording;
  return itemOf(push, { id, at: beginOf(push), rank: 'recorded', call: {}, recording });
}

/** What the caller left, once when he is done, and once when it can be fetched. */
function fromMessage(id: string, push: Push, said: Partial<ReturnType<typeof bothEnds>>): ItemInput {
  const recording = recordingOf(push.fields);
  if (typeof recording !== 'string') return recording;
  const { customer, name, ends = { direction: 'inbound' } } = said;
  const call: CallProgress = { ...ends, outcome: 'voicemail' };
  return itemOf(push, { id, at: beginOf(push), rank: 'recorded', customer, name, call, recording });
}

function fromWords(id: string, push: Push): ItemInput {
  const { fields } = push;
  const recording = recordingOf(fields);
  if (typeof recording !== 'string') return recording;
  const { TranscriptionText: transcript, TranscriptionStatus: status = 'completed' } = fields;
  if (status !== 'completed' || transcript === undefined) {
    return ignored(`transcription_${status === 'completed' ? 'empty' : status}`, 'Twilio could not write it down');
  }
  const call: CallProgress = { direction: 'inbound', outcome: 'voicemail', transcript: transcript.slice(0, 1_000_000) };
  return itemOf(push, { id, at: beginOf(push), rank: 'written', call, recording });
}

/** The id of a recording: what it is fetched by. Some requests only have it at the end of an address. */
function recordingOf({ RecordingSid, RecordingUrl = '', RecordingStatus = 'completed' }: Fields): string | ItemInput {
  const sid = RecordingSid ?? /\/Recordings\/(RE[0-9a-f]{32})$/i.exec(RecordingUrl)?.[1] ?? '';
  if (RecordingStatus !== 'completed') return ignored(`recording_${RecordingStatus}`, 'there is nothing to be fetched');
  return isRecording(sid) ? sid : ignored('recording_unnamed', 'the request names no recording');
}

/** A call-back is the call to the agent, and through it to the customer. */
function callBack(id: string, push: Push) {
  const { customer } = push.place;
  return { id, at: beginOf(push), ...(customer !== undefined && { customer }) };
}

function callBackEnds({ fields, place }: Push): CallProgress {
  return {
    direction: 'outbound',
    ...(fields.From !== undefined && { from: fields.From }),
    ...(place.customer !== undefined && { to: place.customer }),
    ...(fields.To !== undefined && { agent: fields.To.slice(0, 1000) }),
  };
}

function fromConnected(id: string, push: Push): ItemInput {
  const call = { ...callBackEnds(push), ...dialOf(push.fields) };
  return itemOf(push, { ...callBack(id, push), rank: 'dialed', call });
}

/** The agent didn't pick up, or hung up: unless the customer was reached, nothing came of it. */
function fromCallBack(id: string, push: Push): ItemInput {
  const status = push.fields.CallStatus ?? '';
  if (outcomeOf(status) === undefined) return ignored(`call_back_${status || 'unknown'}`, 'it goes on');
  const call: CallProgress = { ...callBackEnds(push), outcome: 'failed', endedAt: saidAt(push) };
  return itemOf(push, { ...callBack(id, push), rank: 'ended', call });
}
