import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { outcomeOf } from '../src/connectors/uis/outcome.ts';
import { uis } from '../src/connectors/uis/uis.ts';
import type { Channel } from '../src/core/connector.ts';
import { Item } from '../src/core/envelope.ts';
import type { Payload } from '../src/core/payload.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { ACCESS_TOKEN } from './fakes/uis.ts';

const ROOT = join(import.meta.dirname, '..');
const FIXTURES = join(ROOT, 'src/connectors/uis/fixtures');
const SETTINGS = { token: 'a'.repeat(32), accessToken: ACCESS_TOKEN, timeZone: 'Europe/Moscow' };

function recorded(name: string): Payload {
  const folder = join(FIXTURES, name);
  const { method, url, headers, receivedAt } = JSON.parse(readFileSync(join(folder, 'payload.json'), 'utf8')) as {
    method: string;
    url: string;
    headers: Record<string, string>;
    receivedAt: string;
  };
  const body = readFileSync(join(folder, 'body.json'));
  return { endpointId: 'calls', method, url, headers, receivedAt: Date.parse(receivedAt), body };
}

const opened = (more: object = {}): Channel =>
  uis.open(uis.config.parse({ ...SETTINGS, ...more }), fakeContext({ id: 'calls' })) as Channel;

async function callOf(fields: object, method = 'POST') {
  const body = Buffer.from(JSON.stringify(fields));
  const items = await opened().normalize({ ...recorded('ended'), method, body });
  const item = Item.parse(items[0]);
  assert.ok(item.kind === 'call', JSON.stringify(item));
  return item;
}
const moment = (at: number | string) => new Date(at).toISOString();

describe('A call at UIS', () => {
  /** What is there once these came, one after the other. */
  async function endOf(given: readonly (string | Payload)[], id: string) {
    const filing = await openFiling({ channel: opened(), calls: 'all' });
    for (const one of given) await filing.intake.receive(typeof one === 'string' ? recorded(one) : one);
    const { data } = await filing.store.read.tickets({}, { limit: 10 });
    const lists = await Promise.all(data.map((ticket) => filing.store.read.messages(ticket.id, { limit: 10 })));
    await filing.close();
    return lists.flatMap((page) => page.data).filter(({ externalId }) => externalId === id);
  }
  const rotations = <T>(all: readonly T[]): T[][] => all.map((_, by) => [...all.slice(by), ...all.slice(0, by)]);

  it('is one call with all that is known of it, in whatever order its notifications and the report come', async () => {
    const all = ['incoming', 'waiting', 'talking', 'talking-on', 'ended', 'recorded', 'listed'];
    for (const order of [...rotations(all), ...rotations(all.toReversed()), [...all, ...all]]) {
      const messages = await endOf(order, '987654321');
      assert.equal(messages.length, 1, order.join());
      const [{ call, attachments, occurredAt, author } = assert.fail()] = messages;
      assert.equal(moment(occurredAt), '2026-11-23T08:05:00.000Z', order.join());
      assert.equal(attachments.length, 1, 'the report and the notification name the same recording');
      assert.equal(author.name, 'Зразкова Анна');
      assert.deepEqual(JSON.parse(JSON.stringify(call)), {
        ...{ outcome: 'answered', direction: 'inbound', from: '+79161112233', to: '+74950000001' },
        ...{ agent: 'Образцова Ольга', waitedSec: 12, talkedSec: 113, recording: call?.recording },
      });
    }
  });

  it('is the same from its notifications alone, and from the report alone', async () => {
    const pushed = ['incoming', 'talking', 'talking-on', 'ended', 'recorded'];
    for (const order of [...rotations(pushed), ['ended', 'recorded'], ['listed']]) {
      const [{ call, occurredAt } = assert.fail()] = await endOf(order, '987654321');
      assert.equal(moment(occurredAt), '2026-11-23T08:05:00.000Z', order.join());
      assert.deepEqual([call?.agent, call?.talkedSec, call?.waitedSec], ['Образцова Ольга', 113, 12], order.join());
    }
  });

  it('that nobody took is missed, and of nobody who was only rung up', async () => {
    for (const order of rotations(['lost', 'lost-ended', 'listed-lost'])) {
      const [{ call, occurredAt } = assert.fail()] = await endOf(order, '987654400');
      assert.equal(moment(occurredAt), '2026-11-23T08:10:00.000Z');
      assert.deepEqual([call?.outcome, call?.agent, call?.waitedSec], ['missed', undefined, 30], order.join());
    }
  });

  it('is of whoever talked last, and of what is said of it the report counts most, a recording least', async () => {
    for (const order of rotations(['incoming', 'talking', 'talking-on'])) {
      const [{ call } = assert.fail()] = await endOf(order, '987654321');
      assert.deepEqual([call?.outcome, call?.agent], ['answered', 'Образцова Ольга'], order.join());
    }
    const of = (fields: object, method = 'POST'): Payload => {
      return { ...recorded('ended'), method, body: Buffer.from(JSON.stringify(fields)) };
    };
    const talks = (employee_full_name: string, notification_time: string) =>
      of({
        event: 'talking',
        call_session_id: 9,
        start_time: '2026-11-23 11:00:00',
        employee_full_name,
        notification_time,
      });
    const [first, last] = [talks('Яна', '2026-11-23 11:00:05'), talks('Анна', '2026-11-23 11:01:00')];
    for (const order of rotations([first, last])) assert.equal((await endOf(order, '9'))[0]?.call?.agent, 'Анна');
    const said = ['recorded', 'incoming', 'talking', 'lost'].map((event) => of({ event, call_session_id: 8 }));
    const report = of({ id: 8, direction: 'in', is_lost: true, voice_mail_records: ['abc'] }, 'RECONCILE');
    for (const order of rotations(said)) assert.equal((await endOf(order, '8'))[0]?.call?.outcome, 'missed');
    for (const order of rotations([...said, report])) {
      assert.equal((await endOf(order, '8'))[0]?.call?.outcome, 'voicemail');
    }
  });

  it('has the events and the variables of the template on its page', () => {
    const page = readFileSync(join(ROOT, 'docs/channels/uis.md'), 'utf8');
    const [, template = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
    const filled = template.replaceAll(/\{\{(\w+)\}\}/g, '"$1"');
    const names = Object.keys(JSON.parse(filled) as object);
    for (const fixture of readdirSync(FIXTURES)) {
      const { method, body } = recorded(fixture);
      if (method !== 'POST' || ['grouped', 'quoted-twice', 'without-an-event'].includes(fixture)) continue;
      const fields = JSON.parse(body.toString()) as Record<string, string>;
      for (const name of Object.keys(fields)) assert.ok(names.includes(name), `${fixture}: ${name}`);
      assert.ok(page.includes(`\`${fields['event'] ?? ''}\``), `${fixture}: the page tells of its event`);
    }
  });

  it('goes the way that it says itself, else that of its event, and is none where nothing names an event', async () => {
    const base = { call_session_id: 1, contact_phone_number: '79161112233', virtual_phone_number: '74950000001' };
    for (const [event, said, direction] of [
      ['incoming', undefined, 'inbound'],
      ['outgoing', undefined, 'outbound'],
      ['lost', undefined, 'inbound'],
      ['incoming', 'out', 'outbound'],
      ['ended', 'out', 'outbound'],
      ['ended', 'in', 'inbound'],
      ['talking', 'sideways', undefined],
    ] as const) {
      const { call, sender } = await callOf({ ...base, event, direction: said });
      const ends = { inbound: ['+79161112233', '+74950000001'], outbound: ['+74950000001', '+79161112233'] };
      assert.deepEqual(
        [call.direction, call.from, call.to],
        [direction, ...(direction ? ends[direction] : [undefined, undefined])],
      );
      assert.equal(sender.identifiers[0]?.value, '+79161112233', 'the customer stays the customer');
    }
    for (const event of ['constructor', 'CALL_END', undefined]) {
      const body = Buffer.from(JSON.stringify({ ...base, event }));
      const [item] = await opened().normalize({ ...recorded('ended'), body });
      assert.equal(item?.kind, 'ignored', event);
    }
  });

  it('has a customer where there is a number of his, and none where he hides it or an extension calls', async () => {
    for (const [number, value] of [
      ['79161112233', '+79161112233'],
      ['+79161112233', '+79161112233'],
      [79161112233, '+79161112233'],
      ['anonymous', undefined],
      ['102', undefined],
      ['0001234567', undefined],
      ['', undefined],
      [null, undefined],
    ] as const) {
      const { sender } = await callOf({ event: 'lost', call_session_id: 1, contact_phone_number: number });
      const [identifier] = sender.identifiers;
      assert.deepEqual([identifier?.value, identifier?.trust], [value, value && 'observed'], String(number));
    }
  });

  it('ends as its talk says, and says nothing of it where the talk is left out', async () => {
    const base = { event: 'ended', call_session_id: 1, employee_full_name: 'Примеров Иван' };
    for (const [talk, outcome, agent] of [
      [5, 'answered', 'Примеров Иван'],
      ['5', 'answered', 'Примеров Иван'],
      [0, 'missed', undefined],
      [null, undefined, undefined],
      [-5, undefined, undefined],
    ] as const) {
      const { call } = await callOf({ ...base, talk_time_duration: talk });
      assert.deepEqual([call.outcome, call.agent], [outcome, agent], String(talk));
    }
    const { call } = await callOf({ ...base, employee_full_name: null, employee_id: 25, talk_time_duration: 5 });
    assert.equal(call.agent, '25');
  });

  it('in the report ends as its talk and its reason say, and a customer who reached nobody was missed', async () => {
    for (const [talked, leftMessage, direction, reason, outcome] of [
      [true, true, 'inbound', 'subscriber_busy', 'answered'],
      [false, true, 'inbound', 'operator_busy', 'voicemail'],
      [false, false, 'inbound', 'no_money', 'missed'],
      [false, false, undefined, 'subscriber_busy', 'missed'],
      [false, false, 'outbound', 'subscriber_busy', 'busy'],
      [false, false, 'outbound', 'caller_busy', 'busy'],
      [false, true, 'outbound', 'no_money', 'failed'],
      [false, false, 'outbound', 'locked_numb', 'failed'],
      [false, false, 'outbound', 'subscriber_not_responsible', 'missed'],
      [false, false, 'outbound', 'a_new_one', 'missed'],
      [false, false, 'outbound', undefined, 'missed'],
    ] as const) {
      assert.equal(outcomeOf({ talked, leftMessage, direction, reason }), outcome, `${direction} ${reason}`);
    }
    const lost = await callOf({ id: 1, direction: 'in', is_lost: true, talk_duration: 7 }, 'RECONCILE');
    assert.deepEqual([lost.call.outcome, lost.call.talkedSec], ['missed', undefined], 'it talked to a menu');
  });

  it('began when the account’s clocks say so', async () => {
    const base = { event: 'ended', call_session_id: 1, talk_time_duration: 5 };
    for (const [fields, at] of [
      [{ start_time: '2026-11-23 11:05:00.123' }, '2026-11-23T08:05:00.000Z'],
      [{ notification_time: '2026-11-23 11:05:30', total_time_duration: 30 }, '2026-11-23T08:05:00.000Z'],
      [{ notification_time: '2026-11-23T11:05:30Z', total_time_duration: 30 }, '2026-11-23T11:05:00.000Z'],
      [{ notification_time: '2026-11-23 11:05:30' }, '2026-11-23T08:05:30.000Z'],
      [{ notification_time: 'today' }, moment(recorded('ended').receivedAt)],
    ] as const) {
      assert.equal(moment((await callOf({ ...base, ...fields })).occurredAt), at, JSON.stringify(fields));
    }
    for (const [timeZone, isOne] of [
      ['Europe/Moscow', true],
      ['UTC+3', true],
      ['Moscow', false],
      ['', false],
    ] as const)
      assert.equal(uis.config.safeParse({ ...SETTINGS, timeZone }).success, isOne, timeZone);
  });

  it('keeps the addresses of its recordings in the payload', async () => {
    const [one, two] = ['https://app.uiscom.ru/system/media/talk/1/aaa/', 'https://media.uiscom.ru/1/bbb?key=sesame'];
    const { attachments } = await callOf({
      event: 'recorded',
      call_session_id: 1,
      file_link: [one, two, 'none', null],
    });
    assert.deepEqual(
      attachments.map(({ id }) => id),
      ['recording:aaa', 'recording:bbb'],
    );
    assert.ok(!JSON.stringify(attachments).includes('sesame'));
    const row = { id: 1, call_records: ['aaa', '../..', 'b/c', ''], voice_mail_records: null };
    const listed = await callOf(row, 'RECONCILE');
    assert.deepEqual(
      listed.attachments.map(({ id }) => id),
      ['recording:aaa'],
    );
  });
});
