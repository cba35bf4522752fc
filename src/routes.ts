import { ConflictError, BadPayloadError, NotFoundError } from './core/errors.ts';
import type { DestinationType } from './core/destination.ts';
import type { Endpoints, Route, Routed, Routes } from './core/gateway.ts';
import type { NewId } from './core/id.ts';
import type { Clock } from './core/clock.ts';
import type { Store } from './core/store.ts';
import type { ChangeType } from './core/ticket.ts';
import { factsOf, routingOf, targetsOf } from './dispatch/routes.ts';
import { createTurns } from './turns.ts';

/** As the composition root needs them. */
export interface OpenRoutes extends Routes {
  /** Follows what other processes have made, changed and removed. */
  look(): Promise<void>;
}

/** What a message is told by, once each. */
const FILED: ReadonlySet<ChangeType> = new Set([
  'message.received',
  'review.received',
  'call.missed',
  'call.ended',
  'message.sent',
  'note.created',
]);
/** Changes that are looked through at a time, and at most, for the messages among them. */
const PAGE = 200;
const MOST_PAGES = 100;

/** Routes from the YAML, read-only, then those made over the API. */
export async function createRoutes(
  deps: {
    readonly store: Store;
    readonly newId: NewId;
    readonly clock: Clock;
    readonly endpoints: Pick<Endpoints, 'get' | 'all'>;
    readonly destinationTypes: readonly Pick<DestinationType, 'type' | 'capabilities'>[];
  },
  defined: readonly Route[],
): Promise<OpenRoutes> {
  const { store } = deps;
  const inTurn = createTurns();
  let own: readonly Route[] = [];

  async function look(): Promise<void> {
    own = (await store.read.routes()).map((row) => ({
      ...(row.definition as Pick<Route, 'when' | 'to' | 'stop'>),
      id: row.id,
      source: null,
    }));
  }

  type Given = Omit<Route, 'id' | 'source'>;

  function checkDestinations({ to }: Given, at = ''): void {
    for (const [index, target] of to.entries()) {
      if (deps.endpoints.get(target)?.role === 'destination') continue;
      const message = `there is no destination ${target}`;
      throw new BadPayloadError(message, { status: 422, problems: [{ pointer: `${at}/to/${index}`, message }] });
    }
  }

  async function save(id: string, route: Given, position: number): Promise<Route> {
    checkDestinations(route);
    const { when, to, stop } = route;
    const definition = { when, to, stop };
    await store.write(['routes'], (tx) => tx.saveRoute({ id, position, definition, at: deps.clock.now() }));
    return { id, source: null, ...definition };
  }

  async function dryRun(given: readonly Given[] | undefined, count: number): Promise<readonly Routed[]> {
    // Of those that there are, one may lead to a destination that was removed since.
    given?.forEach((route, index) => {
      checkDestinations(route, `/routes/${index}`);
    });
    const routing = routingOf(given ?? [...defined, ...own], deps.endpoints.all(), deps.destinationTypes);
    const routed: Routed[] = [];
    let end = await store.read.lastChange();
    for (let pages = 0; pages < MOST_PAGES && end > 0 && routed.length < count; pages++) {
      const start = Math.max(0, end - PAGE);
      const changes = (await store.read.changes(start, PAGE)).filter(({ seq, type }) => seq <= end && FILED.has(type));
      for (const change of changes.reverse()) {
        const targets = targetsOf(factsOf(change), routing);
        const [to, follows] = [targets.filter((each) => !each.follows), targets.filter((each) => each.follows)];
        routed.push({ change, to: to.map(({ id }) => id), follows: follows.map(({ id }) => id) });
      }
      end = start;
    }
    return routed.slice(0, count);
  }

  /** Where it stands. Throws unless it can be changed here. */
  function ownIndex(id: string): number {
    const index = own.findIndex((route) => route.id === id);
    if (index >= 0) return index;
    const route = defined.find((each) => each.id === id);
    if (route)
      throw new ConflictError(`the route is defined in ${route.source ?? 'the file'}`, {
        hint: 'Change it there and restart.',
      });
    throw new NotFoundError(`there is no route ${id}`);
  }

  await look();
  return {
    all: () => [...defined, ...own],
    look: () => inTurn(look),
    create: (input) =>
      inTurn(async () => {
        await look();
        const route = await save(deps.newId('rte'), input, own.length);
        own = [...own, route];
        return route;
      }),
    update: (id, input) =>
      inTurn(async () => {
        await look();
        const route = await save(id, input, ownIndex(id));
        own = own.map((each) => (each.id === id ? route : each));
        return route;
      }),
    remove: (id) =>
      inTurn(async () => {
        await look();
        ownIndex(id);
        await store.write(['routes'], (tx) => tx.deleteRoute(id));
        own = own.filter((each) => each.id !== id);
      }),
    dryRun,
  };
}
