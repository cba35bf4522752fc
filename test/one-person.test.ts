import assert from 'node:assert/strict';
import type { Customer, Message, Ticket } from '../src/core/ticket.ts';
import { startTelegram, TOKEN } from './fakes/telegram.ts';
import type { FakeTelegram } from './fakes/telegram.ts';
import { ACCOUNT, AUTH_TOKEN, sid, signForm } from './fakes/twilio.ts';
import { until } from './fakes/until.ts';
import { ACCESS_TOKEN, APP_SECRET, notice, NUMBER, signed, VERIFY_TOKEN } from './fakes/whatsapp.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

const PUBLIC_URL = 'https://desk.example.com';
const PHONE = '12025550143';
const ID = 'US.13491200000000000001';
const AT = 1_795_341_600;

type List<T> = { readonly data: readonly T[] };
type Merge = { readonly id: string; readonly evidence: string };

describe('One person on WhatsApp, Telegram and SMS', () => {
  let telegram: FakeTelegram;
  let whole: Whole;
  beforeEach(async () => {
    telegram = await startTelegram();
    const nowhere = 'http://127.0.0.1:9';
    const yaml = [
      `  - { id: whatsapp, type: whatsapp_cloud, phoneNumberId: "${NUMBER}", accessToken: "${ACCESS_TOKEN}", ` +
        `appSecret: "${APP_SECRET}", verifyToken: "${VERIFY_TOKEN}", apiRoot: "${nowhere}" }`,
      `  - { id: sms, type: twilio, accountSid: ${ACCOUNT}, authToken: "${AUTH_TOKEN}", numbers: ["+14155550100"], apiRoot: "${nowhere}" }`,
      `  - { id: bot, type: telegram, token: "${TOKEN}", mode: webhook, webhookSecret: s3cret, apiRoot: "${telegram.root}" }`,
    ];
    whole = await startWhole({ yaml: `${yaml.join('\n')}\n`, env: { PUBLIC_URL } });
    await until(() => telegram.webhook.url !== '', "Telegram's webhook");
  });
  afterEach(async () => {
    await whole.close();
    await telegram.close();
    assert.deepEqual(telegram.violations, []);
  });

  let count = 1;
  const post = async (id: string, headers: Record<string, string>, body: string) => {
    const { status } = await fetch(`${whole.running.url}/webhooks/${id}`, { method: 'POST', headers, body });
    assert.equal(status < 300, true, `${id} answered ${status}`);
  };
  async function onWhatsapp(text: string, phone = PHONE, user_id = ID): Promise<void> {
    const message = { from: phone, id: `wamid.${count++}`, timestamp: String(AT), type: 'text', text: { body: text } };
    const contact = { profile: { name: 'Olena' }, wa_id: phone, user_id };
    const body = JSON.stringify(notice({ contacts: [contact], messages: [message] }));
    await post('whatsapp', signed(body), body);
  }
  async function onTelegram(content: object): Promise<void> {
    const [from, chat] = [
      { id: 7001, is_bot: false, first_name: 'Olena' },
      { id: 7001, type: 'private', first_name: 'Olena' },
    ];
    const id = count++;
    const update = { update_id: id, message: { message_id: id, date: AT, chat, from, ...content } };
    assert.equal((await telegram.deliver(whole.running.url, update)).status, 200);
  }
  async function bySms(text: string): Promise<void> {
    const form = { From: `+${PHONE}`, To: '+14155550100', Body: text, MessageSid: sid('SM', count++), NumMedia: '0' };
    const signature = signForm(`${PUBLIC_URL}/webhooks/sms`, { ...form, AccountSid: ACCOUNT });
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
    await post('sms', headers, new URLSearchParams({ ...form, AccountSid: ACCOUNT }).toString());
  }
  const ownCard = { contact: { phone_number: PHONE, first_name: 'Olena', user_id: 7001 } };

  async function customers() {
    const { data } = await whole.api<List<Customer>>('/customers');
    const alive = data.filter(({ mergedInto }) => mergedInto === null).toReversed();
    return alive.map(({ id, identifiers }) => ({
      id,
      known: identifiers
        .filter(({ trust }) => trust !== 'claimed')
        .map(({ kind, value }) => `${kind}:${value}`)
        .toSorted(),
    }));
  }
  const timelineOf = async (id: string) =>
    (await whole.api<List<Message>>(`/customers/${id}/timeline`)).data.map(({ text }) => text).toSorted();
  const ticketsOf = async () =>
    (await whole.api<List<Ticket>>('/tickets')).data.map(({ id, customer }) => `${id} ${customer.id}`).toSorted();

  it('is one customer with one timeline, once a contact card proves it', async () => {
    await onWhatsapp('on WhatsApp');
    await onTelegram({ text: 'on Telegram' });
    assert.equal((await customers()).length, 2);
    await onTelegram(ownCard);
    await bySms('by SMS');
    const [customer, ...more] = await customers();
    assert.deepEqual(more, []);
    assert.deepEqual(customer!.known, [`phone:+${PHONE}`, 'telegram:7001', `whatsapp:${ID}`]);
    const timeline = await timelineOf(customer!.id);
    assert.deepEqual(timeline, ['by SMS', 'on Telegram', 'on WhatsApp', `👤 Olena, ${PHONE}`].toSorted());
  });

  it('is told apart again exactly, when the join is taken back', async () => {
    await onWhatsapp('on WhatsApp');
    await onTelegram({ text: 'on Telegram' });
    const before = { customers: await customers(), tickets: await ticketsOf() };
    await onTelegram(ownCard);
    const [joined] = await customers();
    const { data: merges } = await whole.api<List<Merge>>(`/customers/${joined!.id}/merges`);
    assert.equal(merges.length, 1);
    assert.match(merges[0]!.evidence, /one message proves telegram 7001 and phone/);
    await whole.api(`/merges/${merges[0]!.id}/undo`, { method: 'POST' });
    assert.deepEqual(await ticketsOf(), before.tickets);
    assert.deepEqual(
      (await customers()).map(({ id }) => id),
      before.customers.map(({ id }) => id),
    );
  });

  it('is nobody who only says so, and nobody whose card somebody else sends', async () => {
    await onWhatsapp('on WhatsApp');
    await whole.send({
      id: 'm-1',
      thread: 't-1',
      from: { id: 'u-7', name: 'Eve', phone: `+${PHONE}` },
      text: 'It is me',
    });
    await onTelegram({ contact: { ...ownCard.contact, user_id: 7002 } });
    const found = await customers();
    assert.equal(found.length, 3);
    assert.deepEqual(await timelineOf(found[0]!.id), ['on WhatsApp']);
  });
});
