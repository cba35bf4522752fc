import { z } from 'zod';
import type { ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import { momentOf } from '../../core/local-time.ts';
import type { Payload } from '../../core/payload.ts';
import { callOf } from './call.ts';
import type { File, Told } from './call.ts';
import { Flag, Seconds, sessionId, Text, Texts, Way } from './fields.ts';
import { outcomeOf } from './outcome.ts';
import type { Places } from './platform.ts';

/** A call of `get.calls_report`: https://callgear.github.io/data_api/report/get_calls_report/ */
const Listed = z.object({
  id: sessionId('id'),
  communication_id: Text,
  start_time: Text,
  finish_time: Text,
  finish_reason: Text,
  direction: Way,
  is_lost: Flag,
  contact_phone_number: Text,
  contact_full_name: Text,
  virtual_phone_number: Text,
  last_answered_employee_full_name: Text,
  wait_duration: Seconds,
  talk_duration: Seconds,
  call_records: Texts,
  voice_mail_records: Texts,
});
type Listed = z.output<typeof Listed>;

export function fromListed({ body, receivedAt }: Payload, timeZone: string): ItemInput {
  const listed = Listed.parse(parseJson(body));
  const [beganAt, endedAt] = [listed.start_time, listed.finish_time].map((text) => momentOf(text, timeZone));
  return callOf({
    id: listed.id,
    stage: 'listed',
    saidAt: endedAt ?? beganAt,
    beganAt: beganAt ?? receivedAt,
    direction: listed.direction,
    customer: listed.contact_phone_number,
    customerName: listed.contact_full_name,
    ours: listed.virtual_phone_number,
    call: endOf(listed, endedAt),
    files: [...filesOf('recording', listed.call_records), ...filesOf('voicemail', listed.voice_mail_records)],
  });
}

function endOf(listed: Listed, endedAt: number | undefined): Told['call'] {
  const { talk_duration: talkedSec = 0, wait_duration: waitedSec } = listed;
  const { last_answered_employee_full_name: agent } = listed;
  const outcome = outcomeOf({
    talked: talkedSec > 0 && listed.is_lost !== true,
    leftMessage: listed.voice_mail_records.length > 0,
    direction: listed.direction,
    reason: listed.finish_reason,
  });
  return {
    outcome,
    ...(outcome === 'answered' && { talkedSec, ...(agent !== undefined && { agent }) }),
    ...(waitedSec !== undefined && { waitedSec }),
    ...(endedAt !== undefined && { endedAt }),
  };
}

function filesOf(kind: File['kind'], names: readonly string[]): File[] {
  return names.filter((name) => /^[\w-]{1,200}$/.test(name)).map((name) => ({ kind, name }));
}

const FOLDERS: Readonly<Record<File['kind'], string>> = { recording: 'talk', voicemail: 'voice_mail' };

/** Where a recording lies that the report only names. */
export function addressOf({ kind, name }: File, body: Buffer, { files }: Places): string {
  const { id, communication_id = id } = Listed.parse(parseJson(body));
  return `${files}/system/media/${FOLDERS[kind]}/${encodeURIComponent(communication_id)}/${name}/`;
}
