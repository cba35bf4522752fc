import assert from 'node:assert/strict';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { hmac } from '../src/core/signature.ts';
import { startMax, SECRET, TOKEN } from './fakes/max.ts';
import type { FakeMax } from './fakes/max.ts';
import { INTAKE_SECRET, startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';

const PUBLIC = { PUBLIC_URL: 'https://desk.example.com' };
const AT = 1_795_341_600_123;

type List<T> = { readonly data: readonly T[] };

describe('MAX, through a whole gateway against a stand-in', () => {
  let api: FakeMax;
  let whole: Whole;
  beforeEach(async () => {
    api = await startMax();
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function start(settings: string): Promise<void> {
    const yaml = `  - { id: max, type: max, token: "${TOKEN}", apiRoot: "${api.root}", ${settings} }\n`;
    const sms = `auth: { type: standard_webhooks, secret: "${INTAKE_SECRET}" }, identity: { phone: verified }`;
    whole = await startWhole({ yaml: `${yaml}  - { id: sms, type: webhook, ${sms} }\n`, env: PUBLIC });
  }
  async function startPushed(): Promise<void> {
    await start(`webhookSecret: "${SECRET}"`);
    await until(() => api.webhooks.size > 0, 'the webhook is registered');
  }

  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
  const messagesOf = async (ticketId: string) => (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();

  const anna = { user_id: 7001, first_name: 'Anna', last_name: 'Example', is_bot: false };
  const message = (mid: string, text: string | null, more: object = {}, attachments: readonly object[] = []) => ({
    sender: anna,
    recipient: { chat_id: 5001, chat_type: 'dialog', user_id: 9001 },
    timestamp: AT,
    body: { mid, seq: 1, text, attachments },
    ...more,
  });
  const update = (type: string, more: object, at = AT) => ({
    update_type: type,
    timestamp: at,
    user_locale: 'ru',
    ...more,
  });
  const deliver = (what: object, secret?: string) => api.deliver(whole.running.url, what, secret);

  it('files a message once, with its file, its edit and that it was taken back; and answers', async () => {
    await startPushed();
    const url = api.addFile('a', Buffer.from('a picture'));
    const image = { type: 'image', payload: { photo_id: 1, url, token: 't' } };
    const created = update('message_created', { message: message('mid.1', 'Where is it?', {}, [image]) });
    assert.deepEqual([await deliver(created), await deliver(created)], [200, 200]);
    assert.equal(await deliver(created, `${SECRET}x`), 401);
    assert.equal(
      await deliver(update('message_edited', { message: message('mid.1', 'Where?', {}, [image]) }, AT + 9)),
      200,
    );
    const [ticket, ...more] = await ticketsOf();
    assert.equal(more.length, 0);
    assert.deepEqual([ticket!.customer.name, ticket!.language], ['Anna Example', 'ru']);
    const first = await until(async () => {
      const [one] = await messagesOf(ticket!.id);
      return one?.attachments[0]?.state === 'stored' && one;
    }, 'the picture is kept');
    assert.deepEqual([first.text, first.revision, first.verified], ['Where?', AT + 9, true]);
    assert.deepEqual(
      (await eventsOf()).map(({ outcome }) => outcome),
      ['ticket_created', 'duplicate', 'revised'],
    );

    await whole.api(`/tickets/${ticket!.id}/replies`, { method: 'POST', body: { text: 'It comes tomorrow.' } });
    const [sent] = await until(
      () => api.callsOf('POST /messages').length > 0 && api.callsOf('POST /messages'),
      'it goes out',
    );
    assert.deepEqual([sent!.query, (sent!.body as { text: string }).text], [{ chat_id: '5001' }, 'It comes tomorrow.']);

    await deliver(update('message_removed', { message_id: 'mid.1', chat_id: 5001, user_id: 7001 }));
    assert.notEqual((await messagesOf(ticket!.id))[0]!.deletedAt, null);
  });

  it('joins who shared his own number with the customer of that number, and nobody by another card', async () => {
    await startPushed();
    const bySms = { id: 'sms-1', thread: 't-1', from: { id: 'u-1', phone: '+79161234567' }, text: 'By SMS' };
    assert.equal(await whole.send(bySms, { channel: 'sms' }), 200);
    const vcf = 'BEGIN:VCARD\r\nVERSION:3.0\r\nTEL;TYPE=cell:79161234567\r\nFN:Anna Example\r\nEND:VCARD\r\n';
    const hash = hmac('sha256', TOKEN, vcf).toString('hex');
    const card = (max_info: object) => [{ type: 'contact', payload: { vcf_info: vcf, hash, max_info } }];
    const oleg = { ...anna, user_id: 7002, first_name: 'Oleg' };
    const fromOleg = { sender: oleg, recipient: { chat_id: 5002, chat_type: 'dialog' } };
    await deliver(update('message_created', { message: message('mid.2', null, fromOleg, card(anna)) }));
    await deliver(update('message_created', { message: message('mid.3', null, {}, card(anna)) }));
    const customerOf = new Map<string | null, string>();
    for (const { id, customer } of await ticketsOf()) {
      for (const { externalId } of await messagesOf(id)) customerOf.set(externalId, customer.id);
    }
    assert.equal(customerOf.get('mid.3'), customerOf.get('sms-1'), 'Anna is who wrote by SMS');
    assert.notEqual(customerOf.get('mid.2'), customerOf.get('sms-1'), 'Oleg is not');
    assert.equal(customerOf.size, 3);
  });

  it('has MAX push again after it gave up, and finds in the chats that it knows what came meanwhile', async () => {
    await startPushed();
    const at = Date.now();
    const [first, missed] = [
      message('mid.1', 'Hello', { timestamp: at }),
      message('mid.2', 'Still there?', { timestamp: at }),
    ];
    assert.equal(await deliver(update('message_created', { message: first })), 200);
    api.said.set('5001', [first, missed]);
    await until(() => api.callsOf('GET /me').length > 0, 'MAX was asked at the start');
    api.webhooks.clear();
    await whole.restart();
    await until(
      async () => (await eventsOf()).some(({ externalId }) => externalId === 'mid.2'),
      'the other one is found',
    );
    assert.equal(api.webhooks.size, 1, 'and it pushes again');
    const [ticket, ...others] = await ticketsOf();
    assert.equal(others.length, 0);
    assert.deepEqual(
      (await messagesOf(ticket!.id)).map(({ text }) => text),
      ['Hello', 'Still there?'],
    );
    await until(async () => {
      const { missed: found } = await whole.api<{ missed: number }>('/channels/max/health');
      return found === 1;
    }, 'the number found is shown');
  });

  it('fetches what nobody pushes, once', async () => {
    const page = { updates: [update('message_created', { message: message('mid.4', 'Fetched') })], marker: 7 };
    api.pages.push(page, page);
    await start('mode: poll');
    await until(async () => (await eventsOf()).length === 2, 'both pages are filed');
    assert.deepEqual(
      (await eventsOf()).map(({ outcome }) => outcome),
      ['ticket_created', 'duplicate'],
    );
    await until(() => api.callsOf('GET /updates').some(({ query }) => query['marker'] === '7'), 'the marker is kept');
  });
});
