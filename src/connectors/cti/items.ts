import { ignored, type CallProgress, type ItemInput } from '../../core/envelope.ts';
import type { Event } from './event.ts';

/**
 * Where nobody spoke with anybody. `forwarded` goes on as a call of its own, and tells its end there; `blocked` was
 * meant to come to nothing.
 */
const CAUSES: Readonly<Record<string, 'missed' | 'busy' | 'failed' | 'voicemail'>> = {
  cancel: 'missed',
  noAnswer: 'missed',
  busy: 'busy',
  congestion: 'failed',
  notFound: 'failed',
  voicemail: 'voicemail',
};

/** What an event says of its call. None carries a time: it counts when it arrived. */
export function toItems(event: Event, at: number): ItemInput[] {
  switch (event.event) {
    case 'newCall':
      return [toItem(event, at, 1, { outcome: 'ringing', ...(event.direction === 'out' && agentOf(event)) })];
    case 'answer': {
      // The mailbox picks up like anybody else, under this name.
      const outcome = event.user.includes('voicemail') ? 'voicemail' : 'answered';
      return [toItem(event, at, 2, { outcome, answeredAt: at, ...(outcome === 'answered' && agentOf(event)) })];
    }
    case 'hangup':
      return hangUp(event, at);
    default:
      return [ignored(event.event, 'no event of a call that is known')];
  }
}

function hangUp(event: Event, at: number): ItemInput[] {
  const outcome = CAUSES[event.cause ?? ''];
  const talked = event.duration ? { talkedSec: event.duration } : {};
  const ended = toItem(event, at, 3, { endedAt: at, ...(outcome && { outcome }), ...talked });
  // Somebody had picked up, if only a mailbox: should his event be lost, it was a person.
  return event.cause === 'normalClearing' ? [toItem(event, at, 1, { outcome: 'answered' }), ended] : [ended];
}

function toItem(event: Event, at: number, revision: number, call: CallProgress): ItemInput {
  const { callId, direction, from, to, diversion, queue, cause } = event;
  const customer = direction === undefined ? undefined : direction === 'in' ? from : to;
  const isKnown = customer !== undefined && /\d{3}/.test(customer);
  const fields = { diversion, queue, cause: revision === 3 ? cause : undefined };
  return {
    kind: 'call',
    externalId: callId,
    revision,
    occurredAt: at,
    direction: direction === 'out' ? 'outbound' : 'inbound',
    sender: { identifiers: isKnown ? [{ kind: 'phone', value: customer, trust: 'observed' }] : [] },
    text: '',
    fields: Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value ? [[name, value]] : []))),
    call: {
      ...call,
      ...(direction && { direction: direction === 'out' ? 'outbound' : 'inbound' }),
      ...(from && { from }),
      ...(to && { to }),
    },
  };
}

/** Who speaks: the name of the user, else where he picked up. */
function agentOf({ user, answeringNumber }: Event): { agent?: string } {
  const agent = user.join(', ') || answeringNumber;
  return agent ? { agent: agent.slice(0, 1000) } : {};
}
