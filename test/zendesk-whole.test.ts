import assert from 'node:assert/strict';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { readLine, SECRET, startLine, TOKEN as LINE_TOKEN } from './fakes/line.ts';
import type { FakeLine } from './fakes/line.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { EMAIL, readZendesk, startZendesk, TOKEN, WEBHOOK_SECRET } from './fakes/zendesk.ts';
import type { FakeZendesk } from './fakes/zendesk.ts';

const OLENA = 'U7001aaaa0000000000000000000000aa';
type List<T> = { readonly data: readonly T[] };

describe('Zendesk, through a whole gateway against a stand-in', () => {
  let descriptions: readonly [Description | undefined, Description | undefined];
  let far: FakeZendesk;
  let line: FakeLine;
  let whole: Whole;
  before(() => {
    descriptions = [readZendesk(), readLine()];
  });
  beforeEach(async () => {
    [far, line] = [await startZendesk(descriptions[0]), await startLine(descriptions[1])];
    const own = `apiRoot: "${far.root}", subdomain: acme, webhookSecret: "${WEBHOOK_SECRET}"`;
    const yaml = `  - { id: line, type: line, channelSecret: "${SECRET}", channelAccessToken: "${LINE_TOKEN}", apiRoot: "${line.root}" }
destinations:
  - { id: zendesk, type: zendesk, ${own}, auth: { type: token, email: ${EMAIL}, token: "${TOKEN}" } }
routes:
  - { to: [zendesk] }
`;
    whole = await startWhole({ yaml, env: { PUBLIC_URL: 'https://desk.example.com' } });
    await until(() => line.webhook.endpoint.includes('desk.example'), 'it has begun');
  });
  afterEach(async () => {
    await whole.close();
    await Promise.all([far.close(), line.close()]);
    assert.deepEqual([far.violations, line.violations], [[], []]);
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
  const waiting = async () => {
    const { data } = await whole.api<List<{ state: string }>>('/deliveries?limit=200');
    return data.filter(({ state }) => state !== 'delivered').length;
  };
  async function tell(): Promise<void> {
    assert.equal(await far.notify(`${whole.running.url}/webhooks/zendesk`, there().id), 200);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    await tell();
    far.files.set('receipt.txt', Buffer.from('paid'));
    far.act(there().id, { comment: { body: 'It comes tomorrow.', public: true }, status: 'pending' });
    far.act(there().id, { comment: { body: 'He is a regular.', public: false } });
    await tell();
    await until(() => line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await messagesOf()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await messagesOf();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    assert.equal((await ticketOf()).status, 'pending');

    await write('Thank you!');
    await until(() => far.comments(there().id).length === 4, 'it is appended');
    await until(() => there().status === 'open', 'it is open again there too');
    const { id } = await ticketOf();
    await whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => far.comments(there().id).length === 5, 'the answer is there');
    await whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => far.comments(there().id).length === 6, 'the note is there');
    await whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there().status === 'solved', 'it is solved there too');
    await until(async () => (await waiting()) === 0, 'all is delivered');

    for (let i = 0; i < 3; i++) {
      await tell();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.equal((await ticketOf()).status, 'solved');
    assert.equal((await messagesOf()).length, 6);
    assert.deepEqual(
      line.delivered.map(({ text }) => text),
      ['It comes tomorrow.', 'Answered here.'],
    );
    const said = far.comments(there().id);
    assert.equal(said.length, 6);
    assert.match(said[0]!, /^Customer without a name: .*Where is my order\?$/);
    assert.match(said[3]!, /^Customer without a name: .*Thank you!$/);
    assert.match(said[4]!, /^Gateway: Answer · .*Answered here\.$/);
    assert.match(said[5]!, /^Gateway \(note\): Note · .*Noted here\.$/);
    assert.equal(await waiting(), 0);
    const { data } = await whole.api<List<LedgerEvent>>('/events?endpoint=zendesk&limit=200');
    assert.deepEqual(
      data.filter(({ outcome }) => outcome === 'quarantined' || outcome === 'duplicate'),
      [],
    );
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { comment: { body: 'It comes tomorrow.', public: true } });
    await tell();
    await until(() => far.comments(there().id).length === 3, 'he is told');
    assert.match(
      far.comments(there().id)[2]!,
      /^Gateway \(note\): Answer that did NOT reach the customer: .*It comes tomorrow\.$/,
    );
    assert.deepEqual(line.delivered, []);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    const url = `${whole.running.url}/webhooks/zendesk`;
    assert.equal(await far.notify(url, there().id, { secret: 'another' }), 401);
    assert.equal(await far.notify(url, there().id, { at: '2021-07-25T10:00:00Z' }), 401);
    const body = { ticketId: (await ticketOf()).id };
    const shown = await whole.api<{ method: string; body: { ticket: { subject: string } } }>(
      '/destinations/zendesk/dry-run',
      { method: 'POST', body },
    );
    assert.deepEqual([shown.method, shown.body.ticket.subject], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
