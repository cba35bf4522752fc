/** Our own Message-IDs and reply addresses: both carry the ticket's number with its proof. */

/** What an answer quotes of a ticket, as `Thread.ticket` takes it. */
export interface QuotedTicket {
  readonly number: number;
  readonly proof: string;
}

/** What stands in front of the @, or behind the + in it. Mail servers may change its case on the way. */
const TAG = /^t(\d{1,15})\.([0-9a-v]{26})$/i;
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
    const quoted = address.length <= LONGEST ? quotedIn(localPartOf(address).split('+').at(-1) ?? '') : undefined;
    if (quoted) return quoted;
  }
  for (const reference of references.toReversed()) {
    const quoted = reference.length <= LONGEST ? quotedIn(OUR_ID.exec(reference)?.[1] ?? '') : undefined;
    if (quoted) return quoted;
  }
  return undefined;
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

function localPartOf(address: string): string {
  return address.slice(0, Math.max(0, address.lastIndexOf('@')));
}

function quotedIn(tag: string): QuotedTicket | undefined {
  const [, number = '', proof = ''] = TAG.exec(tag) ?? [];
  return Number(number) >= 1 ? { number: Number(number), proof: proof.toLowerCase() } : undefined;
}
