import type { Api, Ticket } from './api.ts';
import { createCell } from './cell.ts';
import { statusesOf } from './route.ts';
import type { StatusChoice } from './route.ts';

export interface InboxState {
  readonly tickets: readonly Ticket[];
  /** Tickets that something came for while the list was held still. */
  readonly waiting: number;
  readonly loading: boolean;
  readonly more: boolean;
  readonly failed: boolean;
}

interface Filter {
  readonly q: string;
  readonly status: StatusChoice;
}

/** Letters that are typed one after the other are one search. */
const PAUSE_MS = 250;

/** The list of tickets: newest activity first, kept up to date, and still while somebody points at it. */
export function createInbox(api: Api) {
  const state = createCell<InboxState>({ tickets: [], waiting: 0, loading: true, more: false, failed: false });
  const known = new Map<string, Ticket>();
  const waiting = new Set<string>();
  let filter: Filter | undefined;
  let cursor: string | null = null;
  let held = false;
  /** Grows with every new list: what an older request brings is of no use any more. */
  let turn = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const fits = (ticket: Ticket): boolean => {
    const statuses = statusesOf(filter?.status ?? 'all');
    return ticket.mergedInto === null && (statuses.length === 0 || statuses.includes(ticket.status));
  };

  function keep(ticket: Ticket): void {
    const before = known.get(ticket.id);
    if (!before || before.version <= ticket.version) known.set(ticket.id, ticket);
  }

  function draw(change: Partial<InboxState> = {}): void {
    const fitting = [...known.values()].filter(fits);
    const { tickets: shown } = state.get();
    const tickets = held
      ? shown.flatMap((ticket) => known.get(ticket.id) ?? [])
      : fitting.sort((a, b) => b.updatedAt.localeCompare(a.updatedAt) || b.number - a.number);
    if (!held) waiting.clear();
    state.set({ ...state.get(), ...change, tickets, waiting: waiting.size, more: cursor !== null });
  }

  async function read(after: string | null): Promise<void> {
    if (!filter) return;
    const mine = after === null ? ++turn : turn;
    const { q, status } = filter;
    const page = await api
      .tickets({ q, status: statusesOf(status), ...(after !== null && { cursor: after }) })
      .catch(() => undefined);
    if (mine !== turn) return;
    if (page) {
      cursor = page.nextCursor;
      page.data.forEach(keep);
    }
    draw({ loading: false, failed: !page });
  }

  function readSoon(): void {
    clearTimeout(timer);
    timer = setTimeout(() => void read(null), PAUSE_MS);
  }

  return {
    state,

    /** Shows the list of a filter. */
    show(next: Filter): void {
      const isSearch = filter !== undefined && filter.q !== next.q;
      if (filter && !isSearch && filter.status === next.status) return;
      filter = next;
      turn++;
      known.clear();
      waiting.clear();
      cursor = null;
      held = false;
      state.set({ ...state.get(), loading: true, failed: false });
      if (isSearch) readSoon();
      else void read(null);
    },

    /** Reads the first page again, on top of what is there. */
    refresh(): void {
      void read(null);
    },

    readMore(): void {
      if (cursor !== null) void read(cursor);
    },

    /** Takes in the state of a ticket that has changed. */
    take(ticket: Ticket): void {
      const before = known.get(ticket.id);
      // Whether it is found by the words of a search only the gateway can tell.
      if (!before && filter?.q) return readSoon();
      keep(ticket);
      if (held && fits(ticket) && ticket.messageCount > (before?.messageCount ?? 0)) waiting.add(ticket.id);
      draw();
    },

    hold(): void {
      held = true;
    },

    /** Lets the list move again. */
    release(): void {
      if (!held) return;
      held = false;
      draw();
    },
  };
}
export type Inbox = ReturnType<typeof createInbox>;
