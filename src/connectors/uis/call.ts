import type { EnvelopeInput } from '../../core/envelope.ts';
import { phoneOf } from './fields.ts';
import type { Direction } from './fields.ts';

type CallItem = Extract<EnvelopeInput, { kind: 'call' }>;

/**
 * Whose word counts for more. A recording says that somebody talked, unless anything else says how the call went; the report
 * knows best, since it is made when all is over.
 */
const STAGES = { recorded: 1, rings: 2, talks: 3, lost: 4, ended: 5, listed: 6 } as const;
export type Stage = keyof typeof STAGES;
/** Milliseconds since 1970 have a digit less, for the next 260 years. */
const STAGE_SIZE = 10_000_000_000_000;

export interface File {
  readonly kind: 'recording' | 'voicemail';
  /** What the vendor calls it: the end of its address. */
  readonly name: string;
}

/** What an event, or the report, says of a call. */
export interface Told {
  readonly id: string;
  readonly stage: Stage;
  /** When it was said, milliseconds; undefined where it doesn't say. */
  readonly saidAt: number | undefined;
  /** When the call began, or what comes next to it. */
  readonly beganAt: number;
  readonly direction: Direction | undefined;
  readonly customer: string | undefined;
  readonly customerName: string | undefined;
  readonly ours: string | undefined;
  readonly call: CallItem['call'];
  readonly files?: readonly File[];
}

export function callOf(told: Told): CallItem {
  const { direction, customer, customerName, ours, files = [] } = told;
  const number = phoneOf(customer);
  // Their addresses would let anybody listen, so they stay in the payload.
  const attachments = files.map(({ kind, name }) => {
    return { id: `${kind}:${name}`, name: `${kind}.mp3`, mediaType: 'audio/mpeg' };
  });
  return {
    kind: 'call',
    externalId: told.id,
    // Of two events of one stage the later one counts: who took the call over, not who passed it on.
    revision: STAGES[told.stage] * STAGE_SIZE + (told.saidAt ?? 0),
    occurredAt: told.beganAt,
    ...(direction && { direction }),
    // Whoever hides his number is nobody else who does.
    sender: {
      ...(customerName !== undefined && { name: customerName }),
      identifiers: number === undefined ? [] : [{ kind: 'phone', value: number, trust: 'observed' }],
    },
    text: '',
    ...(attachments.length > 0 && { attachments }),
    call: {
      ...(direction && { direction, ...endsOf(direction, number ?? customer, phoneOf(ours) ?? ours) }),
      ...told.call,
      ...(attachments[0] && { recording: attachments[0].id }),
    },
  };
}

function endsOf(direction: Direction, customer: string | undefined, ours: string | undefined) {
  const [from, to] = direction === 'inbound' ? [customer, ours] : [ours, customer];
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}
