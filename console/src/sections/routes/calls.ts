import { call } from '../../api.ts';
import type { Page } from '../../views.ts';
import type { Draft } from './decide.ts';
import type { Known, Route, Routed, Rule } from './views.ts';

/** How many of the last messages are looked at. */
export const LOOKED_AT = 100;

/** Calls of the API that only this section makes. */
export const routeCalls = {
  async known(): Promise<Known> {
    const routes: Route[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await call<Page<Route> & Pick<Known, 'version'>>('/routes', { query: { limit: '200', cursor } });
      routes.push(...page.data);
      if (page.nextCursor === null) return { routes, version: page.version };
      cursor = page.nextCursor;
    }
  },
  /** Saves these instead of those that were made here; what there is then. */
  async replace(drafts: readonly Draft[], version: string): Promise<Known> {
    const routes = drafts.map(({ id, when, to, stop }) => ({ ...(id !== undefined && { id }), when, to, stop }));
    await call('/routes', { method: 'PATCH', body: { version, routes } });
    return routeCalls.known();
  },
  /** Where the last messages would go by these routes, or by those that there are. */
  dryRun: async (rules: readonly Rule[] | undefined, count = LOOKED_AT) => {
    const routes = rules?.map(({ when, to, stop }) => ({ when, to, stop }));
    const body = { count, ...(routes && { routes }) };
    return (await call<{ readonly data: readonly Routed[] }>('/routes/dry-run', { method: 'POST', body })).data;
  },
};
