import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toItems } from '../src/connectors/mango/items.ts';
import { mango } from '../src/connectors/mango/mango.ts';
import { outcomeOf } from '../src/connectors/mango/outcome.ts';
import type { Channel } from '../src/core/connector.ts';
import { Item } from '../src/core/envelope.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { KEY, SALT, signMango } from './fakes/mango.ts';

const FIXTURES = join(import.meta.dirname, '../src/connectors/mango/fixtures');
const CALL = 'NTAwOTQxMTAyMg==';
const SECOND = Date.parse('2026-11-23T08:05:00Z') / 1000;

function recorded(name: string): Payload {
  const folder = join(FIXTURES, name);
  const { method, url, headers, receivedAt, body } = JSON.parse(
    readFileSync(join(folder, 'payload.json'), 'utf8'),
  ) as Record<'method' | 'url' | 'receivedAt' | 'body', string> & { headers: Record<string, string> };
  const bytes = method === 'RECONCILE' ? readFileSync(join(folder, 'body.json')) : Buffer.from(body);
  return { endpointId: 'calls', method, url, headers, receivedAt: Date.parse(receivedAt), body: bytes };
}

const open = (settings: object = {}): Channel =>
  mango.open(mango.config.parse({ key: KEY, salt: SALT, ...settings }), fakeContext({ id: 'calls' })) as Channel;

const formOf = (form: Readonly<Record<string, string>>): WebhookRequest => ({
  ...{ endpointId: 'calls', method: 'POST', url: '/webhooks/calls/events/call', receivedAt: SECOND * 1000 + 1001 },
  headers: {},
  body: Buffer.from(new URLSearchParams(form).toString()),
});

/** What is made of a notification that says this. */
function read(said: object): Item {
  const [item, ...others] = toItems(formOf({ vpbx_api_key: KEY, sign: '', json: JSON.stringify(said) }));
  assert.deepEqual(others, []);
  return Item.parse(item);
}

function callIn(said: object): Extract<Item, { kind: 'call' }> {
  const item = read(said);
  assert.ok(item.kind === 'call', JSON.stringify(item));
  return item;
}

const leg = { entry_id: 'e', call_id: 'c', seq: 1, timestamp: SECOND, call_state: 'Connected', location: 'abonent' };
const customer = { number: '79161234567' };
const employee = { extension: '101', number: 'sip:olena@pbx.example.com', line_number: '74951112233' };

describe('A call at Mango Office', () => {
  /** What is there once these came, one after the other. */
  async function endOf(names: readonly string[], id = CALL) {
    const filing = await openFiling({ channel: open(), calls: 'all' });
    for (const name of names) await filing.intake.receive(recorded(name));
    const { data } = await filing.store.read.tickets({}, { limit: 10 });
    const pages = await Promise.all(data.map((ticket) => filing.store.read.messages(ticket.id, { limit: 10 })));
    await filing.close();
    return pages.flatMap((page) => page.data).filter(({ externalId }) => externalId === id);
  }

  it('is one call with all that is known of it, in whatever order its legs, its end and the statistics come', async () => {
    const all = [
      ...['menu', 'menu-answers', 'menu-ends', 'rings', 'answered', 'on-hold', 'consultation', 'taken-from-hold'],
      ...['leg-ends', 'put-through', 'ended', 'recording', 'recorded', 'recorded-too', 'listed'],
    ];
    const orders = all.map((_, by) => [...all.slice(by), ...all.slice(0, by)]);
    for (const order of [...orders, ...orders.map((each) => each.toReversed()), [...all, ...all]]) {
      const messages = await endOf(order);
      assert.equal(messages.length, 1, order.join());
      const [{ call, attachments, occurredAt } = assert.fail()] = messages;
      assert.equal(new Date(occurredAt).toISOString(), '2026-11-23T08:05:00.000Z', order.join());
      assert.equal(attachments.length, 2);
      assert.deepEqual(JSON.parse(JSON.stringify(call)), {
        ...{ outcome: 'answered', direction: 'inbound', from: '+79161234567', to: '+74951112233' },
        ...{ agent: '101', waitedSec: 12, talkedSec: 95 },
        recording: 'recording:MToxMDAwNjA4NTo1MDA5NDExMDIyOjA=',
      });
    }
  });

  it('is who answered first, when he did, before its end is told: not who took it over, nor taken from hold', async () => {
    const all = ['answered', 'taken-from-hold', 'put-through'];
    for (const order of [all, all.toReversed(), ['put-through', 'answered', 'taken-from-hold']]) {
      const items = order.map((name) => toItems(recorded(name))[0]);
      const first = items.toSorted((a, b) => revisionOf(b) - revisionOf(a))[0];
      assert.ok(first?.kind === 'call');
      assert.deepEqual([first.call.agent, first.call.answeredAt], ['101', (SECOND + 12) * 1000]);
    }
    function revisionOf(item: ReturnType<typeof toItems>[number] | undefined): number {
      return item?.kind === 'call' ? (item.revision ?? 0) : assert.fail();
    }
  });

  it('counts by its end, then by the statistics, then by its legs; a recording says only that somebody talked', () => {
    const revisions = ['recorded', 'put-through', 'menu', 'rings', 'listed', 'ended'].map((name) => {
      const [item] = toItems(recorded(name));
      return item?.kind === 'call' ? (item.revision ?? 0) : assert.fail();
    });
    const [record = 0, answered = 0, menu = 0, rings = 0, listed = 0, ended = 0] = revisions;
    assert.ok(record < rings && rings < menu && menu < answered && answered < listed && listed < ended);
  });

  it('that was missed is one, whoever tells it, and none that its recording alone is known of', async () => {
    for (const order of [['missed', 'listed-missed'], ['listed-missed', 'missed'], ['missed']]) {
      const [message, ...others] = await endOf(order, 'TWlzc2VkOjE=');
      assert.deepEqual(others, []);
      const { outcome, agent, waitedSec } = message?.call ?? assert.fail();
      assert.deepEqual([outcome, agent, waitedSec], ['missed', undefined, 25]);
    }
    const [message] = await endOf(['recorded']);
    assert.equal(message?.call?.outcome, 'answered');
  });

  it('of an employee is one of the customer’s whom he called, in every order', async () => {
    const all = ['out-rings', 'out-answered', 'out-ended', 'listed-out'];
    for (const order of [all, all.toReversed(), [...all, ...all]]) {
      const [message, ...others] = await endOf(order, 'T3V0Z29pbmc6MQ==');
      assert.deepEqual(others, []);
      const { outcome, direction, from, to, agent, waitedSec, talkedSec } = message?.call ?? assert.fail();
      assert.deepEqual([outcome, direction, from, to], ['answered', 'outbound', '+74951112233', '+79051112266']);
      assert.deepEqual([agent, waitedSec, talkedSec], ['101', 10, 30]);
    }
  });

  it('was not answered by a menu or a queue, and was by whoever has no extension', () => {
    for (const location of ['ivr', 'queue']) {
      const { call } = callIn({ ...leg, location, from: customer, to: { number: '74951112233' } });
      assert.deepEqual([call.outcome, call.agent, call.to], ['ringing', undefined, '+74951112233']);
    }
    const { number, line_number } = employee;
    // The number of an employee is none that customers call.
    assert.equal(
      callIn({ ...leg, from: customer, to: { extension: '101', number: '79770001122' } }).call.to,
      undefined,
    );
    assert.equal(callIn({ ...leg, from: customer, to: { number, line_number } }).call.agent, number);
    const { location: _, ...nowhere } = leg;
    assert.equal(callIn({ ...nowhere, from: customer, to: employee }).call.outcome, 'answered');
  });

  it('that Mango makes for somebody goes out, and is answered once the customer is there', () => {
    const toEmployee = { ...leg, from: customer, to: { extension: '101', number: 'sip:olena@pbx.example.com' } };
    for (const mark of [{ callback_initiator: 'WEB' }, { task_id: 7 }, { command_id: 'cbk_1' }]) {
      const { call, direction, sender } = callIn({ ...toEmployee, ...mark });
      assert.deepEqual([call.outcome, call.agent, direction], ['ringing', undefined, 'outbound'], JSON.stringify(mark));
      assert.equal(sender.identifiers[0]?.value, '+79161234567');
      const outside = { from: { ...employee, taken_from_call_id: 'c' }, to: customer };
      const answered = callIn({ ...leg, ...outside, ...mark });
      assert.deepEqual([answered.call.outcome, answered.call.agent], ['answered', '101']);
    }
    // One that a command only puts through.
    const from = { ...customer, taken_from_call_id: 'menu' };
    assert.equal(callIn({ ...toEmployee, from, command_id: 'route1' }).direction, 'inbound');
  });

  it('is left out where no customer takes part, or nobody can say who he is', () => {
    for (const [from, to] of [
      [employee, { extension: '102' }],
      [{ number: '74951112233' }, { number: '79161234567' }],
      [undefined, undefined],
      [[], []],
    ]) {
      assert.equal(read({ ...leg, from, to }).kind, 'ignored', JSON.stringify([from, to]));
    }
    for (const way of [0, 3, '', undefined]) {
      assert.equal(read({ entry_id: 'e', entry_result: 1, call_direction: way }).kind, 'ignored', String(way));
    }
  });

  it('has a customer where there is a number of his, and none where he hides it', () => {
    for (const [number, value] of [
      ['79161234567', '+79161234567'],
      ['+79161234567', '+79161234567'],
      [79161234567, '+79161234567'],
      ['380671234567', '+380671234567'],
      ['89161234567', '89161234567'],
      ['anonymous', undefined],
      ['sip:line@pbx.example.com', undefined],
      ['101', undefined],
      ['', undefined],
      [null, undefined],
    ] as const) {
      const { sender } = callIn({ ...leg, from: { number }, to: employee });
      assert.deepEqual([sender.identifiers[0]?.value, sender.identifiers.length], [value, value ? 1 : 0], `${number}`);
    }
  });

  it('ends as Mango says: talked to only with a result and a time', () => {
    const summary = {
      entry_id: 'e',
      call_direction: '1',
      create_time: SECOND,
      end_time: `${SECOND + 40}`,
      from: customer,
    };
    for (const [talk_time, entry_result, disconnect_reason, outcome] of [
      [SECOND + 10, 1, 1110, 'answered'],
      [`${SECOND + 10}`, '1', '1121', 'answered'],
      [0, 1, 1170, 'missed'],
      ['0', '0', '1110', 'missed'],
      [SECOND + 10, 0, 1110, 'missed'],
      [0, 0, 1121, 'busy'],
    ] as const) {
      const { call } = callIn({ ...summary, talk_time, entry_result, disconnect_reason });
      assert.equal(call.outcome, outcome, `${talk_time} ${entry_result}`);
      const seconds = outcome === 'answered' ? [10, 30] : [40, undefined];
      assert.deepEqual([call.waitedSec, call.talkedSec, call.endedAt], [...seconds, (SECOND + 40) * 1000]);
    }
    // Clocks of two machines: nobody waits less than no time.
    const { call } = callIn({ ...summary, talk_time: SECOND - 1, entry_result: 1 });
    assert.equal(call.waitedSec, 0);
  });

  it('that nobody answered failed or was missed by the code of its end, and by its class where nobody knows it', () => {
    for (const [outcome, inbound, outbound] of [
      [
        'missed',
        [undefined, 1000, 1110, 1111, 1122, 1131, 1140, 1164, 1170, 1192, 1313, 9999],
        [1111, 1122, 1160, 1310],
      ],
      ['busy', [1121, 1193], [1121, 1193]],
      ['failed', [2240, 2999, 3200, 4200, 4507, 5003], [1130, 1133, 1140, 1159, 2110, 3299, 5001]],
    ] as const) {
      for (const code of inbound) assert.equal(outcomeOf(code, 'inbound'), outcome, `inbound ${code}`);
      for (const code of outbound) assert.equal(outcomeOf(code, 'outbound'), outcome, `outbound ${code}`);
    }
  });

  it('is when it came where no time can be read', () => {
    for (const timestamp of [0, '', null, 'now', 17]) {
      const { occurredAt, call } = callIn({ ...leg, timestamp, from: customer, to: employee });
      assert.equal(occurredAt, SECOND * 1000 + 1001);
      assert.equal(call.answeredAt, undefined);
    }
  });

  it('is read from the statistics also where a leg can not be, and has each recording once', () => {
    const line = JSON.parse(recorded('listed').body.toString()) as { context_calls: [{ members: object[] }] };
    const [group] = line.context_calls;
    const twice = {
      ...group,
      members: [...group.members, ...group.members, 'no leg', { recording_id: [['x', 7], null] }],
    };
    const body = Buffer.from(JSON.stringify({ ...line, context_calls: ['no leg', twice] }));
    const [item] = toItems({ ...recorded('listed'), body });
    assert.ok(item?.kind === 'call');
    const ids = item.attachments?.map(({ id }) => id.replace(/^recording:/, '').slice(-3));
    assert.deepEqual(ids, ['jA=', 'jE=', 'x', '7']);
    const only = [{ call_type: 'user', call_abonent_info: 'Somebody', call_answer_time: SECOND }];
    const [known] = toItems({
      ...recorded('listed'),
      body: Buffer.from(JSON.stringify({ ...line, context_calls: only })),
    });
    assert.equal(known?.kind === 'call' && known.call.agent, 'Somebody');
    for (const context_calls of [null, undefined, 'none']) {
      const [bare] = toItems({ ...recorded('listed'), body: Buffer.from(JSON.stringify({ ...line, context_calls })) });
      assert.ok(bare?.kind === 'call');
      assert.deepEqual([bare.call.outcome, bare.call.agent, bare.attachments], ['answered', undefined, undefined]);
    }
  });
});

describe('A call of the statistics of Mango Office', () => {
  function listed(name: string, changed: object) {
    const line = JSON.parse(recorded(name).body.toString()) as object;
    const [item] = toItems({ ...recorded(name), body: Buffer.from(JSON.stringify({ ...line, ...changed })) });
    assert.ok(item?.kind === 'call');
    return item.call;
  }

  it('was answered where Mango says so and somebody talked', () => {
    for (const [context_status, talk_duration, outcome] of [
      [1, 95, 'answered'],
      [1, 0, 'missed'],
      [0, 95, 'missed'],
    ] as const) {
      assert.equal(listed('listed', { context_status, talk_duration }).outcome, outcome);
    }
  });

  it('was answered by the employee who did first: no group, nobody at whose it only rang, no customer', () => {
    assert.equal(listed('listed', {}).agent, 'Олена Зразкова');
    const rang = [{ call_type: 'user', call_abonent_info: 'Somebody', call_answer_time: null }];
    assert.equal(listed('listed', { context_calls: rang }).agent, undefined);
    assert.equal(listed('listed-out', {}).agent, 'Олена Зразкова');
    assert.equal(listed('listed-out', { caller_id: null }).agent, undefined);
  });
});

describe("Mango's notifications", () => {
  const json = JSON.stringify({ ...leg, from: customer, to: employee });
  const right = { vpbx_api_key: KEY, sign: signMango(json), json };
  const refuses = (request: WebhookRequest, why: RegExp, settings: object = {}) =>
    assert.throws(
      () => void open(settings).webhook!.verify(request),
      (error) => error instanceof BadPayloadError && why.test(error.message) && !error.message.includes(SALT),
    );

  it('are taken with the right signature of what they say, and with no other', () => {
    void open().webhook!.verify(formOf(right));
    refuses(formOf({ ...right, json: `${json} ` }), /does not match/);
    refuses(formOf({ ...right, sign: right.sign.toUpperCase() }), /does not match/);
    refuses(formOf({ ...right, sign: '' }), /does not match/);
    refuses(formOf(right), /does not match/, { salt: 'another' });
    refuses(formOf({ ...right, sign: signMango(json, KEY, '') }), /does not match/);
    // Of another PBX, with the same salt.
    const other = { vpbx_api_key: 'other', sign: signMango(json, 'other'), json };
    refuses(formOf(other), /another PBX/);
    // Where one ends and the next begins is not signed.
    const moved = { vpbx_api_key: KEY.slice(0, -1), sign: right.sign, json: KEY.slice(-1) + json };
    refuses(formOf(moved), /another PBX/);
  });

  it('are refused without any of their parameters, and where one is there twice', () => {
    for (const name of ['vpbx_api_key', 'sign', 'json'] as const) {
      const { [name]: value, ...others } = right;
      refuses(formOf(others), /missing/);
      const body = Buffer.from(`${formOf(right).body.toString()}&${name}=${encodeURIComponent(value)}`);
      refuses({ ...formOf(right), body }, /more than once/);
    }
    refuses({ ...formOf({}), body: Buffer.alloc(0) }, /missing/);
  });

  it('are told apart by what is signed, not by the address', () => {
    const url = '/webhooks/calls/events/record/added?call_state=1';
    const [item] = toItems({ ...formOf(right), url });
    assert.ok(item?.kind === 'call' && item.call.outcome === 'answered');
    for (const [address, name] of [
      ['/webhooks/calls/events/sms', 'events/sms'],
      ['/webhooks/calls/result/callback?x=/y', 'result/callback'],
      ['/webhooks/calls', 'no event'],
    ] as const) {
      const [other] = toItems({ ...formOf({ ...right, json: '{"constructor":1}' }), url: address });
      assert.deepEqual([other?.kind, other?.kind === 'ignored' && other.name], ['ignored', name]);
    }
  });

  it('that say no call are shown as broken, and may be received at any name below the address', () => {
    const { kind } = read({ call_state: 'Connected', from: customer, to: employee });
    assert.equal(kind, 'broken');
    assert.equal(read({ entry_id: 'e', recording_id: '' }).kind, 'broken');
    assert.equal(read({ entry_id: 'x'.repeat(201), entry_result: 1, call_direction: 1 }).kind, 'broken');
    // Its file is asked for when it lies ready, not when the recording ends.
    assert.equal(read({ recording_state: 'Completed', recording_id: 'r', entry_id: 'e' }).kind, 'ignored');
    assert.equal(read({ recording_id: 'r', entry_id: 'e' }).kind, 'call');
    assert.equal(open().webhook!.below, true);
    assert.equal(open().webhook!.maxBytes, 65_536);
  });
});
