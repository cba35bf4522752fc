import { createCell } from './cell.ts';
import type { Cell } from './cell.ts';
import { keptForGood } from './kept.ts';
import type { Ticket } from './views.ts';

/** Messages of each ticket that were seen in this browser, the ticket seen last at the end. */
export type Seen = ReadonlyMap<string, number>;

const NAME = 'seen';
/** Tickets that are remembered. */
const MOST = 1000;

export interface SeenMarks {
  readonly marks: Cell<Seen>;
  /** All messages that the ticket has now were looked at. */
  see(ticket: Ticket): void;
  /** A customer's message came: all before it count as seen unless we know better. */
  expect(ticket: Ticket): void;
}

export function createSeen(): SeenMarks {
  const marks = createCell<Seen>(read());

  function write(id: string, count: number): void {
    const next = new Map(marks.get());
    next.delete(id);
    next.set(id, count);
    const kept = [...next].slice(-MOST);
    keptForGood.write(NAME, JSON.stringify(kept));
    marks.set(new Map(kept));
  }

  return {
    marks,
    see(ticket) {
      if (marks.get().get(ticket.id) !== ticket.messageCount) write(ticket.id, ticket.messageCount);
    },
    expect(ticket) {
      if (!marks.get().has(ticket.id)) write(ticket.id, ticket.messageCount - 1);
    },
  };
}

/** One that was never opened here is unread while nobody has taken it up. */
export function isUnread(ticket: Ticket, marks: Seen): boolean {
  const seen = marks.get(ticket.id);
  return seen === undefined ? ticket.status === 'new' : seen < ticket.messageCount;
}

function read(): Seen {
  try {
    const kept: unknown = JSON.parse(keptForGood.read(NAME) ?? '[]');
    const isMark = (pair: unknown): pair is [string, number] =>
      Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'number';
    return new Map(Array.isArray(kept) ? kept.filter(isMark) : []);
  } catch {
    return new Map();
  }
}
