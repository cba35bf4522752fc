import assert from 'node:assert/strict';
import { BadPayloadError } from '../src/core/errors.ts';
import type { Page, PageRequest } from '../src/core/reader.ts';
import * as views from '../src/core/ticket.ts';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, type TestDatabase } from './fakes/database.ts';

describeOnBoth('reading from the store', (openTestDatabase) => {
  let base: TestDatabase;
  let add: ReturnType<typeof fill>;
  beforeEach(async () => {
    base = await openTestDatabase();
    add = fill(base);
  });
  afterEach(() => base.close());

  /** Every page of a list, each by the cursor of the one before. */
  async function pages<T>(list: (page: PageRequest) => Promise<Page<T>>, limit = 2): Promise<T[][]> {
    const found: T[][] = [];
    for (let cursor: string | undefined; ;) {
      const page = await list({ limit, ...(cursor !== undefined && { cursor }) });
      found.push([...page.data]);
      if (page.nextCursor === null) return found;
      cursor = page.nextCursor;
      assert.ok(found.length < 100);
    }
  }
  const ids = (rows: readonly { readonly id: string }[]) => rows.map((row) => row.id);

  describe('a view', () => {
    it('of a ticket holds customer, channel type and links, and agrees with its schema', async () => {
      const customer = await add.customer('Олена');
      const id = await add.ticket(customer, { tags: ['vip'], fields: { order: '4512' }, channelId: 'bot' });
      await base.tx.saveLink('crm', id, { externalId: '77', url: 'https://crm.example.com/77' }, 1);
      const ticket = views.Ticket.parse(await base.read.ticket(id));
      assert.deepEqual(ticket.customer, { id: customer, name: 'Олена' });
      assert.deepEqual(ticket.channel, { id: 'bot', type: 'telegram' });
      assert.deepEqual(ticket.links, [{ destination: 'crm', externalId: '77', url: 'https://crm.example.com/77' }]);
      assert.deepEqual([ticket.tags, ticket.fields, ticket.lastMessageAt], [['vip'], { order: '4512' }, null]);
      assert.deepEqual(await base.read.ticketByNumber(ticket.number), ticket);
      assert.equal(await base.read.ticket('tkt_none'), undefined);
    });

    it('of a message holds files, reactions and what became of it, and agrees with its schema', async () => {
      const ticket = await add.ticket(await add.customer());
      const id = await add.message(ticket, {
        kind: 'call',
        call: { outcome: 'missed', direction: 'inbound', from: '+380671234567', to: '+380440000000' },
        delivery: { state: 'failed', error: 'window closed' },
        fields: { page: '/pay' },
      });
      const file = await add.attachment(id, { size: 12, state: 'stored' });
      await base.tx.saveReaction(id, 'Олена', '👍', 1);
      const message = views.Message.parse(await base.read.message(id));
      assert.deepEqual(message.attachments, [
        {
          id: file,
          name: 'a.pdf',
          mediaType: 'application/pdf',
          size: 12,
          state: 'stored',
          error: null,
          inline: false,
          url: `/api/v1/attachments/${file}`,
        },
      ]);
      assert.deepEqual(message.reactions, [{ author: 'Олена', emoji: '👍' }]);
      assert.deepEqual(message.delivery, { state: 'failed', error: 'window closed' });
      assert.deepEqual(message.channel, { id: 'contact', type: 'form' });
      assert.equal(message.call?.outcome, 'missed');
      assert.equal(message.verified, true);

      const note = await add.message(ticket, { kind: 'note', endpointId: null, externalId: null, rule: 'agent' });
      const found = views.Message.parse(await base.read.message(note));
      assert.deepEqual([found.channel, found.delivery, found.call, found.fields], [null, null, null, {}]);
    });

    it('of a customer shows what he typed as claimed, and agrees with its schema', async () => {
      const id = await add.customer('Олена', ['telegram=77']);
      await base.tx.saveClaim(id, 'email', 'olena@example.com', base.clock.now());
      const customer = views.Customer.parse(await base.read.customer(id));
      assert.deepEqual(
        customer.identifiers.map(({ kind, value, trust }) => [kind, value, trust]),
        [
          ['telegram', '77', 'verified'],
          ['email', 'olena@example.com', 'claimed'],
        ],
      );
    });

    it('of an event, a delivery with its tries and a change agree with their schemas', async () => {
      const ticket = await add.ticket(await add.customer());
      const message = await add.message(ticket);
      const event = await add.event(await add.payload(), { ticketId: ticket, messageId: message });
      views.LedgerEvent.parse(await base.read.event(event));

      const task = await add.task({ ticketId: ticket, messageId: message });
      const lease = await base.tx.lease(task, 'token', base.clock.now(), base.clock.now() + 1000);
      assert.ok(lease);
      const at = base.clock.now();
      const attempt = { outcome: 'RetryableError', error: 'HTTP 503', hint: null, request: 'POST /', response: '503' };
      await base.tx.finish(
        lease,
        { state: 'waiting', dueAt: at + 5000, countsAttempt: true, uncertain: false },
        { ...attempt, startedAt: at, endedAt: at },
        at,
      );
      const delivery = await base.read.delivery(task);
      assert.ok(delivery);
      const { log, ...view } = delivery;
      views.DeliveryView.parse(view);
      assert.deepEqual(
        log.map((entry) => views.Attempt.parse(entry)),
        [{ ...attempt, number: 1, startedAt: views.toTime(at), endedAt: views.toTime(at) }],
      );
      assert.equal(view.error, 'HTTP 503');
      assert.equal(view.nextAttemptAt, views.toTime(at + 5000));
      assert.deepEqual((await base.read.deliveries({}, { limit: 10 })).data, [view]);

      await add.change({ type: 'ticket.status_changed', ticketId: ticket, extra: { from: 'new', to: 'open' } });
      for (const change of await base.read.changes(0, 10)) views.Change.parse(change);
      const last = await base.read.change(await base.read.lastChange());
      assert.deepEqual([last?.data['from'], last?.data.ticket?.id, last?.data.version], ['new', ticket, 1]);
    });
  });

  describe('a page', () => {
    it('goes on where the one before it ended, in every list and sort order', async () => {
      const customer = await add.customer();
      const tickets: string[] = [];
      for (let i = 0; i < 5; i++) tickets.push(await add.ticket(customer, { createdAt: 1000 }));
      const [ticket = ''] = tickets;
      // Touched last, so first by update; the others share one time and are told apart by their ids.
      const messages: string[] = [];
      for (let i = 0; i < 5; i++) messages.push(await add.message(ticket, { customerId: customer }));
      const others = tickets.slice(1);
      const sorted = (sort: '-updatedAt' | 'updatedAt' | '-createdAt' | 'createdAt') =>
        pages(async (page) => base.read.tickets({ sort }, page)).then((found) => ids(found.flat()));
      assert.deepEqual(await sorted('-updatedAt'), [ticket, ...others.toReversed()]);
      assert.deepEqual(await sorted('updatedAt'), [...others, ticket]);
      assert.deepEqual(await sorted('createdAt'), tickets);
      assert.deepEqual(await sorted('-createdAt'), tickets.toReversed());

      const inTicket = await pages((page) => base.read.messages(ticket, page));
      assert.deepEqual(
        inTicket.map((page) => page.length),
        [2, 2, 1],
      );
      assert.deepEqual(ids(inTicket.flat()), messages);
      assert.deepEqual(ids((await pages((page) => base.read.timeline(customer, page))).flat()), messages.toReversed());

      const more = [customer, await add.customer(), await add.customer()];
      assert.deepEqual(ids((await pages((page) => base.read.customers({}, page))).flat()), more.toReversed());

      const events: string[] = [];
      for (let i = 0; i < 4; i++) events.push(await add.event(await add.payload()));
      const ledger = await pages((page) => base.read.events({}, page));
      assert.deepEqual(ids(ledger.flat()), events.toReversed());
      assert.equal(ledger.length, 2, 'a full last page says that it is the last one');

      const tasks = [await add.task(), await add.task(), await add.task()];
      assert.deepEqual(ids((await pages((page) => base.read.deliveries({}, page))).flat()), tasks.toReversed());
    });

    it('is refused with 400 when its cursor was tampered with or belongs to another list', async () => {
      const customer = await add.customer();
      for (let i = 0; i < 3; i++) await add.ticket(customer);
      const { nextCursor } = await base.read.tickets({}, { limit: 1 });
      const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const cursors = [nextCursor ?? '', 'x', '', forged(null), forged(['customers', [7]]), forged(['customers', []])];
      for (const cursor of cursors) {
        await assert.rejects(
          base.read.customers({}, { limit: 1, cursor }),
          (error) =>
            error instanceof BadPayloadError && error.status === 400 && error.problems[0]?.pointer === '/cursor',
        );
      }
      const other = { limit: 1, cursor: nextCursor ?? '' };
      await assert.rejects(base.read.tickets({ sort: 'updatedAt' }, other), BadPayloadError);
    });

    it('costs as many queries with a hundred rows as with one', async () => {
      const customer = await add.customer('Олена', ['telegram=1']);
      const ticket = await add.ticket(customer);
      for (let i = 0; i < 100; i++) {
        const id = await add.message(ticket, { customerId: await add.customer() });
        await add.attachment(id);
        await add.ticket(customer);
        await add.event(await add.payload());
        await add.task({ ticketId: ticket });
      }
      const lists = {
        tickets: (limit: number) => base.read.tickets({}, { limit }),
        messages: (limit: number) => base.read.messages(ticket, { limit }),
        customers: (limit: number) => base.read.customers({}, { limit }),
        events: (limit: number) => base.read.events({}, { limit }),
        deliveries: (limit: number) => base.read.deliveries({}, { limit }),
        changes: (limit: number) => base.read.changes(0, limit),
      };
      for (const [name, list] of Object.entries(lists)) {
        const cost = async (limit: number) => {
          base.queries();
          await list(limit);
          return base.queries().length;
        };
        const one = await cost(name === 'changes' ? 10 : 1);
        assert.equal(await cost(100), one, name);
        assert.ok(one <= 10, `${name}: ${one}`);
      }
    });
  });

  describe('the list of tickets', () => {
    it('is narrowed by each filter', async () => {
      const [first, second] = [await add.customer(), await add.customer()];
      const plain = await add.ticket(first);
      const special = await add.ticket(second, {
        status: 'open',
        priority: 'high',
        channelId: 'bot',
        assignee: 'usr_1',
        team: 'billing',
        tags: ['100%_"vip"', 'b'],
      });
      await add.message(plain);
      await add.message(special, { kind: 'call', endpointId: 'bot' });
      const page = { limit: 10 };
      const filters = [
        { status: ['open'] },
        { channel: 'bot' },
        { channelType: 'telegram' },
        { customer: second },
        { assignee: 'usr_1' },
        { team: 'billing' },
        { priority: 'high' },
        { tag: '100%_"vip"' },
        { tag: 'b' },
        { kind: 'call' },
        { updatedSince: base.clock.now() },
      ] as const;
      for (const filter of filters) {
        assert.deepEqual(ids((await base.read.tickets(filter, page)).data), [special], JSON.stringify(filter));
      }
      for (const filter of [{ tag: '%' }, { tag: 'vip' }, { status: [] }, { channelType: 'email' }]) {
        assert.deepEqual((await base.read.tickets(filter, page)).data, [], JSON.stringify(filter));
      }
    });

    it('merges several statuses in order, page after page', async () => {
      const customer = await add.customer();
      const expected: string[] = [];
      for (let i = 0; i < 9; i++) {
        const status = (['new', 'open', 'closed'] as const)[i % 3];
        const id = await add.ticket(customer, { status });
        if (status !== 'closed') expected.unshift(id);
      }
      const found = await pages((page) => base.read.tickets({ status: ['new', 'open', 'new'] }, page));
      assert.deepEqual(ids(found.flat()), expected);
    });

    it('leaves out what was merged into another one, which can still be opened', async () => {
      const customer = await add.customer();
      const [gone, kept] = [await add.ticket(customer), await add.ticket(customer)];
      await base.tx.updateTicket(gone, { mergedInto: kept }, 1);
      assert.deepEqual(ids((await base.read.tickets({}, { limit: 10 })).data), [kept]);
      assert.equal((await base.read.ticket(gone))?.mergedInto, kept);

      const other = await add.customer();
      await base.tx.moveCustomer(other, customer, 'same phone', 'mrg_1', 5000);
      assert.deepEqual(ids((await base.read.customers({}, { limit: 10 })).data), [customer]);
      assert.equal((await base.read.customer(other))?.mergedInto, customer);
      for (const id of [other, customer]) {
        assert.deepEqual(await base.read.merges(id), [
          {
            id: 'mrg_1',
            kind: 'merge',
            winner: customer,
            loser: other,
            evidence: 'same phone',
            at: views.toTime(5000),
            undoneAt: null,
          },
        ]);
      }
    });
  });

  describe('the ledger', () => {
    it('is balanced when every unit has its event, and says so when one is missing', async () => {
      const from = base.clock.now();
      const payload = await add.payload({ units: 3 });
      await add.event(payload);
      await add.event(payload, { outcome: 'duplicate', item: 1 });
      const to = base.clock.now() + 1_000_000;
      assert.deepEqual((await base.read.balance(from, to)).balanced, false);
      const last = await add.event(payload, { outcome: 'duplicate', item: 2 });
      // An operator's replay tells the same unit once more.
      await add.event(payload, { outcome: 'appended', item: 2, replayOf: last });
      const balance = await base.read.balance(from, to);
      assert.deepEqual([balance.received, balance.balanced], [3, true]);
      assert.deepEqual(
        [balance.outcomes.ticket_created, balance.outcomes.duplicate, balance.outcomes.appended],
        [1, 2, 0],
      );
      // Payloads outside of the span count on neither side.
      assert.deepEqual((await base.read.balance(to, to + 1)).received, 0);
      assert.equal((await base.read.balance(to, to + 1)).balanced, true);
    });

    it('gives the bytes of a payload, wherever they are', async () => {
      const kept = await add.payload({ body: Buffer.from([0, 255, 1]) });
      const same = await add.payload({ body: undefined, sameAs: kept });
      const { sha256 } = await base.blobs.save(Buffer.from('large'), 100);
      const large = await add.payload({ body: undefined, blob: sha256 });
      const sameAsLarge = await add.payload({ body: undefined, sameAs: large });
      const swept = await add.payload({ body: undefined });
      assert.deepEqual((await base.read.payload(kept))?.body, Buffer.from([0, 255, 1]));
      assert.deepEqual((await base.read.payload(same))?.body, Buffer.from([0, 255, 1]));
      assert.equal((await base.read.payload(large))?.body?.toString(), 'large');
      assert.equal((await base.read.payload(sameAsLarge))?.body?.toString(), 'large');
      assert.deepEqual((await base.read.payload(swept))?.body, undefined);
      assert.deepEqual((await base.read.payload(kept))?.headers, { 'content-type': 'text/plain' });
      assert.equal(await base.read.payload('pay_none'), undefined);
    });

    it('is narrowed by endpoint, outcome, payload, time and words', async () => {
      const first = await add.event(await add.payload(), { outcome: 'duplicate' });
      base.clock.jump(60 * 60_000);
      const since = base.clock.now();
      const payload = await add.payload({ endpointId: 'bot' });
      const given = {
        endpointId: 'bot',
        outcome: 'quarantined',
        reason: 'not 100% JSON',
        externalId: 'update-77',
      } as const;
      const second = await add.event(payload, given);
      const filters = [
        { endpoint: 'bot' },
        { outcome: 'quarantined' },
        { payload },
        { since },
        { q: '100% json' },
        { q: '77' },
        { q: payload },
        { endpoint: 'bot', outcome: 'quarantined', payload, since, q: second },
      ] as const;
      for (const filter of filters) {
        assert.deepEqual(ids((await base.read.events(filter, { limit: 10 })).data), [second], JSON.stringify(filter));
      }
      assert.deepEqual(ids((await base.read.events({ outcome: 'duplicate' }, { limit: 10 })).data), [first]);
      assert.deepEqual((await base.read.events({ q: '%' }, { limit: 10 })).data.length, 1);
    });

    it('is found by the message that came of it, and by the number of its ticket', async () => {
      const [ticket, payload] = [await add.ticket(await add.customer()), await add.payload()];
      const message = await add.message(ticket, { payloadId: payload });
      const about = { ticketId: ticket, messageId: message };
      const filed = await add.event(payload, about);
      await add.event(payload, { item: 1 });
      const again = await add.event(await add.payload(), { ...about, outcome: 'duplicate' });
      const list = async (filter: { message?: string; q?: string }) =>
        ids((await base.read.events(filter, { limit: 10 })).data);
      assert.deepEqual(await list({ message }), [filed]);
      const { number } = (await base.read.ticket(ticket))!;
      for (const q of [`#${number}`, `${number}`, ticket, message]) assert.deepEqual(await list({ q }), [again, filed]);
      assert.deepEqual(await list({ q: `#${number + 1}` }), []);
    });
  });

  it('finds keys, people who signed in, endpoints, routes and answers given before', async () => {
    const key = {
      id: 'key_1',
      name: 'ci',
      prefix: 'trb_1',
      hash: 'h',
      scopes: ['tickets:read'],
      createdAt: 1,
      lastUsedAt: null,
      revokedAt: null,
    };
    await base.tx.saveKey(key);
    assert.deepEqual(await base.read.keyByPrefix('trb_1'), key);
    assert.deepEqual(await base.read.keys(), [key]);
    assert.equal(await base.read.keyByPrefix('trb_2'), undefined);

    const user = { id: 'usr_1', name: 'Anna', role: 'admin' as const, at: 1 };
    const session = { hash: 's', userId: 'usr_1', createdAt: 1, expiresAt: 100 };
    await base.tx.saveUser(user);
    await base.tx.saveSession(session);
    assert.deepEqual(await base.read.session('s', 99), { ...session, user });
    assert.equal(await base.read.session('s', 100), undefined, 'over');
    assert.deepEqual(await base.read.users(), [user]);

    const endpoint = {
      id: 'hook',
      role: 'destination' as const,
      type: 'webhook',
      name: 'Hook',
      enabled: false,
      autoReply: 'Hi',
      at: 1,
    };
    await base.tx.saveEndpoint({ ...endpoint, sealed: Buffer.from([1, 2]) });
    assert.deepEqual(await base.read.endpoints(), [{ ...endpoint, sealed: Buffer.from([1, 2]) }]);
    await base.tx.saveRoute({ id: 'rte_2', position: 2, definition: { to: ['b'] }, at: 1 });
    await base.tx.saveRoute({ id: 'rte_1', position: 1, definition: { to: ['a'] }, at: 1 });
    assert.deepEqual(
      (await base.read.routes()).map((route) => route.definition),
      [{ to: ['a'] }, { to: ['b'] }],
    );
    const answer = { key: 'k', request: 'r', status: 201, body: '{}', at: 1 };
    await base.tx.saveIdempotent(answer);
    assert.deepEqual(await base.read.idempotent('k'), answer);
  });

  it('knows the threads of a channel, those whose tickets moved last first', async () => {
    const [one, two, three] = [
      await add.ticket(await add.customer()),
      await add.ticket(await add.customer()),
      await add.ticket(await add.customer()),
    ];
    await base.tx.saveThread('bot', '12', two);
    await base.tx.saveThread('bot', '11', one);
    await base.tx.saveThread('bot', '-13', three, 'shared');
    await base.tx.saveThread('mail', '14', three);
    await add.message(one);
    assert.deepEqual(await base.read.threads('bot', 500), ['11', '-13', '12']);
    assert.deepEqual(await base.read.threads('bot', 2), ['11', '-13']);
    assert.deepEqual(await base.read.threads('none', 2), []);
  });

  it('says where the bytes of a file come from', async () => {
    const payload = await add.payload();
    const message = await add.message(await add.ticket(await add.customer()), { payloadId: payload });
    const id = await add.attachment(message, { cid: 'logo', inline: true });
    const found = await base.read.attachment(id);
    assert.deepEqual(
      [found?.payloadId, found?.endpointId, found?.id, found?.inline],
      [payload, 'contact', 'file-1', true],
    );
    assert.equal(await base.read.attachment('att_none'), undefined);
  });

  describe('a conversation', () => {
    const AT = { limit: 50 };
    const keysOf = async (thread: string, page: PageRequest & { message?: string } = AT) =>
      (await base.read.said('contact', thread, page)).data.map(({ key }) => key);

    it('is what was written and answered under the names of its thread, the newest first', async () => {
      const ticket = await add.ticket(await add.customer());
      await add.message(ticket, { externalId: 'ann/one' });
      const answer = await add.message(ticket, { externalId: null, direction: 'outbound', text: 'Yes.' });
      const waiting = await add.message(ticket, { externalId: null, direction: 'outbound', text: 'Not yet out.' });
      await add.message(ticket, { externalId: null, kind: 'note', endpointId: null });
      const last = await add.message(await add.ticket(await add.customer()), { externalId: 'ann/two/three' });
      await base.tx.savePart(answer, 'contact', 'ann/tsk_1', base.clock.now());
      assert.deepEqual(await keysOf('ann'), ['two/three', 'tsk_1', 'one']);
      assert.deepEqual(await keysOf('ann', { ...AT, message: answer }), ['tsk_1']);
      assert.deepEqual(await keysOf('ann', { ...AT, message: waiting }), []);
      const list = (page: PageRequest) => base.read.said('contact', 'ann', page);
      assert.deepEqual(
        (await pages(list)).map((found) => found.map(({ key }) => key)),
        [['two/three', 'tsk_1'], ['one']],
      );
      await base.tx.deleteMessage(last, base.clock.now());
      assert.deepEqual(await keysOf('ann'), ['tsk_1', 'one']);
    });

    it('never holds what stands under a name that only looks like it', async () => {
      const ticket = await add.ticket(await add.customer());
      for (const externalId of [
        'ann',
        'ann0',
        'ann/',
        'anna/1',
        'an/1',
        'ANN/1',
        'ann%2F1',
        'ann.1',
        '/ann/1',
        'änn/1',
      ]) {
        await add.message(ticket, { externalId });
      }
      await add.message(ticket, { externalId: 'ann/1', endpointId: 'bot' });
      assert.deepEqual(await keysOf('ann'), []);
      assert.deepEqual(await keysOf('a_n'), []);
      assert.deepEqual(await keysOf('%'), []);
    });
  });
});
