import type { Api } from './api.ts';
import { createCell } from './cell.ts';
import { fitsIn } from './fits.ts';
import type { Filter } from './fits.ts';
import { statusesOf } from './place.ts';
import type { Ticket } from './views.ts';

export interface InboxState {
  readonly tickets: readonly Ticket[];
  /** Tickets that something came for while the list was held still. */
  readonly waiting: number;
  readonly loading: boolean;
  readonly more: boolean;
  readonly failed: boolean;
  /** There is no ticket at all, whatever is looked for. */
  readonly untouched: boolean;
}

/** Letters that are typed one after the other are one search. */
const PAUSE_MS = 250;

/** The list of tickets: newest activity first, kept up to date, and still while somebody points at it. */
export function createInbox(api: Pick<Api, 'tickets'>, ownId: string) {
  const state = createCell<InboxState>({
    tickets: [],
    waiting: 0,
    loading: true,
    more: false,
    failed: false,
    untouched: false,
  });
  const known = new Map<string, Ticket>();
  const waiting = new Set<string>();
  let filter: Filter | undefined;
  let cursor: string | null = null;
  let held = false;
  /** Until the first page of another list is here, the one before it stays in sight. */
  let isNew = true;
  /** Grows with every new list: what an older request brings is of no use any more. */
  let turn = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const fits = (ticket: Ticket): boolean => filter !== undefined && fitsIn(ticket, filter, ownId);

  function keep(ticket: Ticket): void {
    const before = known.get(ticket.id);
    if (!before || before.version <= ticket.version) known.set(ticket.id, ticket);
  }

  /** All that fit, in order. */
  function arrange(change: Partial<InboxState> = {}): void {
    const tickets = [...known.values()]
      .filter(fits)
      .sort((a, b) => b.updatedAt.localeCompare(a.updatedAt) || b.number - a.number);
    waiting.clear();
    state.set({ ...state.get(), ...change, tickets, waiting: 0, more: cursor !== null });
  }

  /** The same rows in the same order, each as it is now. */
  function renew(): void {
    const tickets = state.get().tickets.map((ticket) => known.get(ticket.id) ?? ticket);
    state.set({ ...state.get(), tickets, waiting: waiting.size });
  }

  async function read(after: string | null): Promise<void> {
    if (!filter) return;
    const mine = after === null ? ++turn : turn;
    const { status, assignee, ...rest } = filter;
    const whose = assignee === 'me' ? ownId : assignee;
    const page = await api
      .tickets({ ...rest, assignee: whose, status: statusesOf(status), ...(after !== null && { cursor: after }) })
      .catch(() => undefined);
    const all = page?.data.length === 0 ? await api.tickets({ q: '', status: [] }).catch(() => undefined) : undefined;
    if (mine !== turn) return;
    if (page) {
      cursor = page.nextCursor;
      page.data.forEach(keep);
    }
    const change = { loading: false, failed: !page, untouched: known.size === 0 && all?.data.length === 0 };
    isNew = false;
    arrange(change);
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
      if (filter && JSON.stringify(filter) === JSON.stringify(next)) return;
      filter = next;
      turn++;
      isNew = true;
      known.clear();
      waiting.clear();
      cursor = null;
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
      if (state.get().untouched) state.set({ ...state.get(), untouched: false });
      if (isNew) return;
      if (!held) return arrange();
      if (fits(ticket) && ticket.messageCount > (before?.messageCount ?? 0)) waiting.add(ticket.id);
      renew();
    },

    hold(): void {
      held = true;
    },

    /** Lets the list move again. */
    release(): void {
      if (!held) return;
      held = false;
      if (!isNew) arrange();
    },
  };
}

export type Inbox = ReturnType<typeof createInbox>;
