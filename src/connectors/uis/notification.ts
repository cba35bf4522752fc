import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import { momentOf } from '../../core/local-time.ts';
import type { Payload } from '../../core/payload.ts';
import { callOf } from './call.ts';
import type { File, Stage, Told } from './call.ts';
import { Flag, Seconds, sessionId, Text, Texts, Way } from './fields.ts';
import type { Direction } from './fields.ts';

type PushedStage = Exclude<Stage, 'listed'>;

/**
 * Events by the name that our template gives them: whoever sets up a notification writes its body, and nothing else in it
 * says surely what happened. https://uiscom.ru/academiya/spravochnyj-centr/uvedomleniya/uvedomleniya-o-sobytiyakh
 */
const EVENTS: Readonly<Record<string, { readonly stage: PushedStage; readonly direction?: Direction }>> = {
  incoming: { stage: 'rings', direction: 'inbound' },
  outgoing: { stage: 'rings', direction: 'outbound' },
  waiting: { stage: 'rings' },
  talking: { stage: 'talks' },
  recorded: { stage: 'recorded' },
  lost: { stage: 'lost', direction: 'inbound' },
  ended: { stage: 'ended' },
};

/** Variables of the vendor's, under their own names. */
const Said = z.object({
  event: Text,
  call_session_id: sessionId('call_session_id'),
  notification_time: Text,
  start_time: Text,
  direction: Way,
  is_internal: Flag,
  contact_phone_number: Text,
  contact_full_name: Text,
  virtual_phone_number: Text,
  employee_full_name: Text,
  employee_id: Text,
  wait_time_duration: Seconds,
  talk_time_duration: Seconds,
  total_time_duration: Seconds,
  file_link: Texts,
});
type Said = z.output<typeof Said>;

/** The bodies that the cabinet suggests put some of the variables one level deeper. */
const GROUPS = ['contact_info', 'employee_info', 'call_info', 'call_record_file_info'] as const;

const Fields = z.record(z.string(), z.unknown());

function readFields(body: Buffer): Record<string, unknown> {
  const root = Fields.parse(parseJson(body));
  const deeper = GROUPS.flatMap((name) => Object.entries(Fields.safeParse(root[name]).data ?? {}));
  return { ...Object.fromEntries(deeper), ...root };
}

export function fromNotification(payload: Payload, timeZone: string): ItemInput {
  const fields = readFields(payload.body);
  const name = Text.parse(fields['event']) ?? '';
  const event = Object.hasOwn(EVENTS, name) ? EVENTS[name] : undefined;
  if (!event) return ignored(`event=${name}`, 'names no event of a call ("event": "ended" and so on)');
  const said = Said.parse(fields);
  if (said.is_internal === true) return ignored(name, 'no customer takes part');
  const saidAt = momentOf(said.notification_time, timeZone);
  const direction = said.direction ?? event.direction;
  return callOf({
    id: said.call_session_id,
    stage: event.stage,
    saidAt,
    beganAt: momentOf(said.start_time, timeZone) ?? beginningOf(said, event.stage, saidAt) ?? payload.receivedAt,
    direction,
    customer: said.contact_phone_number,
    customerName: said.contact_full_name,
    ours: said.virtual_phone_number,
    call: TOLD[event.stage](said, saidAt),
    ...(event.stage === 'recorded' && { files: filesOf(said.file_link) }),
  });
}

/** What is said at the end of a call says how long it took. */
function beginningOf(said: Said, stage: PushedStage, saidAt: number | undefined): number | undefined {
  const took = stage === 'ended' ? said.total_time_duration : stage === 'lost' ? said.wait_time_duration : undefined;
  return saidAt === undefined ? undefined : saidAt - Math.round((took ?? 0) * 1000);
}

const TOLD: Readonly<Record<PushedStage, (said: Said, at: number | undefined) => Told['call']>> = {
  rings: () => ({ outcome: 'ringing' }),
  talks: (said) => ({ outcome: 'answered', ...agentOf(said) }),
  recorded: (said) => ({ outcome: 'answered', ...agentOf(said) }),
  lost: (said, at) => ({ outcome: 'missed', ...waitOf(said), ...endOf(at) }),
  ended,
};

function ended(said: Said, at: number | undefined): Told['call'] {
  const { talk_time_duration: talkedSec } = said;
  const over = { ...waitOf(said), ...endOf(at) };
  if (talkedSec === undefined) return over;
  // Who was only rung up has not taken the call.
  return talkedSec > 0 ? { outcome: 'answered', ...agentOf(said), talkedSec, ...over } : { outcome: 'missed', ...over };
}

function agentOf({ employee_full_name, employee_id }: Said): { readonly agent?: string } {
  const agent = employee_full_name ?? employee_id;
  return agent === undefined ? {} : { agent };
}

function waitOf({ wait_time_duration: waitedSec }: Said) {
  return waitedSec !== undefined && { waitedSec };
}

function endOf(at: number | undefined) {
  return at !== undefined && { endedAt: at };
}

function filesOf(links: readonly string[]): File[] {
  return links.flatMap((link) => {
    const name = nameIn(link);
    return name === undefined ? [] : [{ kind: 'recording', name } as const];
  });
}

/** The end of the address, which is also what the report calls a recording. */
function nameIn(link: string): string | undefined {
  const name = URL.canParse(link) ? new URL(link).pathname.split('/').findLast((part) => part !== '') : undefined;
  return name?.slice(0, 200);
}

/** The address of a recording that a notification announced. */
export function linkIn(body: Buffer, name: string): string | undefined {
  return Texts.parse(readFields(body)['file_link']).find((link) => nameIn(link) === name);
}
