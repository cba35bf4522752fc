import assert from 'node:assert/strict';
import { promote } from '../src/store/outbox.ts';
import type { Sql } from '../src/store/sql.ts';
import { fill, openTestDatabase, type TestDatabase } from './fakes/database.ts';

const TICKETS = 20_000;
const WAITING = 10_000;

describe('reading from a store with 20,000 tickets', () => {
  let base: TestDatabase;
  before(async () => {
    base = await openTestDatabase();
    await seed(base);
  });
  after(() => base.close());

  /** Plans of every query that `work` makes. */
  async function plansOf(work: () => Promise<unknown>): Promise<string[]> {
    base.queries();
    await work();
    return base.queries().flatMap((text) => base.planOf(text));
  }

  const page = { limit: 50 };
  /** A table that is walked without an index; in the order of one, a walk ends when the page is full. */
  const WALK = /^SCAN (tickets|messages|customers|events|tasks|payloads|changes|attempts)(?! USING (COVERING )?INDEX)/;

  it('finds every list and page by an index, and sorts no list that can grow', async () => {
    const { read } = base;
    const first = await read.tickets({}, page);
    const [ticket] = first.data;
    const [message] = (await read.messages(ticket!.id, page)).data;
    const [event] = (await read.events({}, page)).data;
    const since = base.clock.now() - 60_000;
    const behind = { ...page, cursor: first.nextCursor! };
    const lists: Record<string, () => Promise<unknown>> = {
      tickets: () => read.tickets({}, page),
      'tickets behind a cursor': () => read.tickets({}, behind),
      'tickets by status': () => read.tickets({ status: ['new', 'open'] }, page),
      'tickets by status behind a cursor': () => read.tickets({ status: ['closed'] }, behind),
      'tickets, the oldest first': () => read.tickets({ sort: 'createdAt' }, page),
      'tickets updated since': () => read.tickets({ updatedSince: since }, page),
      'a ticket by its number': () => read.ticketByNumber(1001),
      messages: () => read.messages(ticket!.id, page),
      'how far a ticket is': () => read.progress(ticket!.id),
      timeline: () => read.timeline(ticket!.customer.id, page),
      customers: () => read.customers({}, page),
      events: () => read.events({}, page),
      'events of an endpoint': () => read.events({ endpoint: 'contact' }, page),
      'events set aside': () => read.events({ outcome: 'quarantined' }, page),
      'events since': () => read.events({ since }, page),
      deliveries: () => read.deliveries({}, page),
      'deliveries to a destination': () => read.deliveries({ destination: 'crm' }, page),
      'deliveries of a ticket': () => read.deliveries({ ticket: ticket!.id }, page),
      'deliveries waiting': () => read.deliveries({ state: 'waiting' }, page),
      'dead letters': () => read.deliveries({ state: 'dead' }, page),
      'dead letters of a ticket': () => read.deliveries({ ticket: ticket!.id, state: 'dead' }, page),
      changes: () => read.changes(TICKETS - 50, 50),
    };
    for (const [name, list] of Object.entries(lists)) {
      for (const plan of await plansOf(list)) assert.doesNotMatch(plan, WALK, name);
      const [own] = base.planOf((await queriesOf(list))[0]!).filter((plan) => plan.includes('TEMP B-TREE'));
      assert.equal(own, undefined, `${name} is sorted`);
    }
    const [aside] = await plansOf(lists['dead letters of a ticket']!);
    assert.match(aside!, /tasks_by_ticket/, 'not all that were set aside');
    const small: Record<string, () => Promise<unknown>> = {
      'tickets of a customer': () => read.tickets({ customer: ticket!.customer.id }, page),
      'tickets of a type': () => read.tickets({ channelType: 'form' }, page),
      'events of a payload': () => read.events({ payload: event!.payloadId }, page),
      'the event of a message': () => read.events({ message: message!.id }, page),
      'deliveries of a message': () => read.deliveries({ message: message!.id }, page),
      'events that say': () => read.events({ q: 'nothing' }, page),
      'customers by identifier': () => read.customers({ identifier: { kind: 'email', value: 'a@example.com' } }, page),
      merges: () => read.merges(ticket!.customer.id),
      traces: () => read.traces(ticket!.customer.id),
      suggestions: () => read.suggestions(ticket!.customer.id),
      'what was said in a chat': () => read.said('contact', 'AAAAAAAAAAAAAAAAAAAAAA', page),
      undelivered: () => read.undelivered('crm', ticket!.id, message!.id),
      balance: () => read.balance(since, base.clock.now()),
      'endpoint states': () => read.endpointStates(),
      backlog: () => read.backlog(),
    };
    for (const [name, list] of Object.entries(small)) {
      for (const plan of await plansOf(list)) assert.doesNotMatch(plan, WALK, name);
    }
  });

  it('reads what is set aside or open by the small index that holds nothing else', async () => {
    const { read } = base;
    const uses = async (index: string, work: () => Promise<unknown>) => {
      const plans = await plansOf(work);
      assert.ok(
        plans.some((plan) => plan.includes(`USING INDEX ${index}`)),
        plans.join('\n'),
      );
    };
    await uses('events_unfiled', () => read.events({ outcome: 'quarantined' }, page));
    await uses('tasks_set_aside', () => read.deliveries({ state: 'dead' }, page));
    await uses('tasks_in_line', () => read.deliveries({ state: 'waiting' }, page));
  });

  async function queriesOf(work: () => Promise<unknown>): Promise<string[]> {
    base.queries();
    await work();
    return base.queries();
  }

  it('finds the tasks that are due by their index alone, however many wait', async () => {
    const plans = await plansOf(async () => assert.equal((await base.read.dueTasks(base.clock.now(), 10)).length, 20));
    const tasks = plans.filter((plan) => plan.includes(' tasks '));
    assert.ok(tasks.length > 0);
    for (const plan of tasks) assert.match(plan, /USING INDEX tasks_due/);
    assert.ok(tasks.some((plan) => plan.includes('(endpoint_id=? AND due_at>? AND due_at<?)')));
    assert.ok(!plans.some((plan) => plan.includes('ORDER BY')), plans.join('\n'));
  });

  it('finds the next task of a line without looking at those of other lines', async () => {
    const { sql, clock } = base;
    const ticketId = (await base.read.tickets({}, page)).data[0]!.id;
    await sql.run('DELETE FROM tasks WHERE ticket_id = ?', ticketId);
    await fill(base).task({ ticketId });
    await sql.run('UPDATE tasks SET due_at = NULL WHERE ticket_id = ?', ticketId);
    const texts: string[] = [];
    const get: Sql['get'] = (text, ...values) => {
      texts.push(text);
      return sql.get(text, ...values);
    };
    assert.ok(await promote({ ...sql, get }, 'crm', ticketId, clock.now()));
    const plans = texts.filter((text) => text.includes('FROM tasks')).map((text) => base.planOf(text).join('\n'));
    assert.equal(plans.length, 2);
    for (const plan of plans)
      assert.match(plan, /^SEARCH tasks USING .*INDEX tasks_\w+ \(endpoint_id=\? AND ticket_id=\?/);
  });

  it('balances a ledger that takes several steps to count', async () => {
    const balance = await base.read.balance(0, base.clock.now() + 1);
    assert.deepEqual([balance.received, balance.balanced], [TICKETS, true]);
    assert.equal(balance.outcomes.quarantined, TICKETS / 100);
  });
});

async function seed({ sql, newId, clock, bulk }: TestDatabase): Promise<void> {
  const insert = (table: string, row: Record<string, string | number | null>) =>
    sql.run(
      `INSERT INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${Object.keys(row)
        .map(() => '?')
        .join(', ')})`,
      ...Object.values(row),
    );
  await bulk(async () => {
    for (let i = 0; i < TICKETS; i++) {
      clock.jump(1000);
      const at = clock.now();
      const [customer_id, ticket_id, message_id, payload_id] = [newId('cus'), newId('tkt'), newId('msg'), newId('pay')];
      await insert('customers', { id: customer_id, version: 1, created_at: at, updated_at: at });
      await insert('tickets', {
        id: ticket_id,
        number: 1001 + i,
        subject: '',
        status: i % 50 === 0 ? 'open' : 'closed',
        priority: 'normal',
        channel_id: 'contact',
        customer_id,
        tags: '[]',
        fields: '{}',
        message_count: 1,
        last_seq: 1,
        version: 1,
        created_at: at,
        updated_at: at,
      });
      await insert('messages', {
        id: message_id,
        ticket_id,
        seq: 1,
        endpoint_id: 'contact',
        external_id: message_id,
        customer_id,
        kind: 'message',
        direction: 'inbound',
        author: '{"identifiers":[]}',
        verified: 1,
        revision: 0,
        occurred_at: at,
        received_at: at,
        text: 'x',
        rule: 'new',
        evidence: '',
      });
      const endpoint = { endpoint_id: 'contact', received_at: at };
      await insert('payloads', {
        id: payload_id,
        ...endpoint,
        method: 'POST',
        url: '/',
        headers: '{}',
        units: 1,
      });
      const outcome = i % 100 === 0 ? 'quarantined' : 'ticket_created';
      await insert('events', { id: newId('evt'), payload_id, item: 0, ...endpoint, outcome, ticket_id, message_id });
      const waits = i >= TICKETS - WAITING;
      await insert('tasks', {
        id: newId('tsk'),
        kind: 'deliver',
        type: 'message.received',
        endpoint_id: i % 2 === 0 ? 'crm' : 'desk',
        ticket_id,
        message_id,
        state: waits ? 'waiting' : 'delivered',
        attempts: 0,
        tries: 0,
        uncertain: 0,
        due_at: waits ? at : null,
        created_at: at,
        updated_at: at,
      });
      await insert('changes', {
        seq: i + 1,
        type: 'message.received',
        at,
        version: 1,
        ticket_id,
        message_id,
        customer_id,
      });
    }
  });
}
