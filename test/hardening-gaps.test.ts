import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as realTime } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { hmac, signStandardWebhook } from '../src/core/signature.ts';
import type { DeliveryView, LedgerEvent, Message } from '../src/core/ticket.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import { fakeClock, type FakeClock } from './fakes/clock.ts';
import { call } from './fakes/raw-http.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { INTAKE_SECRET, startWhole, type Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const KEY = 'a key that only the sender knows';
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 6).toString('base64')}`;
const PUBLIC_URL = 'https://desk.example.com';

/** Cases of docs/hardening.md that need the whole gateway: from the bytes on the wire to ticket and ledger. */
describe('The whole gateway', () => {
  let clock: FakeClock;
  let receiver: Receiver;
  let whole: Whole;

  beforeEach(async () => {
    clock = fakeClock();
    receiver = await startReceiver();
    whole = await startWhole({
      clock,
      env: { PUBLIC_URL },
      yaml:
        `  - { id: keyed, type: webhook, auth: { type: api_key, header: x-key, key: "${KEY}" } }\n` +
        `  - { id: other, type: webhook, auth: { type: standard_webhooks, secret: "${OTHER_SECRET}" } }\n` +
        `  - { id: addressed, type: webhook, auth: { type: hmac, secret: "${KEY}", header: x-mac, template: "{url}{body}" } }\n` +
        `  - { id: shop, type: webhook, identity: { email: verified }, auth: { type: api_key, header: x-key, key: "${KEY}" } }\n` +
        `destinations:\n  - { id: crm, type: webhook, url: "${receiver.origin}/hooks", secret: "${INTAKE_SECRET}" }\n` +
        `routes:\n  - { to: [crm] }\n`,
    });
  });
  afterEach('it is alive and its ledger balances', async () => {
    assert.equal((await fetch(`${whole.running.url}/healthz`)).status, 200);
    assert.equal((await whole.api<{ balanced: boolean }>('/events/balance')).balanced, true);
    await whole.close();
    await receiver.close();
  });

  const port = () => Number(new URL(whole.running.url).port);
  const post = async (channel: string, headers: Record<string, string>, body: string | Buffer) =>
    (await call(port(), { path: `/webhooks/${channel}`, headers, body })).status;
  /** Sends to a channel with a key: nothing in the request says when it was made. */
  const keyed = (body: unknown, channel = 'keyed', more: Record<string, string> = {}) =>
    post(channel, { 'x-key': KEY, 'content-type': 'application/json', ...more }, JSON.stringify(body));
  const signed = (body: string | Buffer, secret = INTAKE_SECRET, id = `d-${randomUUID()}`) =>
    signStandardWebhook([secret], { id, timestampSec: Math.floor(clock.now() / SECOND), body });
  const messageOf = (id: string, more: object = {}) => ({ id, from: { id: 'u-7' }, text: `about ${id}`, ...more });

  const list = async <T>(path: string) => (await whole.api<{ data: T[] }>(path)).data;
  const tickets = () => list<{ id: string; messageCount: number; status: string }>('/tickets');
  const messagesOf = (ticketId: string) => list<Message>(`/tickets/${ticketId}/messages?limit=200`);
  const events = () => list<LedgerEvent>('/events?limit=200');
  const outcomes = async () => (await events()).map((event) => event.outcome).toReversed();
  const onlyTicket = async () => {
    const all = await tickets();
    assert.equal(all.length, 1, `${all.length} tickets`);
    return all[0]!;
  };
  /** Lets the worker run until everything has left for the destination. */
  const drain = async () => {
    for (let i = 0; i < 3000; i++) {
      const all = await list<DeliveryView>('/deliveries?limit=200');
      if (all.every((each) => each.state === 'delivered')) return;
      await clock.advance(1100);
      await realTime(5);
    }
    assert.fail('deliveries are still waiting');
  };

  it('makes nothing of a replay where a signature has no time: a second, an hour, 8 days later (A07)', async () => {
    assert.equal(await keyed(messageOf('m-1')), 200);
    // Without an id of the sender's, the bytes are the id.
    assert.equal(await keyed({ from: { id: 'u-7' }, text: 'no id' }), 200);
    for (const later of [SECOND, HOUR, 8 * DAY]) {
      clock.jump(later);
      assert.equal(await keyed(messageOf('m-1')), 200);
      assert.equal(await keyed({ from: { id: 'u-7' }, text: 'no id' }), 200);
    }
    assert.equal((await onlyTicket()).messageCount, 2);
    assert.deepEqual(await outcomes(), ['ticket_created', 'appended', ...Array<string>(6).fill('duplicate')]);
  });

  it('makes nothing of the same message in another delivery, and keeps its words (A08, K06)', async () => {
    const say = (text: string) => whole.send({ ...messageOf('m-1'), text });
    assert.equal(await say('genuine'), 200);
    assert.equal(await say('genuine'), 200);
    assert.equal(await say('forged'), 200);
    assert.deepEqual(await outcomes(), ['ticket_created', 'duplicate', 'duplicate']);
    const [shown, ...more] = await messagesOf((await onlyTicket()).id);
    assert.deepEqual([shown!.text, more.length], ['genuine', 0]);
    assert.match((await events())[0]!.reason!, /other content/);
  });

  it('makes nothing of a duplicate after the bytes of the first one are gone (K05)', async () => {
    assert.equal(await keyed(messageOf('m-1')), 200);
    const [first] = await events();
    const bytes = () => whole.api<{ payload: { body: string | null } }>(`/events/${first!.id}`);
    assert.notEqual((await bytes()).payload.body, null);
    clock.jump(31 * DAY);
    await clock.advance(HOUR);
    await until(async () => (await bytes()).payload.body === null, 'the retention has passed');
    assert.equal(await keyed(messageOf('m-1')), 200);
    assert.deepEqual(await outcomes(), ['ticket_created', 'duplicate']);
    assert.equal((await onlyTicket()).messageCount, 1);
  });

  it('opens no channel without its secret, and takes nothing for it (A09)', async () => {
    const without = [{}, { auth: { type: 'none' } }, { auth: { type: 'bearer' } }, { insecure: true }];
    for (const settings of without) {
      const body = { id: 'open', type: 'webhook', settings };
      await assert.rejects(whole.api('/channels', { method: 'POST', body }), /: 422 .*\/settings\/auth/);
    }
    assert.equal(await post('open', {}, '{}'), 404);
    assert.deepEqual(await events(), []);
  });

  it('refuses for one channel what was signed for another, and keeps no trace of it in the ledger (A10)', async () => {
    const body = JSON.stringify(messageOf('m-1'));
    assert.equal(await post('other', { ...signed(body) }, body), 401);
    assert.equal(await post('intake', { ...signed(body, OTHER_SECRET) }, body), 401);
    assert.deepEqual(await events(), []);
    assert.equal((await list('/channels/other/refused')).length, 1);
    assert.equal(await post('other', { ...signed(body, OTHER_SECRET) }, body), 200);
  });

  it('checks a signed address against its own, whatever the request says that it is (A13)', async () => {
    const body = JSON.stringify(messageOf('m-1'));
    const macFor = (origin: string) => hmac('sha256', KEY, `${origin}/webhooks/addressed`, body).toString('hex');
    const lies = { host: 'evil.test', 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'http' };
    for (const origin of ['https://evil.test', 'http://evil.test', whole.running.url]) {
      assert.equal(await post('addressed', { ...lies, 'x-mac': macFor(origin) }, body), 401, origin);
    }
    assert.equal(await post('addressed', { ...lies, 'x-mac': macFor(PUBLIC_URL) }, body), 200);
  });

  it('sets aside what is signed and can’t be read, answers 200, and tries again when asked (A15, B09 to B17, B22)', async () => {
    // Each is a message that is filed, but for the one thing.
    const around = (more: string) => `{"id":"m-1","from":{"id":"u"},"text":"?","more":${more}}`;
    const bodies: Record<string, string | Buffer> = {
      'a byte-order mark': `\ufeff${around('1')}`,
      'UTF-16': Buffer.from(around('1'), 'utf16le'),
      'bytes that are no UTF-8': Buffer.from(around('"\u00c0\u00af"'), 'latin1'),
      '65 levels': around(`${'['.repeat(64)}${']'.repeat(64)}`),
      '1,000,000 levels': around(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`),
      'a key twice': around('{"a":1,"a":2}'),
      'a number without end': around('1e400'),
      '1,001 keys': around(JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`${i}`, i])))),
      'a form': 'a[b][c]=1&a[__proto__]=1&a=%00',
      'broken multipart': '--b\r\nContent-Disposition: form-data; name=""\r\n\r\nx',
    };
    for (const [what, body] of Object.entries(bodies))
      assert.equal(await post('intake', { ...signed(body) }, body), 200, what);
    const all = await events();
    assert.deepEqual(
      all.map((event) => event.outcome),
      Object.keys(bodies).map(() => 'quarantined'),
    );
    assert.deepEqual(await tickets(), []);
    const shown = await whole.api<{ payload: { body: string | null } }>(`/events/${all[0]!.id}`);
    assert.ok(JSON.stringify(shown).includes('Content-Disposition'), 'the bytes are kept');
    const again = await whole.api<{ items: { outcome: string }[] }>(`/events/${all[0]!.id}/replay`, { method: 'POST' });
    assert.deepEqual(
      again.items.map((item) => item.outcome),
      ['quarantined'],
    );
    const fine = around(`${'['.repeat(63)}${']'.repeat(63)}`);
    assert.equal(await post('intake', { ...signed(fine) }, fine), 200);
    assert.equal((await onlyTicket()).messageCount, 1, 'one level less is a message');
  });

  it('decodes nothing that was signed and packed (A15, B01)', async () => {
    const packed = gzipSync(JSON.stringify(messageOf('m-1')));
    assert.equal(await post('intake', { ...signed(packed), 'content-encoding': 'gzip' }, packed), 415);
    assert.deepEqual(await events(), []);
  });

  it('stores and finds again what has half letters, controls and keys of prototypes in it (B12, B13, B16)', async () => {
    const body =
      '{"id":"m-\\ud800\\u0000","thread":"t\\udfff","from":{"id":"u\\ud800","name":"O\\u0000\\u202ele\\r\\nBcc: x"},' +
      '"text":"a\\u0000b\\ud800","fields":{"__proto__":"x","constructor":"y","order":"1"},"__proto__":{"polluted":1}}';
    for (let i = 0; i < 2; i++) assert.equal(await post('intake', { ...signed(body) }, body), 200);
    assert.deepEqual(await outcomes(), ['ticket_created', 'duplicate'], 'the id is the same after it was stored');
    const [shown] = await messagesOf((await onlyTicket()).id);
    assert.deepEqual([shown!.externalId, shown!.text], ['m-\ufffd\ufffd', 'ab\ufffd']);
    assert.doesNotMatch(shown!.author.name!, /[\u0000-\u001f\u202e]/);
    assert.deepEqual(shown!.fields, { order: '1' });
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it('keeps messages that come in another order in one ticket, each with its time, and passes them on as filed (K01)', async () => {
    for (const n of [2, 3, 1]) {
      const occurredAt = `2026-11-22T09:00:0${n}Z`;
      assert.equal(await whole.send(messageOf(`m-${n}`, { thread: 't', occurredAt })), 200);
    }
    const shown = await messagesOf((await onlyTicket()).id);
    assert.deepEqual(
      shown.map(({ externalId, occurredAt }) => [externalId, new Date(occurredAt).getUTCSeconds()]),
      [
        ['m-2', 2],
        ['m-3', 3],
        ['m-1', 1],
      ],
    );
    await drain();
    assert.deepEqual(heard(receiver, 'message.received'), ['m-2', 'm-3', 'm-1']);
  });

  it('files one message of fifty that arrive at once, and thanks for each (K07)', async () => {
    const statuses = await Promise.all(Array.from({ length: 50 }, () => whole.send(messageOf('m-1'))));
    assert.deepEqual(new Set(statuses), new Set([200]));
    assert.equal((await onlyTicket()).messageCount, 1);
    assert.deepEqual(
      (await outcomes()).filter((outcome) => outcome !== 'duplicate'),
      ['ticket_created'],
    );
    await drain();
    assert.deepEqual(heard(receiver, 'message.received'), ['m-1']);
  });

  it('knows one customer whose first messages come through two channels at the same instant (K08)', async () => {
    // Another channel of the same shop, made while it runs: it vouches for the address as well.
    const settings = { identity: { email: 'verified' }, auth: { type: 'api_key', header: 'x-key', key: KEY } };
    await whole.api('/channels', { method: 'POST', body: { id: 'shop2', type: 'webhook', settings } });
    for (let round = 0; round < 10; round++) {
      const from = (id: string) => ({ id, email: `olena${round}@example.com` });
      const statuses = await Promise.all([
        keyed({ id: `a-${round}`, from: from(`a-${round}`), text: 'here' }, 'shop'),
        keyed({ id: `b-${round}`, from: from(`b-${round}`), text: 'and here' }, 'shop2'),
      ]);
      assert.deepEqual(statuses, [200, 200]);
    }
    assert.equal((await list('/customers?limit=200')).length, 10);
    assert.deepEqual(
      (await tickets()).map((ticket) => ticket.messageCount),
      Array<number>(10).fill(2),
    );
  });

  it('loses no message that comes while its ticket is closed, merged or split (K09)', async () => {
    const say = (n: number, thread: string) =>
      whole.send(messageOf(`m-${thread}-${n}`, { thread, from: { id: thread } }));
    await say(0, 'a');
    await say(0, 'b');
    const [b, a] = await tickets();
    const [first] = await messagesOf(a!.id);
    const act = (path: string, method: string, body: object) =>
      whole.api(`/tickets/${path}`, { method, body }).then(
        () => undefined,
        // The other act was first: that is a result, too.
        (error: unknown) => assert.match(String(error), /: 4(09|12|22) /),
      );
    const statuses = await Promise.all([
      say(1, 'a'),
      act(a!.id, 'PATCH', { status: 'closed' }),
      say(2, 'a'),
      say(1, 'b'),
      act(`${b!.id}/merge`, 'POST', { into: a!.id }),
      say(2, 'b'),
      act(`${a!.id}/split`, 'POST', { messages: [first!.id] }),
      say(3, 'a'),
    ]);
    assert.deepEqual(
      statuses.filter((status) => status !== undefined),
      [200, 200, 200, 200, 200],
    );
    assert.equal(await say(3, 'b'), 200);
    const found = await Promise.all((await tickets()).map(({ id }) => messagesOf(id)));
    const ids = found.flat().flatMap((message) => message.externalId ?? []);
    const sent = ['m-a-0', 'm-a-1', 'm-a-2', 'm-a-3', 'm-b-0', 'm-b-1', 'm-b-2', 'm-b-3'];
    assert.deepEqual(ids.toSorted(), sent, 'each is in one ticket that can be seen');
  });

  it('sends again what was delivered under the id that it had (K12)', async () => {
    await whole.send(messageOf('m-1'));
    await drain();
    const before = receiver.requests.length;
    const done = (await list<DeliveryView>('/deliveries')).find((each) => each.type === 'message.received')!;
    assert.equal(done.state, 'delivered');
    await whole.api(`/deliveries/${done.id}/replay`, { method: 'POST' });
    await drain();
    const again = receiver.requests.slice(before);
    assert.deepEqual(
      again.map((request) => request.headers['webhook-id']),
      [done.id],
    );
    assert.deepEqual(again[0]!.body, receiver.requests.find((each) => each.headers['webhook-id'] === done.id)!.body);
    const audited = (await whole.api<DeliveryView & { log: unknown[] }>(`/deliveries/${done.id}`)).log;
    assert.equal(audited.length, 2, 'both tries can be seen');
  });

  it('takes messages while somebody reads the database for long (I10)', async () => {
    const reading = openDatabase(join(whole.folder, 'data', 'tributary.db'));
    reading.exec('BEGIN');
    reading.prepare('SELECT count(*) FROM events').get();
    for (let n = 0; n < 20; n++) assert.equal(await whole.send(messageOf(`m-${n}`)), 200);
    assert.equal(Object.values(reading.prepare('SELECT count(*) AS n FROM events').get() as object)[0], 0);
    reading.exec('COMMIT');
    reading.close();
    assert.equal((await onlyTicket()).messageCount, 20);
  });
});

describe('What the documentation says of the tests', () => {
  for (const page of ['README.md', 'docs/hardening.md']) {
    it(`is true of those that ${page} names`, () => {
      const root = join(import.meta.dirname, '..');
      const text = readFileSync(join(root, page), 'utf8').replace(/\s+/g, ' ');
      const named = [...text.matchAll(/\]\((?:\.\.\/)?(test\/[^)]+)\)((?:,? "[^"]+")+)/g)];
      assert.ok(named.length >= 5, `${named.length} were found`);
      const missing = named.flatMap(([, file = '', quoted = '']) => {
        const source = readFileSync(join(root, file), 'utf8');
        return [...quoted.matchAll(/"([^"]+)"/g)]
          .map(([, sentence = '']) => `${file}: ${sentence}`)
          .filter((each) => !source.includes(each.slice(file.length + 2)));
      });
      assert.deepEqual(missing, []);
    });
  }
});

/** What a receiver was told, in order: ids of messages of one type of event. */
function heard(receiver: Receiver, type: string): string[] {
  return receiver.requests.flatMap((request) => {
    const event = JSON.parse(request.body.toString()) as { type: string; data: { message?: { externalId: string } } };
    return event.type === type ? [event.data.message!.externalId] : [];
  });
}
