import { PermanentError } from '../../core/errors.ts';
import { markOf } from '../../core/mark.ts';
import type { Message } from '../../core/ticket.ts';
import type { Api, Line, Ticket } from './api.ts';

/**
 * A ticket's history: what we write carries our mark there, as the comment of its line, which agents see only when they
 * look at the history. So it is found again after a lost answer, and doesn't come back as an agent's.
 */

const SIGN = 'Tributary ';
/** A ticket that was merged may lie in one that was merged too. */
const MOST_MERGED = 5;

export function historyNameOf(message: Message): string {
  return `${SIGN}${markOf(message)}`;
}

export function isMarked({ Name: name }: Line): boolean {
  return name.startsWith(SIGN);
}

export async function hasMark(api: Api, tickets: readonly string[], message: Message): Promise<boolean> {
  const name = historyNameOf(message);
  const histories = await api.histories(tickets);
  return histories.some(({ lines }) => lines.some((line) => line.Name === name));
}

/** The ticket itself, or the one that agents merged it into. */
export async function placeOf(api: Api, id: string): Promise<Ticket> {
  let place = await only(api, id);
  for (let i = 0; i < MOST_MERGED && place.StateType === 'merged'; i++) {
    const next = mergedInto((await api.histories([place.TicketID])).flatMap(({ lines }) => lines));
    if (next === undefined) break;
    place = await only(api, next);
  }
  return place;
}

async function only(api: Api, id: string): Promise<Ticket> {
  const [ticket] = await api.tickets([id], { DynamicFields: 1 });
  if (ticket) return ticket;
  throw new PermanentError(`there is no ticket ${id} there any more`);
}

/** `Merged Ticket (<number>/<id>) to (<number>/<id>)`: the last number in it. */
function mergedInto(lines: readonly Line[]): string | undefined {
  const last = lines.findLast(({ HistoryType: type }) => type === 'Merged');
  return last?.Name.match(/\d{1,20}/g)?.at(-1);
}

/** What stands in the field that holds our id; empty where nothing does. */
export function ourIdIn({ DynamicField: fields }: Ticket, idField: string): string {
  const value = fields.find(({ Name: name }) => name === idField)?.Value;
  return typeof value === 'string' ? value : '';
}
