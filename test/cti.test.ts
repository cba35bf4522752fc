import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { Channel } from '../src/core/connector.ts';
import { cti } from '../src/connectors/cti/cti.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import { hmac } from '../src/core/signature.ts';
import { fakeContext } from './fakes/context.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';

const TOKEN = '3b1f4c6c9f3a2f3f2b6f1d576d0f0f8c';
const FORM = 'application/x-www-form-urlencoded';
const OLENA = '380671234567';

type Fields = Readonly<Record<string, string>>;

/** Every order of a list. */
function ordersOf<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((each, index) => ordersOf(list.toSpliced(index, 1)).map((rest) => [each, ...rest]));
}

describe('calls of a telephone system', () => {
  let channel: Channel;
  let filing: Filing;

  beforeEach(async () => {
    channel = await cti.open(cti.config.parse({ token: TOKEN }), fakeContext({ id: 'phone' }));
    filing = await openFiling({
      channel: {
        // What stands beside it comes from another channel, as items.
        normalize: (payload) =>
          payload.endpointId === 'phone'
            ? channel.normalize(payload)
            : (JSON.parse(payload.body.toString()) as ReturnType<typeof message>[]),
      },
    });
  });
  afterEach(() => filing.close());

  const request = (body: string, type = FORM) => ({
    endpointId: 'phone',
    receivedAt: filing.clock.now(),
    method: 'POST',
    url: '/webhooks/phone',
    headers: { 'content-type': type },
    body: Buffer.from(body),
  });
  const tell = async (fields: Fields) => {
    const body = new URLSearchParams({ from: OLENA, to: '380441112233', direction: 'in', ...fields }).toString();
    return (await filing.intake.receive(request(body))).items[0]!;
  };
  const tickets = async () => (await filing.store.read.tickets({}, { limit: 50 })).data;
  const timeline = async (value = `+${OLENA}`) => {
    const { data } = await filing.store.read.customers({ identifier: { kind: 'phone', value } }, { limit: 5 });
    assert.equal(data.length, 1);
    return (await filing.store.read.timeline(data[0]!.id, { limit: 50 })).data;
  };

  it('tells an answered call by who spoke and how long, in every order and twice', async () => {
    const events: readonly { readonly at: number; readonly fields: Fields }[] = [
      { at: 0, fields: { event: 'newCall', 'user[]': 'Alice' } },
      { at: 7, fields: { event: 'answer', user: 'Alice' } },
      { at: 67, fields: { event: 'hangup', cause: 'normalClearing' } },
    ];
    const bodyOf = (fields: Fields, callId: string, from: string) =>
      new URLSearchParams({ from, to: '380441112233', direction: 'in', callId, ...fields }).toString();
    const start = filing.clock.now();
    for (const [index, order] of ordersOf(events).entries()) {
      const from = `38067123000${index}`;
      for (const { at, fields } of [...order, ...order]) {
        await filing.intake.receive({ ...request(bodyOf(fields, `c${index}`, from)), receivedAt: start + at * 1000 });
      }
      const [call, ...others] = await timeline(`+${from}`);
      assert.deepEqual(others, []);
      const { outcome, agent, waitedSec, talkedSec } = call!.call!;
      assert.deepEqual([outcome, agent, waitedSec, talkedSec], ['answered', 'Alice', 7, 60], JSON.stringify(order));
    }
    assert.deepEqual(await tickets(), []);
  });

  it('makes one ticket of ten missed calls, and puts a later WhatsApp on the same timeline', async () => {
    for (let index = 0; index < 10; index++) {
      await tell({ event: 'newCall', callId: `c${index}` });
      filing.clock.jump(30_000);
      await tell({ event: 'hangup', callId: `c${index}`, cause: index % 2 ? 'noAnswer' : 'cancel' });
    }
    const [ticket, ...others] = await tickets();
    assert.deepEqual(others, []);
    assert.deepEqual([ticket!.messageCount, ticket!.priority, ticket!.tags], [10, 'high', ['callback']]);
    await filing.file(message(`phone|+${OLENA}|verified`), 'whatsapp');
    const said = await timeline();
    assert.deepEqual([said.length, said[0]!.kind, said[0]!.ticketId], [11, 'message', ticket!.id]);
    await tell({ event: 'answer', callId: 'back', direction: 'out', from: '380441112233', to: OLENA });
    assert.deepEqual((await tickets())[0]!.tags, [], 'he was called back');
  });

  it('counts what the mailbox answers as missed, whatever the end says', async () => {
    for (const [index, order] of ordersOf(['answer', 'hangup']).entries()) {
      for (const event of order) {
        await tell({
          event,
          callId: `m${index}`,
          ...(event === 'answer' ? { user: 'voicemail' } : { cause: 'normalClearing' }),
        });
      }
    }
    assert.deepEqual(
      (await timeline()).map(({ call }) => call?.outcome),
      ['voicemail', 'voicemail'],
    );
    assert.equal((await tickets())[0]?.messageCount, 2);
  });

  it('opens nothing for a call that is forwarded, which goes on under another id', async () => {
    await tell({ event: 'newCall', callId: 'f' });
    await tell({ event: 'hangup', callId: 'f', cause: 'forwarded' });
    assert.deepEqual(await tickets(), []);
    await tell({ event: 'hangup', callId: 'g', cause: 'noAnswer', diversion: '380441112233' });
    assert.equal((await tickets()).length, 1);
  });

  it('takes no two for one who withhold their number', async () => {
    await tell({ event: 'hangup', callId: 'a', cause: 'cancel', from: 'anonymous' });
    await tell({ event: 'hangup', callId: 'b', cause: 'cancel', from: 'anonymous' });
    assert.equal(new Set((await tickets()).map(({ customer }) => customer.id)).size, 2);
  });

  it('understands Placetel’s names, in every order and twice', async () => {
    const h = 'f4591ba315d81671d7a06c2a3b4f963dafd119de39cb26edd8a6476676b2f447';
    const peer = '7777abcdefg@fpbx.de';
    const answered = [
      { event: 'IncomingCall' },
      { event: 'CallAccepted', peer },
      { event: 'HungUp', type: 'accepted', duration: '42' },
    ];
    const missed = [{ event: 'IncomingCall' }, { event: 'HungUp', type: 'missed', duration: '0' }];
    const left = [{ event: 'IncomingCall' }, { event: 'HungUp', type: 'voicemail', duration: '0' }];
    const blocked = [{ event: 'IncomingCall' }, { event: 'HungUp', type: 'blocked', duration: '0' }];
    const cases: readonly (readonly [readonly object[], readonly unknown[]])[] = [
      [answered, ['answered', peer, 42]],
      [missed, ['missed', undefined, undefined]],
      [left, ['voicemail', undefined, undefined]],
      [blocked, ['ringing', undefined, undefined]],
    ];
    for (const [index, [events, expected]] of cases.entries()) {
      const from = `+49221291919${index}0`;
      for (const [turn, order] of ordersOf(events).entries()) {
        const call_id = `${h}${index}${turn}`;
        for (const event of [...order, ...order]) await tell({ ...event, call_id, from });
      }
      for (const { call } of await timeline(from)) {
        assert.deepEqual([call!.outcome, call!.agent, call!.talkedSec], expected, from);
      }
    }
    assert.equal((await tickets()).length, 2, 'of who was missed, and of who left a message');
    const out = { from: '+49221000', to: '+4922129191999', peer };
    await tell({ event: 'OutgoingCall', call_id: 'out', direction: 'out', ...out });
    const [call] = await timeline('+4922129191999');
    assert.deepEqual([call!.direction, call!.call!.agent], ['outbound', peer]);
  });

  it('asks who posts forms for the rest of the call, at its secret address', () => {
    const respond = (body: string, type?: string) => {
      const { headers, ...rest } = request(body, type);
      return channel.webhook!.respond!({ ...rest, headers, remoteAddress: '127.0.0.1' }, { items: [] });
    };
    const { status, headers, body } = respond('event=newCall');
    const address = `https://desk.example.com/webhooks/phone/${TOKEN}`;
    assert.deepEqual([status, headers?.['content-type']], [200, 'application/xml']);
    assert.ok(String(body).includes(`<Response onAnswer="${address}" onHangup="${address}"/>`), String(body));
    assert.equal(respond('{}', 'application/json').body, '{}');
  });

  it('sets aside what is no event, and names one that it doesn’t know', async () => {
    assert.equal((await tell({ event: 'newCall' })).outcome, 'quarantined', 'without a callId');
    assert.equal((await tell({ event: 'dtmf', callId: 'd' })).outcome, 'ignored');
  });
});

describe('the signature of a telephone system', () => {
  const request = (body: string, headers: Readonly<Record<string, string>>) => ({
    endpointId: 'phone',
    receivedAt: 0,
    method: 'POST',
    url: '/webhooks/phone',
    headers: { 'content-type': FORM, ...headers },
    body: Buffer.from(body),
    remoteAddress: '203.0.113.9',
  });
  async function check(signature: object | undefined, body: string, headers: Readonly<Record<string, string>>) {
    const config = cti.config.parse({ token: TOKEN, ...(signature && { signature }) });
    const { webhook } = await cti.open(config, fakeContext({ id: 'phone' }));
    await webhook!.verify(request(body, headers));
  }
  const refuses = (...given: Parameters<typeof check>) => assert.rejects(check(...given), BadPayloadError);

  /** The request that sipgate's library is tested with (sipgateio-node, lib/webhook/webhook.test.ts). */
  const SIGNED =
    'callId=&direction=in&event=newCall&from=4912354678&fullUserId%5B%5D%5B0%5D=123456789&originalCallId=&to=49999999' +
    '&user%5B%5D%5B0%5D=TestUser&userId%5B%5D%5B0%5D=123456789&xcid=';
  const SIPGATES =
    'hlY7r9Vad0NP/7xJxf+vcDqjWaGWHOcIrj+rcP5aqQQcHtbSLsElp2kRNRPBL5unWbq6bExVPZB49HHM+Y/fWSVL19q7KSJhYPHfikcME0r0mCYB4S/VnJwn' +
    'Ivpiqz6s7Dpnk3wDCy65B3WQLwBVWA9oh6ojNM/g+87YnoMTKRx1KoFqosKNfBp1c1I8XjXusGOW/VlGnMb6wHhUVdwi9K7FfUgxj2pnV+M1Xv9rYs6RAi4V' +
    '1OcUPqdT5geHsxWa09sk+AEHSUm1EFnAvx7PhIkugpNwST7yPKHf0+iyei4qUQCBZtfQVOI4mLZTRfQuyVo3YuJfvHaNPYY34/1ZCZGCKeu+HS6WHs1vGUyK' +
    'xSi8v4JJqog2VOlWruf8pMGg+syuAFwuxiCnWsSXgaaUfe9JrBAFjBxUmNP9DzR1bbkwxkJnthacu7jALXjGsubjSSSl955QgenV/ZpODHgWDPg0fe6qGILt' +
    'k+kXLjyfSsoR/qgzE5W5OAyZq8W64h01KAt9Q283N7/2nogy6keiIWL3qjPolWnrchSP7iJUatM2YiTcpkNKnJ70UE05cdw3swuNe7zqD51MdOX3rAioEOFg' +
    'OIFMSrxMVX+V4XK7sa5o43smN8lHoa+0AogQMuIrC7k2axdRbulSSNfyqVAZIT4qS0cItiv3aPXsdDKkkA0=';
  const HOSTILE = [
    '',
    ' ',
    '=',
    'A',
    '====',
    '\u0000',
    'a'.repeat(100_000),
    '{}',
    '-----BEGIN PUBLIC KEY-----',
    'null',
  ];

  it('is sipgate’s own, over the bytes of the body', async () => {
    const signature = { type: 'sipgate' };
    const header = 'x-sipgate-signature';
    await check(signature, SIGNED, { [header]: SIPGATES });
    await refuses(signature, SIGNED, {});
    await refuses(signature, `${SIGNED}&`, { [header]: SIPGATES });
    await refuses(signature, SIGNED.replace('49999999', '49999998'), { [header]: SIPGATES });
    await refuses(signature, SIGNED, { [header]: `${SIPGATES}\n` });
    await refuses(signature, SIGNED, { [header]: `${SIPGATES}, ${SIPGATES}` });
    await refuses(signature, SIGNED, { 'x-placetel-signature': SIPGATES });
    for (const given of HOSTILE) await refuses(signature, SIGNED, { [header]: given });
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const others = sign('RSA-SHA256', Buffer.from(SIGNED), privateKey).toString('base64');
    await refuses(signature, SIGNED, { [header]: others });
    // Should sipgate change its key.
    const changed = { type: 'sipgate', publicKey: publicKey.export({ type: 'spki', format: 'pem' }) };
    await check(changed, SIGNED, { [header]: others });
    await refuses(changed, SIGNED, { [header]: SIPGATES });
    assert.throws(
      () => cti.config.parse({ token: TOKEN, signature: { ...signature, publicKey: 'none' } }),
      /public key/,
    );
  });

  it('is Placetel’s, with the shared secret', async () => {
    const signature = { type: 'placetel', secret: '12345' };
    const header = 'x-placetel-signature';
    // The example of its documentation.
    const body =
      'call_id=4a4cbb39578170aed9a2761a7bec8c7e704a541f52291ef603d6f5f152980c3c&event=CallAccepted&from=0123456789&to=0987654321';
    const right = 'c4f823c5b8806432fe2b83b1fc2ee714422e0cdfb4b5129152a7d0bbcd7792d0';
    await check(signature, body, { [header]: right });
    await refuses({ ...signature, secret: '12346' }, body, { [header]: right });
    await refuses(signature, `${body} `, { [header]: right });
    await refuses(signature, body, { [header]: right.toUpperCase() });
    await refuses(signature, body, { [header]: hmac('sha256', '12345', body).toString('base64') });
    await refuses(signature, body, { 'x-sipgate-signature': right });
    for (const given of HOSTILE) await refuses(signature, body, { [header]: given });
    assert.throws(() => cti.config.parse({ token: TOKEN, signature: { type: 'placetel' } }));
  });

  it('is not asked for of who has none: the secret address is what proves him', async () => {
    await check(undefined, 'event=newCall&callId=1', {});
  });
});
