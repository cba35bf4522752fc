import assert from 'node:assert/strict';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { INVOKER, LOGIN, PASSWORD, startOtrs, type FakeOtrs } from './fakes/otrs.ts';
import { readOtrsSchema, type OtrsSchema } from './fakes/otrs-schema.ts';
import { until } from './fakes/until.ts';

describe('Znuny, through a whole gateway against a stand-in', () => {
  let description: OtrsSchema | undefined;
  let lineDescription: Description | undefined;
  let far: FakeOtrs;
  let desk: LineDesk;
  before(() => {
    description = readOtrsSchema();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startOtrs();
    const own = `apiRoot: "${far.root}", user: ${LOGIN}, password: "${PASSWORD}", queue: Support, customerUser: messenger`;
    const webhook = `webhook: { user: ${INVOKER.user}, password: "${INVOKER.password}" }`;
    desk = await startLineDesk({ znuny: `type: otrs, ${own}, ${webhook}` }, lineDescription);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
    assert.deepEqual(await description?.problems(far.written), description && []);
  });

  const there = () => far.tickets[0]!;
  const said = () => far.articles(there().id);
  async function tell(): Promise<void> {
    const { status, body } = await far.notify(desk.webhookOf('znuny'), there().id);
    assert.deepEqual([status, body], [200, '{}']);
  }

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    await until(async () => (await desk.waiting()) === 0, 'and known here');
    await tell();
    far.act(there().id, { article: { text: 'It comes tomorrow.', visible: true }, state: 'pending reminder' });
    far.act(there().id, { article: { text: 'He is a regular.', visible: false } });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.equal(desk.line.delivered[0]!.to, OLENA);
    assert.match(desk.line.delivered[0]!.text, /It comes tomorrow\./);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [asked, answered, noted] = await desk.messages();
    assert.deepEqual([asked!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Petrenko', 'note']);
    assert.equal((await desk.ticket()).status, 'pending');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => there().state === 'open', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => there().state === 'closed successful', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('znuny', tell);
    const all = said();
    assert.equal(all.length, 6);
    assert.match(all[0]!, /^customer: [^]*Where is my order\?$/);
    assert.match(all[3]!, /^customer: [^]*Thank you!$/);
    assert.match(all[4]!, /^agent: Answer · [^]*Answered here\.$/);
    assert.match(all[5]!, /^agent \(inside\): Note · [^]*Noted here\.$/);
  }).timeout(30_000);

  it('tells the agent that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await until(async () => far.tickets.length === 1 && (await desk.waiting()) === 0, 'the ticket is there');
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(there().id, { article: { text: 'It comes tomorrow.', visible: true } });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^agent \(inside\): Answer that did NOT reach the customer: [^]*It comes tomorrow\.$/);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses a wake without the password, and shows beforehand what it would send', async () => {
    await desk.write('Where is my order?');
    await until(() => far.tickets.length === 1, 'the ticket is there');
    assert.equal((await far.notify(desk.webhookOf('znuny'), there().id, 'another')).status, 401);
    const body = { ticketId: (await desk.ticket()).id };
    const shown = await desk.whole.api<{ method: string; body: { Ticket: { Title: string } } }>(
      '/destinations/znuny/dry-run',
      {
        method: 'POST',
        body,
      },
    );
    assert.deepEqual([shown.method, shown.body.Ticket.Title], ['POST', 'Where is my order?']);
    assert.equal(far.tickets.length, 1);
  }).timeout(20_000);
});
