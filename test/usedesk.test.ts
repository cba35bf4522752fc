import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type { Delivery } from '../src/core/destination.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  UncertainError,
} from '../src/core/errors.ts';
import type { Message } from '../src/core/ticket.ts';
import { usedesk } from '../src/dispatch/usedesk/usedesk.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import { API_TOKEN, CHANNEL, DOMAIN, GATEWAY, IVAN, startUsedesk, WEBHOOK_SECRET } from './fakes/usedesk.ts';
import type { FakeUsedesk } from './fakes/usedesk.ts';

const SECOND = 1000;

describe('Usedesk as a destination', () => {
  let far: FakeUsedesk;
  let desk: DestinationDesk;
  beforeEach(async () => {
    far = await startUsedesk();
    desk = await openDestinationDesk(usedesk, 'usedesk', {
      apiToken: API_TOKEN,
      apiRoot: far.root,
      channel: CHANNEL,
      user: GATEWAY,
      addressDomain: DOMAIN,
      webhookSecret: WEBHOOK_SECRET,
    });
    far.now = () => desk.out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const said = () => far.tickets.map(({ id }) => far.said(id).length);
  const called = (path: string) => far.calls.filter((each) => each.path === path).length;
  const created = () => called('/create/ticket');
  const ticketOf = async (id: string) => (await desk.out.store.read.ticket(id))!;
  const find = async (id: string) => desk.destination.findTicket!(await ticketOf(id));

  async function deliveryOf(id: string, given: Partial<Delivery> = {}): Promise<Delivery> {
    const ticket = await ticketOf(id);
    const [message] = (await desk.out.store.read.messages(id, { limit: 1 })).data;
    const customer = (await desk.out.store.read.customer(ticket.customer.id))!;
    return {
      id: 'x',
      ticket,
      customer,
      message: message!,
      transcript: [],
      open: async () => Readable.from([]),
      ...given,
    };
  }

  describe('whose answer was lost', () => {
    for (const ending of ['lost', { http: 500 }] as const) {
      it(`is asked for the ticket, after ${ending === 'lost' ? 'silence' : 'a 500'}`, async () => {
        far.end('/create/ticket', ending);
        await desk.write('one');
        await desk.write('two');
        await desk.out.until(() => created() > 0);
        await desk.out.pass(6 * SECOND);
        await desk.settled(2);
        assert.deepEqual([said(), created()], ending === 'lost' ? [[2], 1] : [[2], 2]);
      });
    }

    it('makes no second client of a customer', async () => {
      far.end('/create/client', 'lost');
      await desk.write('one');
      await desk.out.until(() => called('/create/client') > 0);
      await desk.out.pass(6 * SECOND);
      await desk.settled(1);
      assert.deepEqual([far.clients.length, said()], [1, [1]]);
    });

    it('is asked for a message too', async () => {
      await desk.write('one');
      await desk.settled(1);
      far.end('/create/comment', 'lost');
      await desk.write('two');
      await desk.out.pass(10 * SECOND);
      await desk.settled(2);
      assert.deepEqual(said(), [2]);
    });

    it('is spared as long as it says', async () => {
      far.end('/create/ticket', { http: 429, headers: { 'retry-after': '120' } });
      await desk.write('one');
      await desk.out.until(() => created() === 1);
      await desk.out.pass(100 * SECOND, 10 * SECOND);
      assert.equal(created(), 1);
      await desk.out.pass(40 * SECOND, 10 * SECOND);
      await desk.settled(1);
    });
  });

  describe('looking for a ticket', () => {
    let id: string;
    beforeEach(async () => {
      id = await desk.write('one');
      await desk.settled(1);
    });
    /** More tickets of the same customer, made so many milliseconds after ours. */
    function others(count: number, ms: number, additional: string | null = null): void {
      const [ours] = far.tickets;
      const at = new Date(desk.out.clock.now() + ms).toISOString().slice(0, 19).replace('T', ' ');
      for (let i = 0; i < count; i++) {
        const own = far.tickets.at(-1)!.id + 1;
        far.tickets.push({ ...ours!, id: own, additional, published_at: at, comments: [], changes: [] });
        far.clients[0]!.tickets.push(own);
      }
    }

    it('compares our id in those of the customer, and takes the first one', async () => {
      const [ours] = far.tickets;
      others(3, 60 * SECOND);
      others(1, 90 * SECOND, ours!.additional);
      const found = await find(id);
      assert.deepEqual(found, { externalId: String(ours!.id), url: `${far.root}/tickets/${ours!.id}` });
    });

    it('passes over one that was deleted', async () => {
      others(1, 60 * SECOND);
      far.tickets.pop();
      assert.equal((await find(id))?.externalId, String(far.tickets[0]!.id));
      far.end(
        '/ticket',
        { http: 200, body: { error: 'No ticket', code: 404 } },
        { http: 404, body: { error: 'None' } },
      );
      assert.equal(await find(id), undefined);
    });

    it('looks at none from long before ours, and at nobody else’s', async () => {
      far.tickets[0]!.additional = null;
      others(5, -2 * 3600 * SECOND);
      const before = called('/ticket');
      assert.equal(await find(id), undefined);
      assert.equal(called('/ticket') - before, 1);
      far.clients[0]!.emails = `not-${far.clients[0]!.emails}`;
      assert.equal(await find(id), undefined);
      assert.equal(called('/ticket') - before, 1);
    });

    it('leaves it to a person where one of the tickets can not be looked into', async () => {
      far.end('/ticket', { http: 200, body: { error: 'Access denied', code: 403 } });
      await assert.rejects(find(id), UncertainError);
    });

    it('bears a clock that is behind, and believes no refusal that is none', async () => {
      others(1, -1800 * SECOND);
      assert.ok(await find(id));
      for (const [http, type] of [
        [410, PermanentError],
        [500, RetryableError],
        [401, AuthExpiredError],
      ] as const) {
        far.end('/ticket', { http });
        await assert.rejects(find(id), type);
      }
      const ticket = { id: '1', status_id: '1', published_at: 'yesterday' };
      far.end('/ticket', { http: 200, body: { ticket, comments: [] } });
      await assert.rejects(find(id), RetryableError);
    });

    it('knows the customer among several addresses', async () => {
      far.clients[0]!.emails = `olena@example.com, ${far.clients[0]!.emails.toUpperCase()}`;
      assert.ok(await find(id));
    });

    it('leaves it to a person where there is too much to be looked through', async () => {
      others(60, 60 * SECOND);
      await assert.rejects(find(id), UncertainError);
      far.tickets.at(-1)!.additional = id;
      assert.equal((await find(id))?.externalId, String(far.tickets.at(-1)!.id));
    });
  });

  describe('refusing with 200', () => {
    const error = async (body: object) => {
      far.end('/create/ticket', { http: 200, body });
      const thrown: unknown = await desk.destination.createTicket!(await deliveryOf(id)).catch(
        (cause: unknown) => cause,
      );
      assert.ok(!inspect(thrown, { depth: 8 }).includes(API_TOKEN));
      return thrown;
    };
    let id: string;
    beforeEach(async () => {
      id = await desk.write('one');
      await desk.settled(1);
    });

    it('is understood', async () => {
      const refused = await error({ error: `Wrong field in api ${API_TOKEN}`, code: 422 });
      assert.ok(refused instanceof PermanentError);
      assert.deepEqual(refused.response, { status: 422, text: 'Wrong field in api [secret]' });
      assert.ok((await error({ error: { subject: ['too long'] } })) instanceof PermanentError);
      assert.ok((await error({ error: 'Too many requests', code: 429 })) instanceof RateLimitedError);
      assert.ok((await error({ error: 'Invalid api_token', code: 112 })) instanceof AuthExpiredError);
      assert.ok((await error({ error: 'Unauthorized', code: '401' })) instanceof AuthExpiredError);
      for (const code of [112, 600, 1000]) {
        const other = await error({ error: 'Something', code });
        assert.equal((other as PermanentError).response?.status, 400, String(code));
      }
      const failed = await error({ error: 'Server error', code: 500 });
      assert.ok(failed instanceof RetryableError && failed.outcomeUnknown);
    });

    it('says nothing about our token where it may quote a customer who speaks of his', async () => {
      id = await desk.write('my token is lost', 'telegram|2');
      await desk.settled(2);
      assert.ok((await error({ error: 'Bad subject: my token is lost' })) instanceof PermanentError);
      assert.ok((await error({ error: 'Wrong token', code: 401 })) instanceof AuthExpiredError);
    });

    it('asks for a new token where ours is meant, also when what it was sent speaks of tokens too', async () => {
      id = await desk.write('https://token.example.com/', 'telegram|2');
      await desk.settled(2);
      const refused = { error: 'Invalid api_token', code: 112 };
      far.end('/users', { http: 200, body: refused });
      assert.ok((await error(refused)) instanceof AuthExpiredError);
      far.end('/users', { http: 403, body: { error: 'Not for you' } });
      for (const why of ['it is none for agents', 'it works']) {
        const { response } = (await error(refused)) as PermanentError;
        assert.equal(response?.text, 'Invalid api_token', why);
      }
      const asked = called('/users');
      assert.ok((await error({ error: 'Bad subject' })) instanceof PermanentError);
      assert.equal(called('/users'), asked);
    });

    it('is not believed when it does not say which ticket it made', async () => {
      for (const body of [{ status: 'success' }, { status: false }, {}]) {
        const thrown = await error(body);
        assert.ok(thrown instanceof RetryableError && thrown.outcomeUnknown, inspect(body));
      }
    });

    it('tells nobody the token, not even where an answer quotes it', async () => {
      far.end('/users', { http: 400, body: { said: `api_token=${API_TOKEN}` } });
      await assert.rejects(desk.destination.test!(), (thrown: PermanentError) => {
        assert.match(thrown.response!.text, /api_token=\[secret\]/);
        return !inspect(thrown, { depth: 8 }).includes(API_TOKEN);
      });
    });

    it('a wrong token is a wrong token whatever the status, and another 403 is not', async () => {
      far.end(
        '/users',
        { http: 403, body: { error: 'Неверный токен' } },
        { http: 403, body: { error: 'Not for you' } },
      );
      await assert.rejects(desk.destination.test!(), AuthExpiredError);
      await assert.rejects(desk.destination.test!(), PermanentError);
      await assert.rejects(desk.open({ apiToken: 'wrong-token' }).test!(), AuthExpiredError);
      far.end('/users', { http: 500, body: { error: 'Invalid api_token' } });
      await assert.rejects(desk.destination.test!(), RetryableError);
    });
  });

  it('carries files, and a message without those that it refuses, which are named', async () => {
    const files = ['a.txt', 'b.txt'].map((name) => ({ id: name, name, mediaType: 'text/plain' }));
    desk.out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await desk.write('see these', undefined, { attachments: files });
    await desk.out.until(() => far.tickets.length > 0);
    assert.deepEqual([...far.files.values()].map(String), ['bytes', 'bytes']);
    far.end('/create/comment', { http: 200, body: { error: 'files: too large', code: 413 } });
    await desk.write('and these', undefined, { attachments: files });
    await desk.out.until(() => (said()[0] ?? 0) > 1);
    assert.match(far.said(far.tickets[0]!.id)[1]!, /and these .*a\.txt .* is not attached: Usedesk did not take it/);
  });

  describe('what is not the customer’s own', () => {
    const note = (message: Message): Message => ({
      ...message,
      id: 'msg_9',
      kind: 'note',
      direction: 'outbound',
      text: 'a regular',
    });
    let id: string;
    beforeEach(async () => {
      id = await desk.write('one');
      await desk.settled(1);
    });
    const last = () => far.said(far.tickets.at(-1)!.id).at(-1)!;

    it('is private: notes, failed answers, and answers given elsewhere, which Usedesk would send once more', async () => {
      const { message } = await deliveryOf(id);
      const answer = { ...message, direction: 'outbound' as const, text: 'Tomorrow.' };
      const failed = { ...answer, delivery: { state: 'failed' as const, error: 'blocked' } };
      const ref = { externalId: String(far.tickets[0]!.id) };
      for (const each of [note(message), failed, answer]) {
        await desk.destination.addMessage!(ref, await deliveryOf(id, { message: each }));
        assert.match(far.said(far.tickets[0]!.id).at(-1)!, /^Gateway \(private\): /);
        await desk.destination.createTicket!(await deliveryOf(id, { message: each }));
        assert.match(last(), /^Gateway \(private\): /);
      }
    });

    it('goes along with his words all the same, where it was said before them', async () => {
      const { message } = await deliveryOf(id);
      const opening = { ...message, direction: 'outbound' as const };
      await desk.destination.createTicket!(await deliveryOf(id, { transcript: [opening] }));
      assert.match(last(), /^Customer without a name \(public\): .*one.*one/);
    });

    it('calls for no agent in the words of a stranger', async () => {
      await desk.write('hello [~ivan@example.com]');
      await desk.settled(2);
      const { message } = far.tickets[0]!.comments.at(-1)!;
      assert.match(message, /\(~ivan@example\.com\]/);
      assert.ok(!message.includes('[~'));
    });
  });

  it('opens no new ticket by its priority, and leaves alone what was put away there', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const [there] = far.tickets;
    const ref = { externalId: String(there!.id) };
    const update = async (given: object) =>
      desk.destination.update!(ref, { id: 'tsk_1', ticket: await ticketOf(id), ...given });
    await update({ priority: 'urgent' });
    assert.deepEqual([there!.status, there!.priority], [8, 'extreme']);
    await update({ status: 'solved', priority: 'urgent' });
    assert.equal(there!.status, 2);
    const before = called('/update/ticket');
    there!.status = 5;
    await update({ status: 'pending', priority: 'urgent' });
    await update({ status: 'new' });
    for (const away of [4, 7, 9, 10]) {
      there!.status = away;
      await update({ status: 'open' });
    }
    there!.priority = undefined;
    await update({ priority: 'low' });
    assert.equal(called('/update/ticket'), before);
  });

  it('fails only the ticket whose mapping gives nonsense', async () => {
    desk.use({ fields: { group_id: '/ticket/subject' } });
    await desk.write('one');
    await desk.out.pass(2 * SECOND);
    assert.match((await desk.out.error('usedesk'))!, /gives group_id the value .*, not a number/);
    assert.equal(created(), 0);
  });

  it('writes as many tags as the line holds, and no value that ends before its time', async () => {
    const tags = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(50));
    desk.use({ tags, fields: { 10: { value: 'one;two' }, 11: { value: 'x'.repeat(300) } } });
    const id = await desk.write('one');
    await desk.settled(1);
    const { ticket, ...rest } = await deliveryOf(id);
    const more = ['d'.repeat(50), 'Late, very', ' , ', 'e'.repeat(60), 'f'];
    await desk.destination.createTicket!({ ...rest, ticket: { ...ticket, tags: more } });
    const { tag, field_id: ids, field_value: values } = far.tickets.at(-1)!.fields;
    assert.equal(tag, [...tags, 'Late  very', 'f'].join(', '));
    assert.deepEqual([ids, values!.split(';')[0], values!.length], ['10;11', 'one,two', 'one,two;'.length + 255]);
  });

  it('names a ticket without a subject by its number, and writes no tags where there are none', async () => {
    desk.use({ tags: [] });
    const id = await desk.write('one');
    await desk.settled(1);
    const { ticket, ...rest } = await deliveryOf(id);
    await desk.destination.createTicket!({ ...rest, ticket: { ...ticket, subject: ' ' } });
    const { subject, tag } = far.tickets.at(-1)!.fields;
    assert.deepEqual([subject, tag], [`#${ticket.number}`, undefined]);
  });

  it('says the whole of a subject that its field does not hold', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const { ticket, ...rest } = await deliveryOf(id);
    const subject = `${'x'.repeat(280)} end`;
    const message = { ...rest.message, subject };
    await desk.destination.createTicket!({ ...rest, message, ticket: { ...ticket, subject } });
    const { id: there, fields } = far.tickets.at(-1)!;
    assert.deepEqual([fields['subject'].length, far.said(there)[0]!.includes(subject)], [255, true]);
  });

  it('says which agent it writes as, whatever his role, and that there is none', async () => {
    assert.equal(await desk.destination.test!(), `Usedesk knows the token, and agent ${GATEWAY} as Gateway`);
    assert.match(await desk.open({ user: IVAN }).test!(), /as Ivan$/);
    const more = [
      { id: 9, name: 'Petro' },
      { id: IVAN, name: 'Ivan' },
    ];
    far.end('/users', { http: 200, body: more });
    assert.match(await desk.open({ user: IVAN }).test!(), /as Ivan$/);
    await assert.rejects(desk.open({ user: 7 }).test!(), /knows no agent 7/);
  });

  it('shows beforehand what it would send, and sends nothing', async () => {
    const id = await desk.write('one');
    await desk.settled(1);
    const calls = far.calls.length;
    const about = await deliveryOf(id);
    const shown = await desk.destination.preview!(about);
    assert.deepEqual([shown.method, shown.url], ['POST', `${far.root}/create/ticket`]);
    assert.equal((shown.body as { client_id: string }).client_id, `(${about.customer.id}@${DOMAIN})`);
    assert.ok(!JSON.stringify(shown).includes(API_TOKEN));
    assert.equal(far.calls.length, calls);
  });

  it('takes only fields, tags, numbers, hosts and domains that can be', () => {
    for (const wrong of [
      { fields: { order: '/ticket/fields/order' } },
      { fields: { toString: '/ticket/number' } },
      { tags: ['a,b'] },
      { statuses: { open: 'Open' } },
      { addressDomain: 'customers' },
      { addressDomain: 'a@b.example' },
      { fileHosts: ['https://files.example.com'] },
      { channel: 0 },
      { user: undefined },
    ]) {
      assert.throws(() => desk.open(wrong), JSON.stringify(wrong));
    }
  });
});
