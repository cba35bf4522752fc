import assert from 'node:assert/strict';
import { ConflictError } from '../src/core/errors.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import type { Message, Ticket } from '../src/core/ticket.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';
import { startWhole, type Whole } from './fakes/whole.ts';

const AGENT = 'user:usr_1';
const DAY = 86_400_000;

describe('what an agent does under a key', () => {
  let filing: Filing;
  let once: { key: string; request: string; since: number };
  beforeEach(async () => {
    filing = await openFiling();
    once = { key: 'k', request: 'r', since: filing.clock.now() - DAY };
  });
  afterEach(() => filing.close());

  const write = async (text: string, from = 'telegram|1') =>
    (await filing.file(message(from, { text, thread: { externalId: from } }), 'chat'))[0]!.ticketId!;

  it('is done once and answered twice, whatever it is', async () => {
    const { desk } = filing;
    const [one, two] = [await write('a'), await write('b', 'telegram|2')];
    await write('more');
    const [first] = (await filing.store.read.messages(one, { limit: 9 })).data;
    const customer = async (id: string) => (await filing.store.read.ticket(id))!.customer.id;
    const [a, b] = [await customer(one), await customer(two)];
    const acts: Record<string, () => Promise<unknown>> = {
      reply: () => desk.reply(one, { text: 'Hello' }, AGENT, { ...once, key: 'reply' }),
      note: () => desk.note(one, { text: 'A note' }, AGENT, { ...once, key: 'note' }),
      create: () => desk.createTicket({ text: 'x', customer: { id: a } }, AGENT, { ...once, key: 'create' }),
      split: () => desk.splitTicket(one, [first!.id], AGENT, { ...once, key: 'split' }),
      merge: () => desk.mergeTickets(two, one, AGENT, { ...once, key: 'merge' }),
      join: () => desk.mergeCustomers(b, a, AGENT, { once: { ...once, key: 'join' } }),
      splitPerson: () =>
        desk.splitCustomer(a, [{ kind: 'telegram', value: '1' }], AGENT, { once: { ...once, key: 'splitPerson' } }),
    };
    for (const [name, act] of Object.entries(acts)) {
      const result = await act();
      const before = await filing.store.read.lastChange();
      assert.deepEqual(await act(), result, name);
      assert.equal(await filing.store.read.lastChange(), before, `${name} changed something again`);
    }
  });

  it('is done again by a repeat that comes a day later, and by whoever has another key', async () => {
    const ticket = await write('a');
    const note = (more: object) => filing.desk.note(ticket, { text: 'x' }, AGENT, { ...once, ...more });
    const first = await note({});
    assert.notDeepEqual(await note({ key: 'other' }), first);
    filing.clock.jump(DAY + 1);
    assert.notDeepEqual(await note({ since: filing.clock.now() - DAY }), first);
  });

  it('is not taken for what another process did under that key in the meantime', async () => {
    const ticket = await write('a');
    const note = (more: object) => filing.desk.note(ticket, { text: 'x' }, AGENT, { ...once, ...more });
    await note({});
    await assert.rejects(note({ request: 'another' }), ConflictError);
    const { key, request } = once;
    const answered = { key, request, status: 201, body: '{"id":"as the API shows it"}', at: filing.clock.now() };
    await filing.store.write([], (tx) => tx.saveIdempotent(answered));
    await assert.rejects(note({}), ConflictError);
  });

  it('leaves no trace when it fails, so that a repeat tries again', async () => {
    const ticket = await write('a');
    await assert.rejects(filing.desk.mergeTickets(ticket, 'tkt_none', AGENT, once));
    const other = await write('b', 'telegram|2');
    await filing.desk.mergeTickets(ticket, other, AGENT, once);
    assert.equal((await filing.store.read.ticket(ticket))!.mergedInto, other);
  });
});

describe('an Idempotency-Key over the API', () => {
  let whole: Whole;
  before(async () => {
    whole = await startWhole({});
  });
  after(() => whole.close());

  it('finds what was done when the gateway died before it could answer', async () => {
    assert.equal(await whole.send({ id: 'm-1', from: { id: 'u-1' }, text: 'Hello' }), 200);
    const { data } = await whole.api<{ data: Ticket[] }>('/tickets');
    const note = () =>
      whole.api<Message>(`/tickets/${data[0]!.id}/notes`, {
        method: 'POST',
        body: { text: 'He is a regular.' },
        headers: { 'idempotency-key': 'note-1' },
      });
    const first = await note();
    await whole.restart();
    // As it stands in the moment between the commit and the answer.
    const database = openDatabase(`${whole.folder}/data/tributary.db`);
    assert.equal(
      database.prepare('UPDATE idempotent SET status = 0, body = ?').run(JSON.stringify({ messageId: first.id }))
        .changes,
      1,
    );
    database.close();
    assert.equal((await note()).id, first.id);
    assert.equal((await note()).id, first.id);
    const { data: messages } = await whole.api<{ data: Message[] }>(`/tickets/${data[0]!.id}/messages`);
    assert.deepEqual(
      messages.map(({ kind }) => kind),
      ['message', 'note'],
    );
  });
});
