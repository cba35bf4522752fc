import type { Language } from '../../texts.ts';
import type { Outcome, ReadItem } from '../../views.ts';
import { en } from './texts-en.ts';
import type { Rule } from './reason.ts';
import { ru } from './texts-ru.ts';
import { uk } from './texts-uk.ts';

/** How a payload came, where nobody pushed it. */
export const fetchedBy = ['POLL', 'STREAM', 'RECONCILE'] as const;

/** What somebody said has the words that a ticket has for it. */
export type Thing = Exclude<ReadItem['kind'], 'message' | 'form' | 'review' | 'call'>;

/** What only this section says. */
export interface LedgerTexts {
  readonly hint: string;
  readonly balanced: (count: number) => string;
  readonly unbalanced: string;
  readonly find: string;
  readonly where: string;
  readonly anywhere: string;
  readonly since: string;
  readonly further: string;
  readonly soFar: string;
  readonly again: string;
  /** Why it is in its ticket, in a few words. */
  readonly rules: Readonly<Record<Rule, string>>;
  readonly missing: string;
  readonly noEvent: string;
  readonly steps: Readonly<Record<'received' | 'understood' | 'decided' | 'passedOn' | 'others', string>>;
  readonly fetched: Readonly<Record<(typeof fetchedBy)[number], string>>;
  readonly body: string;
  readonly noText: string;
  readonly cut: (size: string) => string;
  readonly asNow: string;
  readonly nothingToRead: string;
  readonly whole: string;
  readonly things: Readonly<Record<Thing, string>>;
  readonly who: string;
  readonly subject: string;
  readonly files: string;
  /** What an outcome means, and what to do. */
  readonly meanings: Readonly<Record<Outcome, string>>;
  readonly movedSince: string;
  readonly fileAgain: string;
  readonly filing: string;
  readonly filed: (outcomes: string) => string;
  readonly noMessage: string;
  readonly noDeliveries: string;
  readonly mayNot: string;
  readonly alone: string;
  readonly item: (number: number) => string;
  readonly thisOne: string;
  readonly allAbout: string;
  readonly copyId: string;
}

const byLanguage: Readonly<Record<Language, LedgerTexts>> = { en, uk, ru };

export function ledgerTextsOf(language: Language): LedgerTexts {
  return byLanguage[language];
}
