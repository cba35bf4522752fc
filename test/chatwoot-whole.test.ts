import assert from 'node:assert/strict';
import type { LedgerEvent } from '../src/core/ticket.ts';
import { ACCOUNT, INBOX, readChatwoot, startChatwoot, TOKEN, WEBHOOK_SECRET } from './fakes/chatwoot.ts';
import type { FakeChatwoot } from './fakes/chatwoot.ts';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';

type List<T> = { readonly data: readonly T[] };

describe('Chatwoot, through a whole gateway against a stand-in', () => {
  let description: Description | undefined;
  let lineDescription: Description | undefined;
  let far: FakeChatwoot;
  let desk: LineDesk;
  before(() => {
    description = readChatwoot();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startChatwoot(description);
    const own = `apiRoot: "${far.root}", accountId: ${ACCOUNT}, inboxId: ${INBOX}, accessToken: "${TOKEN}"`;
    const settings = `type: chatwoot, ${own}, webhookSecret: "${WEBHOOK_SECRET}"`;
    desk = await startLineDesk({ chatwoot: settings }, lineDescription);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.conversations[0]!;
  const said = () => far.said(there().id);
  const isThere = () => far.conversations.length === 1 && said().length === 1;
  const act = (given: Parameters<FakeChatwoot['act']>[1]) => far.act(there().id, given);
  const tell = (event = 'message_created', how = {}) =>
    far.notify(desk.webhookOf('chatwoot'), far.noticeOf(there().id, event), how);

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(isThere, 'the ticket is there');
    assert.equal(await tell(), 200);
    act({ body: 'It comes tomorrow.' });
    act({ body: 'He is a regular.', private: true });
    act({ status: 'snoozed' });
    assert.equal(await tell('conversation_status_changed'), 200);
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the status is mirrored');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().status === 'open', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'closed', priority: 'urgent' } });
    await until(() => there().status === 'resolved' && there().priority === 'urgent', 'it is closed there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    for (let i = 0; i < 3; i++) {
      await tell('conversation_status_changed');
      await tell();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.equal((await desk.ticket()).status, 'closed');
    assert.equal((await desk.messages()).length, 6);
    assert.deepEqual(
      desk.line.delivered.map(({ text }) => text),
      ['It comes tomorrow.', 'Answered here.'],
    );
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^Customer without a name: .*Where is my order\?$/);
    assert.match(all[3]!, /^Customer without a name: .*Thank you!$/);
    assert.match(all[4]!, /^Gateway: Answer · .*Answered here\.$/);
    assert.match(all[5]!, /^Gateway \(inside\): Note · .*Noted here\.$/);
    await until(async () => (await desk.waiting()) === 0, 'nothing is left');
    const { data } = await desk.whole.api<List<LedgerEvent>>('/events?endpoint=chatwoot&limit=200');
    assert.deepEqual(
      data.filter(({ outcome }) => outcome === 'quarantined'),
      [],
    );
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(isThere, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    act({ body: 'It comes tomorrow.' });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^Gateway \(inside\): Answer that did NOT reach the customer: .*It comes tomorrow\.$/);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(isThere, 'the ticket is there');
    assert.equal(await tell('message_created', { signature: null }), 401);
    assert.equal(await tell('message_created', { secret: 'another' }), 401);
    assert.equal(await tell('message_created', { at: 1_700_000_000 }), 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { message: { content: string } } }>(
      '/destinations/chatwoot/dry-run',
      { method: 'POST', body },
    );
    assert.equal(shown.method, 'POST');
    assert.match(shown.body.message.content, /Where is my order\?$/);
    assert.equal(far.conversations.length, 1);
  }).timeout(20_000);
});
