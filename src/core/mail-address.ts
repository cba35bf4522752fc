import { shortProof } from './signature.ts';

/** Our own Message-IDs and reply addresses: both carry the ticket's number with its proof. */

/** What an answer quotes of a ticket, as `Thread.ticket` takes it. */
export interface QuotedTicket {
  readonly number: number;
  readonly proof: string;
}

/** What stands in front of the @, or behind the + in it. Mail servers may change its case on the way. */
const TAG = /^t(\d{1,15})\.([0-9a-v]{26})$/i;
/** The same where colleagues answer: what a customer was given proves nothing there. */
const AWAITED_TAG = /^a(\d{1,15})\.([0-9a-v]{26})$/i;
const OUR_ID = /^<?(t\d{1,15}\.[0-9a-v]{26})\.[\w-]{1,64}@/i;
/** RFC 5321 4.5.3.1.1. */
const LONGEST_LOCAL_PART = 64;
/** More than any address or Message-ID of ours; longer ones aren't even looked at. */
const LONGEST = 400;

/** The Message-ID of an answer, without brackets: the same at every try of it (`unique`). */
export function messageIdFor(ticket: QuotedTicket, unique: string, address: string): string {
  return `t${ticket.number}.${ticket.proof}.${unique.replace(/\W/g, '-').slice(0, 64)}@${domainOf(address)}`;
}

/** `support+t1001.proof@example.com`; undefined when mail servers would cut it. */
export function replyAddressFor(ticket: QuotedTicket, address: string): string | undefined {
  const local = `${localPartOf(address)}+t${ticket.number}.${ticket.proof}`;
  return local.length > LONGEST_LOCAL_PART ? undefined : `${local}@${domainOf(address)}`;
}

/**
 * The ticket that a mail says it belongs to: by the address that it was sent to, else by the newest Message-ID of ours
 * that it answers. Nothing is proven yet: that is up to whoever has the key.
 */
export function ticketOf(addresses: readonly string[], references: readonly string[]): QuotedTicket | undefined {
  for (const address of addresses) {
    const quoted = address.length <= LONGEST ? quotedIn(tagOf(address), TAG) : undefined;
    if (quoted) return quoted;
  }
  for (const reference of references.toReversed()) {
    const quoted = reference.length <= LONGEST ? quotedIn(OUR_ID.exec(reference)?.[1] ?? '', TAG) : undefined;
    if (quoted) return quoted;
  }
  return undefined;
}

/** Purpose of the key (`Context.key`) that a destination proves its addresses for answers with. */
export const ANSWERS_KEY = 'answers';
/** Longest local part that such addresses can be made of: what stands behind it mustn't be cut. */
export const LONGEST_FOR_ANSWERS = 24;

/** Whoever quotes it with the number was given it by that destination. */
export function answerProof(key: Buffer, number: number): string {
  return shortProof(key, `answer ${number}`);
}

/** `support+a1001.proof@example.com`: where a colleague answers what a destination has sent him. */
export function answerAddressFor(ticket: QuotedTicket, address: string): string {
  return `${localPartOf(address)}+a${ticket.number}.${ticket.proof}@${domainOf(address)}`;
}

/** What such an address quotes; nothing is proven yet. */
export function awaitedAt(address: string): QuotedTicket | undefined {
  return address.length <= LONGEST ? quotedIn(tagOf(address), AWAITED_TAG) : undefined;
}

/** Whether a Message-ID has the form of ours. */
export function looksLikeOurs(messageId: string): boolean {
  return messageId.length <= LONGEST && OUR_ID.test(messageId);
}

/** Whether an address is one of ours: as it stands, or with anything behind a +. */
export function isOwnAddress(address: string, own: readonly string[]): boolean {
  if (address.length > LONGEST) return false;
  const given = address.toLowerCase();
  const plain = `${localPartOf(given).split('+', 1)[0]}@${domainOf(given)}`;
  return own.includes(given) || own.includes(plain);
}

/** An address that mail may go to: one mailbox, nothing quoted, no comments, no control characters. */
export function isMailbox(address: string): boolean {
  return address.length <= 254 && /^[^\s@<>()[\]\\,;:"\p{C}]{1,64}@[^\s@<>()[\]\\,;:"\p{C}]{1,253}$/u.test(address);
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

export function localPartOf(address: string): string {
  return address.slice(0, Math.max(0, address.lastIndexOf('@')));
}

function tagOf(address: string): string {
  return localPartOf(address).split('+').at(-1) ?? '';
}

function quotedIn(tag: string, pattern: RegExp): QuotedTicket | undefined {
  const [, number = '', proof = ''] = pattern.exec(tag) ?? [];
  return Number(number) >= 1 ? { number: Number(number), proof: proof.toLowerCase() } : undefined;
}
