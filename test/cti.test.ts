import assert from 'node:assert/strict';
import type { Channel } from '../src/core/connector.ts';
import { cti } from '../src/connectors/cti/cti.ts';
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
