import assert from 'node:assert/strict';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { API_KEY, readFreshdesk, startFreshdesk, WEBHOOK_TOKEN } from './fakes/freshdesk.ts';
import type { FakeFreshdesk } from './fakes/freshdesk.ts';
import { readLine, SECRET, startLine, TOKEN as LINE_TOKEN } from './fakes/line.ts';
import type { FakeLine } from './fakes/line.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';

const OLENA = 'U7001aaaa0000000000000000000000aa';
type List<T> = { readonly data: readonly T[] };

describe('Freshdesk, through a whole gateway against a stand-in', () => {
  let descriptions: readonly [Description | undefined, Description | undefined];
  let far: FakeFreshdesk;
  let line: FakeLine;
  let whole: Whole;
  before(() => {
    descriptions = [readFreshdesk(), readLine()];
  });
  beforeEach(async () => {
    [far, line] = [await startFreshdesk(descriptions[0]), await startLine(descriptions[1])];
    const yaml = `  - { id: line, type: line, channelSecret: "${SECRET}", channelAccessToken: "${LINE_TOKEN}", apiRoot: "${line.root}" }
destinations:
  - { id: freshdesk, type: freshdesk, apiRoot: "${far.root}", subdomain: acme, apiKey: "${API_KEY}", webhookToken: "${WEBHOOK_TOKEN}" }
routes:
  - { to: [freshdesk] }
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
  const said = () => far.said(there().id);
  const waiting = async () => {
    const { data } = await whole.api<List<{ state: string }>>('/deliveries?limit=200');
    return data.filter(({ state }) => state !== 'delivered').length;
  };
  /** What a rule of Freshdesk posts. */
  async function tell(token = WEBHOOK_TOKEN): Promise<number> {
    const url = `${whole.running.url}/webhooks/freshdesk/${token}`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ ticket_id: there().id }) });
    await answer.arrayBuffer();
    return answer.status;
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.equal(await tell(), 200);
    far.act(there().id, { body: 'It comes tomorrow.', status: 3 });
    far.act(there().id, { body: 'He is a regular.', private: true, source: 2 });
    await tell();
    await until(() => line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await messagesOf()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await messagesOf();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    await until(async () => (await ticketOf()).status === 'pending', 'the status is mirrored');

    await write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().status === 2, 'it is open again there too');
    const { id } = await ticketOf();
    await whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved', priority: 'urgent' } });
    await until(() => there().status === 4 && there().fields['priority'] === 4, 'it is solved there too');
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
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^Customer without a name: #\d+ .*Where is my order\?$/);
    assert.match(all[3]!, /^Customer without a name: .*Thank you!$/);
    assert.match(all[4]!, /^Gateway: .*Answer · .*Answered here\.$/);
    assert.match(all[5]!, /^Gateway \(inside\): .*Note · .*Noted here\.$/);
    assert.equal(await waiting(), 0);
    const { data } = await whole.api<List<LedgerEvent>>('/events?endpoint=freshdesk&limit=200');
    assert.deepEqual(
      data.filter(({ outcome }) => outcome === 'quarantined' || outcome === 'duplicate'),
      [],
    );
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { body: 'It comes tomorrow.' });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^Gateway \(inside\): .*Answer that did NOT reach the customer: .*It comes tomorrow\.$/);
    assert.deepEqual(line.delivered, []);
  }).timeout(20_000);

  it('refuses whoever does not know the address, and shows beforehand what it would send', async () => {
    await write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.ok([401, 404].includes(await tell('not-the-secret-part-of-the-address')));
    const body = { ticketId: (await ticketOf()).id };
    const shown = await whole.api<{ method: string; body: { subject: string } }>('/destinations/freshdesk/dry-run', {
      method: 'POST',
      body,
    });
    assert.deepEqual([shown.method, shown.body.subject], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
