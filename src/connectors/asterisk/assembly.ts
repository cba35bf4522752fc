import type { Block } from './blocks.ts';
import { byAge } from './call.ts';
import type { Call, Leg, Row } from './call.ts';
import { noteChannel, noteListed } from './channel.ts';
import { rowOf } from './rows.ts';

/** Channels that are followed at once, over all calls: more are no office. */
const MAX_LEGS = 1000;
const MAX_LEGS_OF_CALL = 200;
const MAX_ROWS = 200;
/** Calls that are over and may still be told something of: a record, an event that came out of turn. */
const MAX_RECENT = 300;

/** Puts events together to calls: channels by their Uniqueid, calls by their Linkedid. */
export interface Assembly {
  /** Calls that are going on, the oldest first. */
  open(): readonly Call[];
  /** Takes one event at a time by our clock, in whatever order and however often; the calls that it is about. */
  take(event: Block, at: number): readonly Call[];
  /** What runs by Asterisk's own list (CoreShowChannel events): the others have ended. The calls that have changed. */
  compare(list: readonly Block[], at: number): readonly Call[];
}

export function createAssembly(before: readonly Call[]): Assembly {
  const byLeg = new Map<string, Call>();
  const open = new Map<string, Call>();
  const recent = new Map<string, Call>();
  /** Calls that have become part of another one, and had been told. */
  let given: Call[] = [];
  for (const call of before) add({ ...call, isWhole: false, legs: call.legs.map((leg) => ({ ...leg })) });

  function add(call: Call): Call {
    open.set(call.id, call);
    for (const { uniqueid } of call.legs) byLeg.set(uniqueid, call);
    return call;
  }

  /** The leg of an event; a new one where nothing was known of it, unless it can't be taken. */
  function legOf(id: string | undefined, callId: string | undefined, channel: string): [Leg, Call] | undefined {
    if (!id) return undefined;
    const known = byLeg.get(id);
    const leg = known?.legs.find(({ uniqueid }) => uniqueid === id);
    if (known && leg) return [leg, callId && callId !== known.id ? join(known, callId) : known];
    const call = callOf(callId || id);
    const running = [...open.values()].reduce((sum, { legs }) => sum + legs.length, 0);
    if (running >= MAX_LEGS || call.legs.length >= MAX_LEGS_OF_CALL) return undefined;
    const made: Leg = { uniqueid: id, channel };
    call.legs.push(made);
    call.legs.sort((a, b) => byAge(a.uniqueid, b.uniqueid));
    byLeg.set(id, call);
    reopen(call);
    return [made, call];
  }

  function callOf(id: string): Call {
    const known = open.get(id) ?? recent.get(id);
    return known ?? add({ id, legs: [], rows: [], isWhole: true, told: 0 });
  }

  function reopen(call: Call): void {
    if (!recent.delete(call.id)) return;
    delete call.ended;
    open.set(call.id, call);
  }

  /** Two calls became one: it keeps the older id. */
  function join(one: Call, otherId: string): Call {
    const other = callOf(otherId);
    if (one === other) return one;
    const [kept, younger] = byAge(one.id, other.id) <= 0 ? [one, other] : [other, one];
    if (kept.legs.length + younger.legs.length > MAX_LEGS_OF_CALL) return one;
    if (younger.told > 0) given.push({ ...younger, legs: younger.legs.map((leg) => ({ ...leg })), ended: 'seen' });
    kept.isWhole &&= younger.isWhole;
    kept.legs.push(...younger.legs);
    kept.legs.sort((a, b) => byAge(a.uniqueid, b.uniqueid));
    kept.rows.push(...younger.rows.slice(0, MAX_ROWS - kept.rows.length));
    for (const { uniqueid } of younger.legs) byLeg.set(uniqueid, kept);
    open.delete(younger.id);
    recent.delete(younger.id);
    reopen(kept);
    return kept;
  }

  function hangUp(event: Block, at: number): Call | undefined {
    const found = legOf(event.get('uniqueid'), event.get('linkedid'), event.get('channel') ?? '');
    if (!found) return undefined;
    const [leg, call] = found;
    noteChannel(leg, event);
    leg.endedAt ??= at;
    return finish(call, 'seen');
  }

  function finish(call: Call, how: 'seen' | 'gone'): Call {
    if (!call.legs.every((leg) => leg.endedAt !== undefined || leg.isGone)) return call;
    call.ended = how;
    retire(call);
    return call;
  }

  function retire(call: Call): void {
    open.delete(call.id);
    recent.set(call.id, call);
    const [oldest] = recent.values();
    if (recent.size <= MAX_RECENT || !oldest) return;
    recent.delete(oldest.id);
    for (const { uniqueid } of oldest.legs) byLeg.delete(uniqueid);
  }

  /** A record comes when its channel has ended; also of a call that we know nothing of. */
  function record(event: Block): Call | undefined {
    const row = rowOf(event);
    const { uniqueid = '', linkedid = uniqueid, channel = '' } = row;
    const known = byLeg.get(uniqueid) ?? open.get(linkedid) ?? recent.get(linkedid);
    if (known) return addRow(known, row);
    // Where nothing says which call it belongs to, a channel of Asterisk's own is none.
    if (!linkedid || (linkedid === uniqueid && channel.startsWith('Local/'))) return undefined;
    const call: Call = { id: linkedid, legs: [], rows: [row], isWhole: true, ended: 'gone', told: 0 };
    retire(call);
    return call;
  }

  function channelEvent(event: Block, at: number): Call | undefined {
    const name = nameOf(event);
    const channel = event.get('channel') ?? '';
    const found = legOf(event.get('uniqueid'), event.get('linkedid'), channel);
    if (!found) return undefined;
    const [leg, call] = found;
    if (name === 'newchannel') {
      leg.createdAt ??= at;
      // What was dialled first: later it is wherever the dialplan has come to.
      leg.exten = event.get('exten') || undefined;
    }
    if (name === 'rename') leg.channel = event.get('newname') ?? leg.channel;
    noteChannel(leg, event);
    if (event.get('channelstate') === '6' && name !== 'newchannel') leg.upAt ??= at;
    return call;
  }

  /** Who is rung. In Asterisk 11 and older this is what says that both belong together. */
  function dial(event: Block): Call | undefined {
    const caller = byLeg.get(event.get('uniqueid') ?? '');
    const linkedid = event.get('destlinkedid') ?? caller?.id;
    const channel = event.get('destchannel') ?? event.get('destination') ?? '';
    const found = legOf(event.get('destuniqueid'), linkedid, channel);
    if (!found) return caller && unnamed(caller, event);
    const [leg, call] = found;
    leg.dialed = event.get('dialstring') ?? leg.dialed ?? '';
    leg.outcome ??= event.get('dialstatus');
    return call;
  }

  /** Asterisk 11 and older don't say whose end it is. */
  function unnamed(call: Call, event: Block): Call {
    for (const leg of call.legs) if (leg.dialed !== undefined) leg.outcome ??= event.get('dialstatus');
    return call;
  }

  /** Also of Asterisk 11 and older: two channels that belong together. */
  function pair(event: Block): Call | undefined {
    const [one, two] = [event.get('uniqueid1'), event.get('uniqueid2')].map((id) => id && byLeg.get(id));
    return one && two ? join(one, two.id) : undefined;
  }

  const kinds: Readonly<Record<string, (event: Block, at: number) => Call | undefined>> = {
    newchannel: channelEvent,
    newstate: channelEvent,
    newcallerid: channelEvent,
    rename: channelEvent,
    dial,
    dialbegin: dial,
    dialend: dial,
    hangup: hangUp,
    bridge: pair,
    localbridge: pair,
    cdr: record,
  };

  /** Whatever names a channel also says which call it belongs to by now. */
  function relink(event: Block): Call | undefined {
    const call = byLeg.get(event.get('uniqueid') ?? '');
    const linkedid = event.get('linkedid');
    return call && linkedid && linkedid !== call.id ? join(call, linkedid) : undefined;
  }

  return {
    open: () => [...open.values()],
    take(event, at) {
      given = [];
      const name = nameOf(event);
      const call = (Object.hasOwn(kinds, name) ? kinds[name] : relink)?.(event, at);
      const closed = given.map((each) => ({
        ...each,
        legs: each.legs.map((leg) => ({ ...leg, endedAt: leg.endedAt ?? at })),
      }));
      return call ? [...closed, call] : closed;
    },
    compare(list, at) {
      const running = new Set(list.map((event) => event.get('uniqueid') ?? ''));
      const changed = new Set<Call>();
      for (const call of [...open.values()]) {
        const gone = call.legs.filter((leg) => leg.endedAt === undefined && !running.has(leg.uniqueid));
        for (const leg of gone) leg.isGone = true;
        if (gone.length > 0) changed.add(finish(call, 'gone'));
      }
      for (const event of list) {
        const call = listed(event, at);
        if (call) changed.add(call);
      }
      return [...changed];
    },
  };

  /** A channel as it is by now; of one that we don't know from its beginning only since when it is there. */
  function listed(event: Block, at: number): Call | undefined {
    const found = legOf(event.get('uniqueid'), event.get('linkedid'), event.get('channel') ?? '');
    if (!found) return undefined;
    const [leg, call] = found;
    if (noteListed(leg, event, at) === 'new') call.isWhole = false;
    return call;
  }
}

function nameOf(event: Block): string {
  return event.get('event')?.toLowerCase() ?? '';
}

function addRow(call: Call, row: Row): Call {
  const said = JSON.stringify(row);
  if (call.rows.length < MAX_ROWS && !call.rows.some((each) => JSON.stringify(each) === said)) call.rows.push(row);
  return call;
}
