import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { EMAIL, readZendesk, startZendesk, TOKEN, WEBHOOK_SECRET } from './fakes/zendesk.ts';
import type { FakeZendesk } from './fakes/zendesk.ts';

describe('Zendesk, through a whole gateway against a stand-in', () => {
  let description: Description | undefined;
  let lineDescription: Description | undefined;
  let far: FakeZendesk;
  let desk: LineDesk;
  before(() => {
    description = readZendesk();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startZendesk(description);
    const own = `apiRoot: "${far.root}", subdomain: acme, webhookSecret: "${WEBHOOK_SECRET}"`;
    desk = await startLineDesk(
      { zendesk: `type: zendesk, ${own}, auth: { type: token, email: ${EMAIL}, token: "${TOKEN}" }` },
      lineDescription,
    );
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.tickets[0]!;
  async function tell(): Promise<void> {
    assert.equal(await far.notify(desk.webhookOf('zendesk'), there().id), 200);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    await tell();
    far.files.set('receipt.txt', Buffer.from('paid'));
    far.act(there().id, { comment: { body: 'It comes tomorrow.', public: true }, status: 'pending' });
    far.act(there().id, { comment: { body: 'He is a regular.', public: false } });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    assert.equal((await desk.ticket()).status, 'pending');

    await desk.write('Thank you!');
    await until(() => far.comments(there().id).length === 4, 'it is appended');
    await until(() => there().status === 'open', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => far.comments(there().id).length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => far.comments(there().id).length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there().status === 'solved', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('zendesk', tell);
    const said = far.comments(there().id);
    assert.equal(said.length, 6);
    assert.match(said[0]!, /^Customer without a name: .*Where is my order\?$/);
    assert.match(said[3]!, /^Customer without a name: .*Thank you!$/);
    assert.match(said[4]!, /^Gateway: Answer · .*Answered here\.$/);
    assert.match(said[5]!, /^Gateway \(note\): Note · .*Noted here\.$/);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { comment: { body: 'It comes tomorrow.', public: true } });
    await tell();
    await until(() => far.comments(there().id).length === 3, 'he is told');
    assert.match(
      far.comments(there().id)[2]!,
      /^Gateway \(note\): Answer that did NOT reach the customer: .*It comes tomorrow\.$/,
    );
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    const url = desk.webhookOf('zendesk');
    assert.equal(await far.notify(url, there().id, { secret: 'another' }), 401);
    assert.equal(await far.notify(url, there().id, { at: '2021-07-25T10:00:00Z' }), 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { ticket: { subject: string } } }>(
      '/destinations/zendesk/dry-run',
      { method: 'POST', body },
    );
    assert.deepEqual([shown.method, shown.body.ticket.subject], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
