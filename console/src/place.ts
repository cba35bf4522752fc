import { spans } from './replay.ts';
import type { Span } from './replay.ts';
import { outcomes, taskStates } from './views.ts';
import type { Outcome, Priority, TaskState, TicketStatus } from './views.ts';

export const sections = ['inbox', 'customers', 'channels', 'destinations', 'routes', 'events'] as const;
export type Section = (typeof sections)[number];

/** What the address says: where we are, what is open there, and what is looked for. */
export interface Place {
  readonly section: Section;
  /** The ticket, customer, channel, destination or event that is open. */
  readonly id: string | undefined;
  /** Whether something is connected (its type is chosen, or entered), or the one that is open changed. */
  readonly task: 'look' | 'choose' | 'make' | 'change';
  /** Of what is connected. */
  readonly type: string | undefined;
  /** Of the inbox. */
  readonly q: string;
  readonly status: StatusChoice;
  /** `me`, `none` or who has the ticket. */
  readonly assignee: string | undefined;
  readonly channel: string | undefined;
  readonly team: string | undefined;
  readonly tag: string | undefined;
  readonly priority: Priority | undefined;
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

/** Sections with things that are connected and changed. */
const CONNECTED: ReadonlySet<Section> = new Set(['channels', 'destinations']);
const TYPE = /^[a-z0-9_]{1,100}$/;

/** What the path says of a section that has things to connect. */
function taskOf(second: string, third: string): Pick<Place, 'id' | 'task' | 'type'> {
  if (second === 'new') {
    return TYPE.test(third)
      ? { id: undefined, task: 'make', type: third }
      : { id: undefined, task: 'choose', type: undefined };
  }
  if (!ID.test(second)) return { id: undefined, task: 'look', type: undefined };
  return { id: second, task: third === 'settings' ? 'change' : 'look', type: undefined };
}

function openIn(section: Section, first: string | undefined, second: string): Pick<Place, 'id'> {
  // Routes are one page: they count together.
  const opens = section === 'inbox' ? first === 't' : section !== 'routes';
  return { id: opens && ID.test(second) ? second : undefined };
}

/** From one place to the next: what was being connected or changed is left. */
export function stepFrom(place: Place, change: Partial<Place>): Place {
  return { ...place, task: 'look', type: undefined, ...change };
}

export function placeOf({ pathname, search }: { readonly pathname: string; readonly search: string }): Place {
  const [, first, second = '', third = ''] = pathname.split('/');
  const section = sections.find((name) => name === first) ?? 'inbox';
  const query = new URLSearchParams(search);
  return {
    section,
    ...(CONNECTED.has(section)
      ? taskOf(second, third)
      : { ...openIn(section, first, second), task: 'look', type: undefined }),
    ...soughtIn(section, query),
    status: statusChoices.find((choice) => choice === query.get('status')) ?? 'unsolved',
    assignee: wordIn(query, 'assignee'),
    channel: wordIn(query, 'channel'),
    team: wordIn(query, 'team'),
    tag: wordIn(query, 'tag'),
    priority: priorities.find((priority) => priority === query.get('priority')),
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

function wordIn(query: URLSearchParams, name: string): string | undefined {
  return query.get(name)?.slice(0, 200) || undefined;
}

/** Which tickets the list shows; each is a part of the address. */
export type Narrowing = Pick<Place, 'assignee' | 'channel' | 'team' | 'tag' | 'priority'>;
export const anything: Narrowing = {
  assignee: undefined,
  channel: undefined,
  team: undefined,
  tag: undefined,
  priority: undefined,
};

/** The views that one keeps coming back to. */
export const views = ['mine', 'unassigned', 'all'] as const;
export type View = (typeof views)[number];

const assignees: Readonly<Record<View, string | undefined>> = { mine: 'me', unassigned: 'none', all: undefined };

/** What a view shows: work that isn't done yet, nothing else narrowed down. */
export function placeOfView(view: View): Partial<Place> {
  return { ...anything, section: 'inbox', q: '', status: 'unsolved', assignee: assignees[view] };
}

/** The view that is shown, also where it is narrowed down further; none for the tickets of somebody else. */
export function viewOf({ assignee }: Pick<Place, 'assignee'>): View | undefined {
  return views.find((view) => assignees[view] === assignee);
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

function pathOf({ section, id, task, type }: Place): string {
  if (section === 'inbox') return id === undefined ? '/' : `/t/${id}`;
  if (id !== undefined) return task === 'change' ? `/${section}/${id}/settings` : `/${section}/${id}`;
  if (task === 'make') return `/${section}/new/${type ?? ''}`;
  return task === 'choose' ? `/${section}/new` : `/${section}`;
}

function customerQueryOf({ id, who }: Place): Record<string, string> {
  return { ...(id === undefined && who && { q: who }) };
}

function queryOf(place: Place): Record<string, string> {
  const { section, id, task, outcome, state, delivery } = place;
  if (section === 'inbox') return inboxQueryOf(place);
  if (section === 'events') return eventQueryOf(place);
  if (section === 'customers') return customerQueryOf(place);
  if (id === undefined || task !== 'look') return {};
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

function inboxQueryOf({ q, status, assignee, channel, team, tag, priority }: Place): Record<string, string> {
  return {
    ...(assignee && { assignee }),
    ...(q && { q }),
    ...(status !== 'unsolved' && { status }),
    ...(channel && { channel }),
    ...(team && { team }),
    ...(tag && { tag }),
    ...(priority && { priority }),
  };
}
