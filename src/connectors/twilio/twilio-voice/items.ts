import { ignored } from '../../../core/envelope.ts';
import type { ItemInput } from '../../../core/envelope.ts';
import { parseJson } from '../../../core/json.ts';
import type { Payload } from '../../../core/payload.ts';
import { fieldsOf } from '../form.ts';
import type { Fields } from '../form.ts';
import { outcomeOf } from './call.ts';
import { fromListed } from './listed.ts';
import { fromBeginning, fromEnd, fromStep } from './progress.ts';
import type { Push } from './progress.ts';
import { placeOf } from './steps.ts';

/** What Twilio pushed, or one call of its list, as items. */
export function toItems(payload: Payload): ItemInput[] {
  const { method, headers, body, endpointId: channel, receivedAt } = payload;
  const about = { channel, receivedAt };
  if (method === 'RECONCILE') return [fromListed(parseJson(body), about)];
  if ((headers['content-type'] ?? '').startsWith('application/json')) return [ignored('json', ELSEWHERE)];
  const place = placeOf(payload);
  const push = { ...about, place, fields: fieldsOf(body) };
  return [place.step === undefined ? fromConsole(push) : fromStep(place.step, push)];
}

const ELSEWHERE = 'not about a call: another product of Twilio calls this address';

/** What tells other products, and parts of calls that nobody asked for here, by the id that each has. */
const OTHERS: readonly (readonly [string, string])[] = [
  ['FaxSid', 'fax'],
  ['MessageSid', 'message'],
  ['SmsSid', 'message'],
  ['ConferenceSid', 'conference'],
  ['QueueSid', 'queue'],
  ['TranscriptionSid', 'transcription'],
  ['RecordingSid', 'recording'],
];

/** Pushed to the address as it stands in Twilio's Console: a call to a number begins, or has ended. */
function fromConsole(push: Push): ItemInput {
  const { fields } = push;
  const { CallSid: id, CallStatus: status = '' } = fields;
  const other = OTHERS.find(([name]) => fields[name] !== undefined);
  if (other) return ignored(nameOf(other[1], fields), ELSEWHERE);
  if (id === undefined) return ignored(fields.EventType ?? 'unknown', ELSEWHERE);
  if (fields.ParentCallSid !== undefined) return ignored(`leg_${status}`, `a part of the call ${fields.ParentCallSid}`);
  if (fields.Direction !== 'inbound') return ignored(`outbound_${status}`, 'a call that was not made by this channel');
  const outcome = outcomeOf(status);
  if (outcome) return fromEnd(id, outcome, push);
  return BEGUN.has(status)
    ? fromBeginning(id, push)
    : ignored(`status_${status || 'none'}`, 'nothing is known of this');
}

const BEGUN: ReadonlySet<string> = new Set(['queued', 'initiated', 'ringing', 'in-progress']);

function nameOf(product: string, fields: Fields): string {
  const event = fields.StatusCallbackEvent ?? fields.FaxStatus ?? fields.RecordingStatus ?? fields.MessageStatus;
  return event === undefined ? product : `${product}_${event}`;
}
