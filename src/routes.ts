import { ConflictError, BadPayloadError, NotFoundError } from './core/errors.ts';
import type { Endpoints, Route, Routes } from './core/gateway.ts';
import type { NewId } from './core/id.ts';
import type { Clock } from './core/clock.ts';
import type { Store } from './core/store.ts';
import { createTurns } from './turns.ts';

/** As the composition root needs them. */
export interface OpenRoutes extends Routes {
  /** Follows what other processes have made, changed and removed. */
  look(): Promise<void>;
}

/** Routes from the YAML, read-only, then those made over the API. */
export async function createRoutes(
  deps: {
    readonly store: Store;
    readonly newId: NewId;
    readonly clock: Clock;
    readonly endpoints: Pick<Endpoints, 'get'>;
  },
  defined: readonly Route[],
): Promise<OpenRoutes> {
  const { store } = deps;
  const inTurn = createTurns();
  let own: readonly Route[] = [];

  async function look(): Promise<void> {
    own = (await store.read.routes()).map((row) => ({
      ...(row.definition as Pick<Route, 'when' | 'to'>),
      id: row.id,
      source: null,
    }));
  }

  async function save(id: string, { when, to }: Pick<Route, 'when' | 'to'>, position: number): Promise<Route> {
    for (const [index, target] of to.entries()) {
      if (deps.endpoints.get(target)?.role === 'destination') continue;
      const message = `there is no destination ${target}`;
      throw new BadPayloadError(message, { status: 422, problems: [{ pointer: `/to/${index}`, message }] });
    }
    await store.write(['routes'], (tx) =>
      tx.saveRoute({ id, position, definition: { when, to }, at: deps.clock.now() }),
    );
    return { id, source: null, when, to };
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
  };
}
