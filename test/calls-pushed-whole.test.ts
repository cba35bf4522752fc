import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { KEY, SECRET, startBinotel } from './fakes/binotel.ts';
import type { FakeBinotel } from './fakes/binotel.ts';
import { fakeLog } from './fakes/context.ts';
import { AUTH_KEY, startRingostat } from './fakes/ringostat.ts';
import type { FakeRingostat } from './fakes/ringostat.ts';
import { ACCESS_TOKEN, startUis } from './fakes/uis.ts';
import type { FakeUis } from './fakes/uis.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

const CONNECTORS = join(import.meta.dirname, '../src/connectors');
const TOKEN = '0f8c6b1f4c6c9f3a2f3f2b6f1d576d0f';
const PUBLIC = { PUBLIC_URL: 'https://desk.example.com' };
/** Where the test itself calls from. */
const HERE = '127.0.0.1';

type List<T> = { readonly data: readonly T[] };

const bodyOf = (path: string) => readFileSync(join(CONNECTORS, path, 'body.json'), 'utf8');
const formOf = (name: string) =>
  (JSON.parse(readFileSync(join(CONNECTORS, 'binotel/fixtures', name, 'payload.json'), 'utf8')) as { body: string })
    .body;

describe('Calls that are pushed and signed by nobody, through a whole gateway', () => {
  let ringostat: FakeRingostat;
  let binotel: FakeBinotel;
  let uis: FakeUis;
  let whole: Whole | undefined;
  const log = fakeLog();
  beforeEach(async () => {
    [ringostat, binotel, uis] = await Promise.all([startRingostat(), startBinotel(), startUis()]);
  });
  afterEach(async () => {
    await whole?.close();
    whole = undefined;
    await Promise.all([ringostat.close(), binotel.close(), uis.close()]);
    assert.deepEqual([...ringostat.violations, ...binotel.violations, ...uis.violations], []);
    const secrets = [TOKEN, AUTH_KEY, KEY, SECRET, ACCESS_TOKEN];
    for (const secret of secrets) assert.ok(!JSON.stringify(log.entries).includes(secret), 'a secret is in the log');
  });

  async function start(binotelSettings = `sources: ["${HERE}"]`, more = ''): Promise<Whole> {
    const ours = `token: "${TOKEN}", apiRoot: "${ringostat.root}"`;
    const theirs = `token: "${TOKEN}", key: "${KEY}", secret: "${SECRET}", apiRoot: "${binotel.root}"`;
    const at = `token: "${TOKEN}", accessToken: "${ACCESS_TOKEN}", timeZone: UTC, apiRoot: "${uis.root}"`;
    whole = await startWhole({
      yaml: [
        `  - { id: ringo, type: ringostat, authKey: "${AUTH_KEY}", timeZone: Europe/Kyiv, ${ours} }`,
        `  - { id: bino, type: binotel, ${theirs}, ${binotelSettings} }`,
        `  - { id: uis, type: uis, ${at} }`,
        more,
      ].join('\n'),
      env: PUBLIC,
      log,
    });
    return whole;
  }

  async function push(path: string, body: string, headers: Record<string, string>) {
    const answer = await fetch(`${whole!.running.url}/webhooks/${path}`, { method: 'POST', body, headers });
    return { status: answer.status, text: await answer.text() };
  }
  const JSON_TYPE = { 'content-type': 'application/json' };
  const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

  async function messages(): Promise<Message[]> {
    const { data } = await whole!.api<List<Ticket>>('/tickets');
    const lists = await Promise.all(data.map(({ id }) => whole!.api<List<Message>>(`/tickets/${id}/messages`)));
    return lists.flatMap((list) => list.data);
  }
  const events = async () => (await whole!.api<List<LedgerEvent>>('/events?limit=200')).data;

  it('is taken at the secret address only, and answered as each vendor expects', async () => {
    await start();
    const missed = bodyOf('ringostat/fixtures/missed');
    for (const path of [
      'ringo?event=after',
      `ringo/${TOKEN.slice(1)}x?event=after`,
      'bino',
      `bino/${'a'.repeat(32)}`,
      'uis',
      `uis/${TOKEN.slice(0, -1)}`,
    ]) {
      assert.equal((await push(path, missed, JSON_TYPE)).status, 401, path);
    }
    assert.deepEqual(await messages(), []);
    assert.deepEqual(await push(`ringo/${TOKEN}?event=after`, missed, JSON_TYPE), { status: 200, text: '' });
    const done = await push(`bino/${TOKEN}`, formOf('missed'), FORM);
    assert.deepEqual(done, { status: 200, text: '{"status":"success"}' });
    const asked = await push(`bino/${TOKEN}`, formOf('asks-who-calls'), FORM);
    assert.deepEqual(asked, { status: 200, text: '{}' });
    const ofUis = bodyOf('uis/fixtures/lost').replace('79263334455', '380501112233');
    assert.deepEqual(await push(`uis/${TOKEN}`, ofUis, JSON_TYPE), { status: 200, text: '' });
    const found = await messages();
    assert.deepEqual(
      found.map(({ call, verified }) => [call?.outcome, call?.from, verified]),
      found.map(() => ['missed', '+380501112233', false]),
    );
    assert.equal(found.length, 3, 'all channels know of a call of that number');
    const { data } = await whole!.api<List<Ticket>>('/tickets');
    assert.deepEqual(new Set(data.map(({ priority }) => priority)), new Set(['high']));
  });

  it('is taken from Binotel’s own addresses only, whatever a stranger writes into a header', async () => {
    const forwarded = { ...FORM, 'x-forwarded-for': '194.88.218.116', 'x-real-ip': '194.88.218.116' };
    await start('country: UA');
    for (const headers of [FORM, forwarded]) {
      assert.equal((await push(`bino/${TOKEN}`, formOf('missed'), headers)).status, 401);
    }
    assert.deepEqual(await messages(), []);
    await whole!.close();
    await start('country: UA', `server: { trustProxy: ["${HERE}"] }`);
    assert.equal((await push(`bino/${TOKEN}`, formOf('missed'), FORM)).status, 401, 'the proxy itself');
    const other = { ...FORM, 'x-forwarded-for': '194.88.218.116, 203.0.113.9' };
    assert.equal((await push(`bino/${TOKEN}`, formOf('missed'), other)).status, 401, 'what the proxy saw');
    assert.equal((await push(`bino/${TOKEN}`, formOf('missed'), forwarded)).status, 200);
    assert.equal((await messages()).length, 1);
  });

  it('is fetched where it was never pushed, once, with its recording', async () => {
    const at = new Date(Date.now() - 20 * 60_000);
    const calldate = `${at.toISOString().slice(0, 19)}+0000`;
    const recording = `${ringostat.root}/recordings/1.ogg?token=0123456789abcdef`;
    ringostat.recordings.set('/recordings/1.ogg', Buffer.from('OggS'));
    const voicemail = { call_type: 'in', caller: '380671234567', disposition: 'VOICEMAIL', billsec: 4 };
    ringostat.log.push({ uniqueid: 'ua1_-1.1', calldate, ...voicemail, has_recording: '1', recording });
    binotel.links.set('6536020005', `${binotel.root}/store/1.mp3`);
    binotel.files.set('/store/1.mp3', Buffer.from('ID3'));
    const startTime = String(Math.floor(at.getTime() / 1000));
    const theirs = { callType: '0', externalNumber: '0931112233', disposition: 'VM-SUCCESS', billsec: '5' };
    binotel.calls.push(Object.assign({ generalCallID: '6536020005', startTime }, theirs));
    const start_time = at.toISOString().slice(0, 19).replace('T', ' ');
    const left = { direction: 'in', is_lost: true, talk_duration: 0, voice_mail_records: ['abc'] };
    uis.report.push({ id: 7, communication_id: 7, start_time, contact_phone_number: '79161112233', ...left });
    uis.recordings.set('/system/media/voice_mail/7/abc/', Buffer.from('ID3'));
    await start();
    const found = await until(async () => {
      const all = await messages();
      const stored = all.flatMap(({ attachments }) => attachments).filter(({ state }) => state === 'stored');
      return stored.length === 3 && all;
    }, 'all calls and their recordings are there');
    const froms = found.map(({ call }) => call?.from).toSorted();
    assert.deepEqual(froms, ['+380671234567', '+380931112233', '+79161112233']);
    assert.ok(!JSON.stringify([found, await events()]).includes('0123456789abcdef'), 'the address shows its token');

    const pushed = { uniqueid: 'ua1_-1.1', calldate, ...voicemail, has_recording: '1', recording };
    assert.equal((await push(`ringo/${TOKEN}?event=after`, JSON.stringify(pushed), JSON_TYPE)).status, 200);
    const body = JSON.stringify({ event: 'lost', call_session_id: 7, contact_phone_number: '79161112233' });
    assert.equal((await push(`uis/${TOKEN}`, body, JSON_TYPE)).status, 200);
    assert.equal((await messages()).length, 3, 'what comes after all is known');
  });
});
