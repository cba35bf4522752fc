import type { EndpointView, FieldProblem } from '../../views.ts';
import type { Day, Route, Routed, Rule, Time, When } from './views.ts';

/** Small decisions of this section. */

/** A route of those that are made here, as it would be saved; `key` tells it from the others before it has an id. */
export interface Draft extends Rule {
  readonly key: string;
  readonly id?: string;
}

export const conditions = [
  'channel',
  'channelType',
  'kind',
  'language',
  'priority',
  'tag',
  'customer',
  'field',
  'time',
] as const satisfies readonly (keyof When)[];
export type Condition = (typeof conditions)[number];

/** What is wrong with which part of a route's form. */
export type Problems = Readonly<Partial<Record<Condition | 'to', string>>>;

/** As the gateway names them. */
export const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const satisfies readonly Day[];

/** Those that are made here. The file's are changed in the file. */
export function draftsOf(routes: readonly Route[]): readonly Draft[] {
  return routes
    .filter(({ source }) => source === null)
    .map(({ id, when, to, stop }) => ({ key: id, id, when, to, stop }));
}

const said = (drafts: readonly Draft[]) => JSON.stringify(drafts.map(({ id, when, to, stop }) => [id, when, to, stop]));

export function isOther(drafts: readonly Draft[], routes: readonly Route[]): boolean {
  return said(drafts) !== said(draftsOf(routes));
}

/** With one of them a place further up (-1) or down. */
export function moved(drafts: readonly Draft[], key: string, by: 1 | -1): readonly Draft[] {
  const from = drafts.findIndex((draft) => draft.key === key);
  const one = drafts[from];
  const to = from + by;
  if (!one || to < 0 || to >= drafts.length) return drafts;
  return drafts.toSpliced(from, 1).toSpliced(to, 0, one);
}

/** With this one in its place, or as the last. */
export function placed(drafts: readonly Draft[], draft: Draft): readonly Draft[] {
  const isKnown = drafts.some(({ key }) => key === draft.key);
  return isKnown ? drafts.map((each) => (each.key === draft.key ? draft : each)) : [...drafts, draft];
}

/** A route as its form has it: what can be many stands one on each line. */
export interface Entered {
  readonly channel: readonly string[];
  readonly channelType: readonly string[];
  readonly kind: readonly string[];
  readonly priority: readonly string[];
  readonly language: string;
  readonly tag: string;
  readonly customer: string;
  readonly fields: readonly { readonly name: string; readonly values: string }[];
  readonly time: 'always' | 'sometimes';
  readonly zone: string;
  readonly days: readonly string[];
  readonly from: string;
  readonly until: string;
  readonly to: readonly string[];
  readonly stop: boolean;
}

const toLines = (values: readonly string[] = []) => values.join('\n');
const fromLines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

/** `zone`: where no time is asked for yet. */
export function enteredOf({ when, to, stop }: Rule, zone: string): Entered {
  return {
    channel: when.channel ?? [],
    channelType: when.channelType ?? [],
    kind: when.kind ?? [],
    priority: when.priority ?? [],
    language: toLines(when.language),
    tag: toLines(when.tag),
    customer: toLines(when.customer),
    fields: Object.entries(when.field ?? {}).map(([name, values]) => ({ name, values: toLines(values) })),
    ...timeEntered(when.time, zone),
    to,
    stop,
  };
}

function timeEntered(time: Time | undefined, zone: string): Pick<Entered, 'time' | 'zone' | 'days' | 'from' | 'until'> {
  if (!time) return { time: 'always', zone, days: [], from: '', until: '' };
  const { days: wanted = [], from = '', to: until = '' } = time;
  return { time: 'sometimes', zone: time.zone, days: wanted, from, until };
}

/** The route that a form says. What is left empty is no condition. */
export function ruleOf(entered: Entered): Rule {
  const lists = {
    channel: entered.channel,
    channelType: entered.channelType,
    kind: entered.kind,
    language: fromLines(entered.language),
    priority: entered.priority,
    tag: fromLines(entered.tag),
    customer: fromLines(entered.customer),
  };
  const fields = entered.fields
    .map(({ name, values }) => [name.trim(), fromLines(values)] as const)
    .filter(([name, values]) => name !== '' || values.length > 0);
  const when = {
    ...Object.fromEntries(Object.entries(lists).filter(([, values]) => values.length > 0)),
    ...(fields.length > 0 && { field: Object.fromEntries(fields) }),
    ...(entered.time === 'sometimes' && { time: timeOf(entered) }),
  } as When;
  return { when, to: entered.to, stop: entered.stop };
}

function timeOf({ zone, days: ticked, from, until }: Entered): Time {
  const wanted = days.filter((day) => ticked.includes(day));
  return {
    zone: zone.trim(),
    ...(wanted.length > 0 && { days: wanted }),
    ...(from.trim() && { from: from.trim() }),
    ...(until.trim() && { to: until.trim() }),
  };
}

/** The part of the form that a problem of the only route is about: a condition, `to`, or neither. */
export function partOf({ pointer }: FieldProblem): Condition | 'to' | undefined {
  const [, , , first, second] = pointer.split('/');
  if (first === 'to') return first;
  return conditions.find((condition) => first === 'when' && condition === second);
}

/** A condition, of a field by its name, and what would fit. */
export interface Asked {
  readonly condition: Condition;
  readonly what?: string;
  readonly values: readonly string[];
}

/** What a route asks, in the names that are known here. */
export function askedOf(
  when: When,
  names: {
    readonly channels: readonly Pick<EndpointView, 'id' | 'name'>[];
    readonly titleOf: (condition: 'kind' | 'priority', value: string) => string;
    readonly time: (time: Time) => string;
  },
): readonly Asked[] {
  return conditions.flatMap((condition): readonly Asked[] => {
    if (condition === 'time') return when.time ? [{ condition, values: [names.time(when.time)] }] : [];
    if (condition === 'field')
      return Object.entries(when.field ?? {}).map(([what, values]) => ({ condition, what, values }));
    const values = when[condition];
    if (!values) return [];
    if (condition === 'channel')
      return [{ condition, values: values.map((id) => names.channels.find((one) => one.id === id)?.name ?? id) }];
    if (condition !== 'kind' && condition !== 'priority') return [{ condition, values }];
    return [{ condition, values: values.map((value) => names.titleOf(condition, value)) }];
  });
}

/** A message that was tried: where it goes now, and where it would. */
export interface Tried {
  readonly message: Routed;
  readonly now: readonly string[];
  readonly then: readonly string[];
  readonly follows: readonly string[];
  readonly differs: boolean;
}

const keyOf = ({ messageId, type, timestamp }: Routed) => messageId ?? `${type} ${timestamp}`;

/** Those of both, in their order: one that came between the two has gone nowhere else yet. */
export function compared(now: readonly Routed[], then: readonly Routed[]): readonly Tried[] {
  const before = new Map(now.map((message) => [keyOf(message), message]));
  return then.flatMap((message) => {
    const old = before.get(keyOf(message));
    if (!old) return [];
    const places = ({ to, follows }: Routed) => JSON.stringify([to.toSorted(), follows.toSorted()]);
    const differs = places(old) !== places(message);
    return [{ message, now: old.to, then: message.to, follows: message.follows, differs }];
  });
}

/** How many messages go to each destination, now and then; those that most go to first. */
export function countsOf(
  tried: readonly Tried[],
): readonly { readonly id: string; readonly now: number; readonly then: number }[] {
  const ids = new Set(tried.flatMap(({ now, then }) => [...now, ...then]));
  const count = (id: string, when: 'now' | 'then') => tried.filter((each) => each[when].includes(id)).length;
  return [...ids]
    .map((id) => ({ id, now: count(id, 'now'), then: count(id, 'then') }))
    .toSorted((a, b) => b.then - a.then || b.now - a.now || (a.id < b.id ? -1 : 1));
}

/** What this tab keeps of routes that are not saved yet; nothing for what can't be read. */
export function keptDraft(
  text: string | undefined,
): { readonly version: string; readonly drafts: readonly Draft[] } | undefined {
  try {
    const kept = JSON.parse(text ?? 'null') as { version?: unknown; drafts?: unknown } | null;
    if (typeof kept?.version !== 'string' || !Array.isArray(kept.drafts)) return undefined;
    return { version: kept.version, drafts: kept.drafts as Draft[] };
  } catch {
    return undefined;
  }
}
