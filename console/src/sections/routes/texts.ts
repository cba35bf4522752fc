import type { Language } from '../../texts.ts';
import type { Condition } from './decide.ts';
import { en } from './texts-en.ts';
import { ru } from './texts-ru.ts';
import { uk } from './texts-uk.ts';

/** What only this section says. */
export interface RouteTexts {
  readonly hint: string;
  readonly fromFile: string;
  readonly fromFileHint: string;
  readonly own: string;
  readonly ownHint: string;
  readonly noneOwn: string;
  readonly none: string;
  readonly route: (number: number) => string;
  readonly always: string;
  readonly conditions: Readonly<Record<Condition, string>>;
  readonly goesTo: string;
  readonly stops: string;
  readonly between: (from: string, until: string) => string;
  readonly everyDay: string;
  readonly add: string;
  readonly change: string;
  readonly remove: string;
  readonly up: string;
  readonly down: string;
  readonly nowNumber: (number: number) => string;
  readonly removed: string;
  readonly unsaved: string;
  readonly stale: string;
  readonly tryIt: string;
  readonly trying: string;
  readonly save: string;
  readonly saved: string;
  readonly discard: string;
  readonly addTitle: string;
  readonly changeTitle: (number: number) => string;
  readonly whenTitle: string;
  readonly whenHint: string;
  readonly lines: string;
  readonly languageHint: string;
  readonly customerHint: string;
  readonly fieldName: string;
  readonly fieldValues: string;
  readonly addField: string;
  readonly removeField: (name: string) => string;
  readonly sometimes: string;
  readonly zone: string;
  readonly days: string;
  readonly daysHint: string;
  readonly from: string;
  readonly until: string;
  readonly untilHint: string;
  readonly needsOne: string;
  readonly stopLabel: string;
  readonly noDestinations: string;
  readonly done: string;
  readonly cancel: string;
  readonly trial: string;
  readonly trialHint: string;
  readonly noMessages: string;
  readonly differs: (count: number, all: number) => string;
  readonly same: (all: number) => string;
  readonly destination: string;
  readonly now: string;
  readonly then: string;
  readonly nowhere: string;
  readonly follows: (name: string) => string;
  readonly elsewhere: string;
  readonly asBefore: (count: number) => string;
  readonly ticket: (number: number) => string;
}

const byLanguage: Readonly<Record<Language, RouteTexts>> = { en, uk, ru };

export function routeTextsOf(language: Language): RouteTexts {
  return byLanguage[language];
}
