import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Api } from './api.ts';
import type { Cell } from './cell.ts';
import { useCell } from './cell.ts';
import type { Choosing } from './choosing.ts';
import type { Colleagues } from './colleagues.ts';
import type { Command } from './commands.ts';
import type { Conversations } from './conversation.ts';
import type { Density } from './density.ts';
import type { Endpoints } from './endpoints.ts';
import type { Inbox } from './inbox.ts';
import type { Live } from './live.ts';
import type { Route } from './route.ts';
import type { SeenMarks } from './seen.ts';
import type { Language, Texts } from './texts.ts';
import { textsOf } from './texts.ts';
import type { Session } from './views.ts';

/** What the page is made of, lent to every component. */
export interface Parts {
  readonly api: Api;
  readonly session: Session;
  readonly live: Live;
  readonly route: Route;
  readonly inbox: Inbox;
  readonly conversation: Conversations;
  readonly endpoints: Endpoints;
  readonly colleagues: Colleagues;
  readonly seen: SeenMarks;
  readonly language: Cell<Language>;
  readonly density: Cell<Density>;
  /** Whether a single key does something. */
  readonly shortcuts: Cell<'on' | 'off'>;
  /** What the section that is shown adds to what can be done. */
  readonly offered: Cell<readonly Command[]>;
  /** What the page that is open is called, where only its section knows. */
  readonly named: Cell<string | undefined>;
  /** What is being chosen for the ticket that is open, in a palette of its own. */
  readonly choosing: Cell<Choosing | undefined>;
  /** What a screen reader is told next. */
  readonly spoken: Cell<string>;
  /** Which box below the ticket is written in. */
  readonly box: Cell<Box>;
}

export type Box = 'reply' | 'note';

export const PartsContext = createContext<Parts | undefined>(undefined);

export function useParts(): Parts {
  const parts = useContext(PartsContext);
  if (!parts) throw new Error('drawn outside of the page');
  return parts;
}

export function useTexts(): { readonly t: Texts; readonly language: Language } {
  const language = useCell(useParts().language);
  return { t: textsOf(language), language };
}
