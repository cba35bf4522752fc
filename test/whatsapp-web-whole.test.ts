import assert from 'node:assert/strict';
import { join } from 'node:path';
import { connectors } from '../src/connectors/index.ts';
import { createWhatsAppWeb, whatsappWeb } from '../src/connectors/whatsapp-web/whatsapp-web.ts';
import type { Connector } from '../src/core/connector.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { until } from './fakes/until.ts';
import { saying, SELF, STAND_IN, startPage } from './fakes/whatsapp-web.ts';
import type { FakePage } from './fakes/whatsapp-web.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

const OLENA = '380501234567@c.us';
const HIDDEN = '179950657237125@lid';

type List<T> = { readonly data: readonly T[] };
interface Health {
  readonly linking: { readonly text: string; readonly qr?: string } | null;
  readonly missed: number;
}

describe('WhatsApp Web, through a whole gateway against a stand-in for its library', () => {
  let whole: Whole;
  let page: FakePage;

  /** The gateway's own list, with the library that this connector loads replaced. */
  const list = connectors as Connector[];
  const place = list.indexOf(whatsappWeb);
  before(() => {
    list[place] = createWhatsAppWeb(STAND_IN);
  });
  after(() => {
    list[place] = whatsappWeb;
  });

  beforeEach(async () => {
    whole = await startWhole({
      yaml: `  - { id: whatsapp, type: whatsapp_web, browser: "${process.execPath}" }\n`,
    });
    page = await startPage(join(whole.folder, 'data', 'endpoints', 'whatsapp'));
  });
  afterEach(async () => {
    await whole.close();
    await page.close();
  });

  const health = () => whole.api<Health>('/channels/whatsapp/health');
  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
  const messagesOf = async (ticket: string) => (await whole.api<List<Message>>(`/tickets/${ticket}/messages`)).data;
  const outcomes = async () =>
    (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed().map(({ outcome }) => outcome);
  const sent = () => page.said.flatMap(({ sent: each }) => (each ? [each as { chat: string; content: unknown }] : []));

  /** The nth browser is linked, and its page loaded. */
  async function ready(nth = 1, values: object = {}): Promise<void> {
    await page.opened(nth);
    await page.set({ self: SELF, chats: [{ id: OLENA }], ...values });
    page.emit('ready');
  }
  async function firstTicket(): Promise<Ticket> {
    return until(async () => (await ticketsOf())[0], 'a ticket is made');
  }
  async function answer(ticket: string, text: string): Promise<void> {
    await whole.api(`/tickets/${ticket}/replies`, { method: 'POST', body: { text } });
  }
  const stateOf = async (ticket: string, text: string) =>
    (await messagesOf(ticket)).find((each) => each.text === text)?.delivery?.state;

  it('shows the code until it is scanned, then files what is said as a ticket of whom WhatsApp vouches for', async () => {
    await page.opened(1);
    page.emit('qr', 'a,code');
    await until(async () => (await health()).linking?.qr === 'a,code', 'the code is shown');
    await ready();
    await until(async () => (await health()).linking === null, 'it waits for nobody');
    const first = saying('Where is it?');
    page.emit('message_create', first);
    page.emit('message_create', first);
    const edited = { ...first, body: 'Where is my order?', latestEditSenderTimestampMs: Date.now() };
    page.emit('message_edit', edited, 'Where is my order?', 'Where is it?');
    await until(async () => (await outcomes()).includes('revised'), 'the edit is filed');
    assert.deepEqual(await outcomes(), ['ticket_created', 'duplicate', 'revised']);
    const [ticket, ...more] = await ticketsOf();
    assert.equal(more.length, 0);
    const [message, ...others] = await messagesOf(ticket!.id);
    assert.equal(others.length, 0);
    assert.deepEqual([message!.text, message!.verified], ['Where is my order?', true]);
    const { identifiers } = await whole.api<{ identifiers: { kind: string; value: string; trust: string }[] }>(
      `/customers/${ticket!.customer.id}`,
    );
    assert.ok(
      identifiers.some(
        ({ kind, value, trust }) => kind === 'phone' && value === '+380501234567' && trust === 'verified',
      ),
    );
  });

  it('answers in the chat, takes its own echo for no message, and shows how far the answer has come', async () => {
    await ready(1, { ids: ['OUT1'] });
    page.emit('message_create', saying('Where is it?'));
    const ticket = await firstTicket();
    await answer(ticket.id, 'It comes tomorrow.');
    await until(async () => (await stateOf(ticket.id, 'It comes tomorrow.')) === 'sent', 'it is sent');
    assert.deepEqual(
      sent().map(({ chat, content }) => [chat, content]),
      [[OLENA, 'It comes tomorrow.']],
    );
    const mine = saying('It comes tomorrow.', { fromMe: true, id: 'OUT1' });
    for (const [ack, state] of [
      [2, 'delivered'],
      [3, 'read'],
      [2, 'read'],
    ] as const) {
      page.emit('message_ack', mine, ack);
      await until(async () => (await stateOf(ticket.id, 'It comes tomorrow.')) === state, `${ack} is ${state}`);
    }
    const said = (await messagesOf(ticket.id)).map(({ direction, text }) => [direction, text]);
    assert.deepEqual(said, [
      ['inbound', 'Where is it?'],
      ['outbound', 'It comes tomorrow.'],
    ]);
    page.emit('message_create', saying('From the phone', { fromMe: true, id: 'PHONE' }));
    await until(async () => (await messagesOf(ticket.id)).length === 3, 'an answer from the phone is one too');
    assert.equal((await ticketsOf()).length, 1);
  });

  it('finds what was said while it was away, once', async () => {
    await ready();
    const first = saying('Hello');
    page.emit('message_create', first);
    const ticket = await firstTicket();
    const missed = saying('Still there?');
    const timestamp = Math.floor(Date.now() / 1000);
    await whole.restart();
    await ready(2, { chats: [{ id: OLENA, timestamp, messages: [first, missed] }] });
    await until(async () => (await messagesOf(ticket.id)).length === 2, 'what was missed is filed');
    await until(async () => (await health()).missed === 1, 'the number found is shown');
    assert.equal((await ticketsOf()).length, 1);
  });

  it('knows nobody’s number by an id that hides it, and joins him with nobody', async () => {
    await ready();
    page.emit('message_create', saying('With my number'));
    page.emit('message_create', saying('Without', { remote: HIDDEN }));
    await until(async () => (await ticketsOf()).length === 2, 'both are tickets');
    const [one, other] = await ticketsOf();
    assert.notEqual(one!.customer.id, other!.customer.id);
  });
});
