import { createHash } from 'node:crypto';
import { ConflictError, BadPayloadError, NotFoundError } from './core/errors.ts';
import type { DestinationType } from './core/destination.ts';
import type { Endpoints } from './core/gateway.ts';
import type { NewId } from './core/id.ts';
import type { Clock } from './core/clock.ts';
import type { Store } from './core/store.ts';
import type { Route, Routed, RouteRule, Routes, RoutesReplaced } from './core/routing.ts';
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
/** One that is stored, and where it stands. */
interface Own {
  readonly route: Route;
  readonly position: number;
}

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
  let own: readonly Own[] = [];

  async function look(): Promise<void> {
    own = (await store.read.routes()).map(({ id, position, definition }) => ({
      route: { ...(definition as RouteRule), id, source: null },
      position,
    }));
  }

  const all = () => [...defined, ...own.map(({ route }) => route)];

  function checkDestinations({ to }: RouteRule, at = ''): void {
    for (const [index, target] of to.entries()) {
      if (deps.endpoints.get(target)?.role === 'destination') continue;
      const message = `there is no destination ${target}`;
      throw new BadPayloadError(message, { status: 422, problems: [{ pointer: `${at}/to/${index}`, message }] });
    }
  }

  async function save(one: Own): Promise<Own> {
    checkDestinations(one.route);
    await store.write(['routes'], (tx) => tx.saveRoute(rowOf(one)));
    return one;
  }

  const rowOf = ({ route, position }: Own) => ({
    ...{ id: route.id, position, definition: ruleOf(route), at: deps.clock.now() },
  });

  async function replace(wanted: Parameters<Routes['replace']>[0], version: string): Promise<RoutesReplaced> {
    await look();
    if (version !== versionOf(own)) {
      throw new ConflictError('somebody has changed the routes since', { hint: 'Read them again, then decide.' });
    }
    wanted.forEach((route, index) => {
      checkDestinations(route, `/routes/${index}`);
    });
    const given = wanted.map(({ id, ...rule }) => ({
      id,
      rule: ruleOf(rule),
      before: id === undefined ? undefined : ownOf(id),
    }));
    const next = given.map(({ id, rule }, position): Own => ({
      route: { id: id ?? deps.newId('rte'), source: null, ...rule },
      position,
    }));
    const kept = new Set(next.map(({ route }) => route.id));
    if (kept.size < next.length) throw new ConflictError('a route can stand in one place only');
    const removed = own.map(({ route }) => route.id).filter((id) => !kept.has(id));
    await store.write(['routes'], async (tx) => {
      for (const id of removed) await tx.deleteRoute(id);
      for (const one of next) await tx.saveRoute(rowOf(one));
    });
    own = next;
    const isOther = ({ rule, before }: (typeof given)[number]) =>
      before !== undefined && JSON.stringify(ruleOf(before.route)) !== JSON.stringify(rule);
    return {
      created: next.filter((_one, index) => given[index]?.before === undefined).map(({ route }) => route.id),
      changed: given.filter(isOther).flatMap(({ id }) => id ?? []),
      removed,
    };
  }

  async function dryRun(given: readonly RouteRule[] | undefined, count: number): Promise<readonly Routed[]> {
    // Of those that there are, one may lead to a destination that was removed since.
    given?.forEach((route, index) => {
      checkDestinations(route, `/routes/${index}`);
    });
    const routing = routingOf(given ?? all(), deps.endpoints.all(), deps.destinationTypes);
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

  /** Throws unless it can be changed here. */
  function ownOf(id: string): Own {
    const found = own.find(({ route }) => route.id === id);
    if (found) return found;
    const route = defined.find((each) => each.id === id);
    if (route)
      throw new ConflictError(`the route is defined in ${route.source ?? 'the file'}`, {
        hint: 'Change it there and restart.',
      });
    throw new NotFoundError(`there is no route ${id}`);
  }

  await look();
  return {
    all,
    look: () => inTurn(look),
    create: (input) =>
      inTurn(async () => {
        await look();
        const route = { id: deps.newId('rte'), source: null, ...ruleOf(input) };
        const made = await save({ route, position: (own.at(-1)?.position ?? -1) + 1 });
        own = [...own, made];
        return made.route;
      }),
    update: (id, input) =>
      inTurn(async () => {
        await look();
        // It stays where it stands, also when one before it was removed.
        const { position } = ownOf(id);
        const changed = await save({ route: { id, source: null, ...ruleOf(input) }, position });
        own = own.map((each) => (each.route.id === id ? changed : each));
        return changed.route;
      }),
    remove: (id) =>
      inTurn(async () => {
        await look();
        ownOf(id);
        await store.write(['routes'], (tx) => tx.deleteRoute(id));
        own = own.filter(({ route }) => route.id !== id);
      }),
    version: () => versionOf(own),
    replace: (wanted, version) => inTurn(() => replace(wanted, version)),
    dryRun,
  };
}

const ruleOf = ({ when, to, stop }: RouteRule): RouteRule => ({ when, to, stop });

function versionOf(own: readonly Own[]): string {
  const said = JSON.stringify(own.map(({ route: { id, when, to, stop } }) => [id, when, to, stop]));
  return createHash('sha256').update(said).digest('base64url').slice(0, 16);
}
