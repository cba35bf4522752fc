import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { smsGateway } from '../src/connectors/sms-gateway/sms-gateway.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeContext } from './fakes/context.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');
const TOKEN = '6d0f0f8c6b1f4c6c9f3a2f3f2b6f1d57';
const FIELDS =
  '{ id: messageId, from: msisdn, to: to, text: text, time: timestamp, piecesOf: concat-ref, piece: concat-part }';
const NESTED = '{ id: /message/id, from: /message/from, to: /message/owner, text: /message/text, time: /message/time }';

describe('An SMS gateway, through a whole gateway', () => {
  let whole: Whole;
  beforeEach(async () => {
    const channel = (id: string, more: string) => `  - { id: ${id}, type: sms_gateway, token: ${TOKEN}, ${more} }\n`;
    whole = await startWhole({
      yaml:
        channel('flat', `fields: ${FIELDS}`) +
        channel('nested', `fields: ${NESTED}, only: { type: message-received }, answer: '{"ok":true}'`),
    });
  });
  afterEach(() => whole.close());

  const call = (path: string, init: RequestInit = {}) => fetch(`${whole.running.url}/webhooks/${path}`, init);
  const get = async (params: object, token = TOKEN) =>
    (await call(`flat/${token}?${new URLSearchParams(params as Record<string, string>).toString()}`)).status;
  type List<T> = { readonly data: readonly T[] };
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
  const outcomesOf = async () => (await eventsOf()).map(({ outcome }) => outcome);
  const messagesOf = async () => {
    const tickets = (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
    const lists = await Promise.all(tickets.map(({ id }) => whole.api<List<Message>>(`/tickets/${id}/messages`)));
    return lists.flatMap(({ data }) => data);
  };
  const sms = { msisdn: '380671234567', to: '380440000000' };

  it('takes an SMS at its secret address only, and knows one that comes twice', async () => {
    const one = { ...sms, messageId: '1', text: 'Де замовлення?' };
    for (const token of ['', 'x', `${TOKEN}x`, TOKEN.toUpperCase()]) assert.equal(await get(one, token), 401);
    assert.deepEqual(await eventsOf(), []);
    const answer = await call(`flat/${TOKEN}?${new URLSearchParams(one).toString()}`);
    assert.deepEqual([answer.status, await answer.text()], [200, 'OK']);
    assert.equal(await get(one), 200);
    assert.deepEqual(await outcomesOf(), ['ticket_created', 'duplicate']);
    const [message] = await messagesOf();
    assert.deepEqual([message!.text, message!.author.identifiers[0]?.value], ['Де замовлення?', '+380671234567']);
    assert.equal(message!.verified, false);
  });

  it('puts a long SMS together again, in whatever order its pieces come', async () => {
    const texts = ['The parcel has come, but the ', 'box was op', 'en, and something is missing'];
    const piece = (number: number, ref = '17') => ({
      ...sms,
      messageId: `${ref}-${number}`,
      text: texts[number - 1],
      'concat-ref': ref,
      'concat-part': String(number),
      'concat-total': '3',
    });
    for (const number of [3, 1, 2, 1]) assert.equal(await get(piece(number)), 200);
    assert.deepEqual(await outcomesOf(), ['ticket_created', 'revised', 'revised', 'duplicate']);
    await get(piece(1, '18'));
    await get({ ...piece(2, '17'), msisdn: '380671234599', messageId: 'other' });
    assert.deepEqual(
      (await messagesOf()).map(({ text }) => text),
      [texts.join(''), texts[0], texts[1]],
    );
  });

  it('puts pieces together that all have the id of the whole', async () => {
    const piece = { ...sms, messageId: '17', 'concat-ref': '17' };
    await get({ ...piece, 'concat-part': '1', text: 'The parcel ' });
    await get({ ...piece, 'concat-part': '2', text: 'has come' });
    await get({ ...piece, 'concat-part': '2', text: 'has come' });
    assert.deepEqual(await outcomesOf(), ['ticket_created', 'revised', 'duplicate']);
    assert.equal((await messagesOf())[0]!.text, 'The parcel has come');
  });

  it('mixes no two long SMS whose number is the same on one day', async () => {
    for (const [id, part, text] of [
      ['a', '1', 'First '],
      ['b', '2', 'message'],
      ['c', '1', 'Second '],
      ['d', '2', 'one'],
    ] as const) {
      await get({ ...sms, messageId: id, 'concat-ref': '17', 'concat-part': part, text });
    }
    assert.deepEqual(
      (await messagesOf()).map(({ text }) => text),
      ['First message', 'Second one'],
    );
  });

  it('begins a new message when the number of a long SMS comes again another day', async () => {
    const piece = { ...sms, 'concat-ref': '17', 'concat-part': '1' };
    await get({ ...piece, messageId: '1', text: 'first', timestamp: '1795341600' });
    await get({ ...piece, messageId: '2', text: 'second', timestamp: '1795428000' });
    assert.deepEqual(
      (await messagesOf()).map(({ text }) => text),
      ['first', 'second'],
    );
  });

  it('sets aside what says two things at once, and passes over what is no message', async () => {
    assert.equal((await call(`flat/${TOKEN}?messageId=1&msisdn=1&msisdn=2&text=x`)).status, 200);
    assert.equal((await call(`flat/${TOKEN}`, { method: 'POST', body: 'status=delivered&msisdn=1' })).status, 200);
    assert.equal((await call(`flat/${TOKEN}?${'a=1&'.repeat(501)}`)).status, 200);
    const headers = { 'content-type': 'application/json' };
    const answer = await call(`nested/${TOKEN}`, { method: 'POST', headers, body: '{"type":"message-failed"}' });
    assert.deepEqual([answer.status, await answer.text()], [200, '{"ok":true}']);
    const events = await eventsOf();
    assert.deepEqual(
      events.map(({ outcome }) => outcome),
      ['quarantined', 'ignored', 'quarantined', 'ignored'],
    );
    assert.match(events[0]!.reason ?? '', /msisdn is there more than once/);
    assert.match(events[3]!.reason ?? '', /type=message-failed/);
  });

  describe('with collected payloads', () => {
    before(function () {
      skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    });

    it('reads every request of Vonage as it was received: SMS, a piece of a long one, reports', async () => {
      const folder = join(SHARED, 'vonage/vonage-php-sdk-core/SMS/requests');
      for (const name of readdirSync(folder)) {
        const [head = '', body = ''] = readFileSync(join(folder, name), 'utf8').split(/\r?\n\r?\n/);
        const [, method = '', query = ''] = /^(\w+) [^? ]*(\S*) HTTP/.exec(head) ?? [];
        const type = /^content-type: (.*)$/im.exec(head)?.[1];
        const headers = { ...(type && { 'content-type': type.trim() }) };
        const sent = method === 'POST' && { body };
        assert.equal((await call(`flat/${TOKEN}${query}`, { method, headers, ...sent })).status, 200, name);
      }
      const outcomes = await outcomesOf();
      const count = (outcome: string) => outcomes.filter((each) => each === outcome).length;
      // All four SMS have one id, and say something else each; one is a piece, and stands apart by its number.
      const all = ['ticket_created', 'appended', 'duplicate', 'ignored'].map(count);
      assert.deepEqual(all, [1, 1, 2, 4]);
      assert.equal((await messagesOf())[0]!.text, 'Binary message');
    });

    it('reads every payload of Bandwidth: one SMS, four reports, and one of another shape', async () => {
      const file = join(SHARED, 'sms-other/chatwoot-bandwidth/payloads.json');
      const payloads = JSON.parse(readFileSync(file, 'utf8')) as { payload: object }[];
      const headers = { 'content-type': 'application/json' };
      for (const { payload } of payloads) {
        const answer = await call(`nested/${TOKEN}`, { method: 'POST', headers, body: JSON.stringify([payload]) });
        assert.equal(answer.status, 200);
      }
      const outcomes = await outcomesOf();
      assert.deepEqual([...outcomes].sort(), ['ignored', 'ignored', 'ignored', 'ignored', 'ignored', 'ticket_created']);
      assert.equal((await messagesOf())[0]!.text, 'test message');
    });
  });

  it('finds only what the gateway wrote', async () => {
    const fields = { from: '/constructor/name', text: '/constructor/name' };
    const channel = await smsGateway.open(smsGateway.config.parse({ token: TOKEN, fields }), fakeContext());
    const payload = { endpointId: 'sms', receivedAt: 0, method: 'POST', url: '', headers: {}, body: Buffer.from('{}') };
    assert.deepEqual(
      (await channel.normalize(payload)).map(({ kind }) => kind),
      ['ignored'],
    );
  });

  it('needs a token that nobody guesses, and both names of pieces or none', () => {
    const problems = (settings: object) =>
      smsGateway.config
        .safeParse({ token: TOKEN, fields: { from: 'a', text: 'b' }, ...settings })
        .error?.issues.map(({ path }) => path.join('.'));
    assert.equal(problems({}), undefined);
    assert.deepEqual(problems({ token: 'short' }), ['token']);
    assert.deepEqual(problems({ fields: { from: 'a', text: 'b', piece: 'c' } }), ['fields.piece']);
    assert.deepEqual(problems({ charset: 'utf-7' }), ['charset']);
  });
});
