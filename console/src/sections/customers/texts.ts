import type { Language } from '../../texts.ts';
import { count } from './count.ts';
import { ru } from './texts-ru.ts';
import { uk } from './texts-uk.ts';
import type { Trust } from './views.ts';

/** What is said in the section of customers, and beside a ticket about its customer. */
export interface CustomerTexts {
  readonly search: string;
  readonly none: string;
  readonly missing: string;
  readonly since: (time: string) => string;
  readonly export: string;
  readonly language: string;
  readonly identities: string;
  readonly noIdentities: string;
  readonly kinds: Readonly<Record<'email' | 'phone', string>>;
  readonly unclear: string;
  readonly trust: Readonly<Record<Trust, string>>;
  readonly trustWhy: Readonly<Record<Trust, string>>;
  readonly known: (time: string) => string;
  readonly seen: (count: number, channels: string) => string;
  readonly notSeen: string;
  readonly last: string;
  readonly tickets: string;
  readonly noTickets: string;
  readonly ticket: string;
  readonly timeline: string;
  readonly noTimeline: string;
  readonly earlier: string;
  readonly gone: string;
  readonly couldBe: string;
  readonly couldBeHint: string;
  readonly notSame: string;
  readonly toldApart: (name: string) => string;
  readonly there: string;
  readonly here: string;
  readonly merge: string;
  readonly mergeWith: string;
  readonly mergeTitle: string;
  readonly find: string;
  readonly stays: string;
  readonly goes: string;
  readonly turn: string;
  readonly result: (name: string) => string;
  readonly moves: (identities: number, tickets: number, messages: number) => string;
  readonly movesTo: (name: string) => string;
  readonly newest: string;
  readonly reason: string;
  readonly reasonHint: string;
  readonly same: (what: string) => string;
  readonly reversible: string;
  readonly counting: string;
  readonly cancel: string;
  readonly choose: string;
  readonly split: string;
  readonly splitTitle: string;
  readonly splitHint: string;
  readonly leaveOne: string;
  readonly splitOff: string;
  readonly history: string;
  readonly noHistory: string;
  readonly did: Readonly<Record<'merge' | 'merged' | 'split' | 'splitOff' | 'apart', string>>;
  readonly undone: (time: string) => string;
  readonly undo: string;
  readonly undoTitle: string;
  readonly takeBack: string;
  readonly mergedInto: string;
  readonly about: string;
  readonly otherTickets: string;
  readonly fields: string;
  readonly tags: string;
  readonly became: string;
  readonly notSent: string;
  readonly opens: string;
}

const en: CustomerTexts = {
  search: 'Search: name, address, phone',
  none: 'Nobody has written yet.',
  missing: 'There is no such customer.',
  since: (time) => `since ${time}`,
  export: 'Export everything',
  language: 'Language',
  identities: 'Identities',
  noIdentities: 'None.',
  kinds: { email: 'E-mail', phone: 'Phone' },
  unclear: 'unclear',
  trust: { verified: 'vouched for', observed: 'not proven', claimed: 'only said' },
  trustWhy: {
    verified: 'The channel vouches that it is his.',
    observed: 'It came with a message, and can be forged.',
    claimed: 'He typed it himself: it can be somebody else’s.',
  },
  known: (time) => `Known since ${time}`,
  seen: (number, channels) =>
    `${count('en', number, { one: 'message', other: 'messages' })} by it${channels && ` through ${channels}`}`,
  notSeen: 'none of the last messages came by it',
  last: 'the last one',
  tickets: 'Tickets',
  noTickets: 'None.',
  ticket: 'Ticket',
  timeline: 'Everything that was said',
  noTimeline: 'Nothing.',
  earlier: 'Earlier messages',
  gone: 'In no ticket',
  couldBe: 'Could be the same person',
  couldBeHint: 'Nobody is merged by himself for this: look first.',
  notSame: 'Not the same',
  toldApart: (name) => `${name} is not suggested any more.`,
  there: 'there',
  here: 'here',
  merge: 'Merge …',
  mergeWith: 'Merge with another customer …',
  mergeTitle: 'Merge customers',
  find: 'Who is the same person?',
  stays: 'Stays',
  goes: 'Goes into the other one',
  turn: 'The other way round',
  result: (name) => `One customer is left: ${name}.`,
  moves: (identities, tickets, messages) =>
    `${count('en', identities, { one: 'identity', other: 'identities' })}, ${count('en', tickets, { one: 'ticket', other: 'tickets' })} and ${count('en', messages, { one: 'message', other: 'messages' })} move`,
  movesTo: (name) => `to ${name}`,
  newest: 'The newest of these messages',
  reason: 'What says so?',
  reasonHint: 'Kept with it, for whoever asks later.',
  same: (what) => `same ${what}`,
  reversible: 'It can be undone at any time, on either page.',
  counting: 'Counting …',
  cancel: 'Cancel',
  choose: 'Choose',
  split: 'Split …',
  splitTitle: 'Split into two customers',
  splitHint: 'What belongs to somebody else? It leaves with the messages that came by it.',
  leaveOne: 'Leave at least one: somebody has to stay.',
  splitOff: 'Split off',
  history: 'Merges and splits',
  noHistory: 'None.',
  did: {
    merge: 'Merged in',
    merged: 'Merged into',
    split: 'Split off from',
    splitOff: 'Split off',
    apart: 'Not the same person as',
  },
  undone: (time) => `undone ${time}`,
  undo: 'Undo …',
  undoTitle: 'Undo',
  takeBack: 'Undo it',
  mergedInto: 'This customer was merged into another one:',
  about: 'Customer',
  otherTickets: 'Other tickets',
  fields: 'Fields',
  tags: 'Tags',
  became: 'In help desks',
  notSent: 'Nothing was sent there yet.',
  opens: 'opens in a new tab',
};

const byLanguage: Readonly<Record<Language, CustomerTexts>> = { en, uk, ru };

export function customerTextsOf(language: Language): CustomerTexts {
  return byLanguage[language];
}
