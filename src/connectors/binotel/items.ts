import { z } from 'zod';
import { each } from '../../core/each.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { ignored } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { endOf } from './disposition.ts';
import { readForm } from './form.ts';
import { toE164 } from './phone.ts';

type CallInput = Extract<EnvelopeInput, { kind: 'call' }>;
type Direction = 'inbound' | 'outbound';

/** How far a call has come. */
const STAGES = { ringing: 1, answered: 2, ended: 3 } as const;

const Value = z
  .union([z.string(), z.number(), z.null()])
  .optional()
  .catch(undefined)
  .transform(
    (value) =>
      String(value ?? '')
        .trim()
        .slice(0, 1000) || undefined,
  );
/** PHP writes an empty one as a list or as nothing. */
const Named = z.object({ name: Value, number: Value }).catch({ name: undefined, number: undefined });

const Id = Value.pipe(z.string({ error: 'generalCallID is missing' }).max(200));

/** A call that is over, or one of the list: https://developers.binotel.ua/#stats */
const Details = z.object({
  generalCallID: Id,
  startTime: Value,
  callType: Value,
  internalNumber: Value,
  externalNumber: Value,
  waitsec: Value,
  billsec: Value,
  disposition: Value,
  employeeData: Named,
  customerData: Named,
  pbxNumberData: Named,
});
type Details = z.output<typeof Details>;

/** A call that goes on. */
const Progress = z.object({
  generalCallID: Id,
  callType: Value,
  internalNumber: Value,
  externalNumber: Value,
  pbxNumber: Value,
  didNumber: Value,
});

/** What Binotel pushed, or one call of its list, as items. https://developers.binotel.ua/#webhooks */
export function toItems(payload: Payload, country: string): ItemInput[] {
  if (payload.method === 'RECONCILE')
    return each([parseJson(payload.body)], (call) => completed(call, payload, country));
  const form = readForm(payload.body);
  const requestType = form['requestType'];
  switch (requestType) {
    case 'apiCallCompleted':
      return each([form['callDetails']], (details) => completed(details, payload, country));
    case 'receivedTheCall':
      return each([form], (call) => goingOn(call, 'ringing', { payload, country }));
    case 'answeredTheCall':
      return each([form], (call) => goingOn(call, 'answered', { payload, country }));
    case 'apiCallSettings':
      return [ignored(requestType, 'asks who calls, and names no call')];
    case 'hangupTheCall':
    case 'transferredTheCall':
      return [ignored(requestType, 'says less than the end of the call, which follows')];
    default:
      return [ignored(typeof requestType === 'string' ? requestType : 'no_request_type', 'not about a call')];
  }
}

function completed(given: unknown, { method, receivedAt }: Payload, country: string): ItemInput {
  const call = Details.parse(given);
  const direction = directionOf(call.callType);
  // In the list, a call that still rings has no state.
  const state = call.disposition ?? (method === 'RECONCILE' ? 'CALLING' : '');
  const end = endOf(state, secondsOf(call.billsec));
  if (end === undefined) return ignored(`disposition=${state}`, 'a fax or an SMS, not a call');
  if (direction === undefined) return ignored(`callType=${call.callType ?? ''}`, 'neither incoming nor outgoing');
  const recording = end.recorded ? recordingOf(call) : undefined;
  const base = envelopeOf(call.generalCallID, direction, {
    stage: end.stage,
    at: timeOf(call.startTime) ?? receivedAt,
    external: call.externalNumber,
    ours: call.pbxNumberData.number,
    name: call.customerData.name,
    country,
  });
  const { call: known } = base;
  return {
    ...base,
    ...(recording && { attachments: [recording] }),
    call: { ...known, outcome: end.outcome, ...toldBy(call, end), ...(recording && { recording: recording.id }) },
  };
}

function toldBy(
  { employeeData, internalNumber, waitsec, billsec }: Details,
  { stage, outcome }: { readonly stage: keyof typeof STAGES; readonly outcome: string },
): Partial<CallInput['call']> {
  const agent = employeeData.name ?? internalNumber;
  const [waitedSec, talkedSec] = [secondsOf(waitsec), secondsOf(billsec)];
  return {
    // Who was only rung up has not taken the call.
    ...(outcome === 'answered' && agent !== undefined && { agent }),
    // As long as it goes on they grow.
    ...(stage === 'ended' && waitedSec !== undefined && { waitedSec }),
    ...(stage === 'ended' && talkedSec !== undefined && { talkedSec }),
  };
}

/** Its end follows with everything, so only what is sure by now. */
function goingOn(
  given: unknown,
  stage: 'ringing' | 'answered',
  { payload, country }: { readonly payload: Payload; readonly country: string },
): ItemInput {
  const call = Progress.parse(given);
  const direction = directionOf(call.callType);
  if (direction === undefined) return ignored(`callType=${call.callType ?? ''}`, 'neither incoming nor outgoing');
  const base = envelopeOf(call.generalCallID, direction, {
    ...{
      stage,
      at: payload.receivedAt,
      external: call.externalNumber,
      ours: call.pbxNumber ?? call.didNumber,
      name: undefined,
      country,
    },
  });
  const agent = stage === 'answered' && call.internalNumber !== undefined && { agent: call.internalNumber };
  return { ...base, call: { ...base.call, outcome: stage, ...agent } };
}

interface Known {
  readonly stage: keyof typeof STAGES;
  readonly at: number;
  readonly external: string | undefined;
  readonly ours: string | undefined;
  readonly name: string | undefined;
  readonly country: string;
}

function envelopeOf(externalId: string, direction: Direction, known: Known): CallInput {
  const phone = toE164(known.external, known.country);
  const theirs = phone ?? known.external;
  const ours = toE164(known.ours, known.country) ?? known.ours;
  const [from, to] = direction === 'inbound' ? [theirs, ours] : [ours, theirs];
  return {
    kind: 'call',
    externalId,
    revision: STAGES[known.stage],
    occurredAt: known.at,
    direction,
    sender: {
      ...(known.name !== undefined && { name: known.name }),
      // Whoever hides his number is nobody else who does.
      identifiers: phone === undefined ? [] : [{ kind: 'phone', value: phone, trust: 'observed' }],
    },
    text: '',
    call: { direction, ...(from !== undefined && { from }), ...(to !== undefined && { to }) },
  };
}

function directionOf(callType: string | undefined): Direction | undefined {
  if (callType === '0') return 'inbound';
  return callType === '1' ? 'outbound' : undefined;
}

/** Its address is asked for when it is fetched: it is good for a quarter of an hour. */
function recordingOf({ generalCallID }: Details) {
  return { id: `recording:${generalCallID}`, name: 'recording.mp3', mediaType: 'audio/mpeg' };
}

function timeOf(text: string | undefined): number | undefined {
  return /^\d{10}$/.test(text ?? '') ? Number(text) * 1000 : undefined;
}

function secondsOf(text: string | undefined): number | undefined {
  return /^\d{1,6}$/.test(text ?? '') ? Number(text) : undefined;
}
