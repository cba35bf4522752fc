import type { RouteTime } from './route-time.ts';
import type { Change, Priority } from './ticket.ts';

/** Which destinations a change goes to. No condition means always; all routes that match count, in their order. */
export interface Route {
  readonly id: string;
  readonly source: string | null;
  readonly when: {
    readonly channel?: readonly string[];
    readonly channelType?: readonly string[];
    readonly kind?: readonly string[];
    readonly language?: readonly string[];
    readonly priority?: readonly Priority[];
    readonly tag?: readonly string[];
    /** Ids. */
    readonly customer?: readonly string[];
    /** Of the message or its ticket, by their names. */
    readonly field?: Readonly<Record<string, readonly string[]>>;
    readonly time?: RouteTime;
  };
  readonly to: readonly string[];
  /** Where it matches, those behind it don't count. */
  readonly stop: boolean;
}

/** What a route can ask about a change. */
export interface RouteFacts {
  readonly channel: string;
  readonly kind: string | undefined;
  readonly language: string | null;
  readonly priority: string;
  readonly tags: readonly string[];
  readonly customer: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Where a change would go. */
export interface Routed {
  readonly change: Change;
  readonly to: readonly string[];
  /** Help desks that would get it if they had its ticket. */
  readonly follows: readonly string[];
}

/** A destination that a change goes to. */
export interface Target {
  readonly id: string;
  readonly carries: 'tickets' | 'events';
  /** No route names this change, but some route names the help desk: it hears of tickets that it has. */
  readonly follows?: true;
}

/** What a route says, wherever it stands. */
export type RouteRule = Omit<Route, 'id' | 'source'>;

/** What was made of the routes, by their ids. */
export interface RoutesReplaced {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export interface Routes {
  all(): readonly Route[];
  create(route: RouteRule): Promise<Route>;
  update(id: string, route: RouteRule): Promise<Route>;
  remove(id: string): Promise<void>;
  /** Another one whenever those that were made over the API have changed, or their order. */
  version(): string;
  /**
   * These instead of those that were made over the API, at once: those with an id stay, as they are given here, the others are
   * new. Throws `ConflictError` unless `version` is still what they are.
   */
  replace(routes: readonly (RouteRule & { readonly id?: string })[], version: string): Promise<RoutesReplaced>;
  /** Where the last `count` messages would go by these routes, or those that there are, the newest first; nothing is sent. */
  dryRun(routes: readonly RouteRule[] | undefined, count: number): Promise<readonly Routed[]>;
}
