import assert from 'node:assert/strict';
import { API_KEY, readFreshdesk, startFreshdesk, WEBHOOK_TOKEN } from './fakes/freshdesk.ts';
import type { FakeFreshdesk } from './fakes/freshdesk.ts';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';

describe('Freshdesk, through a whole gateway against a stand-in', () => {
  let description: Description | undefined;
  let lineDescription: Description | undefined;
  let far: FakeFreshdesk;
  let desk: LineDesk;
  before(() => {
    description = readFreshdesk();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startFreshdesk(description);
    desk = await startLineDesk(
      {
        freshdesk: `type: freshdesk, apiRoot: "${far.root}", subdomain: acme, apiKey: "${API_KEY}", webhookToken: "${WEBHOOK_TOKEN}"`,
      },
      lineDescription,
    );
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.tickets[0]!;
  const said = () => far.said(there().id);
  /** What a rule of Freshdesk posts. */
  async function tell(token = WEBHOOK_TOKEN): Promise<number> {
    const url = `${desk.whole.running.url}/webhooks/freshdesk/${token}`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ ticket_id: there().id }) });
    await answer.arrayBuffer();
    return answer.status;
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.equal(await tell(), 200);
    far.act(there().id, { body: 'It comes tomorrow.', status: 3 });
    far.act(there().id, { body: 'He is a regular.', private: true, source: 2 });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the status is mirrored');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().status === 2, 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved', priority: 'urgent' } });
    await until(() => there().status === 4 && there().fields['priority'] === 4, 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('freshdesk', tell);
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^Customer without a name: #\d+ .*Where is my order\?$/);
    assert.match(all[3]!, /^Customer without a name: .*Thank you!$/);
    assert.match(all[4]!, /^Gateway: .*Answer · .*Answered here\.$/);
    assert.match(all[5]!, /^Gateway \(inside\): .*Note · .*Noted here\.$/);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { body: 'It comes tomorrow.' });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^Gateway \(inside\): .*Answer that did NOT reach the customer: .*It comes tomorrow\.$/);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses whoever does not know the address, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.ok([401, 404].includes(await tell('not-the-secret-part-of-the-address')));
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { subject: string } }>(
      '/destinations/freshdesk/dry-run',
      {
        method: 'POST',
        body,
      },
    );
    assert.deepEqual([shown.method, shown.body.subject], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
