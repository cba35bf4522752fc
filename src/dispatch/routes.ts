import type { DestinationType } from '../core/destination.ts';
import type { Endpoint, Route, RouteFacts, Target } from '../core/gateway.ts';

/** What decides where changes go, as plain data. */
export interface Routing {
  readonly routes: readonly Pick<Route, 'when' | 'to'>[];
  /** Types of endpoints, by their ids. */
  readonly types: ReadonlyMap<string, string>;
  /** What destinations carry, by their ids. */
  readonly carries: ReadonlyMap<string, Target['carries']>;
}

export function routingOf(
  routes: readonly Pick<Route, 'when' | 'to'>[],
  endpoints: readonly Pick<Endpoint, 'id' | 'type' | 'role'>[],
  destinationTypes: readonly Pick<DestinationType, 'type' | 'capabilities'>[],
): Routing {
  const carries = new Map<string, Target['carries']>();
  for (const { id, type, role } of endpoints) {
    const found = role === 'destination' ? destinationTypes.find((each) => each.type === type) : undefined;
    if (found) carries.set(id, found.capabilities.carries);
  }
  return {
    routes: routes.map(({ when, to }) => ({ when, to })),
    types: new Map(endpoints.map(({ id, type }) => [id, type])),
    carries,
  };
}

/**
 * Destinations for a change, each once. Without facts (a change about a customer or the installation)
 * only routes without conditions count.
 */
export function targetsOf(facts: RouteFacts | undefined, { routes, types, carries }: Routing): Target[] {
  const ids = new Set<string>();
  for (const route of routes) {
    if (matches(route, facts, types)) for (const id of route.to) ids.add(id);
  }
  return [...ids].flatMap((id) => {
    const what = carries.get(id);
    return what ? [{ id, carries: what }] : [];
  });
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
    has(when.tag, ...facts.tags)
  );
}
