import assert from 'node:assert/strict';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, type TestDatabase } from './fakes/database.ts';

describeOnBoth('reading the outbox', (openTestDatabase) => {
  let base: TestDatabase;
  let add: ReturnType<typeof fill>;
  beforeEach(async () => {
    base = await openTestDatabase();
    add = fill(base);
  });
  afterEach(() => base.close());
  const ids = (rows: readonly { readonly id: string }[]) => rows.map((row) => row.id);

  const due = async (now = base.clock.now(), perEndpoint = 10) =>
    (await base.read.dueTasks(now, perEndpoint)).map((task) => task.id);

  it('offers the due heads of each line, oldest first, and what a dead process left', async () => {
    const [one, two] = [await add.ticket(await add.customer()), await add.ticket(await add.customer())];
    const head = await add.task({ ticketId: one });
    await add.task({ ticketId: one });
    const later = await add.task({ ticketId: two }, base.clock.now() + 60_000);
    const other = await add.task({ endpointId: 'desk' });
    assert.deepEqual(await due(), [head, other]);
    assert.deepEqual(await due(base.clock.now() + 120_000), [head, later, other]);

    const now = base.clock.now();
    await base.tx.lease(head, 'token', now, now + 5000);
    assert.deepEqual(await due(now + 4999), [other]);
    assert.deepEqual(await due(now + 5000), [head, other]);
  });

  it('offers nothing of a paused or disabled endpoint, and one at a time of one that keeps failing', async () => {
    for (const endpointId of ['crm', 'crm', 'crm', 'desk', 'desk', 'mail']) await add.task({ endpointId });
    const now = base.clock.now();
    const endpoints = async () => (await base.read.dueTasks(now, 2)).map((task) => task.endpointId);
    assert.deepEqual(await endpoints(), ['crm', 'crm', 'desk', 'desk', 'mail']);
    await base.tx.updateEndpointState('desk', { failures: 10 });
    assert.deepEqual(await endpoints(), ['crm', 'crm', 'desk', 'mail']);
    await base.tx.updateEndpointState('crm', { pausedUntil: now + 1 });
    await base.tx.updateEndpointState('mail', { disabledAt: 1 });
    assert.deepEqual(await endpoints(), ['desk']);
    await base.tx.updateEndpointState('crm', { pausedUntil: now });
    assert.deepEqual(await endpoints(), ['crm', 'crm', 'desk']);
  });

  async function finish(id: string, state: 'delivered' | 'dead' | 'needs_check'): Promise<void> {
    const now = base.clock.now();
    const lease = await base.tx.lease(id, id, now, now + 1000);
    assert.ok(lease);
    const attempt = { outcome: state, error: null, hint: null, request: null, response: null };
    await base.tx.finish(lease, { state }, { ...attempt, startedAt: now, endedAt: now }, now);
  }

  it('is narrowed by destination, state, ticket and time', async () => {
    const ticket = await add.ticket(await add.customer());
    const dead = await add.task({ ticketId: ticket });
    await finish(dead, 'dead');
    const waiting = await add.task({ endpointId: 'desk' });
    const list = async (filter: Parameters<typeof base.read.deliveries>[0]) =>
      ids((await base.read.deliveries(filter, { limit: 10 })).data);
    assert.deepEqual(await list({ destination: 'crm' }), [dead]);
    assert.deepEqual(await list({ state: 'dead' }), [dead]);
    assert.deepEqual(await list({ state: 'waiting' }), [waiting]);
    assert.deepEqual(await list({ ticket }), [dead]);
    assert.deepEqual(await list({ since: base.clock.now() }), [waiting]);
    assert.deepEqual(await list({ state: 'needs_check' }), []);
  });

  it('finds what goes out about a message, also where its ticket was merged since', async () => {
    const customer = await add.customer();
    const [from, into] = [await add.ticket(customer), await add.ticket(customer)];
    const payload = await add.payload();
    const message = await add.message(from, { payloadId: payload });
    await add.event(payload, { ticketId: from, messageId: message });
    const about = { kind: 'notify', messageId: message } as const;
    const done = await add.task({ ...about, ticketId: from });
    await finish(done, 'delivered');
    await add.task({ ticketId: from });
    await base.tx.moveMessages([message], into, base.clock.now());
    const later = await add.task({ ...about, ticketId: into });
    await add.task({ ticketId: into });
    const answer = await add.message(from, { direction: 'outbound', payloadId: null });
    const sent = await add.task({ kind: 'reply', messageId: answer, ticketId: from });
    await base.tx.moveMessages([answer], into, base.clock.now());
    const list = async (filter: Parameters<typeof base.read.deliveries>[0]) =>
      ids((await base.read.deliveries(filter, { limit: 10 })).data);
    assert.deepEqual(await list({ message }), [later, done]);
    assert.deepEqual(await list({ message, ticket: into }), [later]);
    assert.deepEqual(await list({ message: answer }), [sent]);
    assert.deepEqual(await list({ message: 'msg_none' }), []);
  });

  it('says how much waits for each endpoint, and since when', async () => {
    const first = await add.task();
    const since = base.clock.now();
    await add.task();
    const dead = await add.task({ endpointId: 'desk' });
    await finish(dead, 'dead');
    assert.deepEqual(await base.read.backlog(), [
      { endpointId: 'crm', waiting: 2, dead: 0, oldestAt: since },
      { endpointId: 'desk', waiting: 0, dead: 1, oldestAt: null },
    ]);
    await finish(first, 'delivered');
    assert.equal((await base.read.backlog())[0]?.waiting, 1);
  });

  it('knows when an endpoint was last heard from, even before anything went out to it', async () => {
    await add.event(await add.payload());
    await add.event(await add.payload());
    const at = base.clock.now();
    await base.tx.updateEndpointState('crm', {
      failures: 3,
      lastError: 'HTTP 500',
      lastErrorAt: 7,
      needsReauth: true,
    });
    await base.tx.takeChannel('crm', 'a');
    await base.tx.saveCursor('crm', 'c1', 'a');
    const [contact, crm] = await base.read.endpointStates();
    assert.deepEqual([contact?.endpointId, contact?.lastInAt, contact?.failures], ['contact', at, 0]);
    assert.deepEqual([crm?.lastInAt, crm?.failures, crm?.needsReauth, crm?.lastError], [null, 3, true, 'HTTP 500']);
    assert.deepEqual([await base.read.cursor('crm'), await base.read.cursor('contact')], ['c1', undefined]);
  });

  it('lists what a destination never got: all of it before there is a link, later only what was meant for it', async () => {
    const ticket = await add.ticket(await add.customer());
    const first = await add.message(ticket, { text: 'first' });
    await add.message(ticket, { kind: 'note', text: 'a note' });
    const answer = await add.message(ticket, { direction: 'outbound', text: 'answer' });
    const third = await add.message(ticket, { text: 'third' });
    const missing = async (before: string) => ids(await base.read.undelivered('crm', ticket, before));
    const dead = await add.task({ ticketId: ticket, messageId: first });
    await finish(dead, 'dead');
    assert.deepEqual(await missing(third), [first, answer]);

    const created = await add.task({ ticketId: ticket, messageId: third });
    await finish(created, 'delivered');
    await base.tx.saveLink('crm', ticket, { externalId: '1' }, base.clock.now());
    const elsewhere = await add.message(ticket, { text: 'routed elsewhere' });
    const refused = await add.message(ticket, { text: 'refused' });
    await finish(await add.task({ ticketId: ticket, messageId: refused }), 'dead');
    const last = await add.message(ticket, { text: 'last' });
    // What went with the third one isn't told again.
    assert.deepEqual(await missing(elsewhere), []);
    assert.deepEqual(await missing(last), [refused]);
    assert.deepEqual(await base.read.undelivered('desk', ticket, first), []);
  });
});
