import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { ItemInput } from '../../core/envelope.ts';
import type { Payload } from '../../core/payload.ts';
import { callOf } from './call.ts';
import type { Direction } from './call.ts';
import { End, EntryId, NOBODY, Seconds, Text } from './fields.ts';

/** API Mango Office 1.9, 3.1.2: a state of one leg of a call. */
const Leg = z.object({
  entry_id: EntryId,
  timestamp: Seconds,
  call_state: Text,
  location: Text,
  from: End.catch(NOBODY),
  to: End.catch(NOBODY),
  command_id: Text,
  task_id: Text,
  callback_initiator: Text,
});
type Leg = z.output<typeof Leg>;

export function fromLeg(said: unknown, { receivedAt }: Payload): ItemInput {
  const leg = Leg.parse(said);
  const { entry_id: id, call_state: state = '', from, to, timestamp: second } = leg;
  const name = `call_state=${state}`;
  if (state === 'OnHold') return ignored(name, 'says nothing of the stages of a call');
  const direction = wayOf(leg);
  if (direction === undefined) return ignored(name, 'no customer is known to take part in this leg');
  const parties = direction === 'inbound' ? { from: from.number, to: lineOf(leg) } : { to: calledBy(leg) };
  const told = { second, receivedAt, direction, ...parties };
  // That a leg ends doesn't end the call: it may ring elsewhere.
  if (state !== 'Connected' || !isWithCustomer(leg, direction)) {
    return callOf(id, { ...told, stage: 'rings', call: { outcome: 'ringing' } });
  }
  const employee = direction === 'inbound' ? to : from;
  const agent = employee.extension ?? employee.number;
  return callOf(id, {
    ...told,
    stage: 'answered',
    call: {
      outcome: 'answered',
      ...(agent !== undefined && { agent }),
      ...(second !== undefined && { answeredAt: second * 1000 }),
    },
  });
}

/** Undefined between employees, and where neither end is known to be one. */
function wayOf(leg: Leg): Direction | undefined {
  const { from, to } = leg;
  if (from.extension !== undefined && to.extension !== undefined) return undefined;
  if (from.extension !== undefined || isOrdered(leg)) return 'outbound';
  const isInbound = to.extension !== undefined || to.line_number !== undefined || !isAtPerson(leg);
  return isInbound ? 'inbound' : undefined;
}

/** A call that Mango makes for somebody. One that a command only puts through was another leg before. */
function isOrdered({ callback_initiator: initiator, task_id, command_id, from }: Leg): boolean {
  if (initiator !== undefined || task_id !== undefined) return true;
  return command_id !== undefined && from.taken_from_call_id === undefined;
}

/** Menus and queues answer, too. */
function isAtPerson({ location }: Leg): boolean {
  return location !== 'ivr' && location !== 'queue';
}

/** An ordered call rings at the employee first, as if the customer called him: nobody else has answered yet. */
function isWithCustomer(leg: Leg, direction: Direction): boolean {
  return isAtPerson(leg) && (direction === 'inbound' || leg.from.extension !== undefined);
}

function calledBy({ from, to }: Leg): string | undefined {
  return from.extension === undefined ? from.number : to.number;
}

/** The number that was called. Where a person is rung up, `to.number` is his phone. */
function lineOf(leg: Leg): string | undefined {
  return leg.to.line_number ?? (isAtPerson(leg) ? undefined : leg.to.number);
}
