/** What Twilio's numbers mean to those who answer customers: https://www.twilio.com/docs/api/errors */
interface Code {
  readonly text: string;
  /** What to do. */
  readonly hint?: string;
}

const CODES: Readonly<Record<number, Code>> = {
  21205: { text: 'Twilio cannot call us back', hint: 'Set PUBLIC_URL to an address that Twilio reaches.' },
  21210: { text: 'our number is none that this account may call from' },
  21211: { text: 'not a number that can be written to' },
  21215: {
    text: 'calls to this country are not switched on',
    hint: 'Switch it on in the Twilio Console: Voice, Settings, Geo permissions.',
  },
  21216: { text: 'calls to this number are blocked by Twilio' },
  21219: {
    text: 'a trial account calls verified numbers only',
    hint: 'Verify the number in the Twilio Console, or upgrade the account.',
  },
  21408: {
    text: 'this country is not switched on',
    hint: 'Switch it on in the Twilio Console: Messaging, Settings, Geo permissions.',
  },
  21606: { text: 'our number is none that this account may send from' },
  21608: {
    text: 'a trial account writes to verified numbers only',
    hint: 'Verify the number in the Twilio Console, or upgrade the account.',
  },
  21609: { text: 'Twilio cannot call us back', hint: 'Set PUBLIC_URL to an address that Twilio reaches.' },
  21610: {
    text: 'the customer has unsubscribed (STOP)',
    hint: 'He gets messages from this number again after he has written START to it; until then use another channel.',
  },
  21612: { text: 'there is no way from our number to this one', hint: 'Answer from a number of his country.' },
  21614: { text: 'this number takes no SMS' },
  21617: { text: 'longer than 1,600 characters' },
  21659: { text: 'our number is none that this account may send from' },
  30001: { text: 'too many messages are waiting to go out' },
  30002: { text: 'the account is suspended' },
  30003: { text: 'the phone is switched off or out of reach' },
  30004: { text: 'blocked by the recipient or his network' },
  30005: { text: 'the number is unknown' },
  30006: { text: 'a landline, or a network that takes no SMS' },
  30007: { text: 'filtered as unwanted by the network' },
  30008: { text: 'no reason given by the network' },
  30019: { text: 'too long for this network' },
  30034: { text: 'our number is not registered for business messages to the USA (A2P 10DLC)' },
  63003: { text: 'not reached there: the number may not have WhatsApp' },
  63015: { text: 'the sandbox writes only to who has joined it' },
  63016: {
    text: 'more than 24 hours since the customer wrote: only templates may be sent',
    hint: 'Send a template, or wait until the customer writes.',
  },
  63018: { text: 'too many messages in a short time' },
  63024: { text: 'this recipient can not be written to' },
};

/** A number with its meaning: `21610: the customer has …`. */
export function codeText(code: number, said?: string): string {
  const text = CODES[code]?.text ?? said ?? `see https://www.twilio.com/docs/api/errors/${code}`;
  return `${code}: ${text}`;
}

export function codeHint(code: number): string {
  return CODES[code]?.hint ?? `https://www.twilio.com/docs/api/errors/${code} says what to do.`;
}
