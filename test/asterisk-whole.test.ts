import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerEvent, Message } from '../src/core/ticket.ts';
import { AMI_SECRET, channel, startAsterisk, told, type FakeAsterisk, type FakeChannel } from './fakes/asterisk.ts';
import { fakeLog } from './fakes/context.ts';
import { until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';

type List<T> = { readonly data: readonly T[] };

const CALLERS = ['+380501234567', '+380671234567', '+380931234567'] as const;

describe('Asterisk, through a whole gateway against a stand-in', () => {
  let pbx: FakeAsterisk;
  let whole: Whole;
  let folder: string;
  let file: string;
  const log = fakeLog();
  let nth = 0;
  let now = 0;

  beforeEach(async () => {
    nth = 0;
    now = Math.floor(Date.now() / 1000);
    folder = mkdtempSync(join(tmpdir(), 'tributary-records-'));
    // Where Asterisk writes, and a link to it where it is looked for.
    file = join(folder, 'cdr.csv');
    writeFileSync(file, '');
    mkdirSync(join(folder, 'endpoints', 'pbx'), { recursive: true });
    symlinkSync(file, join(folder, 'endpoints', 'pbx', 'Master.csv'));
    pbx = await startAsterisk();
  });
  afterEach(async () => {
    await whole.close();
    await pbx.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(more: string): Promise<void> {
    const login = `host: 127.0.0.1, port: ${pbx.port}, user: tributary, secret: ${AMI_SECRET}`;
    whole = await startWhole({
      env: { DATA_DIR: folder },
      yaml: `  - { id: pbx, type: asterisk, ${login}${more} }\n`,
      log,
    });
    await until(async () => (await notes()) === 1, 'it is connected');
  }
  const withRecords = () => start(`, records: { file: Master.csv }`);

  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
  const notes = async () => (await eventsOf()).filter(({ reason }) => reason?.includes('Asterisk Call Manager')).length;
  /** Every call that there is, by its id. */
  async function calls(): Promise<Record<string, Message['call']>> {
    const { data: customers } = await whole.api<List<{ readonly id: string }>>('/customers');
    const lists = await Promise.all(customers.map(({ id }) => whole.api<List<Message>>(`/customers/${id}/timeline`)));
    const all = lists.flatMap(({ data }) => data).filter(({ kind }) => kind === 'call');
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
    const ids = new Map((await eventsOf()).map(({ messageId, externalId }) => [messageId, externalId]));
    const entries = all.map((each) => [ids.get(each.id) ?? '', each.call] as const);
    assert.equal(new Set(entries.map(([id]) => id)).size, entries.length, 'a call is there twice');
    return Object.fromEntries(entries);
  }
  const becomes = (one: FakeChannel, outcome: string) =>
    until(async () => (await calls())[one.Uniqueid]?.outcome === outcome, `${one.Channel} is ${outcome}`);

  const caller = (number: string) => channel('PJSIP/provider', ++nth, { number, exten: '0441112233', seconds: now });
  const phone = (number: string, of: FakeChannel) => channel(`PJSIP/${number}`, ++nth, { of, number, seconds: now });
  const begins = (one: FakeChannel) => pbx.tell(told.begins(one));
  const rings = (one: FakeChannel, other: FakeChannel) =>
    pbx.tell(told.begins(other), told.dials(one, other, other.Channel));
  const ends = (...legs: readonly FakeChannel[]) => pbx.tell(...legs.map((leg) => told.ends(leg)));
  const listed = (one: FakeChannel, state: string, more: object = {}) => ({
    ...one,
    ChannelState: state,
    Duration: '00:00:07',
    ...more,
  });

  /** A record as Asterisk writes it with newcdrcolumns, two hours off as its clock is local. */
  function record(
    one: FakeChannel,
    fields: { to?: string; app?: string; seconds?: number; talked?: number; disposition?: string },
  ): void {
    const { to = '', app = 'Dial', seconds = 9, talked = 0, disposition = 'NO ANSWER' } = fields;
    const local = new Date((now + 7200) * 1000).toISOString().replace('T', ' ').slice(0, 19);
    const name = `"""O, K"" <${one.CallerIDNum}>"`;
    const words = ['', one.CallerIDNum, one.Exten, 'from-trunk', name, one.Channel, to, app, ''];
    const texts = words.map((each) => (each === name ? each : `"${each}"`));
    const ids = [disposition, 'DOCUMENTATION', one.Uniqueid, '', '', one.Linkedid].map((each) => `"${each}"`);
    appendFileSync(file, `${[...texts, `"${local}"`, '', `"${local}"`, seconds, talked, ...ids, nth].join(',')}\n`);
  }

  /** The connection breaks; `meanwhile` happens before the next one can begin. */
  async function gap(meanwhile: () => void): Promise<void> {
    const before = await notes();
    meanwhile();
    pbx.cut();
    await until(async () => (await notes()) > before, 'it is connected again');
  }

  it('tells a call from its beginning to its end as one', async () => {
    await withRecords();
    const one = caller(CALLERS[0]);
    begins(one);
    await becomes(one, 'ringing');
    const agent = phone('101', one);
    rings(one, agent);
    pbx.tell(told.isUp(agent), told.isUp(one));
    await becomes(one, 'answered');
    pbx.tell(told.begins(one), told.isUp(agent));
    ends(agent, one, agent, one);
    await until(async () => (await calls())[one.Uniqueid]?.talkedSec !== undefined, 'it has ended');
    const all = await calls();
    assert.deepEqual(Object.keys(all), [one.Uniqueid]);
    const { agent: who, from, to, direction } = all[one.Uniqueid]!;
    assert.deepEqual([who, from, to, direction], ['101', CALLERS[0], '0441112233', 'inbound']);
  });

  it('fills a gap from the call records: no call missing, none twice', async () => {
    await withRecords();
    const [seen, cutOff, missed] = CALLERS.map(caller);
    const agents = [phone('101', seen!), phone('102', cutOff!), phone('103', missed!)];
    begins(seen!);
    ends(seen!);
    begins(cutOff!);
    rings(cutOff!, agents[1]!);
    await becomes(seen!, 'missed');
    await becomes(cutOff!, 'ringing');
    await gap(() => {
      record(seen!, {});
      record(cutOff!, { to: agents[1]!.Channel, seconds: 60, talked: 50, disposition: 'ANSWERED' });
      record(missed!, { to: agents[2]!.Channel, seconds: 20 });
    });
    await becomes(missed!, 'missed');
    await becomes(cutOff!, 'answered');
    const all = await calls();
    assert.deepEqual(Object.keys(all).sort(), [seen!, cutOff!, missed!].map(({ Uniqueid }) => Uniqueid).sort());
    const { agent, waitedSec, talkedSec } = all[cutOff!.Uniqueid]!;
    assert.deepEqual([agent, waitedSec, talkedSec], ['102', 10, 50]);
    assert.equal(all[missed!.Uniqueid]!.waitedSec, 20);
    await gap(() => undefined);
    assert.deepEqual(await calls(), all);
  });

  it('says without records what may be lost, and takes a call that ended unseen for what it was', async () => {
    await start('');
    const [waiting, talking] = [caller(CALLERS[0]), caller(CALLERS[1])];
    begins(waiting);
    begins(talking);
    const agent = phone('101', talking);
    rings(talking, agent);
    pbx.tell(told.isUp(agent));
    await becomes(waiting, 'ringing');
    await becomes(talking, 'answered');
    await gap(() => undefined);
    await becomes(waiting, 'missed');
    const gaps = (await eventsOf())
      .map(({ reason }) => reason ?? '')
      .filter((reason) => reason.includes('after a gap since'));
    assert.equal(gaps.length, 1);
    assert.match(gaps[0]!, /are lost: there are no `records` to ask/);
    assert.equal((await calls())[talking.Uniqueid]!.agent, '101');
    assert.match(JSON.stringify(await whole.api('/channels/pbx/test', { method: 'POST' })), /no `records`/);
  });

  it('goes on with what runs after a gap and after a restart, and finds what began meanwhile', async () => {
    await withRecords();
    const [old, young] = [caller(CALLERS[0]), caller(CALLERS[1])];
    begins(old);
    await becomes(old, 'ringing');
    const [one, two] = [phone('101', old), phone('102', young)];
    pbx.channels = [
      listed(old, '6', { Application: 'Dial' }),
      listed(one, '6', { Application: 'AppDial' }),
      listed(young, '4', { Application: 'Queue' }),
      listed(two, '5', { Application: 'AppQueue' }),
    ];
    await whole.restart();
    await becomes(old, 'answered');
    await becomes(young, 'ringing');
    pbx.channels = pbx.channels.slice(0, 2);
    pbx.beforeList = [told.ends(two)];
    await gap(() => undefined);
    await becomes(young, 'missed');
    ends(one, old);
    record(old, { to: one.Channel, seconds: 30, talked: 12, disposition: 'ANSWERED' });
    pbx.channels = [];
    await gap(() => undefined);
    await until(async () => (await calls())[old.Uniqueid]?.talkedSec === 12, 'its record is read');
    const all = await calls();
    assert.deepEqual(Object.keys(all).length, 2);
    assert.equal(all[old.Uniqueid]!.agent, '101');
  });

  it('loses no call to garbage, half lines and blocks without an end', async () => {
    await withRecords();
    pbx.write(Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0x0d, 0x0a]));
    pbx.write(`Event: Newchannel\r\nUniqueid: ${'9'.repeat(100_000)}\r\n${'Key: value\r\n'.repeat(20_000)}\r\n`);
    const one = caller(CALLERS[0]);
    pbx.write('\r\n\r\n\r\nEvent: Newchannel\r\nno colon here\r\nUniqueid\r\n\r\nEvent: Hang');
    pbx.write('up\r\nUniqueid: \r\n\r\n');
    begins(one);
    await becomes(one, 'ringing');
    ends(one);
    await becomes(one, 'missed');
    assert.equal(pbx.logins(), 1);
    pbx.write('Event: Newchannel\r\nUniq');
    await gap(() => undefined);
    assert.equal(Object.keys(await calls()).length, 1);
  });

  it('asks an address for the records, with the password, and shows no secret', async () => {
    const asked: { url: string; authorization: string }[] = [];
    const missed = caller(CALLERS[0]);
    const server: Server = createServer((request, answer) => {
      asked.push({ url: request.url ?? '', authorization: request.headers.authorization ?? '' });
      const at = new Date(now * 1000).toISOString().replace('T', ' ').slice(0, 19);
      const head =
        'calldate\tclid\tsrc\tdst\tdid\tchannel\tdstchannel\tlastapp\tduration\tbillsec\tdisposition\tuniqueid\tlinkedid';
      const row = [
        at,
        '',
        CALLERS[0],
        '600',
        '0441112233',
        missed.Channel,
        '',
        'Queue',
        '33',
        '30',
        'ANSWERED',
        missed.Uniqueid,
        missed.Linkedid,
      ];
      answer.end(`${head}\n${row.join('\t')}\n`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cdr.csv`;
      await start(`, records: { url: "${url}", user: desk, password: a-password-of-the-records }`);
      await becomes(missed, 'missed');
      const { to, waitedSec } = (await calls())[missed.Uniqueid]!;
      assert.deepEqual([to, waitedSec], ['0441112233', 33]);
      const [first] = asked;
      assert.match(first!.url, /^\/cdr\.csv\?since=\d{10}$/);
      assert.equal(first!.authorization, `Basic ${Buffer.from('desk:a-password-of-the-records').toString('base64')}`);
      pbx.whim = ({ action }) =>
        action === 'Login' ? { Response: 'Error', Message: `${AMI_SECRET} is wrong` } : undefined;
      pbx.cut();
      const health = () => whole.api('/channels/pbx/health');
      await until(
        async () => JSON.stringify(await health()).includes('needs_reauth'),
        'the channel needs another secret',
      );
      const shown = JSON.stringify([await health(), await eventsOf(), await whole.api('/channels'), log.entries]);
      for (const secret of [AMI_SECRET, 'a-password-of-the-records'])
        assert.ok(!shown.includes(secret), 'a secret is shown');
      assert.match(shown, /\[secret\] is wrong/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('shows in its health that records can’t be read', async () => {
    await withRecords();
    writeFileSync(
      file,
      '"","1","2","","","PJSIP/p-1","","Dial","","2026-01-01 10:00:00","","",1,0,"BUSY","D","1700000000.1"\n',
    );
    await gap(() => undefined);
    const health = async () => JSON.stringify(await whole.api('/channels/pbx/health'));
    await until(async () => (await health()).includes('no linkedid'), 'it is told');
    rmSync(file);
    await whole.restart();
    await until(async () => (await health()).includes("can't be opened"), 'it is told');
  });
});
