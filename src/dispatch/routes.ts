import type { Endpoint, Route, RouteFacts, Target } from '../core/gateway.ts';
import type { DestinationType } from '../core/destination.ts';

/**
 * Destinations for a change, each once. Without facts (a change about a customer or the installation)
 * only routes without conditions count.
 */
export function targetsOf(
  facts: RouteFacts | undefined,
  deps: {
    readonly routes: readonly Route[];
    readonly endpointOf: (id: string) => Pick<Endpoint, 'type' | 'role'> | undefined;
    readonly destinationTypeOf: (type: string) => Pick<DestinationType, 'capabilities'> | undefined;
  },
): Target[] {
  const ids = new Set<string>();
  for (const route of deps.routes) {
    if (matches(route, facts, deps.endpointOf)) for (const id of route.to) ids.add(id);
  }
  return [...ids].flatMap((id) => {
    const endpoint = deps.endpointOf(id);
    const type = endpoint?.role === 'destination' ? deps.destinationTypeOf(endpoint.type) : undefined;
    return type ? [{ id, carries: type.capabilities.carries }] : [];
  });
}

function matches(
  { when }: Route,
  facts: RouteFacts | undefined,
  endpointOf: (id: string) => Pick<Endpoint, 'type'> | undefined,
): boolean {
  const has = (wanted: readonly string[] | undefined, ...values: readonly (string | null | undefined)[]) =>
    wanted === undefined || values.some((value) => value != null && wanted.includes(value));
  if (!facts) return Object.values(when).every((condition) => condition === undefined);
  return (
    has(when.channel, facts.channel) &&
    has(when.channelType, endpointOf(facts.channel)?.type) &&
    has(when.kind, facts.kind) &&
    has(when.language, facts.language) &&
    has(when.priority, facts.priority) &&
    has(when.tag, ...facts.tags)
  );
}
