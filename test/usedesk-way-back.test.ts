import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import type { ActionInput } from '../src/core/action.ts';
import { BadPayloadError, NotFoundError, PermanentError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { usedesk } from '../src/dispatch/usedesk/usedesk.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import { API_TOKEN, CHANNEL, DOMAIN, GATEWAY, startUsedesk, WEBHOOK_SECRET } from './fakes/usedesk.ts';
import type { FakeUsedesk } from './fakes/usedesk.ts';

const SECOND = 1000;
const NEVER = new AbortController().signal;
const CUSTOMER = 'written by a customer, not by an agent';

describe('What agents do in Usedesk', () => {
  let far: FakeUsedesk;
  let desk: DestinationDesk;
  let ours: string;
  let ticket: number;
  let cursor: string;
  beforeEach(async () => {
    far = await startUsedesk();
    const settings = { apiToken: API_TOKEN, apiRoot: far.root, channel: CHANNEL, user: GATEWAY, addressDomain: DOMAIN };
    desk = await openDestinationDesk(usedesk, 'usedesk', { ...settings, webhookSecret: WEBHOOK_SECRET });
    far.now = () => desk.out.clock.now();
    cursor = (await poll()).cursor;
    ours = await desk.write('one');
    await desk.settled(1);
    ticket = far.tickets[0]!.id;
    await desk.out.pass(15 * SECOND);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const payload = (body: Buffer, method = 'POLL'): Payload => ({
    endpointId: 'usedesk',
    receivedAt: desk.out.clock.now(),
    method,
    url: '',
    headers: {},
    body,
  });
  async function poll(from?: string) {
    const { items, cursor: next, more } = await desk.destination.poll!(from, NEVER);
    const all: ActionInput[][] = [];
    for (const { body } of items) all.push(await desk.destination.normalize!(payload(body)));
    // What says nothing isn't kept.
    assert.ok(all.every((actions) => actions.length > 0));
    return { actions: all.flat(), cursor: next, more };
  }
  const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
  const reasons = ({ actions }: { actions: ActionInput[] }) =>
    actions.map((each) => (each.kind === 'ignored' ? each.reason : each.kind));
  const idsOf = (actions: readonly ActionInput[]) =>
    actions.flatMap((each) => (each.kind === 'reply' ? [Number(each.ticket)] : []));
  const download = (id: string) =>
    desk.destination.download!({ id, name: 'a', mediaType: 'text/plain' }, payload(Buffer.alloc(0)));

  it('is told with their names and files: answers, notes and statuses', async () => {
    far.files.set('a.txt', Buffer.from('bytes'));
    const file = { id: 3, name: 'a.txt', file: `${far.root}/files/a.txt` };
    far.act(ticket, { message: '<p>Tomorrow &amp; early.<br>Ivan</p>', files: [file], status: 6 });
    far.act(ticket, { message: 'A regular.\nSince 2019.', type: 'private' });
    far.act(ticket, { status: 2, rule: 1260 });
    const { actions } = await poll(cursor);
    const [, reply, note, pending, solved] = actions as (ActionInput & { id: string; attachments: { id: string }[] })[];
    const { id, attachments, ...rest } = reply!;
    const common = { ticket: String(ticket), at: desk.out.clock.now(), agent: 'Ivan' };
    const html = '<p>Tomorrow &amp; early.<br>Ivan</p>';
    assert.deepEqual(rest, { kind: 'reply', ...common, text: 'Tomorrow & early.\nIvan', html });
    assert.match(id, /^comment:\d+$/);
    assert.deepEqual(
      { ...note, id: '' },
      { kind: 'note', id: '', ...common, text: 'A regular.\nSince 2019.', attachments: [] },
    );
    assert.deepEqual({ ...pending, id: '' }, { kind: 'status', id: '', ...common, status: 'pending' });
    assert.deepEqual({ ...solved, id: '' }, { kind: 'status', id: '', ...common, agent: 'Usedesk', status: 'solved' });
    assert.match(solved!.id, /^change:\d+$/);
    assert.equal(actions.length, 5);
    assert.deepEqual({ ...attachments[0]!, id: '' }, { id: '', name: 'a.txt', mediaType: 'application/octet-stream' });
    assert.equal(await textOf(await download(attachments[0]!.id)), 'bytes');
  });

  it('is not what the gateway did, but what others do under its name, or quote of it', async () => {
    await desk.out.desk.note(ours, { text: 'ours' }, 'user:usr_1');
    await desk.settled(2);
    const { message } = far.tickets[0]!.comments.at(-1)!;
    const about = await desk.out.store.read.ticket(ours);
    await desk.destination.update!({ externalId: String(ticket) }, { id: 'x', ticket: about!, status: 'solved' });
    far.act(ticket, { message });
    far.act(ticket, { message, by: GATEWAY });
    far.act(ticket, { message: `see below ${message}`, by: GATEWAY });
    far.act(ticket, { status: 6, by: GATEWAY, rule: 5 });
    assert.deepEqual(reasons(await poll(cursor)), [
      CUSTOMER,
      'ours',
      'reply',
      'ours',
      'reply',
      'ours',
      'ours',
      'status',
    ]);
  });

  it('is not what a customer wrote, nor what that made of the ticket', async () => {
    far.act(ticket, { status: 2 });
    await desk.write('two');
    await desk.settled(2);
    assert.equal(far.tickets[0]!.status, 1);
    const { actions } = await poll(cursor);
    assert.deepEqual(reasons({ actions }), [CUSTOMER, CUSTOMER, 'status', 'what a message of the customer made of it']);
  });

  it('is said by rules too, and by nobody else', async () => {
    far.act(ticket, { message: 'We have your message.', from: 'trigger' });
    far.act(ticket, { message: 'x', from: 'import' });
    far.act(ticket, { message: 'x', type: 'forward' });
    const { actions } = await poll(cursor);
    assert.deepEqual(reasons({ actions }).slice(1), [
      'reply',
      'written by import, which is no agent',
      'neither public nor private: forward',
    ]);
    assert.equal((actions[1] as { agent: string }).agent, 'Usedesk');
  });

  it('is named where none of our statuses is called that', async () => {
    far.act(ticket, { status: 10 });
    assert.deepEqual(reasons(await poll(cursor)).slice(1), ['status 10: none of ours is called that, see `statuses`']);
  });

  it('is told without a name where that can not be had', async () => {
    far.act(ticket, { message: 'x', by: 77 });
    far.act(ticket, { message: 'y', by: 78 });
    far.end('/users', { http: 200, body: {} }, { http: 200, body: {} }, { http: 200, body: {} }, { http: 403 });
    const { actions } = await poll(cursor);
    assert.deepEqual(
      actions.slice(1).map((each) => (each as { agent: string }).agent),
      ['agent 77', 'agent 78'],
    );
    far.act(ticket, { message: 'z', by: 77 });
    const before = far.calls.length;
    await poll(cursor);
    assert.ok(far.calls.slice(before).every(({ path }) => path !== '/users'));
  });

  it('is told in the order in which it was done, and no change that changes no status', async () => {
    far.act(ticket, { message: 'a' });
    far.act(ticket, { message: 'b' });
    far.act(ticket, { status: 6 });
    const { comments, changes } = far.tickets[0]!;
    const { id, ...other } = changes.at(-1)!;
    changes.push({ ...other, id: Number(id) + 1, new_status: 0 });
    changes.push({ ...other, id: Number(id) + 2, old_status: 2, new_status: 2 });
    comments.reverse();
    const { actions } = await poll(cursor);
    const told = actions.map((each) => (each.kind === 'reply' ? each.text : each.kind));
    assert.deepEqual(told, ['ignored', 'a', 'b', 'status']);
  });

  it('asks for no name that is there already, or can be nobody’s', async () => {
    far.act(ticket, { message: 'x' });
    Object.assign(far.tickets[0]!.comments.at(-1)!, { user: { name: 'Petro' } });
    far.act(ticket, { message: 'y', by: 0 });
    const { actions } = await poll(cursor);
    assert.deepEqual(
      actions.slice(1).map((each) => (each as { agent: string }).agent),
      ['Petro', 'Usedesk'],
    );
    assert.ok(!far.calls.some(({ path }) => path === '/users'));
  });

  it('is told once each, also what came within the same second, and not asked for when there is nothing', async () => {
    far.act(ticket, { message: 'a', status: 2 });
    const one = await poll(cursor);
    far.act(ticket, { message: 'b' });
    far.act(ticket, { status: 6 });
    const two = await poll(one.cursor);
    assert.deepEqual(
      [kinds(one), kinds(two)],
      [
        ['ignored', 'reply', 'status'],
        ['reply', 'status'],
      ],
    );
    await desk.out.pass(11 * SECOND);
    const three = await poll(two.cursor);
    const before = far.calls.length;
    const four = await poll(three.cursor);
    assert.deepEqual([kinds(three), kinds(four), far.calls.length - before], [[], [], 1]);
    await assert.rejects(desk.destination.poll!(cursor, AbortSignal.abort()));
    assert.equal(far.calls.length - before, 1);
  });

  it('is nothing from before its time when an old ticket moves for the first time', async () => {
    far.act(ticket, { message: 'before', status: 6 });
    await desk.out.pass(3600 * SECOND, 600 * SECOND);
    const later = (await poll()).cursor;
    far.act(ticket, {});
    const first = await poll(later);
    far.act(ticket, { message: 'after', status: 2 });
    assert.deepEqual([kinds(first), kinds(await poll(first.cursor))], [[], ['reply', 'status']]);
  });

  it('is none of our business in tickets of others, and gone with a ticket that was deleted', async () => {
    const others = { ...far.tickets[0]!, additional: '4512', comments: [], changes: [] };
    far.tickets.push({ ...others, id: 7 }, { ...others, id: 8, additional: null });
    far.tickets.push({ ...others, id: 9, fields: { ...others.fields, channel_id: 5 }, additional: ours });
    for (const id of [7, 8, 9]) far.act(id, { message: 'not ours' });
    assert.deepEqual(kinds(await poll(cursor)), ['ignored']);
    assert.ok(!far.calls.some(({ path, body }) => path === '/ticket' && body['ticket_id'] === 9));
    far.act(ticket, { message: 'x' });
    await desk.out.pass(11 * SECOND);
    far.end('/ticket', { http: 404 }, { http: 404 }, { http: 404 });
    const gone = await poll(cursor);
    assert.deepEqual(gone.actions, []);
    await desk.out.pass(120 * SECOND, 10 * SECOND);
    const asked = far.calls.length;
    await poll(gone.cursor);
    assert.ok(!far.calls.slice(asked).some(({ path, body }) => path === '/ticket' && body['ticket_id'] === ticket));
    far.end('/ticket', { http: 410 });
    await assert.rejects(poll(cursor), PermanentError);
    desk.use({ channel: 5 });
    assert.deepEqual([...new Set(idsOf((await poll(cursor)).actions))], [9]);
  });

  it('is named where it may not be looked into, and is told once it may', async () => {
    far.act(ticket, { message: 'x' });
    far.end('/ticket', { http: 200, body: { error: 'Access denied' } });
    const one = await poll(cursor);
    const reason = 'Usedesk refused /ticket: Access denied; it is looked into again for a day';
    const refusal = { kind: 'ignored', name: `ticket ${ticket}`, reason };
    assert.deepEqual(one.actions, [refusal]);
    await desk.out.pass(SECOND);
    far.act(ticket, { message: 'y' });
    assert.deepEqual(reasons(await poll(one.cursor)), [CUSTOMER, 'reply', 'reply']);
  });

  it('is told once its ticket may be looked into again, also where only others moved meanwhile', async () => {
    far.act(ticket, { message: 'x' });
    const denied = { http: 200, body: { error: 'Access denied' } };
    far.end('/ticket', denied);
    const one = await poll(cursor);
    await desk.out.pass(70 * SECOND, 10 * SECOND);
    far.end('/ticket', denied);
    const two = await poll(one.cursor);
    await desk.out.pass(120 * SECOND, 10 * SECOND);
    far.tickets.push({ ...far.tickets[0]!, id: 5000, comments: [], changes: [] });
    far.act(5000, { message: 'y' });
    const three = await poll(two.cursor);
    assert.deepEqual(
      [two, three].map(reasons),
      [[], ['reply', CUSTOMER, 'reply']],
      'it is said once that it is refused',
    );
    assert.deepEqual(idsOf(three.actions), [5000, ticket]);
    assert.deepEqual(kinds(await poll(three.cursor)), []);
  });

  /** So many more tickets, in each of which an agent says something, one every `ms`. */
  function move(count: number, ms: number): void {
    const begin = desk.out.clock.now();
    for (let i = 0; i < count; i++) {
      far.tickets.push({ ...far.tickets[0]!, id: 5000 + i, comments: [], changes: [] });
      far.now = () => begin + i * ms;
      far.act(5000 + i, { message: 'x' });
    }
    far.now = () => desk.out.clock.now();
  }

  for (const [when, ms] of [
    ['within a day', 30 * SECOND],
    ['at once', 0],
  ] as const) {
    it(`is told the oldest first, however many tickets moved ${when}`, async () => {
      move(600, ms);
      const one = await poll(cursor);
      const two = await poll(one.cursor);
      assert.deepEqual([one.more, two.more], [true, true]);
      assert.deepEqual(
        idsOf([...one.actions, ...two.actions]),
        Array.from({ length: 99 }, (_, i) => 5000 + i),
      );
    }).timeout(20_000);
  }

  it('is asked for no further than it can be looked into', async () => {
    move(1200, 30 * SECOND);
    const before = far.calls.length;
    await poll(cursor);
    assert.ok(far.calls.slice(before).filter(({ path }) => path === '/tickets').length < 6);
  });

  it('is not missed where the list changes its order meanwhile, or has another one', async () => {
    move(140, 60 * SECOND);
    await desk.out.pass(4 * 3600 * SECOND, 3600 * SECOND);
    far.meanwhile = () => {
      far.meanwhile = () => undefined;
      far.act(5000, { message: 'meanwhile', type: 'private' });
    };
    const all: ActionInput[] = [];
    for (let next: string | undefined = cursor, more: boolean | undefined = true; more;) {
      const found = await poll(next);
      all.push(...found.actions);
      [next, more] = [found.cursor, found.more];
    }
    assert.equal(idsOf(all).length, 140);

    far.shuffle = (listed) => listed.toReversed();
    const first = await poll(cursor);
    assert.deepEqual(idsOf(first.actions).slice(0, 2), [5001, 5002]);
  }).timeout(20_000);

  it('stops where there is no end to it', async () => {
    far.shuffle = () => Array.from({ length: 20_000 }, () => far.tickets[0]!);
    await assert.rejects(poll(cursor), /more tickets than can be looked through/);
  }).timeout(20_000);

  it('brings files from where Usedesk has them, and from nowhere else', async () => {
    far.files.set('b.txt', Buffer.from('more'));
    const root = far.root;
    far.act(ticket, {
      message: 'x',
      files: [`${root}/files/b.txt`, 'https://files.example.com/a.txt', { id: 5 }, 'b.txt'],
    });
    const comment = far.tickets[0]!.comments.at(-1)!;
    const { actions } = await poll(cursor);
    const { attachments } = actions[1] as { attachments: { id: string; name: string }[] };
    assert.deepEqual(
      attachments.map(({ name }) => name),
      ['b.txt', 'a.txt', 'file', 'file'],
    );
    assert.equal(await textOf(await download(attachments[0]!.id)), 'more');
    await assert.rejects(download(attachments[1]!.id), /files\.example\.com .* none of its own/);
    await assert.rejects(download(attachments[2]!.id), NotFoundError);
    await assert.rejects(download(attachments[3]!.id), PermanentError);
    await assert.rejects(download(`${ticket}/${comment.id}/9`), NotFoundError);
    far.moved.set('b.txt', `${root}/files/c.txt`);
    far.files.set('c.txt', Buffer.from('moved'));
    assert.equal(await textOf(await download(attachments[0]!.id)), 'moved');
    far.moved.set('b.txt', `${root.replace('127.0.0.1', 'localhost')}/files/c.txt`);
    await assert.rejects(download(attachments[0]!.id));
    far.moved.clear();
    for (const wrong of ['http://secure.usedesk.ru/a', 'https://usedesk.ru.example.com/a', 'https://notusedesk.ru/a']) {
      comment.files[0] = wrong;
      await assert.rejects(download(attachments[0]!.id), /none of its own/);
    }
  });

  it('brings files from hosts that the operator names', async () => {
    far.act(ticket, { message: 'x', files: ['https://127.0.0.1:1/a.txt'] });
    const id = `${ticket}/${far.tickets[0]!.comments.at(-1)!.id}/0`;
    await assert.rejects(download(id), /none of its own/);
    desk.use({ fileHosts: ['127.0.0.1'] });
    await assert.rejects(download(id), (error: Error) => !/none of its own/.test(error.message));
  });

  describe('is pushed by a webhook', () => {
    const request = (body: string): WebhookRequest => ({ ...payload(Buffer.from(body), 'POST') });
    const verify = (body: string) => desk.destination.webhook!.verify(request(body));
    const told = (body: string) => desk.destination.normalize!(payload(Buffer.from(body), 'POST'));

    it('that is believed where it knows the secret, and only wakes', () => {
      for (const about of ['comment', 'trigger']) {
        const body = JSON.stringify({ secret: WEBHOOK_SECRET, [about]: { id: 1 } });
        const form = new URLSearchParams({ secret: WEBHOOK_SECRET, [`${about}[id]`]: '1' }).toString();
        for (const each of [body, form]) {
          void verify(each);
          assert.deepEqual(told(each), [{ kind: 'wake' }]);
        }
      }
      for (const about of ['ticket', 'csi', 'chat_id', 'other']) {
        assert.deepEqual(kinds({ actions: told(JSON.stringify({ [about]: 1 })) as ActionInput[] }), ['ignored']);
      }
    });

    it('that is refused without it, and is not there where none is set', () => {
      for (const secret of ['x', '', null, [WEBHOOK_SECRET], undefined]) {
        assert.throws(() => void verify(JSON.stringify({ secret, comment: {} })), BadPayloadError);
      }
      assert.throws(() => void verify('secret=x&comment[id]=1'), BadPayloadError);
      assert.throws(() => void verify(''), BadPayloadError);
      assert.equal(desk.open({ webhookSecret: undefined }).webhook, undefined);
    });
  });
});
