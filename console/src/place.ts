import { spans } from './replay.ts';
import type { Span } from './replay.ts';
import { outcomes, taskStates } from './views.ts';
import type { Outcome, Priority, TaskState, TicketStatus } from './views.ts';

export const sections = ['inbox', 'customers', 'channels', 'destinations', 'events'] as const;
export type Section = (typeof sections)[number];

/** What the address says: where we are, what is open there, and what is looked for. */
export interface Place {
  readonly section: Section;
  /** The ticket, customer, channel, destination or event that is open. */
  readonly id: string | undefined;
  /** Of the inbox. */
  readonly q: string;
  readonly status: StatusChoice;
  /** Of the customers: whom somebody looks for. */
  readonly who: string;
  /** Of events, and of those of a channel. */
  readonly outcome: Outcome | undefined;
  /** Of events: what is looked for, where they came in, and how long ago at most. */
  readonly find: string;
  readonly from: string | undefined;
  readonly span: Span;
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
    ...soughtIn(section, query),
    status: statusChoices.find((choice) => choice === query.get('status')) ?? 'unsolved',
    outcome: outcomes.find((outcome) => outcome === query.get('outcome')),
    state: taskStates.find((state) => state === query.get('state')),
    delivery: idIn(query, 'delivery'),
    from: idIn(query, 'endpoint'),
    span: spans.find((span) => span === query.get('since')) ?? 'all',
  };
}

/** The inbox, the customers and the events are searched by themselves. */
function soughtIn(section: Section, query: URLSearchParams): Pick<Place, 'q' | 'who' | 'find'> {
  const sought = (query.get('q') ?? '').slice(0, 200);
  const nothing = { q: '', who: '', find: '' };
  if (section === 'customers') return { ...nothing, who: sought };
  return section === 'events' ? { ...nothing, find: sought } : { ...nothing, q: sought };
}

function idIn(query: URLSearchParams, name: string): string | undefined {
  return ID.exec(query.get(name) ?? '')?.[0];
}

/** The beginning of a section; the inbox and the customers keep what is looked for. */
export function topOf(section: Section): Partial<Place> {
  const nothing = { outcome: undefined, state: undefined, delivery: undefined, from: undefined } as const;
  return { section, id: undefined, ...nothing, find: '', span: 'all' };
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

function inboxQueryOf({ q, status }: Place): Record<string, string> {
  return { ...(q && { q }), ...(status !== 'unsolved' && { status }) };
}

function customerQueryOf({ id, who }: Place): Record<string, string> {
  return { ...(id === undefined && who && { q: who }) };
}

function queryOf(place: Place): Record<string, string> {
  const { section, id, outcome, state, delivery } = place;
  if (section === 'inbox') return inboxQueryOf(place);
  if (section === 'events') return eventQueryOf(place);
  if (section === 'customers') return customerQueryOf(place);
  if (id === undefined) return {};
  return {
    ...(section === 'channels' && outcome && { outcome }),
    ...(state && { state }),
    ...(delivery && { delivery }),
  };
}

function eventQueryOf({ id, find, from, outcome, span, delivery }: Place): Record<string, string> {
  return {
    ...(find && { q: find }),
    ...(from !== undefined && { endpoint: from }),
    ...(outcome && { outcome }),
    ...(span !== 'all' && { since: span }),
    ...(id !== undefined && delivery !== undefined && { delivery }),
  };
}
