import type { Address } from './addresses.ts';
import type { Section, StatusChoice } from './place.ts';
import { en } from './texts-en.ts';
import { ru } from './texts-ru.ts';
import { uk } from './texts-uk.ts';
import type { Group } from './health.ts';
import type { Density } from './density.ts';
import type { Span } from './replay.ts';
import type { HealthState, Message, Outcome, Priority, Role, TaskState, TicketStatus } from './views.ts';

type DeliveryState = NonNullable<Message['delivery']>['state'];
type Rule = Message['threadedBy']['rule'];

/** Everything that the console says, in one language. */
export interface Texts {
  readonly inbox: string;
  readonly search: string;
  readonly statusFilter: string;
  readonly choices: Readonly<Record<Extract<StatusChoice, 'unsolved' | 'all'>, string>>;
  readonly statuses: Readonly<Record<TicketStatus, string>>;
  readonly priorities: Readonly<Record<Priority, string>>;
  readonly status: string;
  readonly priority: string;
  /** Of a pill: that many tickets with something new. */
  readonly fresh: (count: number) => string;
  /** Read out: messages that have come, and from whom the last one is. */
  readonly arrived: (count: number, last: string) => string;
  readonly more: string;
  readonly unread: string;
  readonly unnamed: string;
  readonly noSubject: string;
  readonly kinds: Readonly<Record<Message['kind'], string>>;
  readonly you: string;
  readonly colleague: string;
  readonly program: string;
  readonly unverified: string;
  readonly unverifiedWhy: string;
  readonly deleted: string;
  readonly automatic: string;
  readonly details: string;
  readonly fullText: string;
  readonly rules: Readonly<Record<Rule, string>>;
  readonly wholeWay: string;
  readonly evidence: string;
  readonly received: string;
  readonly externalId: string;
  readonly revision: string;
  readonly deliveries: Readonly<Record<DeliveryState, string>>;
  readonly fileWaiting: string;
  readonly fileFailed: string;
  readonly call: string;
  readonly outcomes: Readonly<Record<NonNullable<Message['call']>['outcome'], string>>;
  readonly seconds: (count: number) => string;
  readonly rating: (rating: number, most: number) => string;
  readonly messages: string;
  readonly mergedInto: string;
  readonly reply: string;
  readonly note: string;
  readonly replyVia: string;
  readonly replyLabel: string;
  readonly noteLabel: string;
  readonly noteHint: string;
  readonly noWay: string;
  /** What is special about an answer below a review. */
  readonly public: string;
  readonly replaces: string;
  readonly longest: (count: number) => string;
  readonly until: (time: string) => string;
  readonly send: string;
  readonly sending: string;
  readonly saveNote: string;
  readonly sendHint: string;
  readonly failed: (why: string) => string;
  readonly noAnswer: string;
  readonly back: string;
  readonly live: string;
  readonly reconnecting: (time: string) => string;
  readonly empty: {
    readonly title: string;
    readonly text: string;
    readonly open: string;
    readonly or: string;
    readonly copy: string;
    readonly copied: string;
    readonly noForm: string;
    readonly nothingFound: string;
    readonly nothingHere: string;
    readonly everywhere: string;
    readonly choose: string;
    readonly missing: string;
    readonly broken: string;
    readonly again: string;
  };
  readonly keys: {
    readonly title: string;
    readonly on: string;
    readonly switchOn: string;
    readonly switchOff: string;
    readonly close: string;
    readonly move: string;
    readonly open: string;
    readonly back: string;
    readonly reply: string;
    readonly note: string;
    readonly search: string;
    readonly send: string;
    readonly help: string;
  };
  readonly navigation: string;
  readonly sections: Readonly<Record<Section, string>>;
  /** The palette of everything that can be done. */
  readonly commands: string;
  readonly goTo: string;
  readonly roles: Readonly<Record<Role, string>>;
  readonly density: string;
  readonly densities: Readonly<Record<Density, string>>;
  readonly health: {
    readonly states: Readonly<Record<HealthState, string>>;
    readonly off: string;
    readonly groups: Readonly<Record<Group, string>>;
    readonly alarming: (count: number) => string;
    readonly switchedOff: string;
    readonly refused: string;
    readonly stopped: string;
    readonly until: (time: string) => string;
    readonly quiet: (time: string) => string;
    readonly first: Readonly<Record<Role, string>>;
    readonly unread: (time: string) => string;
    readonly failures: (count: number) => string;
    readonly lastIn: string;
    readonly lastOut: string;
    readonly waiting: string;
    readonly oldest: string;
    readonly dead: string;
    readonly failed: string;
    readonly lastError: string;
    readonly quarantined: string;
    readonly reconciled: string;
    readonly missed: string;
    readonly never: string;
  };
  readonly endpoints: {
    readonly none: Readonly<Record<Role, string>>;
    readonly missing: Readonly<Record<Role, string>>;
    readonly source: (place: string) => string;
    readonly overApi: string;
    readonly connect: Readonly<Record<Role, string>>;
    readonly settings: string;
    readonly stale: (time: string) => string;
    readonly tryOut: string;
    readonly trying: string;
    readonly resume: string;
    readonly health: string;
    readonly addresses: string;
    readonly address: Readonly<Record<Address['kind'], string>>;
    readonly cut: string;
    readonly refused: string;
    readonly refusedHint: string;
    readonly noRefused: string;
    readonly bytes: (count: number) => string;
    readonly headers: string;
    readonly events: string;
    readonly noEvents: string;
    readonly anyOutcome: string;
    readonly outcome: string;
    readonly outcomes: Readonly<Record<Outcome, string>>;
    readonly toTicket: string;
    readonly payload: string;
    readonly gone: string;
  };
  readonly delivery: {
    readonly title: string;
    readonly any: string;
    readonly state: string;
    readonly states: Readonly<Record<TaskState, string>>;
    readonly none: string;
    readonly missing: string;
    readonly next: (time: string) => string;
    readonly replayAsked: (time: string) => string;
    readonly again: string;
    readonly lookFirst: string;
    readonly twice: string;
    readonly attempts: string;
    readonly attempt: (number: number) => string;
    readonly noAttempts: string;
    readonly request: string;
    readonly response: string;
    readonly many: string;
    readonly manyTitle: string;
    readonly since: string;
    readonly spans: Readonly<Record<Span, string>>;
    readonly counting: string;
    readonly count: (count: number) => string;
    readonly send: (count: number) => string;
    readonly cancel: string;
    readonly asked: (count: number) => string;
    readonly noted: string;
    readonly takeBack: string;
  };
  readonly language: string;
  readonly signOut: string;
  readonly api: string;
}

export const languages = { uk: 'Українська', ru: 'Русский', en: 'English' } as const;
export type Language = keyof typeof languages;

const byLanguage: Readonly<Record<Language, Texts>> = { uk, ru, en };

export function textsOf(language: Language): Texts {
  return byLanguage[language];
}

/** The first of the wished languages that we have, else English. */
export function languageOf(wishes: readonly (string | undefined)[]): Language {
  for (const wish of wishes) {
    const tag = wish?.toLowerCase().split('-')[0];
    if (tag === 'uk' || tag === 'ru' || tag === 'en') return tag;
  }
  return 'en';
}
