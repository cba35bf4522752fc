import type { Delivery, Destination, TicketRef, TicketUpdate } from '../../src/core/destination.ts';
import { RetryableError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/ticket.ts';

/** A ticket as the help desk has it. */
export interface DeskTicket {
  readonly externalId: string;
  /** Ours. */
  readonly number: number;
  /** Texts in order, what came as transcript too. */
  readonly texts: string[];
  readonly files: string[];
  status: string;
  priority: string;
}

/** A help desk in memory that keeps tickets, and breaks in the way that a test says. */
export interface HelpDesk {
  readonly destination: Destination;
  readonly tickets: DeskTicket[];
  /** Names of the calls so far. */
  readonly calls: string[];
  /** What happens at the next calls: `before` it acts, or after it did, so that the answer is lost. */
  fail(when: 'before' | 'after', error?: Error): void;
  recover(): void;
  /** Called in the middle of every create and append. */
  during: () => Promise<void>;
  /** The id that the next ticket gets. */
  nextId: (() => string) | undefined;
}

const lost = () => new RetryableError('the connection was closed before the answer', { outcomeUnknown: true });

/** `asks`: whether it can be asked what it has (`findTicket`, `hasMessage`). */
export function createHelpDesk(asks: 'can be asked' | 'tells nothing' = 'can be asked'): HelpDesk {
  const tickets: DeskTicket[] = [];
  const calls: string[] = [];
  let failing: { readonly when: 'before' | 'after'; readonly error: Error } | undefined;

  async function act<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    calls.push(name);
    if (failing?.when === 'before') throw failing.error;
    const result = await work();
    if (failing) throw failing.error;
    return result;
  }
  const ticketOf = (ref: TicketRef) => tickets.find((ticket) => ticket.externalId === ref.externalId)!;
  const textOf = (message: Message) => `${message.direction === 'outbound' ? '> ' : ''}${message.text}`;
  async function add(ticket: DeskTicket, delivery: Delivery): Promise<void> {
    await desk.during();
    ticket.texts.push(...delivery.transcript.map(textOf), textOf(delivery.message));
    for (const { id, name, state } of delivery.message.attachments) {
      let bytes = '';
      if (state === 'stored') for await (const part of await delivery.open(id)) bytes += String(part);
      ticket.files.push(`${name}: ${state} ${bytes}`.trim());
    }
  }

  const destination: Destination = {
    createTicket: (delivery) =>
      act('create', async () => {
        const externalId = desk.nextId?.() ?? `D-${tickets.length + 1}`;
        const { number, status, priority } = delivery.ticket;
        const ticket: DeskTicket = { externalId, number, status, priority, texts: [], files: [] };
        tickets.push(ticket);
        await add(ticket, delivery);
        return { externalId, url: `https://desk.example.test/${externalId}` };
      }),
    addMessage: (ref, delivery) => act('append', () => add(ticketOf(ref), delivery)),
    update: (ref: TicketRef, update: TicketUpdate) =>
      act('update', () => {
        const { status, priority } = ticketOf(ref);
        Object.assign(ticketOf(ref), { status: update.status ?? status, priority: update.priority ?? priority });
      }),
    ...(asks === 'can be asked' && {
      findTicket: async (ticket) => {
        calls.push('find');
        const found = tickets.find((each) => each.number === ticket.number);
        return found && { externalId: found.externalId };
      },
      hasMessage: async (ref, message) => {
        calls.push('has');
        return ticketOf(ref).texts.includes(textOf(message));
      },
    }),
  };

  const desk: HelpDesk = {
    destination,
    tickets,
    calls,
    fail: (when, error = lost()) => void (failing = { when, error }),
    recover: () => void (failing = undefined),
    during: async () => undefined,
    nextId: undefined,
  };
  return desk;
}
