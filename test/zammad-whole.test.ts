import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { SIGNATURE_TOKEN, startZammad, TOKEN, type FakeZammad } from './fakes/zammad.ts';

describe('Zammad, through a whole gateway against a stand-in', () => {
  let lineDescription: Description | undefined;
  let far: FakeZammad;
  let desk: LineDesk;
  before(() => {
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startZammad();
    const settings = `type: zammad, apiRoot: "${far.root}", group: Support, token: "${TOKEN}", webhookSecret: "${SIGNATURE_TOKEN}"`;
    desk = await startLineDesk({ zammad: settings }, lineDescription);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.tickets[0]!;
  const said = () => far.articles(there().id);
  const tell = (token?: string) => far.notify(desk.webhookOf('zammad'), there().id, token);
  const arrived = () => until(async () => far.tickets.length === 1 && (await desk.waiting()) === 0, 'it is there');

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await arrived();
    assert.equal(await tell(), 200);
    far.act(there().id, { article: { body: 'It comes tomorrow.' }, state: 'pending reminder' });
    far.act(there().id, { article: { body: 'He is a regular.', internal: true } });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Petrenko', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the status is mirrored');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().state === 'open', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there().state === 'closed', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('zammad', tell);
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^Customer without a name as Customer: .*Where is my order\?$/);
    assert.match(all[3]!, /^Customer without a name as Customer: .*Thank you!$/);
    assert.match(all[4]!, /^Gateway as Agent: Answer · .*Answered here\.$/);
    assert.match(all[5]!, /^Gateway as Agent \(inside\): Note · .*Noted here\.$/);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await arrived();
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { article: { body: 'It comes tomorrow.' } });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(
      said()[2]!,
      /^Gateway as Agent \(inside\): Answer that did NOT reach the customer: .*It comes tomorrow\.$/,
    );
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('takes a ticket that a colleague opens with a note, and shows customers nothing of it', async () => {
    const identifiers = [{ kind: 'email', value: 'olena@example.com' }];
    const body = { customer: { name: 'Olena', identifiers }, text: 'He called and was rude.' };
    await desk.whole.api('/tickets', { method: 'POST', body });
    await arrived();
    assert.match(said()[0]!, /^Gateway as Agent \(inside\): Note · .*rude\.$/);
    assert.doesNotMatch(String(there().attributes['title']), /rude/);
  }).timeout(20_000);

  it('goes on where agents merged the ticket, both ways', async () => {
    await desk.write('Where is my order?');
    await arrived();
    const other = far.addTicket({ title: 'The same', customer_id: there().attributes['customer_id'] });
    far.merge(there().id, other.id);
    await tell();
    await desk.write('Hello?');
    await until(async () => other.articles.length === 2 && (await desk.waiting()) === 0, 'it goes on there');
    far.act(other.id, { article: { body: 'It comes tomorrow.' } });
    assert.equal(await far.notify(desk.webhookOf('zammad'), other.id), 200);
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
  }).timeout(20_000);

  it('refuses what is not signed, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await arrived();
    assert.equal(await tell('another'), 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { title: string } }>('/destinations/zammad/dry-run', {
      method: 'POST',
      body,
    });
    assert.deepEqual([shown.method, shown.body.title], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
