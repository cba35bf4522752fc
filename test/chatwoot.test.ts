import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Delivery } from '../src/core/destination.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  UncertainError,
} from '../src/core/errors.ts';
import { chatwoot } from '../src/dispatch/chatwoot/chatwoot.ts';
import { ACCOUNT, callOf, INBOX, readChatwoot, startChatwoot, TOKEN } from './fakes/chatwoot.ts';
import type { FakeChatwoot } from './fakes/chatwoot.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Description } from './fakes/openapi.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { skipUnless } from './skip.ts';

const SECOND = 1000;
const BEGIN = 'POST /conversations';
const SAY = 'POST /conversations/{id}/messages';
const STATUS = 'POST /conversations/{id}/toggle_status';

describe('Chatwoot as a destination', () => {
  let description: Description | undefined;
  let far: FakeChatwoot;
  let desk: DestinationDesk;
  let out: Outgoing;
  before(() => {
    description = readChatwoot();
  });
  beforeEach(async () => {
    far = await startChatwoot(description);
    const own = { apiRoot: far.root, accountId: ACCOUNT, inboxId: INBOX, accessToken: TOKEN };
    const fields = { number: '/ticket/number', topics: { value: 'x'.repeat(2000) } };
    desk = await openDestinationDesk(chatwoot, 'chatwoot', { ...own, fields });
    ({ out } = desk);
    far.now = () => out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.conversations[0]!;
  const said = () => far.said(there().id);
  const counts = () => far.conversations.map(({ id }) => far.said(id).length);
  const calls = (what: string) => far.calls.filter(({ method, path }) => `${method} ${callOf(path)}` === what).length;
  const ticketOf = async (id: string) => (await out.store.read.ticket(id))!;
  async function deliveryOf(id: string): Promise<Delivery> {
    const ticket = await ticketOf(id);
    const [message] = (await out.store.read.messages(id, { limit: 1 })).data;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    return { id: 'x', ticket, customer, message: message!, transcript: [], open: async () => Readable.from([]) };
  }

  describe('whose answer was lost', () => {
    it('is asked for the ticket, which is not created again', async () => {
      for (const lost of ['POST /contacts', BEGIN, SAY]) {
        far.end(lost, 'lost');
        await desk.write('one', `telegram|${lost}`);
        await out.pass(10 * SECOND);
      }
      await desk.settled(3);
      assert.deepEqual([counts(), calls(BEGIN), far.contacts.length], [[1, 1, 1], 3, 3]);
    });

    it('goes on with a conversation that was begun, and takes none without its message for the ticket', async () => {
      far.end(SAY, 'cut', 'cut');
      const id = await desk.write('one');
      await out.until(() => far.conversations.length === 1);
      assert.equal(await desk.destination.findTicket!(await ticketOf(id)), undefined);
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.deepEqual([counts(), calls(BEGIN)], [[1], 1]);
      assert.equal((await desk.destination.findTicket!(await ticketOf(id)))?.externalId, String(there().id));
    });

    it('gets nothing twice that stands in its conversation already when that is gone on with', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const about = await deliveryOf(id);
      const two = { ...about.message, id: 'msg_2', text: 'two' };
      const given = { ...about, message: two, transcript: [about.message] };
      await desk.destination.createTicket!(given);
      await desk.destination.createTicket!(given);
      assert.deepEqual([counts(), said()[1]!.includes('one')], [[2], false]);
    });

    it('gets the status that it could not be given at first', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const about = await deliveryOf(id);
      const given = { ...about, ticket: { ...about.ticket, id: 'tkt_another', status: 'solved' as const } };
      far.end(STATUS, { http: 429 });
      await assert.rejects(desk.destination.createTicket!(given), RateLimitedError);
      await desk.destination.createTicket!(given);
      assert.deepEqual([counts(), far.conversations[1]!.status], [[1, 1], 'resolved']);
    });

    it('gets a message once whose status it could not be given at first', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const about = await deliveryOf(id);
      const two = { ...about.message, id: 'msg_2', text: 'two' };
      const given = { ...about, message: two, ticket: { ...about.ticket, status: 'solved' as const } };
      const ref = { externalId: String(there().id) };
      far.end(STATUS, { http: 429 });
      await assert.rejects(desk.destination.addMessage!(ref, given), RateLimitedError);
      await desk.destination.addMessage!(ref, given);
      assert.deepEqual([counts(), there().status], [[2], 'resolved']);
    });

    for (const [what, ending] of [
      ['was lost', 'cut'],
      ['ended in a 500', { http: 500 }],
    ] as const) {
      it(`gets a message once, and the status behind it although its answer ${what}`, async () => {
        const id = await desk.write('one');
        await desk.settled(1);
        const about = await deliveryOf(id);
        const two = { ...about.message, id: 'msg_2', text: 'two' };
        const ticket = { ...about.ticket, status: 'solved' as const };
        const ref = { externalId: String(there().id) };
        // With it known that all of it may be repeated, nobody asks for the message alone.
        const isSimplyRepeated = (error: unknown) => error instanceof RetryableError && !error.outcomeUnknown;
        far.end(STATUS, ending, ending);
        await assert.rejects(desk.destination.addMessage!(ref, { ...about, ticket, message: two }), isSimplyRepeated);
        const other = { ...about, ticket: { ...ticket, id: 'tkt_another' } };
        await assert.rejects(desk.destination.createTicket!(other), isSimplyRepeated);
        await desk.destination.addMessage!(ref, { ...about, ticket, message: two });
        await desk.destination.createTicket!(other);
        const statuses = far.conversations.map(({ status }) => status);
        assert.deepEqual(
          [counts(), statuses],
          [
            [2, 1],
            ['resolved', 'resolved'],
          ],
        );
      });
    }

    it('has carried a message whose status it refuses, and says so', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const about = await deliveryOf(id);
      const two = { ...about.message, id: 'msg_2', text: 'two' };
      const ticket = { ...about.ticket, status: 'solved' as const };
      far.end(STATUS, { http: 422 }, { http: 403 }, { http: 410 });
      const ref = { externalId: String(there().id) };
      await desk.destination.addMessage!(ref, { ...about, ticket, message: two });
      await desk.destination.createTicket!({ ...about, ticket: { ...ticket, id: 'tkt_another' } });
      assert.deepEqual(counts(), [2, 1]);
      assert.deepEqual(
        desk.log.entries.map(({ level, text }) => [level, text]),
        Array(2).fill(['warn', 'Chatwoot keeps a conversation in its status']),
      );
      await assert.rejects(desk.destination.addMessage!(ref, { ...about, ticket, message: two }), PermanentError);
    });

    it('is asked for a message too, however much was said since', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end(SAY, 'lost');
      await desk.write('two');
      await out.until(() => said().length === 2);
      for (let i = 0; i < 50; i++) far.act(there().id, { body: `note ${i}`, private: true });
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.equal(said().filter((each) => each.includes('two')).length, 1);
    });

    it('is asked too where it answered nonsense', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end(SAY, { http: 200, body: { hello: 'there' } });
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual([counts(), calls('GET /conversations/{id}/messages')], [[2], 1]);
    });

    it('leaves it to a person where there is too much to be looked through', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const [first] = (await out.store.read.messages(id, { limit: 1 })).data;
      const at = Math.floor(Date.parse(first!.receivedAt) / 1000);
      const page = Array.from({ length: 20 }, (_, i) => ({ id: i + 1, message_type: 0, created_at: at }));
      const pages = Array.from({ length: 600 }, () => ({ http: 200, body: { payload: page } }));
      far.end('GET /conversations/{id}/messages', ...pages);
      await assert.rejects(desk.destination.hasMessage!({ externalId: String(there().id) }, first!), UncertainError);
    }).timeout(20_000);

    it('looks no further back than a message can be', async () => {
      const id = await desk.write('one');
      await desk.settled(1);
      const [first] = (await out.store.read.messages(id, { limit: 1 })).data;
      const at = Math.floor(Date.parse(first!.receivedAt) / 1000);
      const old = (age: number) => ({ ...there().messages[0]!, id: 1, source_id: null, created_at: at - age });
      there().messages.splice(0, 1, ...Array.from({ length: 100 }, (_, i) => ({ ...old(7200), id: i + 1 })));
      const before = far.calls.length;
      assert.equal(await desk.destination.hasMessage!({ externalId: String(there().id) }, first!), false);
      assert.equal(far.calls.length - before, 1);
      there().messages.forEach((each) => Object.assign(each, { created_at: at - 60 }));
      assert.equal(await desk.destination.hasMessage!({ externalId: String(there().id) }, first!), false);
      assert.equal(far.calls.length - before, 1 + 6);
    });
  });

  it('makes no ticket where the attribute that it is found by is not defined, in old versions and new ones', async () => {
    await desk.write('zero', 'telegram|9');
    await desk.settled(1);
    for (const attribute of ['refused', 'passed over'] as const) {
      far.attribute = attribute;
      await desk.write(attribute, 'telegram|1', { thread: { externalId: attribute, references: [] } });
      await out.pass(2 * SECOND);
      assert.match((await out.error('chatwoot'))!, /knows no attribute tributary_ticket/);
      await assert.rejects(desk.destination.test!(), /knows no attribute tributary_ticket/);
    }
    assert.equal(far.conversations.length, 1);
  });

  it('gives up where the mark is not kept, since its own words would come back as an agent’s', async () => {
    far.end(SAY, { http: 200, body: { id: 5, source_id: null } });
    await desk.write('one');
    await out.pass(2 * SECOND);
    assert.match((await out.error('chatwoot'))!, /too old/);
  });

  it('tries again later where a conversation has had too many messages within a minute', async () => {
    await desk.write('one');
    await desk.settled(1);
    far.end(SAY, { http: 422, body: { message: 'Too many messages' } }, { http: 422, body: { message: 'Invalid' } });
    await desk.write('two');
    await out.until(() => calls(SAY) === 2);
    await out.pass(1 * SECOND);
    assert.match((await out.error('chatwoot'))!, /within a minute/);
    await out.pass(8 * SECOND);
    assert.doesNotMatch((await out.error('chatwoot'))!, /within a minute/);
    assert.deepEqual(counts(), [1]);
  });

  describe('and the customer', () => {
    it('is found again by our id, and left as agents have named him', async () => {
      const id = await desk.write('one', 'email|olena@example.com');
      await desk.settled(1);
      const [contact] = far.contacts;
      contact!['name'] = 'Olena P.';
      const about = await deliveryOf(id);
      await desk.destination.createTicket!({ ...about, ticket: { ...about.ticket, id: 'tkt_another' } });
      assert.deepEqual([far.contacts.length, contact!['name']], [1, 'Olena P.']);
      const [one, two] = far.conversations;
      assert.deepEqual([one!.contact, two!.contact], [contact!['id'], contact!['id']]);
      assert.notEqual(one!.source, two!.source);
      for (const { source } of far.conversations) assert.match(source, /^[0-9a-f]{64}$/);
    });

    it('has an address there only where the operator wants it, and never one that was typed', async () => {
      await desk.write('one', 'email|olena@example.com');
      await desk.settled(1);
      assert.equal(far.contacts[0]!['email'], undefined);
      desk.use({ contacts: 'by_email' });
      far.contacts.push({ id: 5, email: 'Petro@example.com', identifier: 'shop-1' });
      await desk.write('two', 'email|petro@example.com', { thread: { externalId: 'b', references: [] } });
      await desk.write('three', 'email|ivan@example.com', { thread: { externalId: 'c', references: [] } });
      await desk.write('four', 'email|maria@example.com|claimed', { thread: { externalId: 'd', references: [] } });
      await desk.settled(4);
      assert.equal(far.conversations[1]!.contact, 5);
      assert.deepEqual(
        far.contacts
          .slice(2)
          .map(({ email }) => email)
          .toSorted(),
        ['ivan@example.com', undefined],
      );
    });

    it('is made without his number where another contact has it', async () => {
      far.contacts.push({ id: 5, phone_number: '+380501234567' });
      await desk.write('one', 'phone|+380501234567');
      await desk.settled(1);
      await desk.write('two', 'phone|+380507654321');
      await desk.settled(2);
      assert.notEqual(there().contact, 5);
      assert.deepEqual(
        far.contacts.map((each) => each['phone_number']),
        ['+380501234567', undefined, '+380507654321'],
      );
    });

    it('is not tried again under another form where the token may not make contacts', async () => {
      far.end('POST /contacts', { http: 403 });
      await desk.write('one', 'phone|+380501234567');
      await out.pass(2 * SECOND);
      assert.match((await out.error('chatwoot'))!, /403/);
      assert.equal(calls('POST /contacts'), 1);
    });
  });

  it('gets files with their message, and names those that it refuses', async () => {
    const files = ['a.txt', 'b.txt'].map((name) => ({ id: name, name, mediaType: 'text/plain' }));
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await desk.write('see these', 'telegram|1', { attachments: files });
    await out.until(() => far.conversations.length > 0 && said().length > 0);
    assert.deepEqual([...far.files.values()].map(String), ['bytes', 'bytes']);
    assert.deepEqual([there().messages[0]!.message_type, there().messages[0]!.private], [0, false]);
    far.end(SAY, { http: 422, body: { message: 'Attachments is too big' } });
    await desk.write('and these', 'telegram|1', { attachments: files });
    await out.until(() => said().length > 1);
    assert.match(said()[1]!, /and these .*a\.txt .* is not attached: Chatwoot did not take it/);
  });

  it('is given fields that are not too long, and the number as text', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const { number } = await ticketOf(id);
    const attributes = there().custom_attributes as Record<string, string>;
    assert.deepEqual(
      [attributes['number'], attributes['topics']!.length, attributes['tributary_status']],
      [String(number), 1500, 'new'],
    );
  });

  it('keeps other attributes when it is told of a status, and a snoozed conversation for pending', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const ticket = await ticketOf(id);
    there().custom_attributes['vip'] = true;
    const ref = { externalId: String(there().id) };
    await desk.destination.update!(ref, { id: 'tsk_9', ticket, status: 'closed', priority: 'urgent' });
    assert.deepEqual([there().status, there().priority], ['resolved', 'urgent']);
    assert.deepEqual(
      [there().custom_attributes['vip'], there().custom_attributes['tributary_status']],
      [true, 'closed'],
    );
    there().status = 'pending';
    await desk.destination.update!(ref, { id: 'tsk_9', ticket, status: 'pending' });
    assert.equal(there().status, 'pending');
    await desk.destination.update!(ref, { id: 'tsk_9', ticket, priority: 'low' });
    assert.deepEqual([there().status, there().priority], ['pending', 'low']);
    assert.equal(there().custom_attributes['tributary_status'], 'pending');
  });

  it('stays resolved when something follows a ticket that is', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const about = await deliveryOf(id);
    there().status = 'resolved';
    await desk.destination.addMessage!(
      { externalId: String(there().id) },
      { ...about, ticket: { ...about.ticket, status: 'closed' } },
    );
    assert.equal(there().status, 'resolved');
  });

  it('says what it knows, and what is wrong with the token or the inbox', async () => {
    assert.match(await desk.destination.test!(), /^127\.0\.0\.1:\d+ knows the inbox Tributary, and the attribute/);
    await assert.rejects(desk.open({ accessToken: 'another' }).test!(), AuthExpiredError);
    far.end('GET /inboxes/{id}/', { http: 200, body: { hello: 'there' } });
    await assert.rejects(desk.destination.test!(), /something else than it documents/);
    far.inboxType = 'Channel::Email';
    await assert.rejects(desk.destination.test!(), (error) => {
      assert.ok(error instanceof PermanentError);
      assert.match(error.message, /the inbox Tributary is of Channel::Email/);
      return true;
    });
  });

  it('shows beforehand what it would send, and sends nothing', async () => {
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    const attachments = [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }];
    const id = await desk.write('one', 'email|olena@example.com', { attachments });
    await out.until(() => far.conversations.length > 0 && said().length > 0);
    const about = await deliveryOf(id);
    const calls = far.calls.length;
    for (const [contacts, who] of [
      ['by_id', about.customer.id],
      ['by_email', 'olena@example.com'],
    ] as const) {
      const { method, url, body } = await desk.open({ contacts }).preview!(about);
      assert.deepEqual([method, url], ['POST', `${far.root}/api/v1/accounts/${ACCOUNT}/conversations`]);
      const { contact_id: contact, message } = body as { contact_id: string; message: { attachments: string[] } };
      assert.deepEqual([contact, message.attachments], [`(${who})`, ['a.txt']]);
    }
    assert.equal(far.calls.length, calls);
  });

  it('takes only settings that can be', () => {
    for (const wrong of [
      { fields: { tributary_ticket: '/ticket/id' } },
      { fields: { 'a-b': '/ticket/id' } },
      { labels: ['Two Words'] },
      { statuses: { new: 'open' } },
      { statuses: { solved: 'done' } },
      { webhookToken: 'short' },
      { inboxId: 0 },
      { accountId: '3' },
      { apiRoot: 'ftp://chat.example.com' },
    ]) {
      assert.throws(() => desk.open(wrong), JSON.stringify(wrong));
    }
  });
});

describe('the check of what is sent to Chatwoot', () => {
  it('bites: a field that is corrupted or invented is found', function () {
    const description = readChatwoot();
    skipUnless(this, description !== undefined, 'the description of Chatwoot is not beside the repository');
    const path = '/api/v1/accounts/3/conversations/1/messages';
    const problems = (body: object) => description!.request({ method: 'POST', path, body });
    assert.deepEqual(problems({ content: 'x', message_type: 'incoming' }), []);
    for (const wrong of [{ content: 5 }, { content: 'x', message_type: 'inbound' }, { content: 'x', mark: 'y' }, {}]) {
      assert.notDeepEqual(problems(wrong), [], JSON.stringify(wrong));
    }
  });
});
