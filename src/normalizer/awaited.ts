import type { Envelope } from '../core/envelope.ts';
import { answerProof } from '../core/mail-address.ts';
import { equalSecrets } from '../core/secret.ts';
import type { Store, Transaction } from '../core/store.ts';
import type { Ticket } from '../core/ticket.ts';
import type { AgentAction } from './actions.ts';
import { knownCustomer } from './identity.ts';
import type { Unit } from './read.ts';

/** A destination that may have asked for answers, and the key that it proves its addresses with. */
export interface Awaiting {
  readonly id: string;
  readonly key: Buffer;
}

export interface AwaitedDeps {
  readonly store: Store;
  readonly awaiting: () => readonly Awaiting[];
}

/** The same words within this time are a machine's that doesn't say so, milliseconds: nobody else may hear them again. */
const REPEATED_MS = 3_600_000;

/**
 * What came to an address at which a destination awaits answers, made what it is: what a proven colleague wrote is done
 * as if he had done it in that destination; of anybody else's the ticket only gets a note, so that no two machines can
 * talk to each other. Whatever names an address that no destination of ours gave out stays a message as all others.
 */
export function createAwaited({ store, awaiting }: AwaitedDeps): (unit: Unit, now: number) => Promise<Unit> {
  /** Machines that say so are left out before. */
  async function toUnit(envelope: Envelope, destination: string, ticket: Ticket, now: number): Promise<Unit> {
    const { as } = envelope.awaited ?? {};
    const message = { ...envelope, awaited: undefined };
    if (as === 'unproven' && (await store.write([], (tx) => isParticipant(tx, envelope, ticket.id)))) {
      return { ...message, thread: { ...envelope.thread, ticket: { number: ticket.number } } };
    }
    const mailed = { destination, ticketId: ticket.id };
    if (as === 'note') return { kind: 'note', ...saidIn(envelope), mailed };
    if (as === 'reply' && !(await isRepeated(envelope, ticket, now))) {
      return { kind: 'reply', ...saidIn(envelope), mailed };
    }
    const why = as === 'reply' ? 'the same was answered within the hour' : 'nothing proves that a colleague answered';
    const said = saidIn(envelope);
    const text = `Mail of ${said.agent} to the address for answers, NOT sent to the customer: ${why}.\n\n${said.text}`;
    return { kind: 'note', ...said, text, mailed: { ...mailed, inside: true } };
  }

  async function isRepeated({ text, attachments }: Envelope, ticket: Ticket, now: number): Promise<boolean> {
    if (attachments.length > 0) return false;
    const { data } = await store.read.timeline(ticket.customer.id, { limit: 50 });
    return data.some(
      (each) =>
        each.ticketId === ticket.id &&
        each.direction === 'outbound' &&
        each.kind === 'message' &&
        each.text === text &&
        now - Date.parse(each.receivedAt) < REPEATED_MS,
    );
  }

  return async (unit, now) => {
    if (!('awaited' in unit) || unit.awaited === undefined) return unit;
    const { number, proof, as } = unit.awaited;
    const asked = awaiting().find(({ key }) => equalSecrets(proof, answerProof(key, number)));
    const ticket = asked && (await store.read.ticketByNumber(number));
    if (!ticket) return { ...unit, awaited: undefined };
    if (as === 'echo') return ignored('own_mail', `what ${asked.id} was sent about #${number} came back`);
    if (unit.automatic !== undefined)
      return ignored(unit.automatic, `a machine's answer to what ${asked.id} was sent about #${number}`);
    return toUnit(unit, asked.id, ticket, now);
  };
}

async function isParticipant(tx: Transaction, { sender }: Envelope, ticketId: string): Promise<boolean> {
  const customerId = await knownCustomer(tx, sender);
  return customerId !== undefined && tx.isParticipant(ticketId, customerId);
}

type Said = Omit<Extract<AgentAction, { kind: 'note' }>, 'kind' | 'mailed'>;

/** Without markup: what he was sent stands in it. */
function saidIn({ externalId, occurredAt, sender, awaited, text, attachments, fields }: Envelope): Said {
  const [identifier] = sender.identifiers;
  const author = [sender.name, identifier && `<${identifier.value}>`].filter(Boolean).join(' ');
  // Of what a colleague passes on, the author is whoever wrote it first.
  const agent = (fields['forwardedBy'] ?? author).slice(0, 1000).toWellFormed();
  return { id: externalId, ticket: `#${awaited?.number ?? 0}`, at: occurredAt, agent, text, attachments };
}

function ignored(name: string, reason: string): Unit {
  return { kind: 'ignored', name, reason };
}
