import type { Language } from '../../texts.ts';
import type { Role } from '../../views.ts';
import type { Fault } from './entered.ts';
import { en } from './texts-en.ts';
import { ru } from './texts-ru.ts';
import { uk } from './texts-uk.ts';

/** What is said where a channel or a destination is connected, changed and waited for. */
export interface ConnectTexts {
  readonly intro: Readonly<Record<Role, string>>;
  readonly search: string;
  readonly types: (count: number) => string;
  readonly local: string;
  readonly publicly: string;
  readonly twoWay: string;
  readonly inOnly: string;
  readonly carries: Readonly<Record<string, string>>;
  readonly stability: Readonly<Record<'alpha' | 'beta', string>>;
  readonly noSuchType: string;
  readonly mayNot: string;
  readonly otherType: string;
  readonly frame: {
    readonly id: string;
    readonly idHint: string;
    readonly name: string;
    readonly nameHint: string;
    readonly autoReply: string;
    readonly autoReplyHint: string;
    readonly enabled: string;
    readonly enabledHint: string;
  };
  readonly required: string;
  readonly more: (count: number) => string;
  readonly choose: string;
  readonly fallback: (value: string) => string;
  readonly perLine: string;
  readonly asJson: string;
  readonly kept: (mask: string) => string;
  readonly takeAway: string;
  readonly takeAwayOf: (what: string) => string;
  readonly add: string;
  readonly addTo: (what: string) => string;
  readonly entry: (what: string, number: number) => string;
  readonly pairName: string;
  readonly pairValue: string;
  readonly draft: string;
  readonly discard: string;
  readonly submit: string;
  readonly submitting: string;
  readonly save: string;
  readonly faults: Readonly<Record<Fault | 'taken' | 'reserved', string>>;
  readonly faulty: (count: number) => string;
  readonly toPage: string;
  readonly fromFile: (place: string) => string;
  readonly remove: Readonly<Record<Role, string>>;
  readonly removeHint: Readonly<Record<Role, string>>;
  readonly typeId: (id: string) => string;
  readonly waiting: {
    readonly title: Readonly<Record<Role, string>>;
    readonly arrived: string;
    readonly ready: string;
    readonly credentials: string;
    readonly trying: string;
    readonly tryAgain: string;
    readonly correct: string;
    readonly way: string;
    readonly registered: string;
    readonly fetched: string;
    readonly local: string;
    readonly first: Readonly<Record<Role, string>>;
    readonly firstHint: string;
    readonly elapsed: string;
    readonly refused: (count: number) => string;
    readonly came: string;
    readonly toTicket: string;
    readonly finish: string;
    readonly link: string;
    readonly code: string;
    readonly codeHint: string;
    readonly done: string;
    readonly open: string;
    readonly bad: string;
    readonly toRoutes: string;
    readonly routesHint: string;
  };
}

const byLanguage: Readonly<Record<Language, ConnectTexts>> = { uk, ru, en };

export function connectTexts(language: Language): ConnectTexts {
  return byLanguage[language];
}
