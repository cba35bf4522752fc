import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import type { Payload } from '../../core/payload.ts';
import { callOf, DIRECTIONS } from './call.ts';
import type { Direction, Told } from './call.ts';
import { Code, End, EntryId, NOBODY, Seconds, Text } from './fields.ts';
import { outcomeOf } from './outcome.ts';

/** API Mango Office 1.9, 3.1.6: the end of a call. */
const Summary = z.object({
  entry_id: EntryId,
  call_direction: Code,
  from: End.catch(NOBODY),
  to: End.catch(NOBODY),
  line_number: Text,
  create_time: Seconds,
  talk_time: Seconds,
  end_time: Seconds,
  entry_result: Code,
  disconnect_reason: Code,
});
type Summary = z.output<typeof Summary>;

export function fromSummary(said: unknown, { receivedAt }: Payload): ItemInput {
  const summary = Summary.parse(said);
  const { entry_id: id, call_direction: way, from, to, line_number: line, create_time: second } = summary;
  const direction = DIRECTIONS.get(way);
  if (direction === undefined) return ignored(`call_direction=${way ?? ''}`, 'no customer takes part');
  const parties =
    direction === 'inbound' ? { from: from.number, to: line } : { from: line ?? from.number, to: to.number };
  return callOf(id, { stage: 'ended', second, receivedAt, direction, ...parties, call: endOf(summary, direction) });
}

function endOf(summary: Summary, direction: Direction): Told['call'] {
  const { from, to, create_time: began, talk_time: answered, end_time: ended } = summary;
  // A call that ended in a menu has the result 1, too, but nobody talked.
  const isAnswered = summary.entry_result === 1 && answered !== undefined;
  const over = ended !== undefined && { endedAt: ended * 1000 };
  if (!isAnswered) {
    const outcome = outcomeOf(summary.disconnect_reason, direction);
    return { outcome, ...over, ...secondsOf('waitedSec', began, ended) };
  }
  const employee = direction === 'inbound' ? to : from;
  const agent = employee.extension ?? employee.number;
  return {
    outcome: 'answered',
    ...(agent !== undefined && { agent }),
    ...over,
    ...secondsOf('waitedSec', began, answered),
    ...secondsOf('talkedSec', answered, ended),
  };
}

function secondsOf(name: 'waitedSec' | 'talkedSec', from: number | undefined, to: number | undefined) {
  return from !== undefined && to !== undefined && { [name]: Math.max(0, to - from) };
}
