import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { DEAL_ID, HOOK, PERSON_ID, readPipedrive, startPipedrive, TOKEN } from './fakes/pipedrive.ts';
import type { Descriptions, FakePipedrive } from './fakes/pipedrive.ts';
import { until } from './fakes/until.ts';

describe('Pipedrive, through a whole gateway against a stand-in', () => {
  let description: Descriptions;
  let lineDescription: Description | undefined;
  let far: FakePipedrive;
  let desk: LineDesk;
  before(() => {
    description = readPipedrive();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startPipedrive(description);
    const own = [
      `companyDomain: acme, apiRoot: "${far.root}", auth: { type: token, token: "${TOKEN}" }`,
      `dealIdField: ${DEAL_ID}, personIdField: ${PERSON_ID}`,
      `webhook: { user: ${HOOK.user}, password: "${HOOK.password}" }`,
      'statuses: { open: 2, pending: 3, solved: won }',
    ];
    desk = await startLineDesk({ crm: `type: pipedrive, ${own.join(', ')}` }, lineDescription);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.deals[0]!;
  const said = () => far.said(there().id);
  async function tell(): Promise<void> {
    assert.equal(await far.notify(desk.webhookOf('crm'), { meta: { action: 'change', entity: 'deal' } }), 200);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.notes.length === 1, 'the deal is there');
    await tell();
    far.note(there().id, '<p>&gt;&gt; It comes tomorrow.</p>');
    far.note(there().id, '<p>He is a regular.</p>');
    far.move(there().id, { stage_id: 3 });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Koval', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the stage is told');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().stage_id === 2, 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there().status === 'won', 'it is won there');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('crm', tell);
    assert.equal(said().length, 6);
    assert.match(said()[0]!, /Where is my order\?/);
    assert.match(said()[3]!, /Thank you!/);
    assert.match(said()[4]!, /Answer · .*Answered here\./);
    assert.match(said()[5]!, /Note · .*Noted here\./);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.notes.length === 1, 'the deal is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.note(there().id, '<p>&gt;&gt; It comes tomorrow.</p>');
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /Answer that did NOT reach the customer: .*It comes tomorrow\./);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses a webhook with another password', async () => {
    const wrong = { ...HOOK, password: 'another' };
    assert.equal(await far.notify(desk.webhookOf('crm'), {}, wrong), 401);
  }).timeout(20_000);
});
