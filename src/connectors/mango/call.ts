import type { EnvelopeInput } from '../../core/envelope.ts';
import { numberOf } from './fields.ts';

type CallItem = Extract<EnvelopeInput, { kind: 'call' }>;
export type Direction = 'inbound' | 'outbound';

/** As the end of a call and the statistics say it; 0 and 3 are calls among employees. */
export const DIRECTIONS: ReadonlyMap<number | undefined, Direction> = new Map([
  [1, 'inbound'],
  [2, 'outbound'],
]);

/**
 * Whose word counts for more. A recording says that somebody talked, unless anything else says how the call went; what is
 * pushed at its end knows better than the statistics.
 */
const STAGES = { recorded: 1, rings: 2, answered: 3, listed: 4, ended: 5 } as const;
/** Seconds since 1970 have a digit less, for the next 260 years. */
const STAGE_SIZE = 10_000_000_000;

/** What an event says of a call. */
export interface Told {
  readonly stage: keyof typeof STAGES;
  /** When it was, seconds since 1970; of the end of a call, when it began. */
  readonly second: number | undefined;
  readonly receivedAt: number;
  readonly direction?: Direction;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly call: CallItem['call'];
  readonly recordings?: readonly string[];
}

export function callOf(externalId: string, told: Told): CallItem {
  const { second, direction, recordings = [] } = told;
  const [from, to] = [told.from, told.to].map((text) => numberOf(text) ?? text);
  const customer = numberOf(direction === 'outbound' ? to : from);
  // Their links are good for one time only, so they are asked for when they are fetched.
  const files = recordings.map((id) => ({ id: `recording:${id}`, name: 'recording.mp3', mediaType: 'audio/mpeg' }));
  return {
    kind: 'call',
    externalId,
    revision: revisionOf(told.stage, second),
    occurredAt: second === undefined ? told.receivedAt : second * 1000,
    ...(direction && { direction }),
    // Whoever withholds his number is nobody else who does.
    sender: { identifiers: customer === undefined ? [] : [{ kind: 'phone', value: customer, trust: 'observed' }] },
    text: '',
    ...(files.length > 0 && { attachments: files }),
    call: {
      ...(direction && { direction }),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
      ...told.call,
      ...(files[0] && { recording: files[0].id }),
    },
  };
}

/**
 * `seq` counts within a leg only: legs of one call have no order but their time. Of two events of one stage the earlier
 * one counts: who answered first, not who took the call over, nor the same leg when it is taken from hold again.
 */
function revisionOf(stage: keyof typeof STAGES, second = STAGE_SIZE - 1): number {
  return STAGES[stage] * STAGE_SIZE - second;
}
