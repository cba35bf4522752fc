import type { Api } from './api.ts';
import { createCell } from './cell.ts';
import type { EndpointView, Role } from './views.ts';

export interface EndpointsState {
  readonly channel: readonly EndpointView[];
  readonly destination: readonly EndpointView[];
  /** When they were read last (milliseconds since the epoch); 0: never. */
  readonly readAt: number;
  /** The last try to read them failed: what is shown is older. */
  readonly failed: boolean;
}

/** Many changes are one reason to look again. */
const PAUSE_MS = 1500;
/** Nothing tells of a vendor who has gone silent. */
const AGAIN_MS = 15_000;

/** Channels and destinations with their health, read again while the page is in sight. */
export function createEndpoints(api: Pick<Api, 'endpoints'>) {
  const state = createCell<EndpointsState>({ channel: [], destination: [], readAt: 0, failed: false });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let turn = 0;

  async function read(): Promise<void> {
    const mine = ++turn;
    try {
      const [channel, destination] = await Promise.all([api.endpoints('channel'), api.endpoints('destination')]);
      if (mine === turn) state.set({ channel, destination, readAt: Date.now(), failed: false });
    } catch {
      if (mine === turn) state.set({ ...state.get(), failed: true });
    }
  }

  const readIfSeen = () => {
    if (document.visibilityState === 'visible') void read();
  };
  setInterval(readIfSeen, AGAIN_MS);
  document.addEventListener('visibilitychange', readIfSeen);
  void read();

  return {
    state,
    refresh: read,
    /** Something has happened that may have changed how one of them is. */
    hear(): void {
      timer ??= setTimeout(() => {
        timer = undefined;
        void read();
      }, PAUSE_MS);
    },
  };
}
export type Endpoints = ReturnType<typeof createEndpoints>;

export function endpointIn(state: EndpointsState, role: Role, id: string): EndpointView | undefined {
  return state[role].find((endpoint) => endpoint.id === id);
}
