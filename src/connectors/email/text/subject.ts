import { FORWARD_PREFIXES, REPLY_PREFIXES } from './vocabulary.ts';

/** A subject without what mail programs put before it. */
export interface BareSubject {
  readonly subject: string;
  /** The first of its prefixes says that the mail is passed on. */
  readonly isForward: boolean;
  /** Some prefix says that it is an answer. */
  readonly isReply: boolean;
}

/** More prefixes than any conversation collects. */
const MOST = 50;

/** `RE[2]: Fwd: Отв: invoice` → invoice. Prefixes as programs of many languages write them. */
export function withoutPrefixes(whole: string): BareSubject {
  let subject = whole.trim();
  let [isForward, isReply] = [false, false];
  for (let count = 0; count < MOST; count++) {
    // Some count: Re[2], Re^3, RE(4), Re: 5: is none.
    const [prefix, name = ''] = /^\[?([\p{L}.]{1,12})(?:[[(^*]\d{1,3}[\])]?)?\s{0,2}[:：]\s{0,5}/u.exec(subject) ?? [];
    const key = name.toLowerCase();
    const [forwards, replies] = [FORWARD_PREFIXES.has(key), REPLY_PREFIXES.has(key)];
    if (prefix === undefined || !(forwards || replies)) break;
    if (count === 0) isForward = forwards;
    isReply ||= replies && !forwards;
    subject = subject.slice(prefix.length);
  }
  return { subject: subject.trim(), isForward, isReply };
}
