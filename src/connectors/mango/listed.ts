import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import type { Payload } from '../../core/payload.ts';
import { callOf, DIRECTIONS } from './call.ts';
import { Code, Count, EntryId, RecordingId, Seconds, Text } from './fields.ts';
import { outcomeOf } from './outcome.ts';

/** Where a call rang: a group has its employees as members. */
const Leg = z.object({
  call_type: Text,
  call_abonent_info: Text,
  call_answer_time: Seconds,
  call_end_reason: Code,
  /** A list, of lists at times. */
  recording_id: z.unknown().optional(),
  members: z.array(z.unknown()).catch([]),
});
type Leg = z.output<typeof Leg>;

/** API Mango Office 1.9, 3.4.2.3: a call of the extended statistics, which are of calls that are over. */
const Listed = z.object({
  entry_id: EntryId,
  context_type: Code,
  context_status: Code,
  caller_id: Text,
  caller_name: Text,
  caller_number: Text,
  called_number: Text,
  context_start_time: Seconds,
  duration: Count,
  talk_duration: Count,
  context_calls: z.array(z.unknown()).catch([]),
});
type Listed = z.output<typeof Listed>;

export function fromListed(line: unknown, { receivedAt }: Payload): ItemInput {
  const listed = Listed.parse(line);
  const {
    entry_id: id,
    context_type: type,
    caller_number,
    called_number,
    duration,
    talk_duration: talked = 0,
  } = listed;
  const direction = DIRECTIONS.get(type);
  if (direction === undefined) return ignored(`context_type=${type ?? ''}`, 'no customer takes part');
  // Lines of Mango's own have no times.
  if (duration === undefined) return ignored('duration=', 'no call that is over');
  const rung = listed.context_calls.flatMap(toLeg);
  // Who answered first stands first.
  const legs = rung
    .flatMap((leg) => [leg, ...leg.members.flatMap(toLeg)])
    .toSorted((a, b) => answerOf(a) - answerOf(b));
  const isAnswered = listed.context_status === 1 && talked > 0;
  const agent = isAnswered ? agentOf(direction, listed, legs) : undefined;
  return callOf(id, {
    stage: 'listed',
    second: listed.context_start_time,
    receivedAt,
    direction,
    from: caller_number,
    to: called_number,
    recordings: [...new Set(legs.flatMap(recordingsOf))],
    call: {
      outcome: isAnswered ? 'answered' : outcomeOf(rung.at(-1)?.call_end_reason, direction),
      ...(agent !== undefined && { agent }),
      waitedSec: Math.max(0, isAnswered ? duration - talked : duration),
      ...(isAnswered && { talkedSec: talked }),
    },
  });
}

function toLeg(given: unknown): Leg[] {
  const leg = Leg.safeParse(given).data;
  return leg ? [leg] : [];
}

function answerOf({ call_answer_time: second = Infinity }: Leg): number {
  return second;
}

function agentOf(direction: 'inbound' | 'outbound', listed: Listed, legs: readonly Leg[]): string | undefined {
  if (direction === 'outbound') return listed.caller_id === undefined ? undefined : listed.caller_name;
  return legs.find((leg) => leg.call_type === 'user' && leg.call_answer_time !== undefined)?.call_abonent_info;
}

function recordingsOf({ recording_id }: Leg): string[] {
  const ids = Array.isArray(recording_id) ? recording_id.flat() : [recording_id];
  return ids.flatMap((id) => RecordingId.safeParse(id).data ?? []);
}
