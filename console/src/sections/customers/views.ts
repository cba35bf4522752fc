import type { Merge, Suggestion, Trace } from '../../../../src/core/people.ts';
import type { Customer, Message } from '../../views.ts';

export type Identity = Customer['identifiers'][number];
export type Trust = Identity['trust'];

/** What names an identity. */
export interface Ref {
  readonly kind: string;
  readonly value: string;
}

/** What a merge, a split or its undoing would move. */
export interface Moves {
  readonly identifiers: number;
  readonly tickets: number;
  readonly messages: number;
  readonly newest: readonly Message[];
}

export type { Merge, Suggestion, Trace };
