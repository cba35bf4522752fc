import assert from 'node:assert/strict';
import type { ActionInput } from '../src/core/action.ts';
import type { Payload } from '../src/core/payload.ts';
import { salesforce } from '../src/dispatch/salesforce/salesforce.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { CLIENT_ID, CLIENT_SECRET, CUSTOMER, GATEWAY, MACHINE, startSalesforce } from './fakes/salesforce.ts';
import type { FakeSalesforce } from './fakes/salesforce.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const NEVER = new AbortController().signal;

describe('What agents do in Salesforce', () => {
  let far: FakeSalesforce;
  let desk: DestinationDesk;
  let out: Outgoing;
  let cursor: string;
  let own: string;
  beforeEach(async () => {
    far = await startSalesforce();
    const settings = { apiRoot: far.root, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET };
    desk = await openDestinationDesk(salesforce, 'salesforce', settings);
    ({ out } = desk);
    far.now = () => out.clock.now();
    cursor = (await poll()).cursor;
    await desk.write('one');
    await desk.settled(1);
    own = far.rows('Case')[0]!.Id;
    await out.pass(15 * SECOND);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const payload = (body: Buffer, method = 'POLL'): Payload => ({
    endpointId: 'salesforce',
    receivedAt: out.clock.now(),
    method,
    url: '',
    headers: {},
    body,
  });
  async function poll(from?: string) {
    const { items, cursor: next, more } = await desk.destination.poll!(from, NEVER);
    const all: ActionInput[][] = [];
    for (const { body } of items) all.push(await desk.destination.normalize!(payload(body)));
    return { actions: all.flat(), cursor: next, more };
  }
  const reasons = ({ actions }: { actions: ActionInput[] }) =>
    actions.map((each) => (each.kind === 'ignored' ? each.reason : each.kind));

  it('comes as answers, notes and statuses, with names and times', async () => {
    far.setStatus(own, 'On Hold');
    const [status] = far.rows('CaseHistory');
    far.rows('CaseHistory').push({ ...status!, Id: '017000000000999AAA', Field: 'Priority', NewValue: 'New' });
    await out.pass(SECOND);
    const reply = far.comment(own, 'Tomorrow.\r\nIvan');
    await out.pass(SECOND);
    const note = far.comment(own, 'A regular.', { published: false });
    const { actions } = await poll(cursor);
    const at = out.clock.now() - (out.clock.now() % SECOND);
    const common = { ticket: own, agent: 'Ivan' };
    assert.deepEqual(actions, [
      { kind: 'status', id: `status:${status!.Id}`, ...common, at: at - 2 * SECOND, status: 'pending' },
      { kind: 'reply', id: `reply:${reply.Id}`, ...common, at: at - SECOND, text: 'Tomorrow.\nIvan' },
      { kind: 'note', id: `note:${note.Id}`, ...common, at, text: 'A regular.' },
    ]);
  });

  it('leaves out what we did ourselves, and hears whoever quotes it, or says something as our user', async () => {
    const id = (await out.store.read.tickets({}, { limit: 1 })).data[0]!.id;
    await out.desk.note(id, { text: 'ours' }, 'user:usr_1');
    await desk.settled(2);
    const ticket = (await out.store.read.ticket(id))!;
    await desk.destination.update!({ externalId: own }, { id: 'tsk_1', ticket, status: 'solved' });
    const ours = String(far.rows('CaseComment')[0]!['CommentBody']);
    far.comment(own, ours);
    far.comment(own, `${ours}\nSee above.`, { by: GATEWAY, published: false });
    assert.deepEqual(reasons(await poll(cursor)).sort(), ['note', 'ours', 'ours', 'reply']);
  });

  it('does not take what customers and machines write for answers, nor what has no words', async () => {
    far.comment(own, 'Hello?', { by: CUSTOMER });
    far.comment(own, 'We have your case.', { by: MACHINE });
    far.comment(own, ' \n');
    far.setStatus(own, 'Somewhere');
    const MINE = 'written by a customer or a machine, not by an agent';
    const NONE = 'none of ours is called that: see `statuses`';
    assert.deepEqual(reasons(await poll(cursor)), [MINE, MINE, 'without words', NONE]);
  });

  it('is told once, in our cases only', async () => {
    far.rows('Case').push({ Id: '500000000000777AAA', Status: 'New' });
    far.comment('500000000000777AAA', 'another case');
    far.setStatus('500000000000777AAA', 'Closed');
    far.comment(own, 'a');
    const one = await poll(cursor);
    far.comment(own, 'b');
    const two = await poll(one.cursor);
    const three = await poll(two.cursor);
    assert.deepEqual([reasons(one), reasons(two), reasons(three)], [['reply'], ['reply'], []]);
    await out.pass(60 * MINUTE, 20 * MINUTE);
    far.comment(own, 'c');
    const four = await poll(three.cursor);
    assert.deepEqual(reasons(four), ['reply']);
    assert.equal(Object.keys((JSON.parse(four.cursor) as { comments: { seen: object } }).comments.seen).length, 1);
  });

  it('is missed nowhere, however late a transaction ends', async () => {
    far.comment(own, 'slow', { showsAt: out.clock.now() + 10 * MINUTE });
    let at = cursor;
    const told: string[] = [];
    for (let i = 0; i < 12; i++) {
      far.comment(own, `quick ${i}`, { published: false });
      const { actions, cursor: next } = await poll(at);
      told.push(...actions.map(({ kind }) => kind));
      at = next;
      await out.pass(MINUTE, 10 * SECOND);
    }
    assert.deepEqual([told.filter((kind) => kind === 'reply').length, told.length], [1, 13]);
  });

  it('is an answer once it is made public, however much later', async () => {
    const note = far.comment(own, 'It is in stock.', { published: false });
    const one = await poll(cursor);
    await out.pass(60 * MINUTE, 20 * MINUTE);
    far.comment(own, 'Wait.', { published: false });
    const two = await poll(one.cursor);
    far.publish(note);
    const three = await poll(two.cursor);
    assert.deepEqual([reasons(one), reasons(two), reasons(three)], [['note'], ['note'], ['reply']]);
    assert.deepEqual(reasons(await poll(three.cursor)), []);
  });

  it('is an answer once it is made public, also at once', async () => {
    const note = far.comment(own, 'It is in stock.', { published: false });
    const one = await poll(cursor);
    await out.pass(SECOND);
    far.publish(note);
    assert.deepEqual([reasons(one), reasons(await poll(one.cursor))], [['note'], ['reply']]);
  });

  it('is not told of what was said before the beginning, also when it is changed later', async () => {
    const old = far.comment(own, 'long ago', { published: false });
    await out.pass(60 * MINUTE, 20 * MINUTE);
    const later = (await poll()).cursor;
    far.publish(old);
    assert.deepEqual(reasons(await poll(later)), []);
  });

  it('is read to the end, however much of it there is, also within one second', async () => {
    for (let i = 0; i < 1100; i++) far.comment(own, `c${i}`);
    const { actions, more } = await poll(cursor);
    assert.deepEqual([new Set(actions.map((each) => ('id' in each ? each.id : ''))).size, more], [1100, false]);
  });

  it('goes on behind what one poll can read', async () => {
    const row = far.comment(own, 'x');
    const rows = far.rows('CaseComment');
    const minute = (i: number) => new Date(out.clock.now() + i * MINUTE).toISOString().slice(0, 19) + '.000+0000';
    for (let i = 1; i < 20_100; i++) {
      const time = minute(Math.floor(i / 4000));
      rows.push({ ...row, Id: `00a1${String(i).padStart(11, '0')}AAA`, SystemModstamp: time, CreatedDate: time });
    }
    const one = await desk.destination.poll!(cursor, NEVER);
    const two = await desk.destination.poll!(one.cursor, NEVER);
    assert.deepEqual([one.items.length, one.more, two.more], [20_000, true, false]);
    assert.equal(one.items.length + two.items.length, 20_100);
  }).timeout(60_000);

  it('is asked for at once when a flow calls, by whoever knows the address', async () => {
    assert.deepEqual(await desk.destination.normalize!(payload(Buffer.from('no JSON'), 'POST')), [{ kind: 'wake' }]);
    assert.equal(desk.destination.webhook, undefined);
    const called = desk.open({ webhookToken: 'sample-token-of-the-flow' });
    assert.equal(called.webhook!.token!.reveal(), 'sample-token-of-the-flow');
    assert.ok(called.pollEveryMs! > desk.destination.pollEveryMs!);
  });
});
