import assert from 'node:assert/strict';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { readLine, SECRET, startLine, TOKEN as LINE_TOKEN } from './fakes/line.ts';
import type { FakeLine } from './fakes/line.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { CLIENT_SECRET, readHubspot, startHubspot, TOKEN } from './fakes/hubspot.ts';
import type { Descriptions, FakeHubspot } from './fakes/hubspot.ts';

const PUBLIC = 'https://desk.example.com';
const OLENA = 'U7001aaaa0000000000000000000000aa';
type List<T> = { readonly data: readonly T[] };

describe('HubSpot, through a whole gateway against a stand-in', () => {
  let descriptions: readonly [Descriptions, Description | undefined];
  let far: FakeHubspot;
  let line: FakeLine;
  let whole: Whole;
  before(() => {
    descriptions = [readHubspot(), readLine()];
  });
  beforeEach(async () => {
    [far, line] = [await startHubspot(descriptions[0]), await startLine(descriptions[1])];
    const own = `apiRoot: "${far.root}", accessToken: "${TOKEN}", clientSecret: "${CLIENT_SECRET}"`;
    const yaml = `  - { id: line, type: line, channelSecret: "${SECRET}", channelAccessToken: "${LINE_TOKEN}", apiRoot: "${line.root}" }
destinations:
  - { id: hubspot, type: hubspot, ${own} }
routes:
  - { to: [hubspot] }
`;
    whole = await startWhole({ yaml, env: { PUBLIC_URL: PUBLIC } });
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
  const there = () => far.of('tickets')[0]!;
  const stage = () => there().properties['hs_pipeline_stage'];
  const said = () => far.notes(there().id);
  const waiting = async () => {
    const { data } = await whole.api<List<{ state: string }>>('/deliveries?limit=200');
    return data.filter(({ state }) => state !== 'delivered').length;
  };
  const tellAs = (given: Parameters<FakeHubspot['notify']>[1]) =>
    far.notify(`${whole.running.url}/webhooks/hubspot`, { signedUrl: `${PUBLIC}/webhooks/hubspot`, ...given });
  async function tell(): Promise<void> {
    assert.equal(await tellAs({}), 200);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await write('Where is my order?');
    await until(() => far.of('tickets').length === 1, 'the ticket is there');
    await tell();
    far.note(there().id, '<p>&gt;&gt; It comes tomorrow.</p>');
    far.note(there().id, '<p>He is a regular.</p>');
    far.move(there().id, '2');
    await tell();
    await until(() => line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await messagesOf()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await messagesOf();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Koval', 'note']);
    assert.equal((await ticketOf()).status, 'pending');

    await write('Thank you!');
    await until(() => said().length === 3, 'it is appended');
    await until(() => stage() === '3', 'it is open again there too');
    const { id } = await ticketOf();
    await whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 4, 'the answer is there');
    await whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 5, 'the note is there');
    await whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => stage() === '4', 'it is solved there too');
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
    assert.equal(said().length, 5);
    assert.match(there().properties['content']!, /Where is my order\?$/);
    assert.match(said()[2]!, /Thank you!/);
    assert.match(said()[3]!, /Answer · .*Answered here\./);
    assert.match(said()[4]!, /Note · .*Noted here\./);
    assert.equal(await waiting(), 0);
    const { data } = await whole.api<List<LedgerEvent>>('/events?endpoint=hubspot&limit=200');
    assert.deepEqual(
      data.filter(({ outcome }) => outcome === 'quarantined' || outcome === 'duplicate'),
      [],
    );
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await write('Where is my order?');
    await until(() => far.of('tickets').length === 1, 'the ticket is there');
    line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.note(there().id, '<p>&gt;&gt; It comes tomorrow.</p>');
    await tell();
    await until(() => said().length === 2, 'he is told');
    assert.match(said()[1]!, /Answer that did NOT reach the customer: .*It comes tomorrow\./);
    assert.deepEqual(line.delivered, []);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await write('Where is my order?');
    await until(() => far.of('tickets').length === 1, 'the ticket is there');
    assert.equal(await tellAs({ secret: 'another' }), 401);
    assert.equal(await tellAs({ at: Date.parse('2021-07-25T10:00:00Z') }), 401);
    assert.equal(await tellAs({ signedUrl: 'https://elsewhere.example.com/webhooks/hubspot' }), 401);
    const body = { ticketId: (await ticketOf()).id };
    const shown = await whole.api<{ method: string; body: { properties: { subject: string } } }>(
      '/destinations/hubspot/dry-run',
      { method: 'POST', body },
    );
    assert.deepEqual([shown.method, shown.body.properties.subject], ['POST', 'Where is my order?']);
    assert.equal(far.of('tickets').length, 1);
  }).timeout(20_000);
});
