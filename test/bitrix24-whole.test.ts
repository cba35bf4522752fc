import assert from 'node:assert/strict';
import { readBitrix24 } from './fakes/bitrix24-description.ts';
import type { Bitrix24Description } from './fakes/bitrix24-description.ts';
import { APPLICATION_TOKEN, CODE, GATEWAY, startBitrix24 } from './fakes/bitrix24.ts';
import type { FakeBitrix24 } from './fakes/bitrix24.ts';
import { readLine } from './fakes/line.ts';
import { OLENA, startLineDesk } from './fakes/line-desk.ts';
import type { LineDesk } from './fakes/line-desk.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';

type List<T> = { readonly data: readonly T[] };

describe('Bitrix24, through a whole gateway against a stand-in', () => {
  let description: Bitrix24Description | undefined;
  let lineDescription: Description | undefined;
  let far: FakeBitrix24;
  let desk: LineDesk;
  before(() => {
    description = readBitrix24();
    lineDescription = readLine();
  });
  beforeEach(async () => {
    far = await startBitrix24(description);
    const own = `apiRoot: "${far.root}", userId: ${GATEWAY}, code: ${CODE}, applicationToken: ${APPLICATION_TOKEN}`;
    desk = await startLineDesk(
      { crm: `type: bitrix24, ${own}, statuses: { open: EXECUTING, pending: PREPARATION, solved: DONE }` },
      lineDescription,
    );
    await until(() => far.calls.length > 0, 'it was asked what there is');
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const dealId = () => Number(far.items.deal[0]!['id']);
  const said = () => far.comments('deal', dealId());
  const stage = () => far.items.deal[0]!['stageId'];
  const url = () => desk.webhookOf('crm');
  const tell = async (event = 'ONCRMTIMELINECOMMENTADD') => assert.equal(await far.notify(url(), event), 200);
  const asked = async () => {
    await until(() => far.items.deal.length === 1 && said().length === 1, 'the deal is there');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');
  };

  it('carries a conversation there and back, and nothing goes round in circles', async () => {
    await desk.write('Where is my order?');
    await asked();
    far.act('deal', dealId(), { comment: '>> It comes tomorrow.' });
    far.act('deal', dealId(), { comment: 'He is a regular.', stage: 'PREPARATION' });
    await tell();
    await until(() => desk.line.delivered.length > 0, 'the answer goes out');
    assert.deepEqual(desk.line.delivered, [{ to: OLENA, text: 'It comes tomorrow.' }]);
    await until(async () => (await desk.messages()).length === 3, 'the note is filed');
    const [first, answered, noted] = await desk.messages();
    assert.deepEqual([first!.direction, answered!.author.name, noted!.kind], ['inbound', 'Ivan Petrov', 'note']);
    await until(async () => (await desk.ticket()).status === 'pending', 'the stage has come');

    await desk.write('Thank you!');
    await until(() => said().length === 4, 'it is appended');
    await until(() => stage() === 'EXECUTING', 'it is open again there too');
    const { id } = await desk.ticket();
    await desk.whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Answered here.' } });
    await until(() => said().length === 5, 'the answer is there');
    await desk.whole.api(`/tickets/${id}/notes`, { method: 'POST', body: { text: 'Noted here.' } });
    await until(() => said().length === 6, 'the note is there');
    await desk.whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'solved' } });
    await until(() => stage() === 'DONE', 'it is solved there too');
    await until(async () => (await desk.waiting()) === 0, 'all is delivered');

    await desk.staysSo('crm', () => tell('ONCRMDEALUPDATE'));
    assert.equal(said().length, 6);
  }).timeout(30_000);

  it('tells the colleague that his answer did not reach the customer', async () => {
    await desk.write('Where is my order?');
    await asked();
    desk.line.end('/message/push', { http: 400, body: { message: 'The user has blocked us' } });
    far.act('deal', dealId(), { comment: '>> It comes tomorrow.' });
    await tell();
    await until(() => said().length === 3, 'he is told');
    assert.match(said()[2]!, /^1: Answer that did NOT reach the customer: [^]*It comes tomorrow\.\n\ntributary:/);
    assert.deepEqual(desk.line.delivered, []);
  }).timeout(20_000);

  it('refuses a webhook without its token, and shows the secret of the address nowhere', async () => {
    far.end('crm.item.add', { http: 403, body: { error: 'ACCESS_DENIED', error_description: `you sent ${CODE}` } });
    await desk.write('Where is my order?');
    const failed = async () => (await desk.whole.api<List<{ id: string; state: string }>>('/deliveries')).data[0];
    await until(async () => (await failed())?.state === 'dead', 'it is given up');
    assert.equal(await far.notify(url(), 'ONCRMDEALUPDATE', 'another'), 401);
    const all = ['/deliveries', `/deliveries/${(await failed())!.id}`, '/destinations', '/events?limit=200'];
    const shown = await Promise.all(all.map((path) => desk.whole.api(path)));
    assert.doesNotMatch(JSON.stringify(shown), new RegExp(`${CODE}|${APPLICATION_TOKEN}`));
  }).timeout(20_000);
});
