import assert from 'node:assert/strict';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  ID_FIELD,
  PIPELINE,
  REDIRECT,
  startAmocrm,
  TOKEN,
  WEBHOOK_TOKEN,
} from './fakes/amocrm.ts';
import type { FakeAmocrm } from './fakes/amocrm.ts';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';

type List<T> = { readonly data: readonly T[] };
const REFRESH = 'not-a-real-refresh-token-0';

describe('amoCRM, through a whole gateway against a stand-in', () => {
  let lineDescription: Description | undefined;
  let far: FakeAmocrm;
  let desk: LineDesk;
  before(() => {
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startAmocrm();
    const oauth2 = `{ clientId: ${CLIENT_ID}, clientSecret: "${CLIENT_SECRET}", redirectUri: "${REDIRECT}", refreshToken: "${REFRESH}" }`;
    const own = `apiRoot: "${far.root}", oauth2: ${oauth2}, webhookToken: "${WEBHOOK_TOKEN}", idField: ${ID_FIELD}, pipelineId: ${PIPELINE}`;
    desk = await startLineDesk(
      { crm: `type: amocrm, ${own}, statuses: { open: 31881112, pending: 31881115, solved: 142 }` },
      lineDescription,
    );
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const leadId = () => far.leads[0]!.id;
  const said = () => far.said(leadId());
  const stage = () => far.leads[0]!['status_id'];
  const url = (token = WEBHOOK_TOKEN) => `${desk.webhookOf('crm')}/${token}`;
  const tell = async (form?: string) => assert.equal(await far.notify(url(), form), 200);
  const asked = async () => {
    await until(() => far.leads.length === 1 && said().length === 1, 'the lead is there');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');
  };

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await asked();
    await tell();
    far.act(leadId(), { text: '>> It comes tomorrow.' });
    far.act(leadId(), { text: 'He is a regular.', stage: 31_881_115 });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [first, answered, noted] = await desk.messages();
    assert.deepEqual([first!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Petrov', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the stage has come');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => stage() === 31_881_112, 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => stage() === 142, 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('crm', () => tell('leads[status][0][id]=1'));
    assert.equal(said().length, 6);
  }).timeout(40_000);

  it('tells the colleague that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await asked();
    await tell();
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act(leadId(), { text: '>> It comes tomorrow.' });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^common: Answer that did NOT reach the customer: [^]*It comes tomorrow\.\n\ntributary:/);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(30_000);

  it('goes on after a restart with the refresh token that it was given last', async () => {
    await desk.write('Where is my order?');
    await asked();
    assert.ok(!far.refreshTokens.has(REFRESH));
    await desk.whole.restart();
    await desk.write('Are you there?');
    await until(() => said().length === 2, 'it is appended');
  }).timeout(30_000);

  it('refuses a webhook at another address, and shows its secrets nowhere', async () => {
    far.end('POST /api/v4/leads/complex', { http: 400, body: { title: 'Bad Request', status: 400 } });
    await desk.write('Where is my order?');
    const failed = async () => (await desk.whole.api<List<{ id: string; state: string }>>('/deliveries')).data[0];
    await until(async () => (await failed())?.state === 'dead', 'it is given up');
    for (const address of [desk.webhookOf('crm'), url('not-the-secret-part-of-an-address')]) {
      assert.ok([401, 404].includes(await far.notify(address)), address);
    }
    const all = ['/deliveries', `/deliveries/${(await failed())!.id}`, '/destinations', '/events?limit=200'];
    const shown = JSON.stringify(await Promise.all(all.map((path) => desk.whole.api(path))));
    for (const secret of [REFRESH, CLIENT_SECRET, WEBHOOK_TOKEN, TOKEN, ...far.refreshTokens])
      assert.ok(!shown.includes(secret), secret);
  }).timeout(30_000);
});
