import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAssembly } from '../src/connectors/asterisk/assembly.ts';
import { createBlockReader, toBytes } from '../src/connectors/asterisk/blocks.ts';
import { byAge } from '../src/connectors/asterisk/call.ts';
import { toItem } from '../src/connectors/asterisk/items.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { channel, readFields, told, type FakeChannel } from './fakes/asterisk.ts';
import { skipUnless } from './skip.ts';

const RECORDED = join(import.meta.dirname, '../../shared/fixtures/asterisk-ami/panoramisk/originate_with_events.yaml');

type Fields = Readonly<Record<string, string>>;
type CallItem = Extract<ItemInput, { kind: 'call' }>;

const PEERS = { extensionDigits: 5, phones: [] as string[], trunks: [] as string[] };

/** What becomes of events, one a second: of each call its last item by revision; `ignored` by its name. */
function play(events: readonly Fields[], peers = PEERS): { calls: CallItem[]; ignored: string[] } {
  const assembly = createAssembly([]);
  const best = new Map<string, CallItem>();
  const ignored: string[] = [];
  events.forEach((event, index) => {
    const block = new Map(Object.entries(event).map(([key, value]) => [key.toLowerCase(), value]));
    for (const call of assembly.take(block, 1_700_000_000_000 + index * 1000)) {
      const item = toItem({ ...call, told: call.told + 1 }, peers);
      if (item.kind === 'ignored' && call.ended) ignored.push(item.name);
      if (item.kind !== 'call') continue;
      call.told++;
      const known = best.get(item.externalId);
      if (!known || (item.revision ?? 0) > (known.revision ?? 0)) best.set(item.externalId, item);
    }
  });
  return { calls: [...best.values()], ignored };
}

/** The same events in other orders, some of them twice: which moment is whose then changes, and nothing else. */
function* disordered(events: readonly Fields[]): Generator<Fields[]> {
  for (let seed = 1; seed <= 40; seed++) {
    let state = seed;
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const order = events.flatMap((event) => (random() < 0.3 ? [event, event] : [event]));
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    yield order;
  }
}

function isOneCall(events: readonly Fields[], expected: CallItem['call']): CallItem {
  const { calls } = play(events);
  assert.equal(calls.length, 1);
  assert.deepEqual(calls[0]!.call, expected);
  const { waitedSec: _waited, talkedSec: _talked, ...lasting } = expected;
  for (const order of disordered(events)) {
    const again = play(order).calls;
    const facts = again.map(({ call: { waitedSec: _w, talkedSec: _t, endedAt: _e, ...rest } }) => rest);
    assert.deepEqual(facts, [lasting], JSON.stringify(order.map(({ Event, Uniqueid }) => [Event, Uniqueid])));
  }
  return calls[0]!;
}

const CALLER = '+380501234567';
const caller = channel('PJSIP/provider', 1, { number: CALLER, exten: '0441112233' });
const ringing = (one: FakeChannel, at: FakeChannel) => [told.begins(one), told.dials(at, one, one.Channel)];
const cancelled = (one: FakeChannel, at: FakeChannel) => [told.dialled(at, one, 'CANCEL'), told.ends(one)];
const phone = (number: string, nth: number) => channel(`PJSIP/${number}`, nth, { of: caller, number });

describe('Calls of an Asterisk', () => {
  it('are answered by whoever picks up, after the time that it rang', () => {
    const one = phone('101', 2);
    const call = isOneCall(
      [
        told.begins(caller),
        ...ringing(one, caller),
        told.isUp(one),
        told.isUp(caller),
        told.dialled(caller, one, 'ANSWER'),
        told.enters(one),
        told.ends(one),
        told.ends(caller),
      ],
      {
        outcome: 'answered',
        direction: 'inbound',
        from: CALLER,
        to: '0441112233',
        agent: '101',
        waitedSec: 3,
        talkedSec: 5,
      },
    );
    assert.equal(call.externalId, caller.Uniqueid);
    assert.equal(call.occurredAt, 1_700_000_000_000);
    assert.equal(call.direction, 'inbound');
    assert.deepEqual(call.sender, { identifiers: [{ kind: 'phone', value: CALLER, trust: 'observed' }] });
  });

  it('are one in a ring group, with the one who picked up', () => {
    const group = [phone('101', 2), phone('102', 3), phone('103', 4)];
    const [one, two, three] = group;
    isOneCall(
      [
        told.begins(caller),
        ...group.flatMap((each) => ringing(each, caller)),
        told.isUp(two!),
        ...cancelled(one!, caller),
        ...cancelled(three!, caller),
        told.dialled(caller, two!, 'ANSWER'),
        told.ends(two!),
        told.ends(caller),
      ],
      {
        outcome: 'answered',
        direction: 'inbound',
        from: CALLER,
        to: '0441112233',
        agent: '102',
        waitedSec: 7,
        talkedSec: 7,
      },
    );
  });

  it('are one in a queue that rings by local channels, and a menu or queue that answers is nobody', () => {
    const local = [1, 2].map((half) => {
      const made = channel('Local/101@queue', 1 + half, { of: caller });
      return { ...made, Channel: `Local/101@queue-0000000a;${half}` };
    });
    const one = phone('101', 4);
    const before = [
      told.begins(caller),
      told.isUp(caller),
      told.begins(local[0]!),
      told.begins(local[1]!, { Exten: '101' }),
      told.dials(caller, local[0]!, 'Local/101@queue'),
      ...ringing(one, local[1]!),
    ];
    isOneCall(
      [
        ...before,
        told.isUp(one),
        told.isUp(local[1]!),
        told.isUp(local[0]!),
        told.ends(local[1]!),
        told.ends(local[0]!),
        told.ends(one),
        told.ends(caller),
      ],
      {
        outcome: 'answered',
        direction: 'inbound',
        from: CALLER,
        to: '0441112233',
        agent: '101',
        waitedSec: 7,
        talkedSec: 6,
      },
    );
    isOneCall(
      [...before, ...cancelled(one, local[1]!), told.ends(local[1]!), told.ends(local[0]!), told.ends(caller)],
      { outcome: 'missed', direction: 'inbound', from: CALLER, to: '0441112233', waitedSec: 11 },
    );
  });

  it('belong to whom they were transferred to, blindly or after a word with him', () => {
    const [one, two] = [phone('101', 2), phone('102', 3)];
    const answered = [told.begins(caller), ...ringing(one, caller), told.isUp(one), told.isUp(caller)];
    const facts = { outcome: 'answered', direction: 'inbound', from: CALLER, to: '0441112233', agent: '102' } as const;
    isOneCall(
      [...answered, told.ends(one), ...ringing(two, caller), told.isUp(two), told.ends(two), told.ends(caller)],
      { ...facts, waitedSec: 3, talkedSec: 7 },
    );
    // The word with him begins as a call of its own, which becomes part of the older one.
    const asking = channel('PJSIP/101', 3, { number: '101', exten: '102' });
    const asked = channel('PJSIP/102', 4, { of: asking, number: '102' });
    const consulted = [
      ...answered,
      told.begins(asking),
      ...ringing(asked, asking),
      told.isUp(asked),
      told.enters(asked, caller.Linkedid),
      told.enters(asking, caller.Linkedid),
      told.ends({ ...one }),
      told.ends({ ...asking, Linkedid: caller.Linkedid }),
      told.ends({ ...asked, Linkedid: caller.Linkedid }),
      told.ends(caller),
    ];
    const { calls, ignored } = play(consulted);
    assert.deepEqual([calls.length, ignored], [1, []]);
    assert.deepEqual(calls[0]!.call, { ...facts, waitedSec: 3, talkedSec: 11 });
  });

  it('are missed, busy or failed as those say who were rung', () => {
    const group = [phone('101', 2), phone('102', 3)];
    const rung = (...statuses: readonly string[]) => [
      told.begins(caller),
      ...group.flatMap((each) => ringing(each, caller)),
      ...group.flatMap((each, index) => [told.dialled(caller, each, statuses[index]!), told.ends(each)]),
      told.ends(caller),
    ];
    const facts = { direction: 'inbound', from: CALLER, to: '0441112233', waitedSec: 9 } as const;
    isOneCall(rung('NOANSWER', 'NOANSWER'), { outcome: 'missed', ...facts });
    isOneCall(rung('BUSY', 'NOANSWER'), { outcome: 'missed', ...facts });
    isOneCall(rung('BUSY', 'BUSY'), { outcome: 'busy', ...facts });
    isOneCall(rung('CHANUNAVAIL', 'CONGESTION'), { outcome: 'failed', ...facts });
    isOneCall([told.begins(caller), told.isUp(caller), told.ends(caller)], {
      outcome: 'missed',
      ...facts,
      waitedSec: 2,
    });
  });

  it('ended in the mailbox, when the record says so', () => {
    const record = { Event: 'Cdr', UniqueID: caller.Uniqueid, Channel: caller.Channel, LastApplication: 'VoiceMail' };
    isOneCall([told.begins(caller), told.isUp(caller), told.ends(caller), record], {
      outcome: 'voicemail',
      direction: 'inbound',
      from: CALLER,
      to: '0441112233',
      waitedSec: 2,
    });
  });

  it('of somebody who withholds his number name nobody', () => {
    const hidden = { Event: 'NewCallerid', ...caller, 'CID-CallingPres': '35 (Presentation Prohibited)' };
    const facts = { outcome: 'missed', direction: 'inbound', from: 'anonymous', to: '0441112233' } as const;
    const named = { CallerIDName: 'Olena' };
    const { sender } = isOneCall([told.begins(caller, named), hidden, told.ends(caller)], { ...facts, waitedSec: 2 });
    assert.deepEqual(sender, { identifiers: [] });
    for (const number of ['<unknown>', 'anonymous', '']) {
      const nobody = { ...caller, CallerIDNum: number };
      const item = isOneCall([told.begins(nobody), told.ends(nobody)], { ...facts, waitedSec: 1 });
      assert.deepEqual(item.sender.identifiers, []);
    }
  });

  it('of an agent are outbound, to the number on the line, also when the first line failed', () => {
    const agent = channel('PJSIP/101', 1, { number: '101', exten: '90501234567' });
    const lines = [2, 3].map((nth) => channel(`PJSIP/line${nth}`, nth, { of: agent, number: '90501234567' }));
    const [first, second] = lines;
    const item = isOneCall(
      [
        told.begins(agent),
        told.begins(first!),
        told.dials(agent, first!, 'PJSIP/0501234567@line2'),
        told.dialled(agent, first!, 'CONGESTION'),
        told.ends(first!),
        told.begins(second!),
        told.dials(agent, second!, '0501234567@line3'),
        told.isUp(second!),
        told.isUp(agent),
        told.ends(second!),
        told.ends(agent),
      ],
      {
        outcome: 'answered',
        direction: 'outbound',
        from: '101',
        to: '0501234567',
        agent: '101',
        waitedSec: 7,
        talkedSec: 2,
      },
    );
    assert.equal(item.direction, 'outbound');
    assert.deepEqual(item.sender.identifiers, [{ kind: 'phone', value: '0501234567', trust: 'observed' }]);
    const facts = { direction: 'outbound', from: '101', to: '0501234567', agent: '101', waitedSec: 4 } as const;
    for (const [status, outcome] of [
      ['BUSY', 'busy'],
      ['NOANSWER', 'missed'],
      ['CHANUNAVAIL', 'failed'],
    ] as const) {
      const only = [told.dials(agent, first!, '0501234567@line2'), told.dialled(agent, first!, status)];
      isOneCall([told.begins(agent), told.begins(first!), ...only, told.ends(first!), told.ends(agent)], {
        outcome,
        ...facts,
      });
    }
  });

  it('between colleagues are named and no customers’; who is outside can be said', () => {
    const one = channel('PJSIP/101', 1, { number: '101', exten: '102' });
    const two = channel('PJSIP/102', 2, { of: one, number: '102' });
    const events = [told.begins(one), ...ringing(two, one), told.isUp(two), told.ends(two), told.ends(one)];
    assert.deepEqual(play(events), { calls: [], ignored: ['internal_call'] });
    const outside = play(events, { ...PEERS, trunks: ['102'] }).calls;
    assert.deepEqual(
      outside.map(({ call: { direction, agent } }) => [direction, agent]),
      [['outbound', '101']],
    );
    const reception = channel('PJSIP/reception', 1, { number: 'reception', exten: '102' });
    const asked = [
      told.begins(reception),
      ...ringing({ ...two, Linkedid: reception.Linkedid }, reception),
      told.ends(two),
      told.ends(reception),
    ];
    assert.equal(play(asked).calls.length, 1);
    assert.deepEqual(play(asked, { ...PEERS, phones: ['reception'] }).calls, []);
  });

  it('to somebody outside in between are told to their end', () => {
    const one = phone('101', 2);
    const asking = channel('PJSIP/101', 3, { number: '101', exten: '0441119999' });
    const asked = channel('PJSIP/provider', 4, { of: asking });
    const { calls } = play([
      ...[told.begins(caller), ...ringing(one, caller), told.isUp(one)],
      ...[told.begins(asking), told.begins(asked), told.dials(asking, asked, '0441119999@provider'), told.isUp(asked)],
      ...[told.enters(asked, caller.Linkedid), told.ends(one), told.ends({ ...asking, Linkedid: caller.Linkedid })],
      ...[told.ends({ ...asked, Linkedid: caller.Linkedid }), told.ends(caller)],
    ]);
    const facts = calls.map(({ call: { direction, outcome, agent, to, talkedSec } }) => [
      direction,
      outcome,
      agent,
      to,
      talkedSec,
    ]);
    assert.deepEqual(facts, [
      ['inbound', 'answered', '0441119999', '0441112233', 9],
      ['outbound', 'answered', '101', '0441119999', 1],
    ]);
  });

  it('of the recorded stream are one, whichever side is outside', function () {
    skipUnless(this, existsSync(RECORDED), 'the collected fixtures are not beside the repository');
    const reader = createBlockReader();
    const recorded = reader.read(readFileSync(RECORDED)).map((block) => Object.fromEntries(block));
    assert.ok(recorded.length > 600, `${recorded.length} blocks`);
    const [agents, lines] = [
      { ...PEERS, phones: ['ddddd'] },
      { ...PEERS, phones: ['ddddd', 'uuuuu'] },
    ];
    const { calls } = play(recorded, agents);
    assert.equal(calls.length, 1);
    const { direction, outcome, agent, to, from } = calls[0]!.call;
    assert.deepEqual([direction, outcome, agent, from, to], ['outbound', 'answered', 'ddddd', 'ddddd', '254']);
    assert.equal(calls[0]!.externalId, '1414510600.0');
    assert.equal(calls[0]!.occurredAt, 1_414_510_600_000);
    assert.deepEqual(play(recorded, lines), { calls: [], ignored: ['internal_call'] });
  });
});

describe('The language of the manager interface', () => {
  const blocksOf = (text: string | Buffer, step = 1) => {
    const reader = createBlockReader();
    const bytes = Buffer.from(text as string);
    const blocks = [];
    for (let at = 0; at < bytes.length; at += step) blocks.push(...reader.read(bytes.subarray(at, at + step)));
    return { blocks: blocks.map((block) => Object.fromEntries(block)), dropped: reader.dropped() };
  };

  it('is read however it is cut, with either end of line and either charset', () => {
    const latin = Buffer.concat([Buffer.from('Event: A\r\nName: M'), Buffer.from([0xfc]), Buffer.from('ller\r\n\r\n')]);
    const text = Buffer.concat([
      Buffer.from('Asterisk Call Manager/7.0.3\r\n'),
      latin,
      Buffer.from('Event: B\nName: Олена: ї\n\n\r\n'),
    ]);
    for (let step = 1; step <= text.length; step++) {
      assert.deepEqual(blocksOf(text, step).blocks, [
        { '': 'Asterisk Call Manager/7.0.3', event: 'A', name: 'Müller' },
        { event: 'B', name: 'Олена: ї' },
      ]);
    }
  });

  it('keeps the first of a repeated key, whatever its case', () => {
    assert.deepEqual(blocksOf('ChanVariable: a=1\r\nchanvariable: b=2\r\n\r\n').blocks, [{ chanvariable: 'a=1' }]);
  });

  it('drops what is too long, and reads what comes behind it', () => {
    const good = 'Event: B\r\n\r\n';
    const long = `Event: A\r\nName: ${'x'.repeat(20_000)}\r\nUniqueid: 1.1\r\n\r\n${good}`;
    const many = `${'Key: value\r\n'.repeat(12_000)}\r\n${good}`;
    for (const step of [7, 1000, 200_000]) {
      assert.deepEqual(blocksOf(long, step), { blocks: [{ event: 'B' }], dropped: 1 });
      assert.deepEqual(blocksOf(many, step), { blocks: [{ event: 'B' }], dropped: 1 });
    }
  });

  it('holds little of what has no end', () => {
    const reader = createBlockReader();
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const before = process.memoryUsage();
    for (let i = 0; i < 300; i++) assert.deepEqual(reader.read(chunk), []);
    const grown = process.memoryUsage().arrayBuffers - before.arrayBuffers;
    assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes more`);
  });

  it('is written without line breaks in values', () => {
    assert.deepEqual(readFields(toBytes({ Action: 'Ping', ActionID: '1' }).toString()), {
      action: 'Ping',
      actionid: '1',
    });
    for (const value of ['a\r\nAction: Command', 'a\nb', 'a\rb'])
      assert.throws(() => toBytes({ Secret: value }), /line break/);
  });

  it('numbers channels by second and place, not as text', () => {
    assert.deepEqual(['pbx-1700000000.10', '1700000000.9', '1700000001.1', '999999999.1'].toSorted(byAge), [
      '999999999.1',
      '1700000000.9',
      'pbx-1700000000.10',
      '1700000001.1',
    ]);
  });
});
