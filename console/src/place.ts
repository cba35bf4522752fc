import { outcomes, taskStates } from './views.ts';
import type { Outcome, Priority, TaskState, TicketStatus } from './views.ts';

export const sections = ['inbox', 'channels', 'destinations'] as const;
export type Section = (typeof sections)[number];

/** What the address says: where we are, what is open there, and what is looked for. */
export interface Place {
  readonly section: Section;
  /** The ticket, channel or destination that is open. */
  readonly id: string | undefined;
  /** Of the inbox. */
  readonly q: string;
  readonly status: StatusChoice;
  /** Of a channel's events. */
  readonly outcome: Outcome | undefined;
  /** Of deliveries: which are shown, and the one that is open. */
  readonly state: TaskState | undefined;
  readonly delivery: string | undefined;
}

export const statuses = ['new', 'open', 'pending', 'solved', 'closed'] as const satisfies readonly TicketStatus[];
export const priorities = ['low', 'normal', 'high', 'urgent'] as const satisfies readonly Priority[];
export const statusChoices = ['unsolved', 'all', ...statuses] as const;
export type StatusChoice = (typeof statusChoices)[number];

const ID = /^[\w-]{1,128}$/;

export function statusesOf(choice: StatusChoice): readonly TicketStatus[] {
  if (choice === 'all') return [];
  return choice === 'unsolved' ? ['new', 'open', 'pending'] : [choice];
}

export function placeOf({ pathname, search }: { readonly pathname: string; readonly search: string }): Place {
  const [, first, second = ''] = pathname.split('/');
  const section = sections.find((name) => name === first) ?? 'inbox';
  const query = new URLSearchParams(search);
  return {
    section,
    id: (first === 't' || section !== 'inbox') && ID.test(second) ? second : undefined,
    q: (query.get('q') ?? '').slice(0, 200),
    status: statusChoices.find((choice) => choice === query.get('status')) ?? 'unsolved',
    outcome: outcomes.find((outcome) => outcome === query.get('outcome')),
    state: taskStates.find((state) => state === query.get('state')),
    delivery: ID.exec(query.get('delivery') ?? '')?.[0],
  };
}

/** The beginning of a section; the inbox keeps what is looked for. */
export function topOf(section: Section): Partial<Place> {
  return { section, id: undefined, outcome: undefined, state: undefined, delivery: undefined };
}

/** Says of a place only what matters in its section. */
export function addressOf(place: Place): string {
  const query = new URLSearchParams(queryOf(place)).toString();
  return `${pathOf(place)}${query && `?${query}`}`;
}

function pathOf({ section, id }: Place): string {
  if (section === 'inbox') return id === undefined ? '/' : `/t/${id}`;
  return id === undefined ? `/${section}` : `/${section}/${id}`;
}

function queryOf({ section, id, q, status, outcome, state, delivery }: Place): Record<string, string> {
  if (section === 'inbox') return { ...(q && { q }), ...(status !== 'unsolved' && { status }) };
  if (id === undefined) return {};
  return {
    ...(section === 'channels' && outcome && { outcome }),
    ...(state && { state }),
    ...(delivery && { delivery }),
  };
}
