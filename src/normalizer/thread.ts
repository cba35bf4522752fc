import { shortProof } from '../core/signature.ts';
import { equalSecrets } from '../core/secret.ts';
import type { Envelope } from '../core/envelope.ts';
import type { MessageRow, TicketRow } from '../core/rows.ts';
import type { Transaction } from '../core/store.ts';
import type { Message } from '../core/ticket.ts';
import { cleanLine } from './canonical.ts';

export interface ThreadPolicy {
  /** How long after its last message a customer's open ticket takes a new one, milliseconds. */
  readonly joinWithinMs: number;
  /** How long after it was closed a ticket is opened again, milliseconds. */
  readonly reopenWithinMs: number;
  /** Calls that open a ticket: missed ones, those of customers that were answered too, all. */
  readonly calls: 'missed' | 'inbound' | 'all';
}

export interface Question {
  readonly endpointId: string;
  readonly envelope: Envelope;
  /** Undefined for what agents wrote elsewhere, and for whom we don't know. */
  readonly customerId: string | undefined;
  /** What the channel calls a thread: see `ConnectorCapabilities.threads`. */
  readonly threads: 'person' | 'topic';
  readonly now: number;
}

export interface Answer {
  /** Undefined: a new ticket. */
  readonly ticket: TicketRow | undefined;
  readonly rule: Message['threadedBy']['rule'];
  readonly evidence: string;
  /** The ticket found was closed within its window and is opened again. */
  readonly reopens: boolean;
}

/** The proof that goes with a ticket number that we send out: who quotes it has had our message. */
export function ticketProof(key: Buffer, number: number): string {
  return shortProof(key, `ticket ${number}`);
}

/**
 * Which ticket? Strongest rule first: our own number with its proof, a reference to a message we have,
 * the vendor's thread, the customer's recent open ticket, a new one. A number or a reference counts only
 * with a proof or from a participant; otherwise it opens a ticket of its own that says what it claims.
 */
export async function resolveTicket(
  tx: Transaction,
  question: Question,
  deps: { readonly policy: ThreadPolicy; readonly proofKey: Buffer },
): Promise<Answer> {
  const unused: Unused = { claims: [], others: [] };
  const quoted = (await byNumber(tx, question, deps.proofKey, unused)) ?? (await byReference(tx, question, unused));
  const answered = quoted && (await current(tx, quoted, question.now, deps.policy));
  if (answered?.ticket) return answered;
  const isFree = unused.claims.length + unused.others.length === 0;
  // What was quoted is closed for good: the conversation may have gone on elsewhere.
  const found =
    (await byThread(tx, question)) ?? (isFree && !answered ? await byRecent(tx, question, deps.policy) : undefined);
  if (!found) return answered ?? newTicket(whyNew(unused));
  return current(tx, found, question.now, deps.policy);
}

/** Tickets, as `#1001`, that it names and may not continue. */
interface Unused {
  /** He is no participant and has no proof. */
  readonly claims: string[];
  /** They are about something else. */
  readonly others: string[];
}

function whyNew({ claims, others }: Unused): string {
  if (claims.length > 0) return `claims to continue ${claims.join(' and ')}, unverified`;
  return others.length > 0 ? `another subject than ${others.join(' and ')}` : 'nothing it belongs to';
}

interface Found {
  readonly ticket: TicketRow;
  readonly rule: Answer['rule'];
  readonly evidence: string;
}

function newTicket(evidence: string): Answer {
  return { ticket: undefined, rule: 'new', evidence, reopens: false };
}

async function byNumber(tx: Transaction, question: Question, key: Buffer, unused: Unused): Promise<Found | undefined> {
  const quoted = question.envelope.thread.ticket;
  if (!quoted) return undefined;
  const ticket = await tx.ticketByNumber(quoted.number);
  if (!ticket || isOther(question, ticket, unused)) return undefined;
  if (quoted.proof !== undefined && equalSecrets(quoted.proof, ticketProof(key, quoted.number))) {
    return { ticket, rule: 'ticket_number', evidence: `#${quoted.number} with our proof` };
  }
  if (await participates(tx, question, ticket)) {
    return { ticket, rule: 'ticket_number', evidence: `#${quoted.number}, quoted by a participant` };
  }
  unused.claims.push(`#${quoted.number}`);
  return undefined;
}

async function byReference(tx: Transaction, question: Question, unused: Unused): Promise<Found | undefined> {
  for (const reference of question.envelope.thread.references.toReversed()) {
    const message = await messageNamed(tx, question, reference);
    const ticket = message && (await tx.ticket(message.ticketId));
    if (!ticket || isOther(question, ticket, unused)) continue;
    // Whoever got in by a proof may go on with what he wrote there.
    const isHis = message.direction === 'inbound' && message.customerId === question.customerId;
    if (isHis || (await participates(tx, question, ticket))) {
      return { ticket, rule: 'reference', evidence: `answers ${reference}` };
    }
    unused.claims.push(`#${ticket.number}`);
    return undefined;
  }
  return undefined;
}

async function messageNamed(
  tx: Transaction,
  { endpointId, envelope }: Question,
  externalId: string,
): Promise<MessageRow | undefined> {
  for (const endpoint of [endpointId, ...(envelope.thread.siblings ?? [])]) {
    const message = (await tx.findMessage(endpoint, externalId)) ?? (await tx.messageOfPart(endpoint, externalId));
    if (message) return message;
  }
  return undefined;
}

/** Whether it may not be continued, being about something else; then it is noted. */
function isOther({ envelope: { thread } }: Question, ticket: TicketRow, { others }: Unused): boolean {
  const { about } = thread;
  if (about?.rule !== 'only' || isAbout(ticket, about.subject)) return false;
  if (!others.includes(`#${ticket.number}`)) others.push(`#${ticket.number}`);
  return true;
}

/** The ticket's subject may have "Re:" and the like before it. */
function isAbout(ticket: TicketRow, subject: string): boolean {
  const [whole, part] = [ticket.subject, subject].map((text) => cleanLine(text).replace(/\s+/g, ' ').toLowerCase());
  if (whole === undefined || part === undefined || !whole.endsWith(part)) return false;
  const before = whole.slice(0, whole.length - part.length).trimEnd();
  return before === '' || /[:：\]]$/.test(before);
}

/** What agents wrote elsewhere comes from the vendor, who needs no proof. */
async function participates(tx: Transaction, question: Question, ticket: TicketRow): Promise<boolean> {
  const { customerId, envelope } = question;
  if (envelope.direction === 'outbound') return true;
  return customerId !== undefined && (await tx.isParticipant(ticket.id, customerId));
}

async function byThread(tx: Transaction, { endpointId, envelope }: Question): Promise<Found | undefined> {
  const { externalId } = envelope.thread;
  if (externalId === undefined) return undefined;
  const ticket = await tx.ticketOfThread(endpointId, externalId);
  return ticket && { ticket, rule: 'thread', evidence: `thread ${externalId}` };
}

/** How long an answer that doesn't say what it answers may take, milliseconds. */
const GUESS_WITHIN_MS = 30 * 24 * 3_600_000;

async function byRecent(tx: Transaction, question: Question, policy: ThreadPolicy): Promise<Found | undefined> {
  const { customerId, envelope, threads, now } = question;
  if (customerId === undefined) return undefined;
  const { about, shared, externalId } = envelope.thread;
  if (about?.rule === 'guess') {
    const ticket = await tx.recentOpenTicket(customerId, now - GUESS_WITHIN_MS);
    const isIt = ticket !== undefined && about.subject !== '' && isAbout(ticket, about.subject);
    return isIt
      ? { ticket, rule: 'recent', evidence: `answers "${about.subject}", as #${ticket.number} is called` }
      : undefined;
  }
  // A vendor's thread that is a subject or a group of its own, and new here, is a new conversation.
  const own = threads === 'topic' || shared === true;
  if (own && externalId !== undefined) return undefined;
  const ticket = await tx.recentOpenTicket(customerId, now - policy.joinWithinMs);
  return ticket && { ticket, rule: 'recent', evidence: `the customer's open ticket #${ticket.number}` };
}

/** Follows merges, and decides about closed tickets: open again within the window, else a new one. */
async function current(tx: Transaction, found: Found, now: number, policy: ThreadPolicy): Promise<Answer> {
  let { ticket } = found;
  for (let hops = 0; ticket.mergedInto !== null && hops < 20; hops++) {
    const next = await tx.ticket(ticket.mergedInto);
    if (!next) break;
    ticket = next;
  }
  const closed = ticket.status === 'solved' || ticket.status === 'closed';
  if (closed && now - (ticket.closedAt ?? 0) > policy.reopenWithinMs) {
    return newTicket(`continues #${ticket.number}, which was closed too long ago`);
  }
  return { ticket, rule: found.rule, evidence: found.evidence, reopens: closed };
}
