import assert from 'node:assert/strict';
import { APP_ID, APP_SECRET, DOMAIN, MAILBOX, startHelpScout, WEBHOOK_SECRET } from './fakes/help-scout.ts';
import type { FakeHelpScout } from './fakes/help-scout.ts';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';

describe('Help Scout, through a whole gateway against a stand-in', () => {
  let lineDescription: Description | undefined;
  let far: FakeHelpScout;
  let desk: LineDesk;
  before(() => {
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startHelpScout();
    desk = await startLineDesk(
      {
        'help-scout': `type: help_scout, apiRoot: "${far.root}", appId: ${APP_ID}, appSecret: "${APP_SECRET}", mailbox: ${MAILBOX}, addressDomain: ${DOMAIN}, webhookSecret: "${WEBHOOK_SECRET}"`,
      },
      lineDescription,
    );
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.conversations[0]!;
  const said = () => far.said(there().id);
  const tell = (secret?: string) => far.notify(`${desk.whole.running.url}/webhooks/help-scout`, secret);

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.conversations.length === 1, 'the ticket is there');
    assert.equal(await tell(), 200);
    far.act(there().id, { body: 'It comes tomorrow.', status: 'pending' });
    far.act(there().id, { body: 'He is a regular.', type: 'note' });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the status is mirrored');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().status === 'active', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there().status === 'closed', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('help-scout', tell);
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^Customer without a name \(customer\): #\d+ .*Where is my order\?$/);
    assert.match(all[3]!, /^Customer without a name \(customer\): .*Thank you!$/);
    assert.match(all[4]!, /^Gateway \(message\): .*Answer · .*Answered here\.$/);
    assert.match(all[5]!, /^Gateway \(note\): .*Note · .*Noted here\.$/);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(() => far.conversations.length === 1, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { body: 'It comes tomorrow.' });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^Gateway \(note\): .*Answer that did NOT reach the customer: .*It comes tomorrow\.$/);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.conversations.length === 1, 'the ticket is there');
    assert.equal(await tell('another'), 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { subject: string } }>(
      '/destinations/help-scout/dry-run',
      {
        method: 'POST',
        body,
      },
    );
    assert.deepEqual([shown.method, shown.body.subject], ['POST', 'Where is my order?']);
    assert.equal(far.conversations.length, 1);
  }).timeout(20_000);
});
