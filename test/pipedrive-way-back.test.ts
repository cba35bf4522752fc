import assert from 'node:assert/strict';
import type { ActionInput } from '../src/core/action.ts';
import { BadPayloadError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { pipedrive } from '../src/dispatch/pipedrive/pipedrive.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { DEAL_ID, HOOK, IVAN, ME, PERSON_ID, readPipedrive, startPipedrive, TOKEN } from './fakes/pipedrive.ts';
import type { Descriptions, FakePipedrive } from './fakes/pipedrive.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const NEVER = new AbortController().signal;

describe('The way back from Pipedrive', () => {
  let descriptions: Descriptions;
  let far: FakePipedrive;
  let desk: DestinationDesk;
  let out: Outgoing;
  let deal: number;
  let cursor: string;
  before(() => {
    descriptions = readPipedrive();
  });
  beforeEach(async () => {
    far = await startPipedrive(descriptions);
    desk = await openDestinationDesk(pipedrive, 'crm', {
      companyDomain: 'acme',
      apiRoot: far.root,
      auth: { type: 'token', token: TOKEN },
      webhook: HOOK,
      dealIdField: DEAL_ID,
      personIdField: PERSON_ID,
      statuses: { open: 2, pending: 3, solved: 'won' },
    });
    ({ out } = desk);
    far.now = () => out.clock.now();
    cursor = (await poll()).cursor;
    await desk.write('one');
    await desk.settled(1);
    deal = far.deals[0]!.id;
    await out.pass(10 * SECOND);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  async function poll(from?: string, on = desk.destination) {
    const { items, cursor: next, more } = await on.poll!(from, NEVER);
    const all: ActionInput[][] = [];
    for (const { body } of items) all.push(await on.normalize!(payload(body)));
    return { actions: all.flat(), cursor: next, more };
  }
  const payload = (body: Buffer, method = 'POLL'): Payload => ({
    endpointId: 'crm',
    receivedAt: out.clock.now(),
    method,
    url: '',
    headers: {},
    body,
  });
  const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
  const texts = ({ actions }: { actions: ActionInput[] }) =>
    actions.flatMap((each) => ('text' in each ? each.text : []));
  const asked = (path: string) => far.calls.filter((call) => call.path.split('?')[0] === path).length;
  const whole = () => Math.floor(out.clock.now() / SECOND) * SECOND;

  it('tells answers, notes and stages, with names, in their order, and of ours only that they are', async () => {
    far.note(deal, '<p>&gt;&gt; Tomorrow,<br>at noon.</p>');
    const first = whole();
    await out.pass(2 * SECOND);
    far.move(deal, { stage_id: 3 });
    const second = whole();
    await out.pass(2 * SECOND);
    far.note(deal, '<p>A regular.</p>');
    const { actions } = await poll(cursor);
    const [own, answer, moved, noted] = actions;
    const [ours, one, two] = far.notes.map(({ id }) => id);
    assert.deepEqual(own, { kind: 'ignored', name: `note ${ours}`, reason: 'ours' });
    const common = { ticket: String(deal), agent: 'Ivan Koval' };
    assert.deepEqual(answer, { kind: 'reply', id: `note:${one}`, at: first, ...common, text: 'Tomorrow,\nat noon.' });
    const status = { kind: 'status', id: `status:${deal}:${second}`, at: second, ...common, status: 'pending' };
    assert.deepEqual(moved, status);
    const words = { text: 'A regular.', html: '<p>A regular.</p>' };
    assert.deepEqual(noted, { kind: 'note', id: `note:${two}`, at: whole(), ...common, ...words });
  });

  it('tells each of it once, and rests when there is nothing', async () => {
    far.note(deal, '<p>late</p>');
    far.move(deal, { stage_id: 3 });
    const one = await poll(cursor);
    assert.deepEqual(kinds(one), ['ignored', 'note', 'status']);
    const two = await poll(one.cursor);
    assert.deepEqual([kinds(two), two.more], [[], false]);
    await out.pass(DAY, DAY);
    const before = far.calls.length;
    const three = await poll(two.cursor);
    assert.deepEqual([kinds(three), three.cursor], [[], two.cursor]);
    // The notes, and the deals.
    assert.equal(far.calls.length - before, 2);
  });

  it('tells a note that is shown after a later one', async () => {
    const at = out.clock.now();
    await out.pass(MINUTE);
    far.note(deal, '<p>quick</p>');
    const one = await poll(cursor);
    far.note(deal, '<p>slow</p>', { at });
    assert.deepEqual([texts(one), texts(await poll(one.cursor))], [['quick'], ['slow']]);
  });

  it('reads a note that says neither when it was changed nor who wrote it', async () => {
    const time = new Date(out.clock.now()).toISOString().slice(0, 19).replace('T', ' ');
    const note = { id: 5, deal_id: deal, content: '<p>bare</p>', add_time: time, update_time: null };
    far.end('GET /v1/notes', { http: 200, body: { success: true, data: [note] } });
    const { actions } = await poll(cursor);
    assert.deepEqual([texts({ actions }), (actions[0] as { agent: string }).agent], [['bare'], 'Pipedrive']);
  });

  it('takes what is changed or deleted later for no news', async () => {
    const note = far.note(deal, '<p>as it was</p>');
    const gone = far.note(deal, '<p>&gt;&gt; taken back</p>');
    gone.isThere = false;
    const one = await poll(cursor);
    assert.deepEqual(texts(one), ['as it was']);
    note.content = '<p>&gt;&gt; changed</p>';
    note.changed = out.clock.now();
    const two = await poll(one.cursor);
    await out.pass(DAY, DAY);
    note.changed = out.clock.now();
    assert.deepEqual([kinds(two), kinds(await poll(two.cursor))], [[], []]);
  });

  it('tells what was missed for days, however much', async () => {
    for (let day = 0; day < 3; day++) {
      await out.pass(DAY, DAY);
      for (let i = 0; i < 250; i++) far.note(deal, `<p>${day}.${i}</p>`);
    }
    const { actions, more } = await poll(cursor);
    assert.deepEqual([kinds({ actions }).filter((kind) => kind === 'note').length, more], [750, false]);
  }).timeout(20_000);

  it('goes on where it can not look through all at once, and loses none of it', async () => {
    await out.pass(DAY, DAY);
    const from = out.clock.now();
    const others = far.deals[0]!.id + 7000;
    for (let i = 0; i < 10_050; i++) far.note(others, '<p>of others</p>', { at: from + i * 10 });
    const late = far.note(deal, '<p>last</p>', { at: from + 100 * SECOND + 20 });
    // Written while much of the rest was not read yet, and changed after all of it.
    const changed = far.note(deal, '<p>changed</p>', { at: from });
    changed.changed = late.changed + SECOND;
    const one = await poll(cursor);
    assert.deepEqual([one.more, texts(one)], [true, []]);
    const two = await poll(one.cursor);
    assert.deepEqual([two.more, texts(two).sort()], [false, ['changed', 'last']]);
  }).timeout(30_000);

  it('passes over deals of others, and notes that are in no deal', async () => {
    const [ours] = far.deals;
    far.deals.push({
      ...ours!,
      id: 7,
      custom_fields: { [DEAL_ID]: 'order 5' },
      changelog: [],
      changed: out.clock.now(),
    });
    far.note(7, '<p>&gt;&gt; to somebody else</p>');
    far.move(7, { status: 'won' });
    far.note(4711, '<p>of a deal that is gone</p>');
    assert.deepEqual(kinds(await poll(cursor)), ['ignored']);
    assert.equal(asked('/v1/deals/7/changelog'), 0);
  });

  it('takes a note that a colleague copied from ours for his', async () => {
    far.note(deal, far.said(deal)[0]!);
    assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'note']);
  });

  it('hears the user of the token too, what he writes and moves himself', async () => {
    far.note(deal, '<p>&gt;&gt; by hand</p>', { by: ME });
    far.move(deal, { stage_id: 3 }, { by: ME, source: 'app' });
    assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'reply', 'status']);
  });

  it('knows its own changes from those of colleagues and of robots', async () => {
    const ticket = {} as never;
    await desk.destination.update!({ externalId: String(deal) }, { id: 'u', ticket, status: 'open' });
    const one = await poll(cursor);
    assert.deepEqual(one.actions.slice(1), [{ kind: 'ignored', name: 'deal open/2', reason: 'ours' }]);
    await out.pass(SECOND);
    far.move(deal, { status: 'won' }, { by: IVAN, source: 'workflow_automation' });
    const two = await poll(one.cursor);
    assert.deepEqual(kinds(two), ['status']);
    assert.equal((two.actions[0] as { status: string }).status, 'solved');
    // Of two within one second the colleague's is the one that counts.
    far.move(deal, { status: 'open' }, { by: ME, source: 'api' });
    far.move(deal, { stage_id: 3 });
    far.deals[0]!.changelog.reverse();
    assert.deepEqual(kinds(await poll(two.cursor)), ['status']);
  });

  it('waits until the changelog says who it was', async () => {
    far.hasChangelog = false;
    far.move(deal, { stage_id: 3 });
    const one = await poll(cursor);
    far.hasChangelog = true;
    assert.deepEqual([kinds(one), kinds(await poll(one.cursor))], [['ignored'], ['status']]);
  });

  it('asks who it was only where status or stage are others than they were', async () => {
    const log = `/v1/deals/${deal}/changelog`;
    const one = await poll(cursor);
    assert.equal(asked(log), 0);
    far.move(deal, { stage_id: 3 });
    const two = await poll(one.cursor);
    assert.equal(asked(log), 1);
    far.deals[0]!.changed = out.clock.now() + SECOND;
    const three = await poll(two.cursor);
    assert.deepEqual([asked(log), kinds(three)], [1, []]);
  });

  it('tells no move that was made long before it was asked', async () => {
    far.move(deal, { stage_id: 3 });
    await out.pass(DAY, DAY);
    const late = (await poll()).cursor;
    await out.pass(MINUTE);
    far.deals[0]!.changed = out.clock.now();
    assert.deepEqual(kinds(await poll(late)), []);
  });

  it('says of a stage that means nothing here that it does, and names who is gone by his number', async () => {
    far.move(deal, { stage_id: 9 });
    const one = await poll(cursor);
    const name = { kind: 'ignored', name: 'stage 9', reason: 'none of ours is called that: see `statuses`' };
    assert.deepEqual(one.actions[1], name);
    await out.pass(SECOND);
    far.move(deal, { status: 'lost' });
    const two = await poll(one.cursor);
    assert.equal((two.actions[0] as { name: string }).name, 'lost');
    await out.pass(SECOND);
    far.move(deal, { status: 'won' }, { by: 5 });
    const { actions } = await poll(two.cursor);
    assert.equal((actions[0] as { agent: string }).agent, 'Pipedrive user 5');
  });

  it('asks for no deals where no status is mapped', async () => {
    far.move(deal, { stage_id: 3 });
    const before = asked('/api/v2/deals');
    assert.deepEqual(kinds(await poll(cursor, desk.open({ statuses: {} }))), ['ignored']);
    assert.equal(asked('/api/v2/deals'), before);
  });

  it('knows answers by what is set for that, and takes nothing that is empty for one', async () => {
    const on = desk.open({ answerMark: '/ответ' });
    for (const text of ['/ОТВЕТ Завтра', '/ответить ему', '/ответ', 'no /ответ']) far.note(deal, `<p>${text}</p>`);
    const { actions } = await poll(cursor, on);
    assert.deepEqual(kinds({ actions }), ['ignored', 'reply', 'note', 'note', 'note']);
    assert.equal(texts({ actions })[0], 'Завтра');
  });

  describe('by its webhook', () => {
    const notice = (given: object): ActionInput => {
      const meta = { action: 'change', entity: 'deal', version: '2.0', ...(given as { meta?: object }).meta };
      const body = Buffer.from(JSON.stringify({ data: { id: deal }, previous: null, ...given, meta }));
      return (desk.destination.normalize!(payload(body, 'POST')) as ActionInput[])[0]!;
    };
    const request = (authorization: string | undefined): WebhookRequest => ({
      endpointId: 'crm',
      receivedAt: 0,
      method: 'POST',
      url: '/',
      headers: authorization === undefined ? {} : { authorization },
      body: Buffer.from('{}'),
    });
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    const verify = (authorization: string | undefined) => void desk.destination.webhook!.verify(request(authorization));

    it('is believed with its user and password, and refused with others', () => {
      verify(basic(`${HOOK.user}:${HOOK.password}`));
      const wrong = [undefined, '', basic(`${HOOK.user}:x`), basic(`x:${HOOK.password}`), `Bearer ${HOOK.password}`];
      for (const each of wrong) assert.throws(() => verify(each), BadPayloadError);
    });

    it('is woken by notes of colleagues and by moves of deals, and spares its tokens otherwise', () => {
      const created = { action: 'create', entity: 'note' };
      const wakes = [
        notice({ meta: created, data: { content: '<p>&gt;&gt; Yes</p>' } }),
        notice({ previous: { stage_id: 1 } }),
        notice({ previous: { status: 'open' } }),
        notice({}),
        ...(desk.destination.normalize!(payload(Buffer.from('{"event":"added.note"}'), 'POST')) as ActionInput[]),
        ...(desk.destination.normalize!(payload(Buffer.from('nonsense'), 'POST')) as ActionInput[]),
      ];
      assert.deepEqual([...new Set(wakes.map(({ kind }) => kind))], ['wake']);
      const idle = [
        notice({ meta: created, data: { content: far.said(deal)[0] } }),
        notice({ meta: { entity: 'note' }, data: { content: 'x' } }),
        notice({ previous: { title: 'x' } }),
        notice({ meta: { action: 'create' } }),
        notice({ meta: { entity: 'person' } }),
      ];
      assert.deepEqual(
        idle.map((each) => (each as { name?: string }).name),
        ['create.note', 'change.note', 'change.deal', 'create.deal', 'change.person'],
      );
    });

    it('is not there without user and password, and then it is asked more often', () => {
      const alone = desk.open({ webhook: undefined });
      assert.equal(alone.webhook, undefined);
      assert.ok(alone.pollEveryMs! < desk.destination.pollEveryMs!);
    });
  });
});
