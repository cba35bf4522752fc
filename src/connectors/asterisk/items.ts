import { z } from 'zod';
import { ignored } from '../../core/envelope.ts';
import type { CallProgress, ItemInput } from '../../core/envelope.ts';
import { parseJson } from '../../core/json.ts';
import type { Payload } from '../../core/payload.ts';
import { Call, timeOfId } from './call.ts';
import type { Leg } from './call.ts';
import { legsOf } from './rows.ts';
import type { Settings } from './settings.ts';

type Peers = Pick<Settings, 'extensionDigits' | 'phones' | 'trunks'>;
type Outcome = 'ringing' | 'answered' | 'missed' | 'busy' | 'failed' | 'voicemail';

/** What is stored: a call as it is known by then, or what is to be told of the connection itself. */
const Stored = z.union([
  z.object({ call: Call }),
  z.object({ note: z.object({ name: z.string().max(200), text: z.string().max(2000) }) }),
]);

export function toItems({ body }: Payload, peers: Peers): ItemInput[] {
  const stored = Stored.parse(parseJson(body));
  return ['note' in stored ? ignored(stored.note.name, stored.note.text) : toItem(stored.call, peers)];
}

/** A call that has somebody outside in it, from the business's side of view; `ignored` where nobody is. */
export function toItem(call: Call, peers: Peers): ItemInput {
  const legs = usesRecords(call) ? legsOf(call.id, call.rows) : call.legs;
  const real = legs.filter(isReal);
  const [origin] = real;
  if (!origin) return ignored('call', 'no phone and no line takes part in it');
  const isInbound = isOutside(origin, peers) && origin.dialed === undefined;
  // In Asterisk 11 and older, what it is about to ring is alone at first, too: but nobody has dialled anything there.
  if (isInbound && !call.ended && real.length === 1 && !origin.exten) return ignored('call', 'it has only begun');
  const customer = isInbound ? origin : reached(real.filter((leg) => isOutside(leg, peers)));
  if (!customer) return ignored('internal_call', `${titleOf(origin)} and ${real.slice(1).map(titleOf).join(', ')}`);
  return isInbound ? inbound(call, real, origin, peers) : outbound(call, real, customer, peers);
}

/** Where we were not connected all the time, records know more, once there are any. */
function usesRecords(call: Call): boolean {
  return call.rows.length > 0 && call.ended !== undefined && !isWhole(call);
}

function isWhole({ isWhole: fromBeginning, legs }: Call): boolean {
  return fromBeginning && legs.length > 0 && legs.every(({ createdAt }) => createdAt !== undefined);
}

/** Answered by a person: somebody who was rung picked up. That Asterisk itself did (menu, queue, mailbox) doesn't count. */
function inbound(call: Call, real: readonly Leg[], origin: Leg, peers: Peers): ItemInput {
  const takers = real.filter((leg) => leg !== origin && leg.upAt !== undefined);
  const first = takers.toSorted(byAnswer)[0];
  // Whoever it was passed on to is rung later.
  const last = takers.at(-1);
  const outcome = first ? 'answered' : call.ended ? missedAs(call, real) : 'ringing';
  const number = origin.isHidden ? undefined : phoneOf(origin.number);
  return itemOf(call, {
    direction: 'inbound',
    outcome,
    origin,
    customer: { number, name: origin.isHidden ? undefined : origin.name },
    from: number ?? (origin.isHidden ? 'anonymous' : (origin.number ?? 'anonymous')),
    to: origin.exten ?? titleOf(origin),
    agent: last && agentOf(last, peers),
    taker: first,
    endedAt: origin.endedAt ?? endOf(real),
  });
}

function outbound(call: Call, real: readonly Leg[], customer: Leg, peers: Peers): ItemInput {
  const [origin = customer] = real;
  const agent = real.find((leg) => !isOutside(leg, peers));
  const number = dialedNumber(customer.dialed) ?? phoneOf(customer.number) ?? phoneOf(origin.exten);
  const outcome = customer.upAt !== undefined ? 'answered' : call.ended ? refusedAs(customer) : 'ringing';
  return itemOf(call, {
    direction: 'outbound',
    outcome,
    origin,
    customer: { number },
    from: (agent && agentOf(agent, peers)) ?? titleOf(origin),
    to: number ?? customer.dialed ?? titleOf(customer),
    agent: agent && agentOf(agent, peers),
    taker: customer,
    endedAt: customer.endedAt ?? endOf(real),
  });
}

interface Meaning {
  readonly direction: 'inbound' | 'outbound';
  readonly outcome: Outcome;
  readonly origin: Leg;
  readonly customer: { readonly number: string | undefined; readonly name?: string | undefined };
  readonly from: string;
  readonly to: string;
  readonly agent: string | undefined;
  /** Who picked up first. */
  readonly taker: Leg | undefined;
  readonly endedAt: number | undefined;
}

function itemOf(call: Call, meaning: Meaning): ItemInput {
  const { direction, outcome, customer, from, to, agent } = meaning;
  const { number, name } = customer;
  return {
    kind: 'call',
    externalId: call.id,
    revision: revisionOf(call, outcome),
    occurredAt: Math.max(0, timeOfId(call.id) ?? meaning.origin.createdAt ?? 0),
    direction,
    sender: {
      ...(name && name !== number && { name: name.slice(0, 1000) }),
      identifiers: number ? [{ kind: 'phone', value: number, trust: 'observed' }] : [],
    },
    text: '',
    call: { outcome, direction, from, to, ...(agent && { agent }), ...secondsOf(call, meaning) },
  };
}

/** Only between moments that we have seen, or that the records name. That it is over is told in any case. */
function secondsOf(
  call: Call,
  { origin, taker, outcome, endedAt }: Meaning,
): Pick<CallProgress, 'waitedSec' | 'talkedSec' | 'endedAt'> {
  const isOver = call.ended !== undefined;
  if (outcome !== 'answered') return isOver ? waited(origin, endedAt) : {};
  const upAt = taker?.isLate ? undefined : taker?.upAt;
  if (!isOver) return waited(origin, upAt);
  if (upAt === undefined || endedAt === undefined) return { ...waited(origin, upAt), ...overAt(call, endedAt) };
  return { ...waited(origin, upAt), talkedSec: between(upAt, endedAt) };
}

function waited({ createdAt }: Leg, until: number | undefined): { waitedSec?: number } {
  return createdAt === undefined || until === undefined ? {} : { waitedSec: between(createdAt, until) };
}

function overAt(call: Call, endedAt: number | undefined): { endedAt?: number } {
  const times = call.legs.flatMap((leg) => [leg.endedAt ?? 0, leg.upAt ?? 0, leg.createdAt ?? 0]);
  const time = endedAt ?? Math.max(0, ...times);
  return time > 0 ? { endedAt: Math.round(time) } : {};
}

function between(from: number, to: number): number {
  return Math.max(0, Math.round((to - from) / 1000));
}

/**
 * The same in whatever order it is told: what was seen from beginning to end says more than records, and they say
 * more than what was seen in part.
 */
function revisionOf(call: Call, outcome: Outcome): number {
  return stageOf(call, outcome) * 1_000_000 + Math.min(call.told, 999_999);
}

function stageOf(call: Call, outcome: Outcome): number {
  if (!call.ended) return outcome === 'ringing' ? 1 : 2;
  if (isWhole(call)) return 6;
  if (call.ended === 'records') return 5;
  return call.rows.length > 0 ? 4 : 3;
}

function missedAs(call: Call, real: readonly Leg[]): Outcome {
  if (call.rows.some((row) => /^(voicemail|minivm)/i.test(row['lastapp'] ?? ''))) return 'voicemail';
  const outcomes = real.flatMap((leg) => (leg.outcome ? [leg.outcome.toUpperCase()] : []));
  if (outcomes.length === 0) return 'missed';
  if (outcomes.every((each) => each === 'BUSY')) return 'busy';
  return outcomes.every((each) => FAILED.includes(each)) ? 'failed' : 'missed';
}

/** https://docs.asterisk.org/Latest_API/API_Documentation/AMI_Events/DialEnd/ */
const FAILED: readonly string[] = ['CHANUNAVAIL', 'CONGESTION', 'INVALIDARGS'];

function refusedAs({ outcome }: Leg): Outcome {
  const said = outcome?.toUpperCase() ?? '';
  return said === 'BUSY' ? 'busy' : FAILED.includes(said) ? 'failed' : 'missed';
}

function byAnswer(a: Leg, b: Leg): number {
  return (a.upAt ?? 0) - (b.upAt ?? 0);
}

/** Of several lines that were tried the one on which somebody picked up, else the last. */
function reached(lines: readonly Leg[]): Leg | undefined {
  return lines.find(({ upAt }) => upAt !== undefined) ?? lines.at(-1);
}

function endOf(legs: readonly Leg[]): number | undefined {
  const times = legs.flatMap(({ endedAt }) => endedAt ?? []);
  return times.length > 0 ? Math.max(...times) : undefined;
}

/** Channels of Asterisk's own, and what is left of one that another has replaced. */
const UNREAL =
  /^(local|message|cbann|cbrec|announcer|recorder|bridge|snoop|surrogate|multicastrtp|unicastrtp|parked|console|outgoingspoolfailed|asyncgoto)\/|<(zombie|masq)>/i;

function isReal({ channel }: Leg): boolean {
  return channel.includes('/') && !UNREAL.test(channel);
}

/** `PJSIP/101-0000001f` is a channel of the peer 101. */
function peerOf(channel: string): string {
  return channel.slice(channel.indexOf('/') + 1).replace(/-[0-9a-f]+$/i, '');
}

function isOutside({ channel }: Leg, { extensionDigits, phones, trunks }: Peers): boolean {
  const peer = peerOf(channel);
  if (trunks.includes(peer)) return true;
  return !phones.includes(peer) && !(/^\d+$/.test(peer) && peer.length <= extensionDigits);
}

/** Who picked up: his phone, or the number outside at which he was rung. */
function agentOf(leg: Leg, peers: Peers): string {
  if (!isOutside(leg, peers)) return peerOf(leg.channel);
  return dialedNumber(leg.dialed) ?? phoneOf(leg.number) ?? peerOf(leg.channel);
}

function titleOf({ channel }: Leg): string {
  return peerOf(channel);
}

/** `PJSIP/0501234567@trunk`, `trunk/0501234567`, `trunk/sip:0501234567@host:5060`. */
function dialedNumber(dialed: string | undefined): string | undefined {
  const [first = ''] = (dialed ?? '').split(',');
  return phoneOf(/(?:^|[/:])(\+?\d{3,20})(?:@|$)/.exec(first)?.[1]);
}

/** A number that somebody can be found by; as it came. */
function phoneOf(value: string | undefined): string | undefined {
  return value && /^\+?[\d().\s-]{3,30}$/.test(value) && /\d{3}/.test(value) ? value : undefined;
}
