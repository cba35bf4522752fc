import type { Block } from './blocks.ts';
import { timeOfId } from './call.ts';
import type { Leg, Row } from './call.ts';

/** Call records: https://docs.asterisk.org/Configuration/Reporting/Call-Detail-Records-CDR/CDR-Fields/ */

/** How the Cdr event names what the columns of a table are called. */
const NAMES: Readonly<Record<string, string>> = {
  source: 'src',
  destination: 'dst',
  callerid: 'clid',
  channel: 'channel',
  destinationchannel: 'dstchannel',
  lastapplication: 'lastapp',
  lastdata: 'lastdata',
  starttime: 'start',
  duration: 'duration',
  billableseconds: 'billsec',
  disposition: 'disposition',
  uniqueid: 'uniqueid',
  linkedid: 'linkedid',
};

/** A Cdr event as a record; `linkedid` only where cdr_manager.conf adds it. */
export function rowOf(event: Block): Row {
  const entries = Object.entries(NAMES).map(([from, to]) => [to, (event.get(from) ?? '').slice(0, 1000)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== ''));
}

/** A time without its offset, which nobody knows: good for differences within one call. */
export function clockOf(row: Row): number {
  const text = row['start'] ?? row['calldate'] ?? '';
  const [, day, hour] = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)/.exec(text) ?? [];
  return day && hour ? Date.parse(`${day}T${hour}Z`) : Number.NaN;
}

export function secondsOf(row: Row, column: 'duration' | 'billsec'): number {
  const seconds = Number(row[column]);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : 0;
}

/**
 * The channels of a call by its records, in the order in which they were made. The id of the call says when it began:
 * records are written in whatever time zone the machine has.
 */
export function legsOf(id: string, rows: readonly Row[]): Leg[] {
  const inOrder = rows.toSorted(
    (a, b) => clockOf(a) - clockOf(b) || Number(a['sequence']) - Number(b['sequence']) || 0,
  );
  const first = inOrder.map(clockOf).find((time) => !Number.isNaN(time)) ?? 0;
  const base = timeOfId(id) ?? first;
  const legs = new Map<string, Leg>();
  for (const row of inOrder) {
    const createdAt = base + ((clockOf(row) || first) - first);
    const times = { createdAt, endedAt: createdAt + secondsOf(row, 'duration') * 1000 };
    for (const leg of [callerOf(row), rungBy(row, times.endedAt)]) if (leg) put(legs, { ...leg, ...times });
  }
  return [...legs.values()];
}

function callerOf(row: Row): Leg | undefined {
  const { channel, uniqueid = '', dst, did, clid = '' } = row;
  return channel
    ? { uniqueid, channel, number: numberOf(row), name: /^"([^"]+)"/.exec(clid)?.[1], exten: did ?? dst }
    : undefined;
}

function rungBy(row: Row, endedAt: number): Leg | undefined {
  const { dstchannel, disposition = '' } = row;
  if (!dstchannel) return undefined;
  const outcome = OUTCOMES[disposition.toUpperCase()];
  const upAt = outcome === 'ANSWER' ? endedAt - secondsOf(row, 'billsec') * 1000 : undefined;
  return { uniqueid: '', channel: dstchannel, dialed: dialedBy(row), outcome, upAt };
}

const OUTCOMES: Readonly<Record<string, string>> = {
  ANSWERED: 'ANSWER',
  'NO ANSWER': 'NOANSWER',
  BUSY: 'BUSY',
  FAILED: 'CHANUNAVAIL',
  CONGESTION: 'CONGESTION',
};

function numberOf({ src, clid }: Row): string | undefined {
  return src || /<([^<>]+)>/.exec(clid ?? '')?.[1] || undefined;
}

/** What was rung, where it was one: else the extension. */
function dialedBy({ lastapp, lastdata = '', dst = '' }: Row): string {
  const [first = ''] = lastdata.split(',');
  return lastapp?.toLowerCase() === 'dial' && first !== '' && !first.includes('&') ? first : dst;
}

/** The same channel may be in several records: it lasts from the first to the last of them. */
function put(legs: Map<string, Leg>, leg: Leg): void {
  const known = legs.get(leg.channel);
  if (!known) {
    legs.set(leg.channel, leg);
    return;
  }
  known.endedAt = Math.max(known.endedAt ?? 0, leg.endedAt ?? 0);
  known.upAt ??= leg.upAt;
  known.dialed ??= leg.dialed;
  known.outcome ??= leg.outcome;
}
