import type { Route, RouteRule } from '../../../../src/core/routing.ts';
import type { ChangeType, Message } from '../../views.ts';

export type When = Route['when'];
export type Rule = RouteRule;
export type Time = NonNullable<When['time']>;
export type Day = NonNullable<Time['days']>[number];

/** The routes as they are, and what they have to be while somebody saves others instead. */
export interface Known {
  readonly routes: readonly Route[];
  readonly version: string;
}

/** Where one of the last messages would go. */
export interface Routed {
  readonly type: ChangeType;
  readonly timestamp: string;
  readonly ticketId?: string;
  readonly ticketNumber?: number;
  readonly messageId?: string;
  readonly channel?: string;
  readonly kind?: Message['kind'];
  readonly to: readonly string[];
  readonly follows: readonly string[];
}

export type { Route };
