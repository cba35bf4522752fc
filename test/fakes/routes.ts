import { ConflictError } from '../../src/core/errors.ts';
import type { Route, Routes } from '../../src/core/routing.ts';
import { toTime } from '../../src/core/ticket.ts';

/** The routes of the fake gateway; another number of them is another version. */
export function fakeRoutes(state: { readonly routes: Map<string, Route> }): Routes {
  return {
    all: () => [...state.routes.values()],
    async create(route) {
      const made = { ...route, id: `rte_${state.routes.size + 1}`, source: null };
      state.routes.set(made.id, made);
      return made;
    },
    async update(id, route) {
      const changed = { ...route, id, source: null };
      state.routes.set(id, changed);
      return changed;
    },
    remove: async (id) => void state.routes.delete(id),
    version: () => `v${state.routes.size}`,
    async replace(wanted, version) {
      if (version !== `v${state.routes.size}`) throw new ConflictError('They have changed');
      const before = [...state.routes.keys()];
      const made = wanted.map(({ id = `rte_new${state.routes.size}`, ...route }) => ({ ...route, id, source: null }));
      state.routes.clear();
      for (const route of made) state.routes.set(route.id, route);
      const ids = made.map(({ id }) => id);
      return {
        created: ids.filter((id) => !before.includes(id)),
        changed: [],
        removed: before.filter((id) => !ids.includes(id)),
      };
    },
    dryRun: async (routes) =>
      (routes ?? [...state.routes.values()]).map(({ to }) => ({
        change: { seq: 1, type: 'message.received', timestamp: toTime(0), data: { version: 1 } },
        to,
        follows: [],
      })),
  };
}
