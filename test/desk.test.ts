import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ConflictError, NotFoundError, PermanentError } from '../src/core/errors.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';

const AGENT = 'user:usr_1';
const MINUTE = 60_000;

describe('the desk', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling();
  });
  afterEach(() => filing.close());

  const write = async (
    rest: Parameters<typeof message>[1] = {},
    from: string | string[] = 'telegram|1',
    channel = 'chat',
  ) => {
    filing.clock.jump(1000);
    return (await filing.file(message(from, rest), channel))[0]!.ticketId!;
  };
  const ticketOf = async (id: string) => (await filing.store.read.ticket(id))!;
  const customerOf = async (ticket: string) => (await ticketOf(ticket)).customer.id;
  const messagesOf = async (ticket: string) => (await filing.store.read.messages(ticket, { limit: 100 })).data;
  const texts = async (ticket: string) => (await messagesOf(ticket)).map(({ text }) => text);
  const changesAfter = async (seq: number) => filing.store.read.changes(seq, 1000);
  /** Changes that a piece of work makes. */
  async function changes(work: () => Promise<unknown>) {
    const before = await filing.store.read.lastChange();
    await work();
    return changesAfter(before);
  }
  /** The audit log, which only grows and has no reader yet. */
  function audits(): string[] {
    const database = openDatabase(join(filing.folder, 'tributary.db'));
    try {
      const rows = database.prepare('SELECT actor, action, target FROM audit ORDER BY rowid').all();
      return rows.map((row) => Object.values(row as object).join(' '));
    } finally {
      database.close();
    }
  }
  /** What it refuses leaves nothing behind: no change, no line in the audit log. */
  async function refuses(work: () => Promise<unknown>, error: new (text: string) => Error, text?: RegExp) {
    const before = [audits(), await filing.store.read.lastChange()];
    await assert.rejects(work(), (thrown) => {
      assert.ok(thrown instanceof error, String(thrown));
      if (text) assert.match(thrown.message, text);
      return true;
    });
    assert.deepEqual([audits(), await filing.store.read.lastChange()], before);
  }

  describe('writes down who did what', () => {
    it('of answers and notes, never with their words', async () => {
      const ticket = await write();
      await filing.desk.reply(ticket, { text: 'a CANARY answer' }, AGENT);
      await filing.desk.note(ticket, { text: 'a CANARY note' }, 'key:key_1');
      assert.deepEqual(audits(), [`${AGENT} ticket.reply ${ticket}`, `key:key_1 ticket.note ${ticket}`]);
    });

    it('of everything else', async () => {
      const { desk } = filing;
      const one = await write({ text: 'one' });
      await write({ text: 'more' });
      const two = await write({ text: 'two' }, 'telegram|2');
      const [a, b] = [await customerOf(one), await customerOf(two)];
      const expected: string[] = [];
      const did = (action: string, target: string) => expected.push(`${AGENT} ${action} ${target}`);

      const { ticketId } = await desk.createTicket({ text: 'by phone', customer: { id: a } }, AGENT);
      did('ticket.create', ticketId);
      await desk.updateTicket(one, { priority: 'high' }, AGENT);
      did('ticket.update', one);
      const [first] = await messagesOf(one);
      await desk.splitTicket(one, [first!.id], AGENT);
      did('ticket.split', one);
      await desk.mergeTickets(two, one, AGENT);
      did('ticket.merge', two);
      const { mergeId } = await desk.mergeCustomers(b, a, AGENT);
      did('customer.merge', b);
      await desk.undoMerge(mergeId, AGENT);
      did('customer.undo_merge', mergeId);
      await desk.splitCustomer(a, [{ kind: 'telegram', value: '1' }], AGENT);
      did('customer.split', a);
      assert.deepEqual(audits(), expected);
    });
  });

  describe('answers', () => {
    it('through the channel of the last message, or another one of the customer, and opens a new ticket', async () => {
      const ticket = await write();
      filing.clock.jump(MINUTE);
      await write({}, 'telegram|1', 'mail');
      const channels = await filing.desk.replyChannels(ticket);
      assert.deepEqual(
        channels.map(({ channel, allowed }) => [channel, allowed]),
        [
          ['mail', true],
          ['chat', true],
        ],
      );
      const made = await changes(() => filing.desk.reply(ticket, { text: 'Hello' }, AGENT));
      assert.deepEqual(
        made.map(({ type }) => type),
        ['ticket.updated', 'ticket.status_changed'],
      );
      await filing.desk.reply(ticket, { text: 'Hello there', channel: 'chat' }, AGENT);
      assert.equal((await ticketOf(ticket)).status, 'open');
      const sent = (await messagesOf(ticket)).slice(-2);
      assert.deepEqual(
        sent.map(({ text, channel, direction, delivery, author }) => [
          text,
          channel!.id,
          direction,
          delivery!.state,
          author.name,
        ]),
        [
          ['Hello', 'mail', 'outbound', 'waiting', AGENT],
          ['Hello there', 'chat', 'outbound', 'waiting', AGENT],
        ],
      );
      const tasks = (await filing.store.read.deliveries({ ticket }, { limit: 9 })).data;
      assert.deepEqual(
        tasks.map(({ destination, type }) => [destination, type]),
        [
          ['chat', 'reply'],
          ['mail', 'reply'],
        ],
      );
    });

    it('nobody’s ticket, and one that was merged, not at all', async () => {
      const [one, two] = [await write(), await write({}, 'telegram|2')];
      await filing.desk.mergeTickets(one, two, AGENT);
      await refuses(() => filing.desk.reply('tkt_none', { text: 'a' }, AGENT), NotFoundError);
      await refuses(() => filing.desk.reply(one, { text: 'a' }, AGENT), ConflictError, /merged into/);
    });
  });

  describe('notes', () => {
    it('are in the ticket, go to nobody, and count for no answer', async () => {
      const ticket = await write();
      const made = await changes(() => filing.desk.note(ticket, { text: 'A regular.\u0000' }, AGENT));
      assert.deepEqual(
        made.map(({ type }) => type),
        ['note.created'],
      );
      const note = (await messagesOf(ticket)).at(-1)!;
      assert.deepEqual([note.kind, note.channel, note.delivery, note.text], ['note', null, null, 'A regular.']);
      const { status, messageCount } = await ticketOf(ticket);
      assert.deepEqual([status, messageCount], ['new', 1]);
      assert.deepEqual((await filing.store.read.deliveries({}, { limit: 9 })).data, []);
    });

    it('need words', async () => {
      const ticket = await write();
      await refuses(() => filing.desk.note(ticket, { text: '  ' }, AGENT), PermanentError);
      await refuses(() => filing.desk.note('tkt_none', { text: 'a' }, AGENT), NotFoundError);
    });
  });

  describe('makes a ticket', () => {
    it('of a customer, with what the agent heard', async () => {
      const known = await customerOf(await write());
      const input = {
        subject: ' Lost\nparcel ',
        text: 'She called about it',
        customer: { id: known },
        priority: 'urgent',
        tags: ['phone'],
        fields: { order: '4512' },
      } as const;
      let id = '';
      const made = await changes(async () => ({ ticketId: id } = await filing.desk.createTicket(input, AGENT)));
      assert.deepEqual(
        made.map(({ type, data }) => [type, data.message?.text]),
        [
          ['ticket.created', 'She called about it'],
          ['note.created', 'She called about it'],
        ],
      );
      const { subject, customer, priority, tags, fields, status } = await ticketOf(id);
      assert.deepEqual(
        { subject, customer: customer.id, priority, tags, fields, status },
        {
          subject: 'Lost parcel',
          customer: known,
          priority: 'urgent',
          tags: ['phone'],
          fields: { order: '4512' },
          status: 'new',
        },
      );
      assert.deepEqual(await texts(id), ['She called about it']);
    });

    it('with a note, of which no customer sees anything: also the subject is not made of it', async () => {
      const { ticketId } = await filing.desk.createTicket(
        { text: 'he never pays', customer: { name: 'Ivan', identifiers: [] } },
        AGENT,
      );
      const [note] = await messagesOf(ticketId);
      assert.deepEqual([note!.kind, note!.direction], ['note', 'outbound']);
      assert.equal((await ticketOf(ticketId)).subject, 'Ivan');
      const nameless = await filing.desk.createTicket({ text: 'he never pays', customer: { identifiers: [] } }, AGENT);
      assert.equal((await ticketOf(nameless.ticketId)).subject, 'Ticket');
    });

    it('of somebody new, whose identifiers are only claims until he proves them', async () => {
      const person = { name: 'Ivan', identifiers: [{ kind: 'email', value: ' Ivan@Example.com ' }] };
      const { ticketId } = await filing.desk.createTicket({ text: 'a', customer: person }, AGENT);
      const customer = (await filing.store.read.customer(await customerOf(ticketId)))!;
      assert.deepEqual(
        customer.identifiers.map(({ kind, value, trust }) => [kind, value, trust]),
        [['email', 'ivan@example.com', 'claimed']],
      );
    });

    it('of somebody known by one of the identifiers', async () => {
      const known = await customerOf(await write({}, 'phone|+380671234567'));
      const person = { identifiers: [{ kind: 'phone', value: '067 123 45 67' }] };
      const { ticketId } = await filing.desk.createTicket({ text: 'a', customer: person }, AGENT);
      assert.equal(await customerOf(ticketId), known);
    });

    it('of a customer that was joined, and joined again, for the one who is left', async () => {
      const ids = [];
      for (const from of ['telegram|1', 'telegram|2', 'telegram|3']) ids.push(await customerOf(await write({}, from)));
      await filing.desk.mergeCustomers(ids[0]!, ids[1]!, AGENT);
      await filing.desk.mergeCustomers(ids[1]!, ids[2]!, AGENT);
      const { ticketId } = await filing.desk.createTicket({ text: 'a', customer: { id: ids[0]! } }, AGENT);
      assert.equal(await customerOf(ticketId), ids[2]);
    });

    it('of nobody never', async () => {
      await refuses(() => filing.desk.createTicket({ text: 'a', customer: { id: 'cus_none' } }, AGENT), NotFoundError);
    });
  });

  describe('changes a ticket', () => {
    it('and says what was and what is', async () => {
      const ticket = await write();
      const patches = [
        [{ status: 'solved', priority: 'low' }, 'ticket.status_changed'],
        [{ assignee: 'usr_1' }, 'ticket.assigned'],
        [{ team: 'orders', tags: ['a'] }, 'ticket.assigned'],
        [{ tags: ['b'], language: 'uk' }, 'ticket.updated'],
        [{ status: 'solved' }, 'ticket.updated'],
      ] as const;
      for (const [patch, type] of patches) {
        const before = await ticketOf(ticket);
        const [change, ...rest] = await changes(() => filing.desk.updateTicket(ticket, patch, AGENT));
        assert.deepEqual([change!.type, rest], [type, []]);
        const after = await ticketOf(ticket);
        assert.ok(after.version > before.version);
        assert.equal(change!.data.version, after.version);
        for (const [name, value] of Object.entries(patch)) {
          assert.deepEqual(after[name as keyof typeof after], value, name);
        }
      }
      const [tidy] = await changes(() =>
        filing.desk.updateTicket(ticket, { assignee: ' ', tags: ['VIP', 'vip', ''] }, AGENT),
      );
      const { assignee, tags } = tidy!.data['changes'] as Record<string, { to: unknown }>;
      assert.deepEqual([assignee!.to, tags!.to], [null, ['VIP']]);
      const solved = (await changesAfter(0)).find(({ type }) => type === 'ticket.status_changed')!;
      assert.deepEqual([solved.data['from'], solved.data['to']], ['new', 'solved']);
    });

    it('and notes when it was closed, and forgets it when it is opened again', async () => {
      const ticket = await write();
      const closedAt = () => filing.store.write([], async (tx) => (await tx.ticket(ticket))!.closedAt);
      await filing.desk.updateTicket(ticket, { status: 'closed' }, AGENT);
      assert.equal(await closedAt(), filing.clock.now());
      await filing.desk.updateTicket(ticket, { subject: 'x' }, AGENT);
      assert.equal(await closedAt(), filing.clock.now());
      await filing.desk.updateTicket(ticket, { status: 'open' }, AGENT);
      assert.equal(await closedAt(), null);
    });

    it('for one of two who change it at the same moment', async () => {
      const ticket = await write();
      const { version } = await ticketOf(ticket);
      const results = await Promise.allSettled(
        ['a', 'b'].map((subject) => filing.desk.updateTicket(ticket, { subject }, AGENT, version)),
      );
      assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
      await refuses(() => filing.desk.updateTicket(ticket, { subject: 'c' }, AGENT, version), ConflictError, /version/);
      await refuses(() => filing.desk.updateTicket('tkt_none', { subject: 'c' }, AGENT), NotFoundError);
    });
  });

  describe('merges tickets', () => {
    it('into one that has everything in its order, also what comes later', async () => {
      const from = await write({ text: 'a1', thread: { externalId: 'chat-1' } }, 'telegram|1');
      const into = await write({ text: 'b1' }, 'telegram|2');
      await write({ text: 'a2', thread: { externalId: 'chat-1' } }, 'telegram|1');
      await filing.desk.note(from, { text: 'a note' }, AGENT);
      const made = await changes(() => filing.desk.mergeTickets(from, into, AGENT));
      assert.deepEqual(
        made.map(({ type, data }) => [type, data.ticket!.id]),
        [
          ['ticket.merged', from],
          ['ticket.updated', into],
        ],
      );
      assert.deepEqual(await texts(into), ['b1', 'a1', 'a2', 'a note']);
      assert.deepEqual(await texts(from), []);
      const [loser, winner] = [await ticketOf(from), await ticketOf(into)];
      assert.deepEqual([loser.status, loser.mergedInto, loser.messageCount], ['closed', into, 0]);
      assert.equal(winner.messageCount, 3);
      const last = await filing.store.write([], (tx) => tx.lastInbound(into, 'chat'));
      assert.equal(last?.thread, 'chat-1', 'an answer goes to who wrote last');
      assert.equal(await write({ text: 'a3', thread: { externalId: 'chat-1' } }, 'telegram|1'), into);
    });

    it('that are two, and both still open to work', async () => {
      const [one, two, three] = [await write(), await write({}, 'telegram|2'), await write({}, 'telegram|3')];
      await refuses(() => filing.desk.mergeTickets(one, one, AGENT), PermanentError, /itself/);
      await refuses(() => filing.desk.mergeTickets(one, 'tkt_none', AGENT), NotFoundError);
      await filing.desk.mergeTickets(one, two, AGENT);
      await refuses(() => filing.desk.mergeTickets(one, three, AGENT), ConflictError);
      await refuses(() => filing.desk.mergeTickets(three, one, AGENT), ConflictError);
      await refuses(() => filing.desk.mergeTickets(two, one, AGENT), ConflictError);
    });
  });

  describe('splits a ticket', () => {
    it('into two of the same customer', async () => {
      const ticket = await write({ text: 'about tea' });
      await write({ text: 'about cups' });
      await write({ text: 'tea again' });
      const all = await messagesOf(ticket);
      let id = '';
      const made = await changes(
        async () => ({ ticketId: id } = await filing.desk.splitTicket(ticket, [all[1]!.id], AGENT)),
      );
      assert.deepEqual(
        made.map(({ type, data }) => [type, data.ticket!.id, data.message?.text]),
        [
          ['ticket.created', id, 'about cups'],
          ['ticket.updated', ticket, undefined],
        ],
      );
      assert.deepEqual([await texts(ticket), await texts(id)], [['about tea', 'tea again'], ['about cups']]);
      const [rest, split] = [await ticketOf(ticket), await ticketOf(id)];
      assert.deepEqual([rest.messageCount, split.messageCount, split.subject], [2, 1, 'about cups']);
      assert.equal(split.customer.id, rest.customer.id);
      assert.ok(split.number > rest.number);
    });

    it('by messages of its own, some and not all', async () => {
      const ticket = await write({ text: 'one' });
      const other = await write({ text: 'other' }, 'telegram|2');
      const [mine] = await messagesOf(ticket);
      const [theirs] = await messagesOf(other);
      await refuses(() => filing.desk.splitTicket(ticket, [mine!.id], AGENT), PermanentError, /leave a message/);
      await refuses(() => filing.desk.splitTicket(ticket, [theirs!.id], AGENT), NotFoundError);
      await refuses(() => filing.desk.splitTicket(ticket, [], AGENT), PermanentError, /message/);
      await refuses(() => filing.desk.splitTicket('tkt_none', [mine!.id], AGENT), NotFoundError);
    });

    it('and gives the new one the old subject when the message has no words, or none that a customer may read', async () => {
      const ticket = await write({ text: 'about tea' });
      await write({ text: '' });
      await filing.desk.note(ticket, { text: 'he never pays' }, AGENT);
      const [, ...others] = await messagesOf(ticket);
      for (const { id } of others) {
        const { ticketId } = await filing.desk.splitTicket(ticket, [id], AGENT);
        assert.equal((await ticketOf(ticketId)).subject, 'about tea');
      }
    });
  });

  describe('joins customers', () => {
    it('and takes it back', async () => {
      const [one, two] = [await write(), await write({}, 'telegram|2')];
      const [a, b] = [await customerOf(one), await customerOf(two)];
      let mergeId = '';
      const joined = await changes(async () => ({ mergeId } = await filing.desk.mergeCustomers(a, b, AGENT)));
      assert.deepEqual(
        joined.map(({ type, data }) => [type, data['from'], data['mergeId']]),
        [['customer.merged', a, mergeId]],
      );
      assert.deepEqual([await customerOf(one), await customerOf(two)], [b, b]);
      const apart = await changes(() => filing.desk.undoMerge(mergeId, AGENT));
      assert.deepEqual(
        apart.map(({ type, data }) => [type, data['into']]),
        [['customer.split', a]],
      );
      assert.deepEqual([await customerOf(one), await customerOf(two)], [a, b]);
      await refuses(() => filing.desk.undoMerge(mergeId, AGENT), NotFoundError);
    });

    it('with the reason that was given, and says beforehand what moves', async () => {
      const [one, two] = [await write(), await write({}, 'telegram|2')];
      const [a, b] = [await customerOf(one), await customerOf(two)];
      const would = await filing.desk.previewMerge(a, b);
      assert.deepEqual(would.tickets, [one]);
      await refuses(() => filing.desk.previewMerge(a, a), PermanentError, /himself/);
      const { mergeId } = await filing.desk.mergeCustomers(a, b, AGENT, { reason: 'same voice' });
      const [merge] = await filing.store.read.merges(a);
      assert.deepEqual([merge!.kind, merge!.evidence], ['merge', 'same voice']);
      await refuses(() => filing.desk.previewMerge(a, b), ConflictError, /already/);
      assert.deepEqual(await filing.desk.previewUndo(mergeId), would);
      assert.equal(await customerOf(one), b, 'a preview changed something');
      await refuses(() => filing.desk.previewUndo('mrg_none'), NotFoundError);
    });

    it('that are two, there, and not joined already', async () => {
      const ids = [];
      for (const from of ['telegram|1', 'telegram|2', 'telegram|3']) ids.push(await customerOf(await write({}, from)));
      const [a, b, c] = ids as [string, string, string];
      await refuses(() => filing.desk.mergeCustomers(a, a, AGENT), PermanentError, /himself/);
      await refuses(() => filing.desk.mergeCustomers(a, 'cus_none', AGENT), NotFoundError);
      const { mergeId } = await filing.desk.mergeCustomers(a, b, AGENT);
      await refuses(() => filing.desk.mergeCustomers(a, c, AGENT), ConflictError);
      await refuses(() => filing.desk.mergeCustomers(c, a, AGENT), ConflictError);
      await filing.desk.mergeCustomers(b, c, AGENT);
      await refuses(() => filing.desk.undoMerge(mergeId, AGENT), ConflictError, /since/);
    });
  });

  describe('splits a customer', () => {
    it('and takes it back', async () => {
      await write({ text: 'proves both' }, ['telegram|1', 'whatsapp|2']);
      const ticket = await write({ text: 'from there' }, 'whatsapp|2');
      const customer = await customerOf(ticket);
      const identifier = { kind: 'whatsapp', value: '2' };
      const { customerId } = await filing.desk.splitCustomer(customer, [identifier], AGENT);
      const owner = () => filing.store.write([], async (tx) => (await tx.identifier('whatsapp', '2'))!.customerId);
      assert.equal(await owner(), customerId);
      const [merge] = await filing.store.read.merges(customerId);
      const undone = await changes(() => filing.desk.undoMerge(merge!.id, AGENT));
      assert.deepEqual(
        undone.map(({ type, data }) => [type, data.customer?.id, data['from']]),
        [['customer.merged', customer, customerId]],
      );
      assert.equal(await owner(), customer);
      assert.deepEqual((await filing.store.read.timeline(customerId, { limit: 9 })).data, []);
    });

    it('and gives nothing back to one who was merged into another since', async () => {
      await write({ text: 'proves both' }, ['telegram|1', 'whatsapp|2']);
      const customer = await customerOf(await write({ text: 'from there' }, 'whatsapp|2'));
      const other = await customerOf(await write({}, 'telegram|3'));
      const identifiers = [{ kind: 'whatsapp', value: '2' }];
      const { customerId } = await filing.desk.splitCustomer(customer, identifiers, AGENT);
      const [split] = await filing.store.read.merges(customerId);
      await filing.desk.mergeCustomers(customer, other, AGENT);
      await refuses(() => filing.desk.undoMerge(split!.id, AGENT), ConflictError, /since/);
      const owner = await filing.store.write([], (tx) => tx.identifier('whatsapp', '2'));
      assert.equal(owner?.customerId, customerId);
      const telegram = [{ kind: 'telegram', value: '1' }];
      await refuses(() => filing.desk.splitCustomer(customer, telegram, AGENT), ConflictError, /merged/);
    });

    it('into one who is found at once, and says beforehand what leaves', async () => {
      await write({ text: 'proves both' }, ['telegram|1', 'whatsapp|2']);
      const ticket = await write({ text: 'from there' }, 'whatsapp|2');
      const customer = await customerOf(ticket);
      const identifiers = [{ kind: 'whatsapp', value: '2' }];
      const would = await filing.desk.previewSplit(customer, identifiers);
      assert.deepEqual(would.identifiers, identifiers);
      assert.ok(would.messages.length > 0);
      const made = await changes(() => filing.desk.splitCustomer(customer, identifiers, AGENT, { reason: 'his wife' }));
      assert.deepEqual(
        made.map(({ type, data }) => [type, data.customer?.identifiers.map(({ value }) => value)]),
        [
          ['customer.created', ['2']],
          ['customer.split', ['1']],
        ],
      );
      const { data } = await filing.store.read.timeline(made[0]!.data.customer!.id, { limit: 200 });
      assert.deepEqual(data.map(({ id }) => id).toSorted(), would.messages.toSorted());
      const [split] = await filing.store.read.merges(customer);
      assert.deepEqual([split!.kind, split!.evidence], ['split', 'his wife']);
      await refuses(() => filing.desk.previewSplit(customer, identifiers), PermanentError, /no identifier/);
      await refuses(() => filing.desk.previewSplit('cus_none', identifiers), NotFoundError);
    });

    it('by identifiers that he has, at least one', async () => {
      const customer = await customerOf(await write());
      const split = (value: string) => filing.desk.splitCustomer(customer, [{ kind: 'telegram', value }], AGENT);
      await refuses(() => split('2'), PermanentError, /no identifier/);
      await refuses(() => filing.desk.splitCustomer(customer, [], AGENT), PermanentError, /identifier/);
      await refuses(
        () => filing.desk.splitCustomer('cus_none', [{ kind: 'telegram', value: '1' }], AGENT),
        NotFoundError,
      );
    });
  });
});
