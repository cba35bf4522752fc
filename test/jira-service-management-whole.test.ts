import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { EMAIL, readJira, SECRET, startJira, textIn, TOKEN } from './fakes/jira.ts';
import type { Descriptions, FakeJira } from './fakes/jira.ts';

describe('Jira Service Management, through a whole gateway against a stand-in', () => {
  let description: Descriptions;
  let lineDescription: Description | undefined;
  let far: FakeJira;
  let desk: LineDesk;
  before(() => {
    description = readJira();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startJira(description);
    const own = `apiRoot: "${far.root}", email: ${EMAIL}, apiToken: "${TOKEN}", webhookSecret: "${SECRET}"`;
    const project = `projectKey: SUP, serviceDeskId: '4', requestTypeId: '25'`;
    desk = await startLineDesk({ jira: `type: jira_service_management, ${own}, ${project}` }, lineDescription);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.issues[0]!;
  const status = () => there().fields.status;
  const said = () => far.comments(there());
  const tellAs = (secret?: string) => far.notify(desk.webhookOf('jira'), there(), secret);
  async function tell(): Promise<void> {
    assert.equal(await tellAs(), 200);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.issues.length === 1, 'the ticket is there');
    await tell();
    far.say(there(), 'It comes tomorrow.');
    far.say(there(), 'He is a regular.', { internal: true });
    far.move(there(), 'Waiting for customer');
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    assert.equal((await desk.ticket()).status, 'pending');

    await desk.write('Thank you!');
    await until(() => said().length === 3, 'it is appended');
    await until(() => status() === 'In progress', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 4, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 5, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => status() === 'Resolved', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('jira', tell);
    assert.equal(said().length, 5);
    assert.match(textIn(there().fields.description), /Where is my order\?$/);
    assert.match(said()[2]!, /Thank you!/);
    assert.match(said()[3]!, /^Gateway: .*Answer · .*Answered here\.$/);
    assert.match(said()[4]!, /^Gateway \(internal\): .*Note · .*Noted here\.$/);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.issues.length === 1, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.say(there(), 'It comes tomorrow.');
    await tell();
    await until(() => said().length === 2, 'he is told');
    assert.match(said()[1]!, /^Gateway \(internal\): .*Answer that did NOT reach the customer: .*It comes tomorrow\./);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.issues.length === 1, 'the ticket is there');
    assert.equal(await tellAs('another'), 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { requestFieldValues: { summary: string } } }>(
      '/destinations/jira/dry-run',
      { method: 'POST', body },
    );
    assert.deepEqual([shown.method, shown.body.requestFieldValues.summary], ['POST', 'Where is my order?']);
    assert.equal(far.issues.length, 1);
  }).timeout(20_000);
});
