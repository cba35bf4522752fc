import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Delivery } from '../src/core/destination.ts';
import { AuthExpiredError, BadPayloadError, PermanentError } from '../src/core/errors.ts';
import type { WebhookRequest } from '../src/core/payload.ts';
import { hmac } from '../src/core/signature.ts';
import type { Customer, Message } from '../src/core/ticket.ts';
import { customerOf } from '../src/dispatch/zammad/tickets.ts';
import { zammad } from '../src/dispatch/zammad/zammad.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { SIGNATURE_TOKEN, startZammad, TOKEN, type FakeZammad } from './fakes/zammad.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

describe('Zammad as a destination', () => {
  let far: FakeZammad;
  let desk: DestinationDesk;
  let out: Outgoing;
  beforeEach(async () => {
    far = await startZammad();
    const settings = { apiRoot: far.root, token: TOKEN, group: 'Support', webhookSecret: SIGNATURE_TOKEN };
    desk = await openDestinationDesk(zammad, 'zammad', settings);
    ({ out } = desk);
    far.now = () => out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const there = () => far.tickets[0]!;
  const said = () => far.articles(there().id);
  const counts = () => far.tickets.map(({ articles }) => articles.length);
  const calls = (name: string) => far.calls.filter((call) => call.name === name);
  const refTo = (index: number) => ({ externalId: String(far.tickets[index]!.id) });
  const ours = async () => (await out.store.read.tickets({}, { limit: 1 })).data[0]!;

  /** Of the first message of a ticket, said otherwise; `before`: what was never told to Zammad. */
  async function deliveryOf(
    ticketId: string,
    given: Partial<Message> = {},
    ...before: Partial<Message>[]
  ): Promise<Delivery> {
    const ticket = (await out.store.read.ticket(ticketId))!;
    const first = { ...(await out.store.read.messages(ticketId, { limit: 1 })).data[0]!, subject: null };
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const transcript = before.map((each, index) => ({ ...first, id: `msg_before_${index}`, ...each }));
    const open = async () => Readable.from(['x']);
    return { id: 'tsk_1', ticket, customer, message: { ...first, ...given }, transcript, open };
  }

  describe('whose answer was lost', () => {
    it('is asked for the ticket, which is not created again', async () => {
      far.end('POST /tickets', 'lost');
      await desk.write('one');
      await desk.write('two');
      await out.until(() => far.tickets.length > 0);
      await out.pass(6 * SECOND);
      await desk.settled(2);
      assert.deepEqual([counts(), calls('POST /tickets').length], [[2], 1]);
    });

    it('creates it when nothing had arrived', async () => {
      far.end('POST /tickets', 'cut', 'cut');
      await desk.write('one');
      await out.pass(60 * SECOND);
      await desk.settled(1);
      assert.deepEqual(counts(), [1]);
    });

    it('is asked also where the answer was none', async () => {
      far.end('POST /tickets', { http: 200, body: {} });
      await desk.write('one');
      await out.pass(10 * SECOND);
      await desk.settled(1);
      assert.deepEqual([counts(), calls('POST /tickets/search').length], [[1], 1]);
    });

    it('is asked for a message too', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('POST /ticket_articles', 'lost');
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual(counts(), [2]);
    });

    it('takes the ticket that it made, neither a copy that agents split off nor one of others', async () => {
      await desk.write('one');
      await desk.settled(1);
      const { attributes, updatedAt } = there();
      far.addTicket({ ...attributes }).updatedAt = updatedAt - HOUR;
      assert.deepEqual((await desk.destination.findTicket!(await ours()))!.externalId, String(there().id));
      far.careless = true;
      for (const { attributes: each } of far.tickets) each['tributary_id'] = 'tkt_another';
      assert.equal(await desk.destination.findTicket!(await ours()), undefined);
    });
  });

  it('says that the attribute is not there: in the log, and when it is tested', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    assert.equal(desk.log.entries.length, 0);
    far.attributes.delete('tributary_id');
    await desk.destination.createTicket!(await deliveryOf(id));
    assert.match(desk.log.entries[0]!.text, /no such attribute/);
    await assert.rejects(desk.destination.test!(), (error: PermanentError) => {
      assert.match(error.message, /the token of gateway, and tickets have no such attribute: tributary_id/);
      return error instanceof PermanentError;
    });
  });

  it('gives up what is refused, and goes on with the next', async () => {
    await desk.write('one');
    await desk.settled(1);
    far.end('POST /ticket_articles', { http: 422, body: { error: 'Need at least article' } });
    await desk.write('two');
    await desk.write('three');
    await desk.settled(2);
    assert.match((await out.error('zammad'))!, /422/);
    assert.deepEqual(counts(), [2]);
  });

  it('asks once for a ticket that is refused for another reason than an address', async () => {
    far.end('POST /tickets', { http: 422, body: { error: 'No lookup value found for group' } });
    await desk.write('one');
    await out.pass(2 * SECOND);
    assert.match((await out.error('zammad'))!, /422/);
    assert.deepEqual([far.tickets.length, calls('POST /tickets').length], [0, 1]);
  });

  it('says who the token is, and asks for a new one', async () => {
    assert.match(await desk.destination.test!(), /the token of gateway, and searches tickets by tributary_id/);
    await assert.rejects(desk.open({ token: 'another' }).test!(), AuthExpiredError);
  });

  describe('makes a customer', () => {
    it('known by an address that a platform carries, never by one that was typed', async () => {
      const who = (trust: string, kind = 'email', name: string | null = 'Olena') =>
        customerOf({ id: 'cus_A', name, identifiers: [{ kind, value: 'O@example.com', trust }] } as Customer);
      assert.deepEqual(who('verified'), { email: 'o@example.com', firstname: 'Olena' });
      assert.deepEqual(who('claimed'), { login: 'tributary-cus_a', firstname: 'Olena' });
      assert.deepEqual(who('observed', 'phone', null), {
        login: 'tributary-cus_a',
        firstname: 'O@example.com',
        phone: 'O@example.com',
      });
    });

    it('once, as the author of what he says', async () => {
      await desk.write('one');
      await desk.write('two');
      await desk.settled(2);
      assert.equal(far.users.length, 3);
      for (const each of said()) assert.match(each, /^Customer without a name as Customer: .*(one|two)$/);
      assert.equal(calls('POST /ticket_articles')[0]!.body['origin_by_id'], there().attributes['customer_id']);
    });

    it('known by our id where his address is not taken, so that his message is', async () => {
      await desk.write('one', "email|o'hara@example.com");
      await desk.settled(1);
      const { email, login, firstname } = far.users[2] as Record<string, string>;
      assert.deepEqual(
        [email, login!.startsWith('tributary-cus_'), firstname],
        [undefined, true, 'Customer without a name'],
      );
      assert.deepEqual([calls('POST /tickets').length, counts()], [2, [1]]);
      assert.match(said()[0]!, /o'hara@example\.com|o&#39;hara@example\.com/);
    });
  });

  it('carries a message without the files that it refuses, and names them', async () => {
    const attachments = [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }];
    out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await desk.write('see this', 'telegram|1', { attachments });
    await out.until(() => far.tickets.length > 0);
    assert.deepEqual(calls('POST /tickets')[0]!.body['article'], {
      ...(calls('POST /tickets')[0]!.body['article'] as object),
      attachments: [{ filename: 'a.txt', data: Buffer.from('bytes').toString('base64'), 'mime-type': 'text/plain' }],
    });
    far.end('POST /ticket_articles', { http: 413 });
    await desk.write('and this', 'telegram|1', { attachments });
    await out.until(() => said().length > 1);
    assert.match(said()[1]!, /and this .*a\.txt .* is not attached: Zammad did not take it/);
  });

  it('changes what differs there, gives a pending state its time, and leaves merged tickets alone', async () => {
    await desk.write('one');
    await desk.settled(1);
    const ticket = await ours();
    const update = async (given: object) => {
      const before = calls('PUT /tickets/{id}').length;
      await desk.destination.update!(refTo(0), { id: 'tsk_1', ticket, priority: 'normal', ...given });
      return calls('PUT /tickets/{id}')
        .slice(before)
        .map(({ body }) => body);
    };
    const until = new Date(out.clock.now() + 24 * HOUR).toISOString();
    assert.deepEqual(await update({ status: 'pending' }), [{ state: 'pending reminder', pending_time: until }]);
    assert.deepEqual(await update({ status: 'pending' }), []);
    assert.deepEqual(await update({ status: 'new' }), []);
    assert.deepEqual(await update({ priority: 'urgent' }), [{ priority: '3 high' }]);
    assert.deepEqual(await update({ priority: 'high' }), []);
    assert.deepEqual(await update({ status: 'solved', priority: 'high' }), [{ state: 'closed' }]);
    assert.deepEqual(await update({ status: 'closed', priority: 'high' }), []);
    there().state = 'merged';
    assert.deepEqual(await update({ status: 'open' }), []);
  });

  it('reminds nobody of a ticket that waited here already before it came there', async () => {
    const id = await desk.write('one');
    await out.desk.updateTicket(id, { status: 'pending' }, 'user:usr_1');
    await out.pass(3 * 24 * HOUR, 12 * HOUR);
    const { body } = await desk.destination.preview!(await deliveryOf(id));
    const { pending_time: until } = body as { pending_time?: string };
    assert.equal(until, new Date(out.clock.now() + 24 * HOUR).toISOString());
  });

  it('tells what a customer edits and takes back, each under a mark of its own', async () => {
    await desk.write('two pieces', 'telegram|1', { externalId: 'm1' });
    await desk.settled(1);
    await desk.write('three pieces', 'telegram|1', { externalId: 'm1', revision: 1 });
    await desk.settled(2);
    await out.file({ kind: 'deletion', externalId: 'm1', occurredAt: out.clock.now() } as never);
    await desk.settled(3);
    assert.match(said()[1]!, /edited three pieces$/);
    assert.match(said()[2]!, /taken back by its author$/);
    assert.equal(new Set(there().articles.map((each) => each['message_id'])).size, 3);
  });

  describe('where agents merged a ticket into another one', () => {
    let id: string;
    beforeEach(async () => {
      id = await desk.write('one');
      await desk.settled(1);
      far.addTicket({ title: 'of a colleague', customer_id: 4 });
      far.addTicket({ title: 'of another one', customer_id: 4 });
      far.merge(far.tickets[0]!.id, far.tickets[1]!.id);
      far.merge(far.tickets[1]!.id, far.tickets[2]!.id);
    });
    const linked = async () => (await out.store.read.ticket(id))!.links[0]!.externalId;

    it('goes on there, and makes that one its own', async () => {
      await desk.write('two');
      await desk.settled(2);
      assert.match(far.articles(far.tickets[2]!.id).at(-1)!, /two$/);
      assert.deepEqual([await linked(), far.tickets[2]!.attributes['tributary_id']], [refTo(2).externalId, id]);
      const before = far.calls.length;
      await desk.write('three');
      await desk.settled(3);
      assert.deepEqual(
        far.calls.slice(before).map(({ name }) => name),
        ['GET /tickets/{id}', 'POST /ticket_articles'],
      );
    });

    it('looks there for what was lost on the way, and writes it once', async () => {
      far.end('POST /ticket_articles', 'lost');
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.equal(far.articles(far.tickets[2]!.id).filter((each) => each.endsWith('two')).length, 1);
    });

    it('writes it once also where that one could not be made its own at first', async () => {
      far.end('PUT /tickets/{id}', { http: 503 });
      await desk.write('two');
      await out.pass(10 * SECOND);
      await desk.settled(2);
      assert.equal(far.articles(far.tickets[2]!.id).filter((each) => each.endsWith('two')).length, 1);
      assert.equal(await linked(), refTo(2).externalId);
    });

    it('writes into another ticket of ours without taking it', async () => {
      far.tickets[2]!.attributes['tributary_id'] = 'tkt_another';
      const before = await linked();
      await desk.write('two');
      await desk.settled(2);
      assert.match(far.articles(far.tickets[2]!.id).at(-1)!, /two$/);
      assert.deepEqual([await linked(), far.tickets[2]!.attributes['tributary_id']], [before, 'tkt_another']);
    });

    it('gives up where they lie in each other', async () => {
      far.tickets[2]!.history.push({ ...far.tickets[1]!.history.find((line) => line['type'] === 'merged_into')! });
      far.tickets[2]!.state = 'merged';
      await desk.destination.hasMessage!(refTo(0), (await deliveryOf(id)).message);
      assert.ok(calls('GET /ticket_history/{id}').length <= 5);
    });
  });

  describe('keeps from the customer what is internal', () => {
    const NOTE = { kind: 'note', direction: 'inbound', text: 'He is a regular.' } as const;
    const FAILED = {
      direction: 'outbound',
      text: 'Tomorrow at noon.',
      delivery: { state: 'failed', error: 'blocked' },
    } as const;

    for (const [what, given] of Object.entries({ note: NOTE, 'failed answer': FAILED })) {
      it(`also where a ticket begins with a ${what}, and what it takes along`, async () => {
        const id = await desk.write('Where is it?');
        await desk.settled(1);
        await desk.destination.createTicket!(await deliveryOf(id, given, { text: 'Hello?' }));
        const [first] = far.articles(far.tickets[1]!.id);
        assert.match(first!, /^Gateway as Agent \(inside\): .*Hello\? .*(regular|Tomorrow at noon)\.$/);
      });

      it(`a ${what} that follows, and nothing else`, async () => {
        const id = await desk.write('Where is it?');
        await desk.settled(1);
        await desk.destination.addMessage!(refTo(0), await deliveryOf(id, given));
        assert.deepEqual(
          there().articles.map((each) => each['internal']),
          [false, true],
        );
      });
    }

    it('never by the name of an article', async () => {
      await desk.write('one');
      const id = (await ours()).id;
      await desk.settled(1);
      await out.desk.note(id, { text: 'inside' }, 'user:usr_1');
      await desk.settled(2);
      assert.deepEqual(
        there().articles.map((each) => [each['internal'], each['subject'], each['type']]),
        [
          [false, undefined, 'note'],
          [true, undefined, 'note'],
        ],
      );
    });
  });

  it('shows beforehand what it would send, with our id whatever the mapping says, and sends nothing', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const before = far.calls.length;
    const fields = { order_number: '/ticket/number', tributary_id: { value: 'x' } };
    const shown = await desk.open({ fields, tags: ['web'] }).preview!(await deliveryOf(id));
    assert.deepEqual([shown.method, shown.url, far.calls.length], ['POST', `${far.root}/api/v1/tickets`, before]);
    const body = shown.body as Record<string, unknown>;
    assert.deepEqual([body['order_number'], body['tributary_id'], body['tags']], ['1001', id, 'web']);
  });

  describe('its webhook', () => {
    const request = (signature?: string): WebhookRequest => {
      const headers: Record<string, string> = signature === undefined ? {} : { 'x-hub-signature': signature };
      return { endpointId: 'z', receivedAt: 0, method: 'POST', url: '/', headers, body: Buffer.from('{}') };
    };
    const signed = (token: string, body = '{}') => hmac('sha1', token, body).toString('hex');
    const verify = (signature?: string) => desk.destination.webhook!.verify(request(signature));

    it('is believed when it is signed, and is not there without its token', () => {
      void verify(`sha1=${signed(SIGNATURE_TOKEN)}`);
      assert.equal(desk.open({ webhookSecret: undefined }).webhook, undefined);
    });

    it('is refused without a signature, with another token, another body, or another way of writing', () => {
      const right = signed(SIGNATURE_TOKEN);
      const others = [right, `sha1=${right.toUpperCase()}`, `sha1=${signed('x')}`];
      for (const wrong of [undefined, '', ...others, `sha1=${signed(SIGNATURE_TOKEN, '{ }')}`])
        assert.throws(() => verify(wrong), BadPayloadError);
    });

    it('only wakes, and only for tickets of ours', () => {
      const wake = (given: unknown) =>
        desk.destination.normalize!({ ...request(), body: Buffer.from(JSON.stringify(given)) });
      for (const given of [{ ticket: { tributary_id: 'tkt_1' } }, { ticket: {} }, { anything: 'of one’s own' }])
        assert.deepEqual(wake(given), [{ kind: 'wake' }]);
      const ignored = { kind: 'ignored', name: 'a ticket', reason: 'not a ticket of ours' };
      for (const tributary_id of ['', null, 'crm-1']) assert.deepEqual(wake({ ticket: { tributary_id } }), [ignored]);
    });
  });

  it('takes only attributes and tags that there can be', () => {
    for (const wrong of [{ fields: { Order: '/ticket/number' } }, { idField: 'A' }, { tags: ['a,b'] }, { group: '' }])
      assert.throws(() => desk.open(wrong), JSON.stringify(wrong));
  });
});
