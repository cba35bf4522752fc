import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { CLIENT_ID, CLIENT_SECRET, startSalesforce } from './fakes/salesforce.ts';
import type { FakeSalesforce } from './fakes/salesforce.ts';
import { until } from './fakes/until.ts';

const FLOW = 'sample-token-of-the-flow';

describe('Salesforce, through a whole gateway against a stand-in', () => {
  let lineDescription: Description | undefined;
  let far: FakeSalesforce;
  let desk: LineDesk;
  before(() => {
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startSalesforce();
    desk = await startLineDesk(
      {
        salesforce: `type: salesforce, apiRoot: "${far.root}", clientId: ${CLIENT_ID}, clientSecret: ${CLIENT_SECRET}, webhookToken: ${FLOW}`,
      },
      lineDescription,
    );
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.rows('Case')[0]!;
  const said = () => far.said(there().Id);
  async function tell(token = FLOW): Promise<number> {
    const answer = await fetch(`${desk.webhookOf('salesforce')}/${token}`, { method: 'POST', body: '{}' });
    await answer.arrayBuffer();
    return answer.status;
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.rows('Case').length === 1, 'the case is there');
    far.comment(there().Id, 'It comes tomorrow.');
    far.comment(there().Id, 'He is a regular.', { published: false });
    far.setStatus(there().Id, 'On Hold');
    assert.equal(await tell(), 200);
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the status is mirrored');

    await desk.write('Thank you!');
    await until(() => said().length === 3, 'it is appended');
    await until(() => there()['Status'] === 'Working', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 4, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 5, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there()['Status'] === 'Closed', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('salesforce', tell);
    const all = said();
    assert.equal(all.length, 5);
    assert.match(String(there()['Description']), /Where is my order\?$/);
    assert.match(all[2]!, /^Gateway: .*Thank you! https:\/\/desk\.example\.com\/t\/tkt_\w+#msg_\w+\.\d+$/);
    assert.match(all[3]!, /^Gateway: Answer · .*Answered here\./);
    assert.match(all[4]!, /^Gateway \(inside\): Note · .*Noted here\./);
  }).timeout(30_000);

  it('tells the agent, and only him, that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.rows('Case').length === 1, 'the case is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.comment(there().Id, 'It comes tomorrow.');
    await tell();
    await until(() => said().length === 2, 'he is told');
    assert.match(said()[1]!, /^Gateway \(inside\): Answer that did NOT reach the customer: .*It comes tomorrow\./);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('hears nobody who does not know the address, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.rows('Case').length === 1, 'the case is there');
    assert.notEqual(await tell('another-token-of-a-flow'), 200);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { Subject: string } }>(
      '/destinations/salesforce/dry-run',
      {
        method: 'POST',
        body,
      },
    );
    assert.deepEqual([shown.method, shown.body.Subject], ['PATCH', 'Where is my order?']);
    assert.equal(far.rows('Case').length, 1);
  }).timeout(20_000);
});
