import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { CLIENT_SECRET, readHubspot, startHubspot, TOKEN } from './fakes/hubspot.ts';
import type { Descriptions, FakeHubspot } from './fakes/hubspot.ts';

const PUBLIC = 'https://desk.example.com';
describe('HubSpot, through a whole gateway against a stand-in', () => {
  let description: Descriptions;
  let lineDescription: Description | undefined;
  let far: FakeHubspot;
  let desk: LineDesk;
  before(() => {
    description = readHubspot();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startHubspot(description);
    const own = `apiRoot: "${far.root}", accessToken: "${TOKEN}", clientSecret: "${CLIENT_SECRET}"`;
    desk = await startLineDesk({ hubspot: `type: hubspot, ${own}` }, lineDescription);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.of('tickets')[0]!;
  const stage = () => there().properties['hs_pipeline_stage'];
  const said = () => far.notes(there().id);
  const tellAs = (given: Parameters<FakeHubspot['notify']>[1]) =>
    far.notify(desk.webhookOf('hubspot'), { signedUrl: `${PUBLIC}/webhooks/hubspot`, ...given });
  async function tell(): Promise<void> {
    assert.equal(await tellAs({}), 200);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.of('tickets').length === 1, 'the ticket is there');
    await tell();
    far.note(there().id, '<p>&gt;&gt; It comes tomorrow.</p>');
    far.note(there().id, '<p>He is a regular.</p>');
    far.move(there().id, '2');
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Koval', 'note']);
    assert.equal((await desk.ticket()).status, 'pending');

    await desk.write('Thank you!');
    await until(() => said().length === 3, 'it is appended');
    await until(() => stage() === '3', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 4, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 5, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => stage() === '4', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('hubspot', tell);
    assert.equal(said().length, 5);
    assert.match(there().properties['content']!, /Where is my order\?$/);
    assert.match(said()[2]!, /Thank you!/);
    assert.match(said()[3]!, /Answer · .*Answered here\./);
    assert.match(said()[4]!, /Note · .*Noted here\./);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.of('tickets').length === 1, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.note(there().id, '<p>&gt;&gt; It comes tomorrow.</p>');
    await tell();
    await until(() => said().length === 2, 'he is told');
    assert.match(said()[1]!, /Answer that did NOT reach the customer: .*It comes tomorrow\./);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.of('tickets').length === 1, 'the ticket is there');
    assert.equal(await tellAs({ secret: 'another' }), 401);
    assert.equal(await tellAs({ at: Date.parse('2021-07-25T10:00:00Z') }), 401);
    assert.equal(await tellAs({ signedUrl: 'https://elsewhere.example.com/webhooks/hubspot' }), 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { properties: { subject: string } } }>(
      '/destinations/hubspot/dry-run',
      { method: 'POST', body },
    );
    assert.deepEqual([shown.method, shown.body.properties.subject], ['POST', 'Where is my order?']);
    assert.equal(far.of('tickets').length, 1);
  }).timeout(20_000);
});
