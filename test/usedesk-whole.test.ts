import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { API_TOKEN, CHANNEL, DOMAIN, GATEWAY, startUsedesk, WEBHOOK_SECRET } from './fakes/usedesk.ts';
import type { FakeUsedesk } from './fakes/usedesk.ts';

describe('Usedesk, through a whole gateway against a stand-in', () => {
  let lineDescription: Description | undefined;
  let far: FakeUsedesk;
  let desk: LineDesk;
  before(() => {
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startUsedesk();
    desk = await startLineDesk(
      {
        usedesk: `type: usedesk, apiRoot: "${far.root}", apiToken: "${API_TOKEN}", channel: ${CHANNEL}, user: ${GATEWAY}, addressDomain: ${DOMAIN}, webhookSecret: "${WEBHOOK_SECRET}"`,
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
  const tell = (secret?: string) => far.notify(desk.webhookOf('usedesk'), secret);

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.equal(await tell(), 200);
    far.act(there().id, { message: '<p>It comes tomorrow.</p>', status: 6 });
    far.act(there().id, { message: 'He is a regular.', type: 'private' });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the status is mirrored');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().status === 1, 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved', priority: 'high' } });
    await until(() => there().status === 2 && there().priority === 'urgent', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('usedesk', tell);
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^Customer without a name \(public\): #\d+ .*Where is my order\?$/);
    assert.match(all[3]!, /^Customer without a name \(public\): .*Thank you!$/);
    assert.match(all[4]!, /^Gateway \(private\): .*Answer · .*Answered here\.$/);
    assert.match(all[5]!, /^Gateway \(private\): .*Note · .*Noted here\.$/);
  }).timeout(30_000);

  it('tells the agent, and nobody else, that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { message: 'It comes tomorrow.' });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^Gateway \(private\): .*Answer that did NOT reach the customer: .*It comes tomorrow\.$/);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses what does not know the secret, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.equal(await tell('another'), 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { subject: string } }>('/destinations/usedesk/dry-run', {
      method: 'POST',
      body,
    });
    assert.deepEqual([shown.method, shown.body.subject], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
