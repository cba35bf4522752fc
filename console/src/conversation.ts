import { ApiFailure } from './api.ts';
import type { Api } from './api.ts';
import { createCell } from './cell.ts';
import { isAsSeen } from './fits.ts';
import type { Change, Customer, Message, TicketPatch, TicketView } from './views.ts';

export interface Conversation {
  readonly id: string;
  readonly ticket?: TicketView;
  readonly customer?: Customer;
  /** Oldest first. */
  readonly messages: readonly Message[];
  readonly loading: boolean;
  /** HTTP status of why it can't be shown; 0 when nothing was answered. */
  readonly failed?: number;
  /** Why the last change of the ticket was not made. */
  readonly problem?: unknown;
}

/** What changes who may be answered how is looked up a moment later, once for many changes. */
const PAUSE_MS = 300;
/** Changes after which messages may belong to another ticket, or tickets to another person. */
const REGROUPED: ReadonlySet<string> = new Set(['ticket.merged', 'customer.merged', 'customer.split']);

/** The ticket that is open, with its messages, kept up to date. */
export function createConversation(api: Api) {
  const state = createCell<Conversation | undefined>(undefined);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let turn = 0;

  /** What the feed brought while the whole was being read: it is at least as new. */
  const fromFeed = new Map<string, Message>();

  const isOpen = (id: string) => state.get()?.id === id;

  function amend(id: string, change: Partial<Conversation>): void {
    const now = state.get();
    if (now?.id === id) state.set({ ...now, ...change });
  }

  /** Shows an answer of the API, unless the feed has brought something newer in the meantime. */
  function show(ticket: TicketView): void {
    const before = state.get()?.ticket;
    const isOlder = before?.id === ticket.id && before.version > ticket.version;
    amend(ticket.id, { ticket: isOlder ? { ...before, replyChannels: ticket.replyChannels } : ticket });
  }

  async function allMessages(id: string): Promise<readonly Message[]> {
    const messages: Message[] = [];
    let cursor: string | null = null;
    do {
      const page = await api.messages(id, cursor);
      messages.push(...page.data);
      cursor = page.nextCursor;
    } while (cursor !== null && isOpen(id));
    return messages;
  }

  async function read(id: string): Promise<void> {
    const mine = ++turn;
    fromFeed.clear();
    try {
      const [ticket, messages] = await Promise.all([api.ticket(id), allMessages(id)]);
      if (mine !== turn) return;
      const here = new Set(messages.map((message) => message.id));
      const later = [...fromFeed.values()].filter((message) => !here.has(message.id));
      const newest = messages.map((message) => fromFeed.get(message.id) ?? message);
      show(ticket);
      amend(id, { messages: [...newest, ...later], loading: false });
      const customer = await api.customer(ticket.customer.id);
      if (mine === turn) amend(id, { customer });
    } catch (error) {
      if (mine === turn && !state.get()?.ticket) {
        amend(id, { loading: false, failed: error instanceof ApiFailure ? error.status : 0 });
      }
    }
  }

  function readTicketSoon(id: string): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      api.ticket(id).then(show, () => undefined);
    }, PAUSE_MS);
  }

  /** Puts a message of the feed in its place: over the one it replaces, or at the end. */
  function take(message: Message): void {
    const now = state.get();
    if (now?.id !== message.ticketId) return;
    fromFeed.set(message.id, message);
    const index = now.messages.findIndex(({ id }) => id === message.id);
    const messages = index < 0 ? [...now.messages, message] : now.messages.with(index, message);
    state.set({ ...now, messages });
  }

  /**
   * Every message makes a new version of its ticket, our own too: what was changed meanwhile only counts where it is the
   * same that is to be changed, and a ticket isn't resolved over a message that nobody has seen.
   */
  async function update(before: TicketView, patch: TicketPatch): Promise<void> {
    const { id } = before;
    const ticket = await api.update(id, patch, before.version).catch(async (error: unknown) => {
      if (!(error instanceof ApiFailure) || error.status !== 412) throw error;
      const fresh = await api.ticket(id);
      const messages = isOpen(id) ? (state.get()?.messages ?? []) : [];
      if (!isAsSeen(fresh, { ticket: before, messages }, patch)) throw error;
      return api.update(id, patch, fresh.version);
    });
    const view = state.get()?.ticket;
    if (view?.id === id) show({ ...view, ...ticket });
  }

  /** What we have just written, unless the feed was faster: then it has the later state. */
  function takeOwn(message: Message): void {
    if (!state.get()?.messages.some(({ id }) => id === message.id)) take(message);
  }

  return {
    state,

    open(id: string | undefined): void {
      if (id === state.get()?.id) return;
      turn++;
      clearTimeout(timer);
      state.set(id === undefined ? undefined : { id, messages: [], loading: true });
      if (id !== undefined) void read(id);
    },

    refresh(): void {
      const now = state.get();
      if (now) void read(now.id);
    },

    /** Takes in a change of the feed. */
    apply({ type, data: { ticket, message } }: Change): void {
      const now = state.get();
      if (!now) return;
      const left = message && message.ticketId !== now.id && now.messages.some(({ id }) => id === message.id);
      if (left || REGROUPED.has(type)) return void read(now.id);
      if (message) take(message);
      if (ticket?.id !== now.id || !now.ticket) return;
      show({ ...now.ticket, ...ticket });
      readTicketSoon(now.id);
    },

    /** Changes the ticket that is open; whether that was done. If not, `problem` says why, and it is read again. */
    async change(patch: TicketPatch): Promise<boolean> {
      const now = state.get();
      if (!now?.ticket) return false;
      amend(now.id, { problem: undefined });
      try {
        await update(now.ticket, patch);
        return true;
      } catch (problem) {
        amend(now.id, { problem });
        void read(now.id);
        return false;
      }
    },

    async reply(id: string, reply: { readonly text: string; readonly channel: string }, key: string): Promise<void> {
      takeOwn(await api.reply(id, reply, key));
    },

    async note(id: string, text: string, key: string): Promise<void> {
      takeOwn(await api.note(id, { text }, key));
    },
  };
}
export type Conversations = ReturnType<typeof createConversation>;
