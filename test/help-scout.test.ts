import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { inspect } from 'node:util';
import type { ActionInput } from '../src/core/action.ts';
import type { Destination } from '../src/core/destination.ts';
import { AuthExpiredError, BadPayloadError, type PermanentError } from '../src/core/errors.ts';
import type { Payload, WebhookRequest } from '../src/core/payload.ts';
import { hmac } from '../src/core/signature.ts';
import { helpScout } from '../src/dispatch/help-scout/help-scout.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeContext } from './fakes/context.ts';
import { message } from './fakes/filing.ts';
import { APP_ID, APP_SECRET, DOMAIN, GATEWAY, MAILBOX, startHelpScout, WEBHOOK_SECRET } from './fakes/help-scout.ts';
import type { FakeHelpScout } from './fakes/help-scout.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const NEVER = new AbortController().signal;

describe('Help Scout as a destination', () => {
  let far: FakeHelpScout;
  let out: Outgoing;
  let egress: Egress;
  let destination: Destination;
  beforeEach(async () => {
    far = await startHelpScout();
    out = await openOutgoing([{ id: 'help-scout', carries: 'tickets' }]);
    egress = createHttp({ allow: ['127.0.0.1'] });
    far.now = () => out.clock.now();
    destination = open();
    out.addDestination('help-scout', destination);
    out.addChannel('chat', { reply: async () => undefined });
  });
  afterEach(async () => {
    await out.close();
    egress.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  function open(given: object = {}): Destination {
    const app = { appId: APP_ID, appSecret: APP_SECRET, apiRoot: far.root, mailbox: MAILBOX, addressDomain: DOMAIN };
    const config = helpScout.config.parse({ ...app, webhookSecret: WEBHOOK_SECRET, ...given });
    const context = fakeContext({ id: 'help-scout', clock: out.clock, http: egress.for({ hosts: [] }) });
    return helpScout.open(config, context) as Destination;
  }
  const write = async (text: string) => (await out.file(message('telegram|1', { text })))[0]!.ticketId!;
  const delivered = async () => (await out.deliveries()).filter(({ state }) => state === 'delivered').length;
  async function settled(count: number): Promise<void> {
    for (let i = 0; i < 100 && (await delivered()) < count; i++) await out.pass(100);
    assert.equal(await delivered(), count);
  }
  const said = () => far.conversations.map(({ id }) => far.said(id).length);
  const called = (name: string) => far.calls.filter(({ method, path }) => `${method} ${path}` === name).length;
  const created = () => called('POST /conversations');

  describe('whose answer was lost', () => {
    for (const indexed of [true, false]) {
      it(`is asked for the conversation, which a search ${indexed ? 'finds' : 'does not find yet'}`, async () => {
        far.indexed = () => indexed;
        far.end('POST /conversations', 'lost');
        await write('one');
        await write('two');
        await out.until(() => far.conversations.length > 0);
        await out.pass(6 * SECOND);
        await settled(2);
        assert.deepEqual([said(), created()], [[2], 1]);
      });
    }

    it('looks through all that was made within the hour, and at nothing older', async () => {
      const id = await write('one');
      await settled(1);
      far.indexed = () => false;
      const [ours] = far.conversations;
      for (let i = 0; i < 60; i++) far.conversations.push({ ...ours!, id: 5000 + i, threads: [] });
      const ticket = (await out.store.read.ticket(id))!;
      assert.equal((await destination.findTicket!(ticket))?.externalId, String(ours!.id));
      await out.pass(2 * 3600 * SECOND, 600 * SECOND);
      const before = far.calls.length;
      assert.equal(await destination.findTicket!(ticket), undefined);
      assert.equal(far.calls.length - before, 2);
    });

    it('creates it when nothing had arrived', async () => {
      far.end('POST /conversations', 'cut', 'cut');
      await write('one');
      await out.pass(60 * SECOND);
      await settled(1);
      assert.deepEqual(said(), [1]);
    });

    it('is not believed when it does not say which conversation it made', async () => {
      far.end('POST /conversations', { http: 201 });
      const id = await write('one');
      await out.until(() => created() === 1);
      await out.pass(SECOND);
      assert.deepEqual((await out.store.read.ticket(id))!.links, []);
    });

    it('is asked for a message too', async () => {
      await write('one');
      await settled(1);
      far.end('POST /conversations/{id}/customer', 'lost');
      await write('two');
      await out.pass(10 * SECOND);
      await settled(2);
      assert.deepEqual(said(), [2]);
    });

    it('is spared as long as it says in its own words', async () => {
      far.end('POST /conversations', { http: 429, headers: { 'x-ratelimit-retry-after': '120' } });
      await write('one');
      await out.until(() => created() === 1);
      await out.pass(100 * SECOND, 10 * SECOND);
      assert.equal(created(), 1);
      await out.pass(40 * SECOND, 10 * SECOND);
      await settled(1);
    });
  });

  describe('its tokens', () => {
    it('are asked for once by all that wait, and kept while they are good', async () => {
      await Promise.all([destination.test!(), destination.test!(), destination.test!()]);
      assert.equal(called('POST /oauth2/token'), 1);
      await out.pass(3 * 24 * 3600 * SECOND, 24 * 3600 * SECOND);
      await destination.test!();
      assert.equal(called('POST /oauth2/token'), 2);
    });

    it('are renewed when one is refused before its time', async () => {
      await destination.test!();
      for (const token of far.tokens.keys()) far.tokens.set(token, false);
      await destination.test!();
      assert.equal(called('POST /oauth2/token'), 2);
    });

    it('are not given to a wrong application, which a person must correct', async () => {
      const wrong = open({ appSecret: 'another-secret' }).test!();
      await assert.rejects(wrong, (error: AuthExpiredError) => {
        assert.ok(error instanceof AuthExpiredError);
        assert.match(error.message, /invalid_client/);
        return error.response === undefined;
      });
    });
  });

  it('tells nobody its secret, not even where an answer quotes it', async () => {
    far.end('POST /oauth2/token', { http: 400, body: { said: `client_secret=${APP_SECRET}` } });
    await assert.rejects(destination.test!(), (error: PermanentError) => {
      assert.match(error.response!.text, /client_secret=\[secret\]/);
      return !inspect(error).includes(APP_SECRET);
    });
  });

  it('goes on in another conversation where one is full, also when that answer was lost', async () => {
    const id = await write('one');
    await settled(1);
    const [full] = far.conversations;
    while (full!.threads.length < 100) far.act(full!.id, { type: 'note', body: 'busy' });
    far.indexed = (each) => each === full!.id;
    far.end('POST /conversations', 'lost');
    await write('two');
    await out.until(() => far.conversations.length === 2);
    await out.pass(6 * SECOND);
    await settled(2);
    await write('three');
    await settled(3);
    assert.deepEqual([said(), created()], [[100, 2], 2]);
    const { links } = (await out.store.read.ticket(id))!;
    assert.equal(links[0]!.externalId, String(far.conversations[1]!.id));
  });

  it('carries a message without the files that it refuses, and names them', async () => {
    const files = [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }];
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await out.file(message('telegram|1', { text: 'see this', attachments: files }));
    await out.until(() => far.conversations.length > 0);
    assert.equal(String(far.files.get('a.txt')), 'bytes');
    far.end('POST /conversations/{id}/customer', { http: 400 });
    await out.file(message('telegram|1', { text: 'and this', attachments: files }));
    await out.until(() => (said()[0] ?? 0) > 1);
    const [, second] = far.said(far.conversations[0]!.id);
    assert.match(second!, /and this .*a\.txt .* is not attached: Help Scout did not take it/);
  });

  it('does not send a message again without its files where nobody knows what came of it', async () => {
    const files = [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }];
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    far.end('POST /conversations', 'lost');
    await out.file(message('telegram|1', { text: 'see this', attachments: files }));
    await out.until(() => far.conversations.length > 0);
    await out.pass(10 * SECOND);
    assert.deepEqual([said(), created()], [[1], 1]);
  });

  it('mails nobody, and leaves the status as it is, whatever it writes for colleagues', async () => {
    const id = await write('one');
    await settled(1);
    far.act(far.conversations[0]!.id, { type: 'lineitem', status: 'closed' });
    await out.desk.note(id, { text: 'inside' }, 'user:usr_1');
    await settled(2);
    assert.equal(far.conversations[0]!.status, 'closed');
    assert.equal(far.conversations[0]!.customer.email.split('@')[1], DOMAIN);
  });

  it('fails only the ticket whose mapping gives nonsense', async () => {
    out.addDestination('help-scout', open({ fields: { assignTo: '/ticket/subject' } }));
    await write('one');
    await out.pass(2 * SECOND);
    assert.match((await out.error('help-scout'))!, /gives assignTo the value .*, not a number/);
    assert.equal(created(), 0);
  });

  describe('asked what changed', () => {
    const payload = (body: Buffer, method = 'POLL'): Payload => ({
      endpointId: 'help-scout',
      receivedAt: out.clock.now(),
      method,
      url: '',
      headers: {},
      body,
    });
    async function poll(from?: string) {
      const { items, cursor: next } = await destination.poll!(from, NEVER);
      const all: ActionInput[][] = [];
      for (const { body } of items) all.push(await destination.normalize!(payload(body)));
      return { actions: all.flat(), cursor: next };
    }
    const kinds = ({ actions }: { actions: ActionInput[] }) => actions.map(({ kind }) => kind);
    const reasons = ({ actions }: { actions: ActionInput[] }) =>
      actions.map((each) => (each.kind === 'ignored' ? each.reason : each.kind));
    let conversation: number;
    let cursor: string;
    beforeEach(async () => {
      cursor = (await poll()).cursor;
      await write('one');
      await settled(1);
      conversation = far.conversations[0]!.id;
      await out.pass(15 * SECOND);
    });
    const CUSTOMER = 'written by a customer, not by an agent';

    it('tells what agents said and did, with their names and files', async () => {
      far.files.set('a.txt', Buffer.from('bytes'));
      far.act(conversation, { body: 'Tomorrow &amp; early.<br>Ivan', files: ['a.txt'], status: 'pending' });
      far.act(conversation, { type: 'note', body: 'A regular.' });
      far.act(conversation, { type: 'lineitem', status: 'closed' });
      const { actions } = await poll(cursor);
      const [, reply, status, note, closed] = actions as (ActionInput & {
        id: string;
        attachments: { id: string }[];
      })[];
      const { id, attachments, ...rest } = reply!;
      const common = { ticket: String(conversation), at: out.clock.now(), agent: 'Ivan' };
      const html = '<div>Tomorrow &amp; early.<br>Ivan</div>';
      assert.deepEqual(rest, { kind: 'reply', ...common, text: 'Tomorrow & early.\nIvan', html });
      assert.deepEqual(status, { kind: 'status', id: id.replace('thread', 'status'), ...common, status: 'pending' });
      assert.deepEqual([note!.kind, (closed as { status?: string }).status], ['note', 'solved']);
      assert.equal(actions.length, 5);
      const file = { ...attachments[0]!, name: 'a.txt', mediaType: 'text/plain' };
      assert.equal(await textOf(await destination.download!(file, payload(Buffer.alloc(0)))), 'bytes');
    });

    it('leaves out its own words and statuses, and hears whoever quotes them', async () => {
      const id = (await out.store.read.tickets({}, { limit: 1 })).data[0]!.id;
      await out.desk.note(id, { text: 'ours' }, 'user:usr_1');
      await settled(2);
      const ours = far.conversations[0]!.threads.at(-1)!.body;
      const ticket = (await out.store.read.ticket(id))!;
      await destination.update!({ externalId: String(conversation) }, { id: 'tsk_1', ticket, status: 'closed' });
      far.act(conversation, { type: 'note', body: ours });
      far.act(conversation, { type: 'note', body: ours, by: GATEWAY });
      far.act(conversation, { by: GATEWAY, body: `see below ${ours}` });
      assert.deepEqual(reasons(await poll(cursor)), [CUSTOMER, 'ours', 'ours', 'note', 'ours', 'reply']);
    });

    it('leaves out customers, and what their words made of the status', async () => {
      far.act(conversation, { type: 'lineitem', status: 'closed' });
      far.act(conversation, { type: 'customer', customer: true, body: 'by mail', status: 'active' });
      far.act(conversation, { type: 'lineitem', status: 'spam' });
      assert.deepEqual(reasons(await poll(cursor)), [
        CUSTOMER,
        'status',
        CUSTOMER,
        'a lineitem, and no status of ours',
      ]);
    });

    it('tells each of it once, also what came within the same second, and rests when there is nothing', async () => {
      far.act(conversation, { body: 'a', status: 'closed' });
      const one = await poll(cursor);
      far.act(conversation, { body: 'b' });
      const two = await poll(one.cursor);
      assert.deepEqual([kinds(one), kinds(two)], [['ignored', 'reply', 'status'], ['reply']]);
      await out.pass(11 * SECOND);
      const three = await poll(two.cursor);
      const before = far.calls.length;
      const four = await poll(three.cursor);
      assert.deepEqual([kinds(three), kinds(four), far.calls.length - before], [[], [], 1]);
    });

    it('tells nothing from before its time when an old conversation moves for the first time', async () => {
      far.act(conversation, { body: 'before', status: 'pending' });
      await out.pass(3600 * SECOND, 600 * SECOND);
      const later = (await poll()).cursor;
      far.act(conversation, { type: 'lineitem', body: '' });
      const first = await poll(later);
      far.act(conversation, { body: 'after', status: 'pending' });
      assert.deepEqual([kinds(first), kinds(await poll(first.cursor))], [['ignored'], ['reply']]);
    });

    it('tells an answer that waits once it is sent', async () => {
      far.act(conversation, { body: 'later', state: 'draft' });
      const one = await poll(cursor);
      assert.deepEqual(kinds(one), ['ignored']);
      far.conversations[0]!.threads.at(-1)!.state = 'published';
      await out.pass(5 * SECOND);
      far.act(conversation, { type: 'note', body: 'sent' });
      assert.deepEqual(kinds(await poll(one.cursor)), ['reply', 'note']);
    });

    /** So many more conversations, in each of which an agent says something, one every `ms`. */
    function move(count: number, ms: number): void {
      const begin = out.clock.now();
      for (let i = 0; i < count; i++) {
        far.conversations.push({ ...far.conversations[0]!, id: 5000 + i, threads: [] });
        far.now = () => begin + i * ms;
        far.act(5000 + i, { body: 'x' });
      }
      far.now = () => out.clock.now();
    }

    for (const [when, ms] of [
      ['within a day', 30 * SECOND],
      ['at once', 0],
    ] as const) {
      it(`goes on, the oldest first, however many conversations moved ${when}`, async () => {
        move(2600, ms);
        const one = await destination.poll!(cursor, NEVER);
        const two = await destination.poll!(one.cursor, NEVER);
        const told = [one, two].flatMap(({ items }) =>
          items.map(({ body }) => Number((JSON.parse(String(body)) as { conversation: string }).conversation)),
        );
        assert.deepEqual([one.more, two.more, told.length], [true, true, 100]);
        const ours = [conversation, ...Array.from({ length: 99 }, (_, i) => 5000 + i)];
        assert.deepEqual(told, ours);
      }).timeout(20_000);
    }

    it('asks for no more of what moved than it can look into', async () => {
      move(400, 30 * SECOND);
      const before = far.calls.length;
      await poll(cursor);
      assert.ok(far.calls.length - before < 15);
    });

    it('misses none whose place in the list changes while that is read', async () => {
      move(40, 300 * SECOND);
      await out.pass(5 * 3600 * SECOND, 3600 * SECOND);
      far.meanwhile = () => {
        far.meanwhile = () => undefined;
        far.act(5000, { type: 'note', body: 'meanwhile' });
      };
      const first = await poll(cursor);
      const second = await poll(first.cursor);
      assert.equal([...first.actions, ...second.actions].filter(({ kind }) => kind === 'reply').length, 40);
    });

    it('asks for its own inbox and tag only, on every page', async () => {
      for (let i = 0; i < 60; i++) {
        far.conversations.push({ ...far.conversations[0]!, id: 5000 + i, threads: [] });
        far.act(5000 + i, { body: 'x' });
      }
      far.conversations.push({
        ...far.conversations[0]!,
        id: 7,
        fields: { mailboxId: MAILBOX, tags: [] },
        threads: [],
      });
      far.act(7, { body: 'not ours' });
      const first = await poll(cursor);
      const second = await poll(first.cursor);
      const all = [...first.actions, ...second.actions].filter(({ kind }) => kind === 'reply');
      assert.equal(new Set(all.map((each) => ('ticket' in each ? each.ticket : ''))).size, 60);
    });
  });

  describe('its webhook', () => {
    const request = (given: { secret?: string; body?: string; signed?: string } = {}): WebhookRequest => {
      const { secret = WEBHOOK_SECRET, body = '{"id":1}', signed = body } = given;
      const headers = { 'x-helpscout-signature': hmac('sha1', secret, signed).toString('base64') };
      return { endpointId: 'h', receivedAt: 0, method: 'POST', url: '/', headers, body: Buffer.from(body) };
    };

    it('is believed when it is signed, and only wakes', () => {
      void destination.webhook!.verify(request());
      const woken = { ...request(), headers: {} } as unknown as Payload;
      assert.deepEqual(destination.normalize!(woken), [{ kind: 'wake' }]);
    });

    it('is refused without a signature, with another secret, or another body, and is not there without its secret', () => {
      for (const given of [{ secret: 'x' }, { signed: '{"id":2}' }]) {
        assert.throws(() => void destination.webhook!.verify(request(given)), BadPayloadError);
      }
      assert.throws(() => void destination.webhook!.verify({ ...request(), headers: {} }), /not signed/);
      assert.equal(open({ webhookSecret: undefined }).webhook, undefined);
    });
  });

  it('says whose the application is, and shows beforehand what it would send', async () => {
    assert.equal(await destination.test!(), 'Help Scout knows the application as Gateway, and the inbox as Help');
    const id = await write('one');
    await settled(1);
    const calls = far.calls.length;
    const ticket = (await out.store.read.ticket(id))!;
    const [first] = (await out.store.read.messages(id, { limit: 1 })).data;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const about = { id: 'x', ticket, customer, message: first!, transcript: [], open: async () => Readable.from([]) };
    const shown = await destination.preview!(about);
    assert.deepEqual([shown.method, shown.url], ['POST', `${far.root}/v2/conversations`]);
    assert.equal((shown.body as { mailboxId: number }).mailboxId, MAILBOX);
    assert.equal(far.calls.length, calls);
  });

  it('takes only fields, tags and domains that can be', () => {
    for (const wrong of [
      { fields: { order: '/ticket/fields/order' } },
      { tag: 'Two Words' },
      { addressDomain: 'customers' },
      { addressDomain: 'a@b.example' },
      { statuses: { new: 'active' } },
      { mailbox: 0 },
    ]) {
      assert.throws(() => open(wrong), JSON.stringify(wrong));
    }
  });
});
