import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { z } from 'zod';
import { Action } from '../src/core/action.ts';
import type { ActionInput } from '../src/core/action.ts';
import type { Payload } from '../src/core/payload.ts';
import { zammad } from '../src/dispatch/zammad/zammad.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { GATEWAY, startZammad, TOKEN, type Act, type FakeZammad } from './fakes/zammad.ts';
import { skipUnless } from './skip.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NEVER = new AbortController().signal;
const EXAMPLES = join(import.meta.dirname, '../../shared/specs/zammad/doc-examples.json');

describe('Zammad, asked what changed', () => {
  let far: FakeZammad;
  let desk: DestinationDesk;
  let out: Outgoing;
  let id: number;
  let cursor: string;
  beforeEach(async () => {
    far = await startZammad();
    desk = await openDestinationDesk(zammad, 'zammad', { apiRoot: far.root, token: TOKEN, group: 'Support' });
    ({ out } = desk);
    far.now = () => out.clock.now();
    cursor = (await poll()).cursor;
    await desk.write('one', 'email|olena@example.com');
    await desk.settled(1);
    id = far.tickets[0]!.id;
    await out.pass(15 * SECOND);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  type Said = ActionInput & { id: string; text: string; html?: string; agent: string; attachments: { id: string }[] };
  const payload = (body: Buffer, method = 'POLL'): Payload => ({
    endpointId: 'zammad',
    receivedAt: out.clock.now(),
    method,
    url: '',
    headers: {},
    body,
  });
  async function poll(from?: string): Promise<{ actions: Said[]; cursor: string }> {
    const actions: Said[] = [];
    for (let at = from; ;) {
      const page = await desk.destination.poll!(at, NEVER);
      for (const { body } of page.items)
        actions.push(...((await desk.destination.normalize!(payload(body))) as Said[]));
      if (!page.more) return { actions, cursor: page.cursor };
      at = page.cursor;
    }
  }
  const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
  const texts = ({ actions }: { actions: Said[] }) => actions.map(({ text }) => text);
  const calls = (name: string) => far.calls.filter((call) => call.name === name).length;
  /** What comes back of one article of an agent. */
  async function told(article: NonNullable<Act['article']>): Promise<Said> {
    far.act(id, { article });
    return (await poll(cursor)).actions[0]!;
  }
  const read = (file: { id: string }) =>
    desk.destination.download!({ ...file, name: 'a', mediaType: 'a/b' }, payload(Buffer.alloc(0)));

  it('tells what agents said and did, with their names and files, and nothing of ours', async () => {
    const quote = '<blockquote type="cite">Where?</blockquote>';
    far.act(id, {
      article: { body: `Tomorrow &amp; so.<br>${quote}`, files: { 'a.txt': 'bytes' } },
      state: 'pending reminder',
    });
    far.act(id, { article: { body: 'A regular.', internal: true } });
    const { actions } = await poll(cursor);
    assert.deepEqual(kinds({ actions }), ['reply', 'status', 'note']);
    const [reply, status] = actions;
    const { attachments, id: name, ...said } = reply!;
    const common = { ticket: String(id), at: out.clock.now(), agent: 'Ivan Petrenko' };
    assert.deepEqual(said, { kind: 'reply', ...common, text: 'Tomorrow & so.', html: 'Tomorrow &amp; so.<br>' });
    assert.match(name, /^article:\d+$/);
    assert.deepEqual({ ...status, id: '' }, { kind: 'status', id: '', ...common, status: 'pending' });
    assert.deepEqual({ ...attachments[0], id: '' }, { id: '', name: 'a.txt', mediaType: 'text/plain', size: 5 });
    assert.equal(await textOf(await read(attachments[0]!)), 'bytes');
    for (const action of actions) Action.parse(action);
  });

  it('tells what is quoted where there is nothing else', async () => {
    const body = '<blockquote type="cite">As I said</blockquote>';
    assert.equal((await told({ body })).text, 'As I said');
  });

  it('brings along pictures in an answer, which are no files there', async () => {
    const { text, html, attachments } = await told({ body: 'Like this:', picture: 'pixels' });
    assert.deepEqual([text, html, attachments.length], ['Like this:', undefined, 1]);
    const name = `picture-${attachments[0]!.id.split('/')[2]}.png`;
    assert.deepEqual({ ...attachments[0], id: '' }, { id: '', name, mediaType: 'image/png' });
    assert.equal(await textOf(await read(attachments[0]!)), 'pixels');
  });

  it('brings no picture of another article, nor of what is quoted', async () => {
    const image = (path: string) => `<img src="/api/v1/ticket_attachment/${path}?view=inline">`;
    far.act(id, { article: { body: 'For colleagues', internal: true, picture: 'secret' } });
    const [, article] = far.tickets[0]!.articles;
    const [path = ''] = /\d+\/\d+\/\d+/.exec(String(article!['body']))!;
    far.act(id, { article: { body: `See ${image(path)}` } });
    far.act(id, { article: { body: 'Yes.<blockquote type="cite">Look:', picture: 'his own' } });
    const { actions } = await poll(cursor);
    assert.deepEqual(
      actions.map(({ kind, attachments }) => [kind, attachments.length]),
      [
        ['note', 1],
        ['reply', 0],
        ['reply', 0],
      ],
    );
  });

  it('goes on where a picture is gone', async () => {
    far.end('GET /ticket_attachment/{id}/{id}/{id}', { http: 404 });
    const { attachments } = await told({ body: 'Like this:', picture: 'pixels' });
    assert.deepEqual(
      { ...attachments[0], id: '', name: '' },
      { id: '', name: '', mediaType: 'application/octet-stream' },
    );
  });

  describe('takes for an answer', () => {
    const email = (to: string) => ({ body: 'x', more: { type: 'email', to } });
    for (const [what, article, kind] of [
      ['an e-mail to the customer', email('Olena <OLENA@example.com>, boss@example.com'), 'reply'],
      ['one without a name', email('olena@example.com'), 'reply'],
      ['none that went to somebody else', email('Supplier <olena@example.com.test>, x@example.com'), 'note'],
      ['none that only names him', email('"<olena@example.com>" <supplier@example.com>'), 'note'],
      ['no internal e-mail', { ...email('olena@example.com'), internal: true }, 'note'],
      ['no record of a call', { body: 'x', more: { type: 'phone' } }, 'note'],
      ['nothing that Zammad brings by other ways', { body: 'x', more: { type: 'sms', to: '+380' } }, 'note'],
    ] as const) {
      it(what, async () => {
        assert.equal((await told(article)).kind, kind);
      });
    }

    it('no e-mail where the customer has no address', async () => {
      const customer = far.users.find((user) => user['email'] === 'olena@example.com')!;
      customer['email'] = '';
      assert.equal((await told(email(''))).kind, 'note');
    });
  });

  it('tells each of it once, and looks into nothing when there is nothing', async () => {
    far.act(id, { article: { body: 'a' } });
    const one = await poll(cursor);
    far.act(id, { article: { body: 'b' } });
    const two = await poll(one.cursor);
    assert.deepEqual([texts(one), texts(two)], [['a'], ['b']]);
    await out.pass(11 * SECOND);
    const three = await poll(two.cursor);
    const before = far.calls.length;
    assert.deepEqual([kinds(three), kinds(await poll(three.cursor)), far.calls.length - before], [[], [], 1]);
    await out.pass(3 * HOUR, HOUR);
    far.act(id, { article: { body: 'c' } });
    assert.deepEqual(texts(await poll(three.cursor)), ['c']);
  });

  it('tells nothing from before its time when an old ticket moves for the first time', async () => {
    far.act(id, { article: { body: 'before' }, state: 'pending reminder' });
    await out.pass(HOUR, 10 * MINUTE);
    const later = (await poll()).cursor;
    far.act(id, { article: { body: 'after' } });
    assert.deepEqual(texts(await poll(later)), ['after']);
  });

  /** So many more tickets, in each of which an agent says something, one every `ms`. */
  function move(count: number, ms: number): void {
    const begin = out.clock.now();
    for (let i = 0; i < count; i++) {
      const ticket = far.addTicket({ ...far.tickets[0]!.attributes });
      far.now = () => begin + i * ms;
      far.act(ticket.id, { article: { body: 'x' } });
    }
    far.now = () => out.clock.now();
  }

  for (const [when, ms] of [
    ['within days', 10 * MINUTE],
    ['at once', 0],
  ] as const) {
    it(`tells what was missed, however much it is, ${when}`, async () => {
      far.ahead = 5 * HOUR;
      move(450, ms);
      const { actions } = await poll(cursor);
      assert.deepEqual([actions.length, new Set(actions.map(({ id: each }) => each)).size], [450, 450]);
    }).timeout(30_000);
  }

  it('asks for no more of what moved than it can look into', async () => {
    move(900, 10 * MINUTE);
    await desk.destination.poll!(cursor, NEVER);
    assert.equal(calls('POST /tickets/search'), 1);
    assert.equal(calls('GET /ticket_history/{id}'), 50);
  });

  it('misses none whose place in the list changes while that is read', async () => {
    move(199, 100);
    const before = await poll(cursor);
    await out.pass(30 * SECOND, 10 * SECOND);
    move(45, SECOND);
    await out.pass(10 * MINUTE, MINUTE);
    far.meanwhile = () => {
      far.meanwhile = () => undefined;
      far.act(far.tickets[1]!.id, { article: { body: 'meanwhile' } });
    };
    const first = await poll(before.cursor);
    const second = await poll(first.cursor);
    assert.equal([...first.actions, ...second.actions].length, 46);
  }).timeout(20_000);

  it('gives up a list that does not end', async () => {
    move(199, 0);
    const { tickets } = far;
    const body = tickets.map(({ id: each }) => ({ id: each, state: 'open', updated_at: '2026-11-22T10:00:00Z' }));
    far.end('POST /tickets/search', ...Array.from({ length: 1000 }, () => ({ http: 200, body })));
    await assert.rejects(poll(cursor), /more tickets that moved than can be looked through/);
  }).timeout(20_000);

  it('knows its own words by their mark, so that its agent may also answer by hand', async () => {
    far.act(id, { by: GATEWAY, article: { body: 'by hand' }, state: 'closed' });
    assert.deepEqual(kinds(await poll(cursor)), ['reply']);
  });

  it('leaves out what the gateway wrote and set, whatever it is', async () => {
    const ticket = (await out.store.read.tickets({}, { limit: 1 })).data[0]!;
    await out.desk.note(ticket.id, { text: 'inside' }, 'user:usr_1');
    await desk.settled(2);
    await desk.destination.update!({ externalId: String(id) }, { id: 'tsk_1', ticket, status: 'pending' });
    assert.equal(far.tickets[0]!.state, 'pending reminder');
    assert.deepEqual(kinds(await poll(cursor)), []);
  });

  it('leaves out what customers and machines wrote', async () => {
    far.act(id, { article: { body: 'by mail', sender: 'Customer' } });
    far.act(id, { article: { body: 'auto reply', sender: 'System' } });
    assert.deepEqual(kinds(await poll(cursor)), ['ignored', 'ignored']);
  });

  it('reads names and plain texts as they are written, and no state that it was told nothing of', async () => {
    const more = { content_type: 'text/plain', from: 'Emma Taylor via <desk@example.com>' };
    far.act(id, { article: { body: 'a < b', more }, state: 'waiting' });
    const { actions } = await poll(cursor);
    const [said] = actions;
    assert.deepEqual([kinds({ actions }), said!.text, said!.agent], [['reply', 'ignored'], 'a < b', 'Emma Taylor']);
  });

  it('tells customers nothing of a merge, and what was answered before it', async () => {
    const other = far.addTicket({ customer_id: 4 });
    far.act(id, { article: { body: 'Tomorrow.', files: { 'a.txt': 'bytes' } } });
    far.merge(id, other.id);
    const { actions } = await poll(cursor);
    assert.deepEqual(texts({ actions }), ['Tomorrow.']);
    assert.equal(await textOf(await read(actions[0]!.attachments[0]!)), 'bytes');
  });

  it('passes over tickets of others, and what is gone', async () => {
    far.careless = true;
    const other = far.addTicket({ tributary_id: 'x-tkt_1' });
    far.act(other.id, { article: { body: 'not ours' } });
    far.act(id, { article: { body: 'ours, and taken back' } });
    far.tickets[0]!.articles.pop();
    far.act(id, { article: { body: 'ours' } });
    const one = await poll(cursor);
    assert.deepEqual([texts(one), calls('GET /ticket_history/{id}')], [['ours'], 1]);
    await out.pass(11 * SECOND);
    far.act(id, { article: { body: 'lost with its ticket' } });
    far.end('GET /ticket_history/{id}', { http: 403 });
    assert.deepEqual(texts(await poll(one.cursor)), []);
  });

  it('reads articles and people as the documentation shows them', async function () {
    skipUnless(this, existsSync(EXAMPLES), 'the collected examples are not beside the repository');
    const Example = z.object({ request: z.string(), kind: z.string(), json: z.unknown() });
    const all = z.array(Example).parse(JSON.parse(readFileSync(EXAMPLES, 'utf8')));
    const answerOf = (request: string) =>
      all.find((each) => each.request === request && each.kind === 'response')!.json;
    const articles = answerOf('GET /api/v1/ticket_articles/by_ticket/{ticket id}') as object[];
    assert.equal(articles.length, 2);
    articles.push(all.find(({ json }) => (json as { id?: number }).id === 37)!.json as object);
    const { cursor: later } = await poll(cursor);
    for (const article of articles) far.act(id, { article: { body: JSON.stringify(article) } });
    far.end('GET /ticket_articles/{id}', ...articles.map((body) => ({ http: 200, body })));
    const { actions } = await poll(later);
    assert.deepEqual(kinds({ actions }), ['ignored', 'note', 'reply']);
    assert.deepEqual(
      { ...actions[2]!.attachments[0], id: '' },
      { id: '', name: 'image1.png', mediaType: 'image/png', size: 3735 },
    );
    assert.equal(actions[2]!.attachments.length, 1);
    assert.deepEqual([actions[1]!.agent, actions[1]!.text.slice(0, 9)], ['Emma Taylor', 'Hi David,']);
    far.end('GET /ticket_articles/by_ticket/{id}', { http: 200, body: articles });
    const ticket = (await out.store.read.tickets({}, { limit: 1 })).data[0]!;
    const [said] = (await out.store.read.messages(ticket.id, { limit: 1 })).data;
    assert.equal(await desk.destination.hasMessage!({ externalId: String(id) }, said!), false);
    far.end('GET /users/me', { http: 200, body: answerOf('GET /api/v1/users/me') });
    assert.match(await desk.destination.test!(), /the token of chris@/);
  });
});
