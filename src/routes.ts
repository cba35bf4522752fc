import { ConflictError, BadPayloadError, NotFoundError } from './core/errors.ts';
import type { Endpoints, Route, Routes } from './core/gateway.ts';
import type { NewId } from './core/id.ts';
import type { Clock } from './core/clock.ts';
import type { Store } from './core/store.ts';

/** Routes from the YAML, read-only, then those made over the API. */
export async function createRoutes(
  deps: {
    readonly store: Store;
    readonly newId: NewId;
    readonly clock: Clock;
    readonly endpoints: Pick<Endpoints, 'get'>;
  },
  defined: readonly Route[],
): Promise<Routes> {
  const { store } = deps;
  let own: readonly Route[] = (await store.read.routes()).map((row) => ({
    ...(row.definition as Pick<Route, 'when' | 'to'>),
    id: row.id,
    source: null,
  }));

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

  /** Where it stands now; others may be removed while it is stored. Throws unless it can be changed here. */
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

  return {
    all: () => [...defined, ...own],
    async create(input) {
      const route = await save(deps.newId('rte'), input, own.length);
      own = [...own, route];
      return route;
    },
    async update(id, input) {
      const index = ownIndex(id);
      const route = await save(id, input, index);
      own = own.map((each) => (each.id === id ? route : each));
      return route;
    },
    async remove(id) {
      ownIndex(id);
      await store.write(['routes'], (tx) => tx.deleteRoute(id));
      own = own.filter((each) => each.id !== id);
    },
  };
}
