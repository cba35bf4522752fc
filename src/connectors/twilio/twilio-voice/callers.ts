import type { Identifier } from '../../../core/envelope.ts';

/** What stands in place of a number that the caller withheld, or that his network lost. */
const WORDS = ['ANONYMOUS', 'BLOCKED', 'PRIVATE', 'RESTRICTED', 'UNAVAILABLE', 'UNKNOWN'];
/** The keys that letters stand on, A to Z. */
const KEYS = '22233344455566677778889999';

/**
 * The same words typed on the keys of a phone: `+266696687` is ANONYMOUS. So they are sent where only digits are, and
 * each would be one customer whom everybody is: https://help.twilio.com/articles/223179988
 */
const SPELLED: ReadonlySet<string> = new Set(WORDS.map((word) => `+${[...word].map(keyOf).join('')}`));

function keyOf(letter: string): string {
  return KEYS[letter.charCodeAt(0) - 65] ?? '';
}

/**
 * Who calls from an address as Twilio writes it: `+14155550123`, `sip:alice@example.com`, `client:alice`,
 * `whatsapp:+14155550123`. Nobody, where he withheld his number. A caller id can be forged; WhatsApp vouches for its own.
 */
export function callerOf(address: string, channel: string): Identifier[] {
  if (isWithheld(address)) return [];
  const [, network, value = ''] = /^(?:(sip|sips|client|whatsapp):)?(.+)$/is.exec(address) ?? [];
  if (network === undefined) return [{ kind: 'phone', value, trust: 'observed' }];
  if (network.toLowerCase() !== 'whatsapp') {
    return [{ kind: `${network.toLowerCase()}:${channel}`, value: value.slice(0, 512), trust: 'observed' }];
  }
  return [{ kind: /^\+\d{5,15}$/.test(value) ? 'phone' : 'whatsapp', value: value.slice(0, 512), trust: 'verified' }];
}

/** Neither a number nor an address: a word, or nothing at all. */
export function isWithheld(address: string): boolean {
  if (SPELLED.has(address)) return true;
  return !/^\+?\d{3,20}$/.test(address) && !/^(sip|sips|client|whatsapp):./is.test(address);
}
