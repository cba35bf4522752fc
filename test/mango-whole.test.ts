import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { KEY, SALT, signMango, startMango } from './fakes/mango.ts';
import type { FakeMango } from './fakes/mango.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

const FIXTURES = join(import.meta.dirname, '../src/connectors/mango/fixtures');
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

type List<T> = { readonly data: readonly T[] };

describe('Calls at Mango Office, through a whole gateway', () => {
  let mango: FakeMango;
  let whole: Whole;
  const log = fakeLog();
  beforeEach(async () => {
    mango = await startMango();
  });
  afterEach(async () => {
    await whole.close();
    await mango.close();
    assert.deepEqual(mango.violations, []);
    assert.ok(!JSON.stringify(log.entries).includes(SALT), 'the salt is in the log');
  });

  async function start(): Promise<void> {
    whole = await startWhole({
      yaml: `  - { id: calls, type: mango, key: "${KEY}", salt: "${SALT}", apiRoot: "${mango.root}" }`,
      env: { PUBLIC_URL: 'https://desk.example.com' },
      log,
    });
  }

  async function push(path: string, body: string) {
    const url = `${whole.running.url}/webhooks/calls${path}`;
    const answer = await fetch(url, { method: 'POST', body, headers: FORM });
    return { status: answer.status, text: await answer.text() };
  }
  const formOf = (said: object, salt = SALT) => {
    const json = JSON.stringify(said);
    return new URLSearchParams({ vpbx_api_key: KEY, sign: signMango(json, KEY, salt), json }).toString();
  };
  const recorded = (name: string) =>
    (JSON.parse(readFileSync(join(FIXTURES, name, 'payload.json'), 'utf8')) as { body: string }).body;

  async function messages(): Promise<Message[]> {
    const { data } = await whole.api<List<Ticket>>('/tickets');
    const lists = await Promise.all(data.map(({ id }) => whole.api<List<Message>>(`/tickets/${id}/messages`)));
    return lists.flatMap((list) => list.data);
  }

  it('are taken at every name behind the address, if they are signed, and answered without a word', async () => {
    await start();
    const summary = { entry_id: 'e', call_direction: 1, from: { number: '79031112233' }, entry_result: 0 };
    for (const [path, body] of [
      ['/events/summary', formOf(summary, 'another')],
      ['/events/summary', ''],
      ['/ping', ''],
      ['', 'vpbx_api_key=&sign=&json='],
    ] as const) {
      assert.equal((await push(path, body)).status, 401, path);
    }
    assert.deepEqual(await messages(), []);
    for (const path of ['/events/summary', '/events/summary', '', '/']) {
      assert.deepEqual(await push(path, formOf(summary)), { status: 200, text: '' }, path);
    }
    assert.deepEqual(await push('/events/call', recorded('menu')), { status: 200, text: '' });
    assert.deepEqual(await push('/events/dtmf', recorded('keys')), { status: 200, text: '' });
    const [message, ...others] = await messages();
    assert.deepEqual(others, []);
    const { call, verified } = message ?? assert.fail();
    assert.deepEqual([call?.outcome, call?.from, verified], ['missed', '+79031112233', false]);
    const { data } = await whole.api<List<Ticket>>('/tickets');
    assert.deepEqual(
      data.map(({ priority, tags }) => [priority, tags]),
      [['high', ['callback']]],
    );
    const events = (await whole.api<List<LedgerEvent>>('/events?limit=200')).data;
    assert.ok(
      events.some(({ reason }) => reason?.includes('events/dtmf')),
      JSON.stringify(events),
    );
  });

  it('are fetched where they were never pushed, once, and their recordings as soon as they are announced', async () => {
    const second = Math.floor(Date.now() / 1000) - 600;
    const missed = { context_type: 1, context_status: 0, caller_number: '79031112233', duration: 20, talk_duration: 0 };
    mango.calls = [Object.assign({ entry_id: 'listed', context_start_time: second }, missed)];
    mango.links.set('MTox', `${mango.root}/files/1`);
    mango.files.set('/files/1', Buffer.from('ID3'));
    await start();
    const before = { entry_id: 'talked', call_direction: 1, from: { number: '79031112233' }, to: { extension: '101' } };
    const times = { create_time: second + 60, talk_time: second + 70, end_time: second + 90, entry_result: 1 };
    await until(async () => (await messages()).length === 1, 'the statistics were read');
    await push('/events/record/added', formOf({ entry_id: 'talked', recording_id: 'MTox', timestamp: second + 95 }));
    await push('/events/summary', formOf({ ...before, ...times }));
    const found = await until(async () => {
      const all = await messages();
      return all.some(({ attachments }) => attachments[0]?.state === 'stored') && all;
    }, 'the recording is there');
    assert.deepEqual(found.map(({ call }) => [call?.outcome, call?.agent, call?.talkedSec]).toSorted(), [
      ['answered', '101', 20],
      ['missed', undefined, undefined],
    ]);
    // What comes after all is known.
    const late = { entry_id: 'listed', call_direction: 1, from: { number: '79031112233' }, create_time: second };
    await push('/events/summary', formOf({ ...late, entry_result: 0 }));
    assert.equal((await messages()).length, 2);
  });
});
