import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { EnvelopeInput, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import { momentOf } from '../../core/local-time.ts';
import type { Payload } from '../../core/payload.ts';
import { outcomeOf } from './disposition.ts';
import { readNotification } from './notification.ts';
import type { Notification } from './notification.ts';

type CallItem = Extract<EnvelopeInput, { kind: 'call' }>;
type Direction = 'inbound' | 'outbound';

/**
 * Which stage each is: of every field counts what the highest says. What is pushed at the end knows better than the
 * statistics, and somebody's answer is more than that another extension didn't answer.
 */
const STAGES = { start: 1, rings: 2, answered: 3, listed: 4, listedAnswered: 5, ended: 6, endedAnswered: 7, record: 8 };

/** A notification, or a line of the statistics, as a call. Times are by the clocks of `timeZone`. */
export function toItems(payload: Payload, timeZone: string): ItemInput[] {
  if (payload.method === 'RECONCILE') return [fromListed(Listed.parse(parseJson(payload.body)), payload, timeZone)];
  return [fromNotification(readNotification(payload.body), payload, timeZone)];
}

function fromNotification(said: Notification, { receivedAt }: Payload, timeZone: string): ItemInput {
  const { event = 'no_event', pbx_call_id: id } = said;
  const read = EVENTS.get(event);
  if (!read) return ignored(event, 'says nothing of the stages of a call');
  if (id === undefined) return ignored(event, 'names no call: pbx_call_id is missing');
  const direction = directionOf(id) ?? (event.startsWith('NOTIFY_OUT_') ? 'outbound' : undefined);
  const item = read(said, id, direction ?? (event === 'NOTIFY_RECORD' ? undefined : 'inbound'));
  if (isAmongEmployees(item)) return ignored(event, 'a call between extensions: no customer takes part');
  return { ...item, occurredAt: momentOf(said['call_start'], timeZone) ?? receivedAt };
}

/** Ids of calls begin with which way they went. */
function directionOf(id: string): Direction | undefined {
  if (id.startsWith('in_')) return 'inbound';
  return id.startsWith('out_') ? 'outbound' : undefined;
}

type Read = (said: Notification, id: string, direction: Direction | undefined) => Omit<CallItem, 'occurredAt'>;

const began: Read = (said, id, direction) => callOf(id, direction, STAGES.start, said, { outcome: 'ringing' });
const ended: Read = (said, id, direction) => {
  const seconds = secondsOf(said['duration']);
  const outcome = outcomeOf(said['disposition'], seconds);
  const stage = outcome === 'answered' ? STAGES.endedAnswered : STAGES.ended;
  // Who talked last, after it was put through.
  const internal = said['last_internal'] ?? said['internal'];
  const item = callOf(
    id,
    direction,
    stage,
    { ...said, internal },
    {
      outcome,
      ...(outcome === 'answered' && { talkedSec: seconds ?? 0 }),
    },
  );
  return said['is_recorded'] === '1' ? withRecording(item, said['call_id_with_rec']) : item;
};

const EVENTS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['NOTIFY_START', began],
  ['NOTIFY_OUT_START', began],
  ['NOTIFY_IVR', began],
  ['NOTIFY_INTERNAL', (said, id, direction) => callOf(id, direction, STAGES.rings, said, { outcome: 'ringing' })],
  ['NOTIFY_ANSWER', (said, id, direction) => callOf(id, direction, STAGES.answered, said, { outcome: 'answered' })],
  ['NOTIFY_END', ended],
  ['NOTIFY_OUT_END', ended],
  [
    'NOTIFY_RECORD',
    (said, id, direction) => withRecording(callOf(id, direction, STAGES.record, {}, {}), said['call_id_with_rec']),
  ],
]);

function callOf(
  externalId: string,
  direction: Direction | undefined,
  revision: number,
  said: Notification,
  call: CallItem['call'],
): Omit<CallItem, 'occurredAt'> {
  const from = said['caller_id'];
  // Who answers an incoming call is its `destination` in one event; everywhere else it is whom we call.
  const to = direction === 'outbound' ? said['destination'] : said['called_did'];
  const customer = direction === 'outbound' ? to : from;
  const agent = agentOf(said, direction, call.outcome);
  return {
    kind: 'call',
    externalId,
    revision,
    ...(direction && { direction }),
    sender: { identifiers: isNumber(customer) ? [{ kind: 'phone', value: customer, trust: 'observed' }] : [] },
    text: '',
    call: {
      ...(direction && { direction }),
      ...(from && { from }),
      ...(to && { to }),
      ...(agent && { agent }),
      ...call,
    },
  };
}

/** At whose it only rang took no part. */
function agentOf(
  { internal, destination }: Notification,
  direction: Direction | undefined,
  outcome: CallItem['call']['outcome'],
): string | undefined {
  if (direction === 'outbound') return extensionOf(internal);
  return outcome === 'answered' ? (extensionOf(internal) ?? extensionOf(destination)) : undefined;
}

/** Extensions of an account have three digits, its SIP numbers five or six. */
function extensionOf(text: string | undefined): string | undefined {
  return /^\d{2,6}$/.test(text ?? '') ? text : undefined;
}

/** Not `anonymous`, `unknown`, an extension. */
function isNumber(text: string | undefined): text is string {
  return /^\+?\d{7,20}$/.test(text ?? '');
}

function isAmongEmployees({ call }: Pick<CallItem, 'call'>): boolean {
  const other = call.direction === 'outbound' ? call.to : call.from;
  return extensionOf(other) !== undefined;
}

/** Its link is asked for when it is fetched: it is good for half an hour. */
function withRecording<T extends Omit<CallItem, 'occurredAt'>>(item: T, recording: string | undefined): T {
  if (recording === undefined) return item;
  const file = { id: `recording:${recording}`, name: 'recording.mp3', mediaType: 'audio/mpeg' };
  return { ...item, attachments: [file], call: { ...item.call, recording: file.id } };
}

function secondsOf(text: string | undefined): number | undefined {
  return /^\d{1,6}$/.test(text ?? '') ? Number(text) : undefined;
}

/** PHP writes what looks like a number as a number. */
const Word = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((word) => (word === null || word === undefined ? '' : String(word)));

/** https://zadarma.com/en/support/api/#api_statistics_pbx, in its new form. */
const Listed = z.object({
  pbx_call_id: z.string().min(1),
  /** A number with more digits than a double holds: `reconcile` puts it between quotes. */
  call_id: Word,
  sip: Word,
  callstart: z.string(),
  clid: Word,
  destination: Word,
  disposition: z.string(),
  seconds: z.coerce.number().min(0),
  is_recorded: z.union([z.boolean(), z.string().transform((text) => text === 'true' || text === '1')]),
});
type Listed = z.output<typeof Listed>;

function fromListed(line: Listed, { receivedAt }: Payload, timeZone: string): ItemInput {
  const { pbx_call_id: id, seconds: talkedSec } = line;
  const direction = directionOf(id) ?? (extensionOf(line.sip) === undefined ? 'inbound' : 'outbound');
  const outcome = outcomeOf(line.disposition, talkedSec);
  const isAnswered = outcome === 'answered';
  const stage = isAnswered ? STAGES.listedAnswered : STAGES.listed;
  const item = callOf(id, direction, stage, saidIn(line, direction), { outcome, ...(isAnswered && { talkedSec }) });
  if (isAmongEmployees(item)) return ignored('listed', 'a call between extensions: no customer takes part');
  const whole = line.is_recorded ? withRecording(item, line.call_id || undefined) : item;
  return { ...whole, occurredAt: momentOf(line.callstart, timeZone) ?? receivedAt };
}

/**
 * One leg of a call, by the names of the notifications. Of an incoming one `sip` is who called and `destination` where it
 * rang; of an outgoing one `sip` is the extension and `destination` whom it called.
 */
function saidIn({ sip, clid, destination }: Listed, direction: Direction): Notification {
  if (direction === 'outbound') return { caller_id: clid, destination, internal: sip };
  // A caller's name may stand around his number: `"Name" <380671234567>`.
  const named = /<(\+?\d+)>/.exec(clid)?.[1];
  return { caller_id: [sip, named, clid].find(isNumber) ?? (clid || sip), destination };
}
