import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Customer, LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import {
  ACCOUNT,
  AUTH_TOKEN,
  describedTwilio,
  listedCall,
  listedRecording,
  sid,
  signForm,
  startTwilio,
} from './fakes/twilio.ts';
import type { FakeTwilio } from './fakes/twilio.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const COLLECTED = join(import.meta.dirname, '../../shared/fixtures/twilio-sms-voice/chatwoot/payloads.json');
const PUBLIC_URL = 'https://desk.example.com';
const ADDRESS = `${PUBLIC_URL}/webhooks/calls`;
const AGENT = '+14155550111';
const OURS = '+14155550100';

type Fields = Readonly<Record<string, string>>;
/** A request of Twilio's: to which of our addresses, and what it says. */
type Push = readonly [query: string, fields: Fields];

describe("Twilio's calls, through a whole gateway", () => {
  let api: FakeTwilio;
  let whole: Whole;
  const description = describedTwilio();

  beforeEach(async () => {
    api = await startTwilio(description);
    const flow = `forward: { numbers: ["${AGENT}"] }, voicemail: { text: "Leave a message.", transcribe: true }`;
    const yaml = `  - { id: calls, type: twilio_voice, accountSid: ${ACCOUNT}, authToken: "${AUTH_TOKEN}", numbers: ["${OURS}"], ${flow}, apiRoot: "${api.root}" }\n`;
    whole = await startWhole({ yaml, env: { PUBLIC_URL } });
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  /** As Twilio pushes: signed for the public address, whatever it reaches us by. */
  async function push([query, fields]: Push, token = AUTH_TOKEN) {
    const signature = signForm(`${ADDRESS}${query}`, fields, token);
    const answer = await fetch(`${whole.running.url}/webhooks/calls${query}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'x-twilio-signature': signature,
      },
      body: new URLSearchParams(fields).toString(),
    });
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
  }
  async function pushAll(pushes: readonly Push[]): Promise<void> {
    for (const each of pushes) assert.equal((await push(each)).status, 200);
  }

  type List<T> = { readonly data: readonly T[] };
  const list = async <T>(path: string) =>
    (await whole.api<List<T>>(`${path}${path.includes('?') ? '&' : '?'}limit=200`)).data;
  const tickets = () => list<Ticket>('/tickets');
  const outcomes = async () => (await list<LedgerEvent>('/events')).map(({ outcome }) => outcome).toReversed();
  async function callsOf(phone: string): Promise<readonly Message[]> {
    const found = await list<Customer>(`/customers?identifier=${encodeURIComponent(`phone:${phone}`)}`);
    assert.equal(found.length, 1, `${phone} is one customer`);
    return list<Message>(`/customers/${found[0]!.id}/timeline`);
  }

  /** What Twilio tells of one call. */
  function told(number: number, from: string) {
    const call = sid('CA', number);
    const began = Date.parse('2026-11-22T08:35:30Z');
    const at = (step: string) => `?step=${step}&call=${call}&at=${began}`;
    const caller = { AccountSid: ACCOUNT, CallSid: call, From: from, To: OURS, Direction: 'inbound' };
    const url = `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}/Recordings/${sid('RE', number)}`;
    const recording = {
      CallSid: call,
      RecordingSid: sid('RE', number),
      RecordingUrl: url,
      RecordingStatus: 'completed',
    };
    const end = { Timestamp: 'Sun, 22 Nov 2026 08:36:47 +0000', CallDuration: '77' };
    const leg = { CallSid: sid('CA', 5000 + number), ParentCallSid: call, From: from, To: AGENT, Digits: '5' };
    return {
      id: call,
      ringing: ['', { ...caller, CallStatus: 'ringing', CallerName: 'OLENA' }],
      accepted: [at('accepted'), leg],
      dialed: [at('dialed'), { ...caller, DialCallStatus: 'completed', DialBridged: 'true', DialCallDuration: '60' }],
      unanswered: [at('dialed'), { ...caller, DialCallStatus: 'no-answer', DialBridged: 'false' }],
      left: [at('recorded'), { ...caller, RecordingUrl: url, RecordingDuration: '9', Digits: 'hangup' }],
      message: [at('message'), { ...recording, RecordingSource: 'RecordVerb' }],
      words: [at('words'), { ...recording, TranscriptionStatus: 'completed', TranscriptionText: 'Call me back.' }],
      talk: [at('talk'), { ...recording, RecordingSource: 'DialVerb' }],
      ended: ['', { ...caller, ...end, CallStatus: 'completed' }],
      legEnded: ['', { ...leg, ...end, CallStatus: 'completed' }],
    } as const satisfies Record<string, Push | string>;
  }
  /** Every order of a list. */
  function ordersOf<T>(all: readonly T[]): T[][] {
    if (all.length === 0) return [[]];
    return all.flatMap((each, index) => ordersOf(all.toSpliced(index, 1)).map((rest) => [each, ...rest]));
  }
  const facts = ({ call, attachments }: Message) => ({ ...call, files: attachments.map(({ name }) => name) });
  const phoneOf = (number: number) => `+38067${String(1_000_000 + number)}`;

  it('answers with what to do next, and takes nothing that Twilio did not sign', async () => {
    const { ringing, unanswered } = told(1, '+380671234567');
    assert.equal((await push(ringing, 'f'.repeat(32))).status, 401);
    assert.deepEqual(await outcomes(), []);
    const answer = await push(ringing);
    assert.deepEqual([answer.status, answer.type], [200, 'text/xml']);
    assert.match(answer.body, /<Response><Dial .*<Number [^>]*>\+14155550111<\/Number><\/Dial><\/Response>$/);
    assert.match((await push(unanswered)).body, /<Record /);
  });

  it('makes one answered call of everything in every order, which opens no ticket for who was spoken to', async () => {
    const orders = ordersOf(['ringing', 'accepted', 'dialed', 'talk'] as const);
    assert.equal(orders.length, 24);
    for (const [index, order] of orders.entries()) {
      const call = told(index, phoneOf(index));
      const pushes = order.map((name) => call[name]);
      // Its end comes first in every second order, twice in every third; then it was missed for a moment.
      const again = [
        ...(index % 2 === 0 ? [call.legEnded] : []),
        ...pushes,
        ...(index % 3 === 0 ? pushes : []),
        call.ended,
      ];
      api.files.set(`/2010-04-01/Accounts/${ACCOUNT}/Recordings/${sid('RE', index)}.mp3`, {
        bytes: Buffer.from('talk'),
      });
      await pushAll(again);
      const found = await callsOf(phoneOf(index));
      assert.equal(found.length, 1);
      assert.deepEqual(
        facts(found[0]!),
        {
          outcome: 'answered',
          direction: 'inbound',
          from: phoneOf(index),
          to: OURS,
          agent: AGENT,
          waitedSec: found[0]!.call?.waitedSec,
          talkedSec: 60,
          recording: sid('RE', index),
          files: ['recording.mp3'],
        },
        order.join(),
      );
    }
    assert.deepEqual(await tickets(), []);
  });

  it('makes one call with its message and its words of everything in any order', async () => {
    const names = ['ringing', 'unanswered', 'left', 'message', 'words', 'ended'] as const;
    const turned = names.map((_, turn) => [...names.slice(turn), ...names.slice(0, turn)]);
    for (const [index, order] of [...turned, ...turned.map((each) => each.toReversed())].entries()) {
      const call = told(index, phoneOf(index));
      api.files.set(`/2010-04-01/Accounts/${ACCOUNT}/Recordings/${sid('RE', index)}.mp3`, {
        bytes: Buffer.from('words'),
      });
      await pushAll(order.map((name) => call[name]));
      const found = await callsOf(phoneOf(index));
      assert.deepEqual(
        found.map(facts),
        [
          {
            outcome: 'voicemail',
            direction: 'inbound',
            from: phoneOf(index),
            to: OURS,
            waitedSec: 77,
            recording: sid('RE', index),
            transcript: 'Call me back.',
            files: ['recording.mp3'],
          },
        ],
        order.join(),
      );
    }
    assert.equal((await tickets()).length, 12, 'each customer has one ticket');
  });

  it('keeps the recording of a message', async () => {
    const { message, ringing } = told(1, '+380671234567');
    api.files.set(`/2010-04-01/Accounts/${ACCOUNT}/Recordings/${sid('RE', 1)}.mp3`, { bytes: Buffer.from('words') });
    await pushAll([ringing, message]);
    await until(async () => {
      const [call] = await callsOf('+380671234567');
      return call?.attachments[0]?.state === 'stored';
    });
  });

  it('calls a customer back, and makes one call of whatever Twilio tells of it, in any order', async () => {
    const phone = '+380671234567';
    const { ringing, unanswered, ended } = told(1, phone);
    await pushAll([ringing, unanswered, ended]);
    const [customer] = await list<Customer>('/customers');
    const names = ['agent', 'connect', 'connected', 'callback'] as const;
    for (const [turn, order] of [names, names.toReversed()].entries()) {
      const body = { channel: 'calls', agent: AGENT };
      const asked = { method: 'POST', body, headers: { 'idempotency-key': `call-${turn}` } };
      const { externalId } = await whole.api<{ externalId: string }>(`/customers/${customer!.id}/call`, asked);
      assert.equal(externalId, sid('CA', 900 + turn));
      const parent = { CallSid: externalId, From: OURS, To: AGENT, Direction: 'outbound-api' };
      const given = `&customer=${encodeURIComponent(phone)}`;
      const at = `&call=${externalId}&at=${Date.parse('2026-11-22T09:00:00Z')}`;
      const dialed = { DialCallStatus: 'completed', DialBridged: 'true', DialCallDuration: '115' };
      const pushes: Record<(typeof names)[number], Push> = {
        agent: [`?step=agent${given}`, { ...parent, CallStatus: 'in-progress' }],
        connect: [`?step=connect${at}${given}`, { ...parent, CallStatus: 'in-progress', Digits: '1' }],
        connected: [`?step=connected${at}${given}`, { ...parent, ...dialed }],
        callback: [`?step=callback${given}`, { ...parent, CallStatus: 'completed', CallDuration: '130' }],
      };
      await pushAll(order.map((name) => pushes[name]));
    }
    const calls = (await callsOf(phone)).filter(({ direction }) => direction === 'outbound');
    assert.deepEqual(
      calls.map(({ call }) => [call?.outcome, call?.agent, call?.from, call?.to, call?.talkedSec]),
      Array(2).fill(['answered', AGENT, OURS, phone, 115]),
    );
    assert.equal((await tickets()).length, 1);
  });

  it('never takes two who withhold their numbers for one', async () => {
    for (const [index, from] of ['+266696687', '+266696687', 'Restricted', 'anonymous'].entries()) {
      const { ringing, unanswered, ended } = told(index, from);
      await pushAll([ringing, unanswered, ended]);
    }
    const found = await tickets();
    assert.equal(new Set(found.map(({ customer }) => customer.id)).size, 4);
    assert.equal(found.length, 4);
  });

  it('fetches after a downtime the calls that Twilio could tell nobody, once', async () => {
    const now = Date.now();
    const times = (agoMs: number) => ({
      start_time: new Date(now - agoMs).toUTCString(),
      end_time: new Date(now - agoMs + 30_000).toUTCString(),
    });
    const { ringing, id } = told(1, '+380671234567');
    await pushAll([ringing]);
    api.recordings.set(sid('CA', 2), [listedRecording({ sid: sid('RE', 2) })]);
    api.files.set(`/2010-04-01/Accounts/${ACCOUNT}/Recordings/${sid('RE', 2)}.mp3`, { bytes: Buffer.from('words') });
    api.calls = [
      listedCall({ sid: sid('CA', 2), ...times(60_000), from: '+380501234567' }),
      listedCall({ sid: id, ...times(120_000) }),
    ];
    for (let time = 0; time < 2; time++) {
      await whole.restart();
      await until(async () => (await callsOf('+380671234567'))[0]?.call?.outcome === 'missed');
      await until(async () => (await list<Customer>('/customers')).length === 2);
    }
    assert.deepEqual(
      (await callsOf('+380501234567')).map(({ call }) => call?.outcome),
      ['voicemail'],
    );
    assert.equal((await callsOf('+380671234567')).length, 1);
    assert.equal((await tickets()).length, 2);
  });

  it('names every collected payload of other products, and takes none of them for a call', async function () {
    skipUnless(this, existsSync(COLLECTED), 'the collected fixtures are not beside the repository');
    const collected = JSON.parse(readFileSync(COLLECTED, 'utf8')) as { payload: Record<string, unknown> }[];
    assert.equal(collected.length, 34);
    for (const { payload } of collected) {
      const fields = Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, String(value)]));
      const { body, status } = await push(['', fields]);
      assert.deepEqual([status, body], [200, '<?xml version="1.0" encoding="UTF-8"?><Response></Response>']);
    }
    const events = await list<LedgerEvent>('/events');
    assert.deepEqual([...new Set(events.map(({ outcome }) => outcome))], ['ignored']);
    assert.equal(events.length, 34);
  });
});
