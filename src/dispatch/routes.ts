import type { DestinationType } from '../core/destination.ts';
import type { Endpoint, Route, RouteFacts, Target } from '../core/gateway.ts';
import { weekdayOf, wordsOf } from '../core/local-time.ts';
import type { RouteTime } from '../core/route-time.ts';
import type { Change } from '../core/ticket.ts';

const DAY_MS = 86_400_000;

/** What decides where changes go, as plain data. */
export interface Routing {
  readonly routes: readonly Pick<Route, 'when' | 'to' | 'stop'>[];
  /** Types of endpoints, by their ids. */
  readonly types: ReadonlyMap<string, string>;
  /** What destinations carry, by their ids. */
  readonly carries: ReadonlyMap<string, Target['carries']>;
  /** Help desks that some route names. */
  readonly desks: readonly string[];
}

export function routingOf(
  routes: readonly Pick<Route, 'when' | 'to' | 'stop'>[],
  endpoints: readonly Pick<Endpoint, 'id' | 'type' | 'role'>[],
  destinationTypes: readonly Pick<DestinationType, 'type' | 'capabilities'>[],
): Routing {
  const carries = new Map<string, Target['carries']>();
  for (const { id, type, role } of endpoints) {
    const found = role === 'destination' ? destinationTypes.find((each) => each.type === type) : undefined;
    if (found) carries.set(id, found.capabilities.carries);
  }
  return {
    routes: routes.map(({ when, to, stop }) => ({ when, to, stop })),
    types: new Map(endpoints.map(({ id, type }) => [id, type])),
    carries,
    desks: [...new Set(routes.flatMap(({ to }) => to))].filter((id) => carries.get(id) === 'tickets'),
  };
}

/**
 * Destinations for a change, each once. Without facts (a change about a customer or the installation)
 * only routes without conditions count. A help desk that some route names follows the tickets that it has, whatever
 * the routes say of what comes later: a conversation must not break off there.
 */
export function targetsOf(facts: RouteFacts | undefined, { routes, types, carries, desks }: Routing): Target[] {
  const ids = new Set<string>();
  for (const route of routes) {
    if (!matches(route, facts, types)) continue;
    for (const id of route.to) ids.add(id);
    if (route.stop) break;
  }
  const matched = [...ids].flatMap((id): Target[] => {
    const what = carries.get(id);
    return what ? [{ id, carries: what }] : [];
  });
  const following = facts ? desks.filter((id) => !ids.has(id)) : [];
  return [...matched, ...following.map((id): Target => ({ id, carries: 'tickets', follows: true }))];
}

function matches({ when }: Pick<Route, 'when'>, facts: RouteFacts | undefined, types: Routing['types']): boolean {
  const has = (wanted: readonly string[] | undefined, ...values: readonly (string | null | undefined)[]) =>
    wanted === undefined || values.some((value) => value != null && wanted.includes(value));
  if (!facts) return Object.values(when).every((condition) => condition === undefined);
  return (
    has(when.channel, facts.channel) &&
    has(when.channelType, types.get(facts.channel)) &&
    has(when.kind, facts.kind) &&
    has(when.language, facts.language) &&
    has(when.priority, facts.priority) &&
    has(when.tag, ...facts.tags) &&
    has(when.customer, facts.customer) &&
    Object.entries(when.field ?? {}).every(([name, wanted]) =>
      has(wanted, Object.hasOwn(facts.fields, name) ? facts.fields[name] : undefined),
    ) &&
    (when.time === undefined || isWithin(when.time, facts.at))
  );
}

function isWithin({ zone, days, from = '00:00', to = '24:00' }: RouteTime, at: number): boolean {
  const now = wordsOf(at, zone).slice(11, 16);
  if (from <= to ? now < from || now >= to : now < from && now >= to) return false;
  // After midnight it is still the night of the day before.
  const began = from > to && now < to ? at - DAY_MS : at;
  return !days || days.includes(weekdayOf(began, zone));
}

/** What routes can ask about a change that is told already; undefined for one that is about no ticket. */
export function factsOf({ data: { ticket, message }, timestamp }: Change): RouteFacts | undefined {
  if (!ticket) return undefined;
  const { channel, language, priority, tags, customer, fields } = ticket;
  const said = { kind: message?.kind, fields: { ...fields, ...message?.fields } };
  return { channel: channel.id, language, priority, tags, customer: customer.id, ...said, at: Date.parse(timestamp) };
}
