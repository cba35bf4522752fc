import type { CallProgress, EnvelopeInput } from '../../../core/envelope.ts';
import { callerOf } from './callers.ts';

type CallItem = Extract<EnvelopeInput, { kind: 'call' }>;

/**
 * What counts more about a call, whatever comes first: who took it outweighs that it is over, a message that was left
 * outweighs that nobody took it, and what is pushed outweighs who answered according to the list, which knows of no keys.
 */
export const RANK = { began: 1, ended: 2, accepted: 3, listed: 4, dialed: 5, recorded: 6, written: 7 } as const;

export interface About {
  readonly channel: string;
  readonly receivedAt: number;
}

/** A call's item without what hasn't been said. */
export function itemOf(
  { channel }: About,
  given: {
    readonly id: string;
    readonly at: number;
    readonly rank: keyof typeof RANK;
    /** The customer as Twilio writes him, where this says it. */
    readonly customer?: string;
    readonly name?: string;
    readonly call: CallProgress;
    readonly recording?: string;
  },
): CallItem {
  const { customer, name, recording, call } = given;
  return {
    kind: 'call',
    externalId: given.id,
    revision: RANK[given.rank],
    occurredAt: given.at,
    ...(call.direction === 'outbound' && { direction: 'outbound' }),
    sender: {
      ...(name !== undefined && { name: name.slice(0, 1000) }),
      identifiers: customer === undefined ? [] : callerOf(customer, channel),
    },
    text: '',
    ...(recording !== undefined && {
      attachments: [{ id: recording, name: 'recording.mp3', mediaType: 'audio/mpeg' }],
    }),
    call: { ...call, ...(recording !== undefined && { recording }) },
  };
}

/** https://www.twilio.com/docs/voice/api/call-resource#call-status-values */
const ENDED: ReadonlyMap<string, 'missed' | 'busy' | 'failed'> = new Map([
  // It was taken by our greeting; that a person took it is said elsewhere, and counts more.
  ['completed', 'missed'],
  ['no-answer', 'missed'],
  ['canceled', 'missed'],
  ['busy', 'busy'],
  ['failed', 'failed'],
]);

export function outcomeOf(status: string | undefined): 'missed' | 'busy' | 'failed' | undefined {
  return ENDED.get(status ?? '');
}

/** The id of a recording: what it is fetched by. */
export function isRecording(sid: string): boolean {
  return /^RE[0-9a-f]{32}$/i.test(sid);
}
