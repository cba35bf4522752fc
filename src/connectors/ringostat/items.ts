import { z } from 'zod';
import { each } from '../../core/each.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { ignored } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import { momentOf } from '../../core/local-time.ts';
import { queryOf } from '../../core/payload.ts';
import type { Payload } from '../../core/payload.ts';
import { outcomeOf } from './outcome.ts';

type Direction = 'inbound' | 'outbound';
type CallInput = Extract<EnvelopeInput, { kind: 'call' }>;

/** How far a call has come. */
const STAGES = { ringing: 1, answered: 2, ended: 3, recorded: 4 } as const;

interface Event {
  readonly direction: Direction;
  readonly stage: 'ringing' | 'answered' | 'ended';
}

/**
 * Events by the name that the address of each webhook gives it: a payload of Ringostat's doesn't say what happened.
 * https://help.ringostat.com/en/articles/6313229
 */
const EVENTS: Readonly<Record<string, Event>> = {
  before: { direction: 'inbound', stage: 'ringing' },
  forward: { direction: 'inbound', stage: 'ringing' },
  answer: { direction: 'inbound', stage: 'answered' },
  after: { direction: 'inbound', stage: 'ended' },
  out_before: { direction: 'outbound', stage: 'ringing' },
  out_after: { direction: 'outbound', stage: 'ended' },
};

const Value = z
  .union([z.string(), z.number(), z.boolean(), z.null()])
  .optional()
  .transform((value) => String(value ?? '').trim() || undefined);

/** The fields of our template, called as in the call log: https://help.ringostat.com/uk/articles/6312678 */
const Call = z.object({
  uniqueid: Value.pipe(
    z.string({ error: 'uniqueid is missing: it must be among the fields of the webhook' }).max(200, 'is too long'),
  ),
  calldate: Value,
  call_type: Value,
  caller: Value,
  dst: Value,
  disposition: Value,
  billsec: Value,
  waittime: Value,
  connected_with: Value,
  employee_fio: Value,
  has_recording: Value,
  recording: Value,
});
export type Call = z.output<typeof Call>;

/** What a payload says of a call. Some projects get all but the id and the date one level deeper. */
export function readCall(body: Buffer): Call {
  const root = z.record(z.string(), z.unknown()).parse(parseJson(body));
  const deeper = z.record(z.string(), z.unknown()).safeParse(root['additional_call_data']).data;
  return Call.parse({ ...deeper, ...root });
}

/** What Ringostat pushed, or one line of its call log, as items. */
export function toItems(payload: Payload, timeZone: string): ItemInput[] {
  if (payload.method === 'RECONCILE') return each([payload], () => listed(payload, timeZone));
  const name = queryOf(payload).get('event') ?? '';
  const event = Object.hasOwn(EVENTS, name) ? EVENTS[name] : undefined;
  if (!event) return [ignored(`event=${name}`, 'its address names no event of a call (?event=before and so on)')];
  return each([payload], () => toItem(readCall(payload.body), event, { payload, timeZone }));
}

function listed(payload: Payload, timeZone: string): ItemInput {
  const call = readCall(payload.body);
  // A log that leaves the kind of a call out is asked for calls of customers all the same.
  const direction = directionOf(call.call_type) ?? 'inbound';
  return toItem(call, { direction, stage: 'ended' }, { payload, timeZone });
}

/** `callback`, too, is a call that the customer asked for: he is the caller. */
function directionOf(type: string | undefined): Direction | undefined {
  if (type === 'out' || type === 'transitout') return 'outbound';
  return type === undefined ? undefined : 'inbound';
}

function toItem(
  call: Call,
  event: Event,
  { payload, timeZone }: { readonly payload: Payload; readonly timeZone: string },
): CallInput {
  const { uniqueid, caller, dst } = call;
  const direction = directionOf(call.call_type) ?? event.direction;
  const customer = phoneOf(direction === 'inbound' ? caller : dst);
  const recording = event.stage === 'ended' ? recordingOf(call) : undefined;
  return {
    kind: 'call',
    externalId: uniqueid,
    revision: STAGES[recording ? 'recorded' : event.stage],
    occurredAt: momentOf(call.calldate, timeZone) ?? payload.receivedAt,
    direction,
    // Whoever hides his number is nobody else who does.
    sender: { identifiers: customer === undefined ? [] : [{ kind: 'phone', value: customer, trust: 'observed' }] },
    text: '',
    ...(recording && { attachments: [recording] }),
    call: {
      direction,
      ...endOf('from', caller),
      ...endOf('to', dst),
      ...toldBy(call, { ...event, direction }),
      ...(recording && { recording: recording.id }),
    },
  };
}

function endOf(name: 'from' | 'to', text: string | undefined): Partial<Record<'from' | 'to', string>> {
  return text === undefined ? {} : { [name]: phoneOf(text) ?? text.slice(0, 1000) };
}

/** Only what every payload of a stage says the same: which of two forwardings comes last is chance. */
function toldBy(call: Call, { stage, direction }: Event): CallInput['call'] {
  if (stage === 'ringing') return { outcome: 'ringing' };
  // Of an outgoing call, it is the customer whom it was connected with.
  const agent = call.employee_fio ?? (direction === 'inbound' ? call.connected_with : undefined);
  const who = agent !== undefined && { agent: agent.slice(0, 1000) };
  if (stage === 'answered') return { outcome: 'answered', ...who };
  const talkedSec = secondsOf(call.billsec);
  const waitedSec = secondsOf(call.waittime);
  const outcome = outcomeOf(call.disposition, talkedSec);
  return {
    outcome,
    // Who was only rung up has not taken the call.
    ...(outcome === 'answered' && who),
    ...(waitedSec !== undefined && { waitedSec }),
    ...(talkedSec !== undefined && { talkedSec }),
  };
}

function secondsOf(text: string | undefined): number | undefined {
  return /^\d{1,6}(\.\d+)?$/.test(text ?? '') ? Number(text) : undefined;
}

/**
 * Numbers come in international form without a plus, those of employees as `"Name" <number>`. Undefined for what is
 * none: a hidden number, a SIP account, an extension.
 */
function phoneOf(text = ''): string | undefined {
  const digits = (/<([^<>]*)>$/.exec(text)?.[1] ?? text).replace(/[\s()-]/g, '');
  if (/^\+\d{7,15}$/.test(digits)) return digits;
  if (/^[1-9]\d{9,14}$/.test(digits)) return `+${digits}`;
  return /^0\d{8,10}$/.test(digits) ? digits : undefined;
}

/** Its address holds a token of its own, so it stays in the payload. */
function recordingOf({ uniqueid, has_recording, recording }: Call) {
  const isThere = has_recording === undefined || has_recording === '1' || has_recording === 'true';
  if (!isThere || recording === undefined) return undefined;
  const isWav = /\.wav(\?|$)/.test(recording);
  return {
    id: `recording:${uniqueid}`,
    name: `recording.${isWav ? 'wav' : 'ogg'}`,
    mediaType: isWav ? 'audio/wav' : 'audio/ogg',
  };
}
