import type { Identifier } from '../../../core/envelope.ts';

/**
 * Addresses as Twilio writes them: `+14155550123`, a short code (`72345`), a name (`Sample Bank`), or an id of another
 * network behind its name: `whatsapp:+14155550123`, `whatsapp:US.1349`, `messenger:1234`.
 */
export interface Address {
  /** `sms` where none is written. */
  readonly network: string;
  readonly value: string;
}

export function addressOf(text: string): Address {
  const [, network = 'sms', value = ''] = /^(?:([a-z]{1,20}):)?(.*)$/s.exec(text) ?? [];
  return { network, value };
}

export function isPhone({ value }: Address): boolean {
  return /^\+\d{5,15}$/.test(value);
}

/** A name in place of a number: nothing can be sent to it. */
export function isName(address: Address): boolean {
  return address.network === 'sms' && !isPhone(address) && !/^\d{3,8}$/.test(address.value);
}

/**
 * Who writes from an address. WhatsApp vouches for its numbers, and every network for ids of its own; an SMS carries
 * whatever sender its way lets through.
 */
export function identifierOf(address: Address, channel: string): Identifier {
  const { network, value } = address;
  if (isPhone(address)) return { kind: 'phone', value, trust: network === 'whatsapp' ? 'verified' : 'observed' };
  if (network === 'whatsapp') return { kind: 'whatsapp', value, trust: 'verified' };
  // A short code is another sender in each country, and never a phone.
  return { kind: `${network}:${channel}`, value, trust: network === 'sms' ? 'observed' : 'verified' };
}

/** `theirs/ours`: what a conversation is between. */
export function threadOf(theirs: string, ours: string): string {
  return `${theirs}/${ours}`;
}

/** The ends of a thread, or undefined when it is none of ours. */
export function readThread(thread: string | undefined): { readonly theirs: string; readonly ours: string } | undefined {
  const at = thread?.lastIndexOf('/') ?? -1;
  return thread === undefined || at < 1 ? undefined : { theirs: thread.slice(0, at), ours: thread.slice(at + 1) };
}
