import type { Call, CallProgress, Envelope, Party } from '../core/envelope.ts';
import type { KnownCall, MessageContent } from '../core/rows.ts';

/** What one item says of a call, as it is kept. */
export interface Said extends Omit<MessageContent, 'call' | 'review'> {
  readonly sender: Party;
  readonly call: CallProgress;
}

/** A call as it is known. */
export interface CallState {
  readonly content: MessageContent & { readonly call: Call };
  readonly sender: Party;
  readonly direction: 'inbound' | 'outbound';
  /** Something said that it is over. */
  readonly ended: boolean;
}

/** The revision of what nobody said, so that everything that is said counts for more. */
export const UNSAID = -1;

/** What an item says of its call. */
export function saidIn(envelope: Extract<Envelope, { kind: 'call' }>): Said {
  const { revision, occurredAt, subject, text, textFull, html, fields, automatic, sender, call, direction } = envelope;
  const words = { subject, text, textFull, html, fields, automatic };
  // An envelope is inbound when nothing is said.
  const way = call.direction ?? (direction === 'outbound' ? direction : undefined);
  return { revision, occurredAt, ...words, sender, call: { ...call, ...(way && { direction: way }) } };
}

/**
 * The call that all of this says: of every field what the highest revision says that says it. Hangs on nothing but which
 * items there are, so that every order, and every repetition, of the same items gives the same call.
 */
export function callOf(texts: readonly string[]): CallState {
  const kept = [...new Set(texts)].map((raw) => ({ raw, said: JSON.parse(raw) as Said }));
  // Two that say something else under one revision have no order but their own text.
  kept.sort((a, b) => b.said.revision - a.said.revision || (a.raw < b.raw ? 1 : -1));
  const said = kept.map((each) => each.said);
  const last = <T>(of: (each: Said) => T | undefined) =>
    said.map(of).find((value) => value !== undefined && value !== '');
  const field = <K extends keyof CallProgress>(name: K) => last(({ call }) => call[name]);

  const occurredAt = Math.min(...said.map((each) => each.occurredAt));
  const outcome = last(({ call }) => (call.outcome === 'ringing' ? undefined : call.outcome)) ?? 'ringing';
  const direction = field('direction') ?? 'inbound';
  const [answeredAt, endedAt] = [field('answeredAt'), field('endedAt')];
  const call: Call = {
    outcome,
    direction,
    from: field('from') ?? '',
    to: field('to') ?? '',
    agent: field('agent'),
    waitedSec: field('waitedSec') ?? seconds(occurredAt, answeredAt ?? (outcome === 'answered' ? undefined : endedAt)),
    talkedSec: field('talkedSec') ?? (outcome === 'answered' ? seconds(answeredAt, endedAt) : undefined),
    recording: field('recording'),
    transcript: field('transcript'),
    summary: field('summary'),
    mood: field('mood'),
  };
  return {
    content: {
      revision: Math.max(0, ...said.map((each) => each.revision)),
      occurredAt,
      subject: last((each) => each.subject),
      text: last((each) => each.text) ?? '',
      textFull: last((each) => each.textFull),
      html: last((each) => each.html),
      fields: Object.fromEntries(
        said
          .toReversed()
          .flatMap((each) => Object.entries(each.fields))
          .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
      ),
      automatic: last((each) => each.automatic),
      call,
    },
    sender: {
      identifiers: last(({ sender }) => (sender.identifiers.length > 0 ? sender.identifiers : undefined)) ?? [],
      name: last(({ sender }) => sender.name),
      locale: last(({ sender }) => sender.locale),
    },
    direction,
    ended: said.some(
      ({ call: { outcome: said, endedAt: at, talkedSec } }) => isEnd(said) || (at ?? talkedSec) !== undefined,
    ),
  };
}

function isEnd(outcome: Call['outcome'] | undefined): boolean {
  return outcome !== undefined && outcome !== 'ringing' && outcome !== 'answered';
}

function seconds(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, Math.round((to - from) / 1000));
}

/** A customer called, and no person answered. */
export function isMissed({ direction, outcome }: Call): boolean {
  return direction === 'inbound' && isEnd(outcome);
}

/** Whether a customer waits to be called back for a call of this ticket: nobody has reached him since. */
export function awaitsCall(ticketId: string, calls: readonly KnownCall[]): boolean {
  const reached = calls.filter(({ call }) => call.direction === 'outbound' && call.outcome === 'answered');
  const since = Math.max(0, ...reached.map((each) => each.occurredAt));
  return calls.some((each) => each.ticketId === ticketId && isMissed(each.call) && each.occurredAt > since);
}
