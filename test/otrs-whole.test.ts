import assert from 'node:assert/strict';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { readLine, SECRET, startLine, TOKEN as LINE_TOKEN } from './fakes/line.ts';
import type { FakeLine } from './fakes/line.ts';
import type { Description } from './fakes/openapi.ts';
import { INVOKER, LOGIN, PASSWORD, startOtrs, type FakeOtrs } from './fakes/otrs.ts';
import { readOtrsSchema, type OtrsSchema } from './fakes/otrs-schema.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

const OLENA = 'U7001aaaa0000000000000000000000aa';
type List<T> = { readonly data: readonly T[] };

describe('Znuny, through a whole gateway against a stand-in', () => {
  let descriptions: readonly [OtrsSchema | undefined, Description | undefined];
  let far: FakeOtrs;
  let line: FakeLine;
  let whole: Whole;
  before(() => {
    descriptions = [readOtrsSchema(), readLine()];
  });
  beforeEach(async () => {
    [far, line] = [await startOtrs(), await startLine(descriptions[1])];
    const own = `apiRoot: "${far.root}", user: ${LOGIN}, password: "${PASSWORD}", queue: Support, customerUser: messenger`;
    const webhook = `webhook: { user: ${INVOKER.user}, password: "${INVOKER.password}" }`;
    const yaml = `  - { id: line, type: line, channelSecret: "${SECRET}", channelAccessToken: "${LINE_TOKEN}", apiRoot: "${line.root}" }
destinations:
  - { id: znuny, type: otrs, ${own}, ${webhook} }
routes:
  - { to: [znuny] }
`;
    whole = await startWhole({ yaml, env: { PUBLIC_URL: 'https://desk.example.com' } });
    await until(() => line.webhook.endpoint.includes('desk.example'), 'it has begun');
  });
  afterEach(async () => {
    await whole.close();
    await Promise.all([far.close(), line.close()]);
    assert.deepEqual([far.violations, line.violations], [[], []]);
    assert.deepEqual(await descriptions[0]?.problems(far.written), descriptions[0] && []);
  });

  let next = 1;
  async function write(text: string): Promise<void> {
    const event = {
      type: 'message',
      timestamp: Date.now(),
      mode: 'active',
      webhookEventId: `01KAQ7Z0000000000000000${100 + next++}`,
      deliveryContext: { isRedelivery: false },
      source: { type: 'user', userId: OLENA },
      message: { id: String(next), type: 'text', text, quoteToken: 'q' },
    };
    assert.equal(await line.deliver(`${whole.running.url}/webhooks/line`, [event]), 200);
  }
  const ticketOf = async () => (await whole.api<List<Ticket>>('/tickets')).data[0]!;
  const messagesOf = async () => (await whole.api<List<Message>>(`/tickets/${(await ticketOf()).id}/messages`)).data;
  const there = () => far.tickets[0]!;
  const said = () => far.articles(there().id);
  const waiting = async () => {
    const { data } = await whole.api<List<{ state: string }>>('/deliveries?limit=200');
    return data.filter(({ state }) => state !== 'delivered').length;
  };
  async function tell(): Promise<void> {
    const { status, body } = await far.notify(`${whole.running.url}/webhooks/znuny`, there().id);
    assert.deepEqual([status, body], [200, '{}']);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    await until(async () => (await waiting()) === 0, 'and known here');
    await tell();
    far.act(there().id, { article: { text: 'It comes tomorrow.', visible: true }, state: 'pending reminder' });
    far.act(there().id, { article: { text: 'He is a regular.', visible: false } });
    await tell();
    await until(() => line.delivered.length > 0, 'the answer goes out');
    assert.equal(line.delivered[0]!.to, OLENA);
    assert.match(line.delivered[0]!.text, /It comes tomorrow\./);
    await until(async () => (await messagesOf()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await messagesOf();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Petrenko', 'note']);
    assert.equal((await ticketOf()).status, 'pending');

    await write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().state === 'open', 'it is open again there too');
    const { id } = await ticketOf();
    await whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there().state === 'closed successful', 'it is solved there too');
    await until(async () => (await waiting()) === 0, 'all is delivered');

    for (let i = 0; i < 3; i++) {
      await tell();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.equal((await ticketOf()).status, 'solved');
    assert.equal((await messagesOf()).length, 6);
    assert.deepEqual([line.delivered.length, line.delivered[1]!.text], [2, 'Answered here.']);
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^customer: [^]*Where is my order\?$/);
    assert.match(all[3]!, /^customer: [^]*Thank you!$/);
    assert.match(all[4]!, /^agent: Answer · [^]*Answered here\.$/);
    assert.match(all[5]!, /^agent \(inside\): Note · [^]*Noted here\.$/);
    assert.equal(await waiting(), 0);
    const { data } = await whole.api<List<LedgerEvent>>('/events?endpoint=znuny&limit=200');
    assert.deepEqual(
      data.filter(({ outcome }) => outcome === 'quarantined' || outcome === 'duplicate'),
      [],
    );
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await write('Where is my order?');
    await until(async () => far.tickets.length === 1 && (await waiting()) === 0, 'the ticket is there');
    line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { article: { text: 'It comes tomorrow.', visible: true } });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^agent \(inside\): Answer that did NOT reach the customer: [^]*It comes tomorrow\.$/);
    assert.deepEqual(line.delivered, []);
  }).timeout(20_000);

  it('refuses a wake without the password, and shows beforehand what it would send', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.equal((await far.notify(`${whole.running.url}/webhooks/znuny`, there().id, 'another')).status, 401);
    const body = { ticketId: (await ticketOf()).id };
    const shown = await whole.api<{ method: string; body: { Ticket: { Title: string } } }>(
      '/destinations/znuny/dry-run',
      {
        method: 'POST',
        body,
      },
    );
    assert.deepEqual([shown.method, shown.body.Ticket.Title], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
