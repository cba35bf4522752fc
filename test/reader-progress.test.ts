import assert from 'node:assert/strict';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, type TestDatabase } from './fakes/database.ts';

describeOnBoth('how far a ticket is', (openTestDatabase) => {
  let base: TestDatabase;
  let add: ReturnType<typeof fill>;
  beforeEach(async () => {
    base = await openTestDatabase();
    add = fill(base);
  });
  afterEach(() => base.close());

  const none = { askedAt: null, answeredAt: null, closedAt: null };

  it('is told by what reached us and the customer, and by nothing internal', async () => {
    const id = await add.ticket(await add.customer());
    assert.deepEqual(await base.read.progress(id), none);
    await add.message(id);
    const askedAt = base.clock.now();
    await add.message(id, { automatic: 'auto_reply' });
    await add.message(id, { deletedAt: 1 });
    await add.message(id, { direction: 'outbound', delivery: { state: 'sent' } });
    const answeredAt = base.clock.now();
    await add.message(id, { direction: 'outbound', delivery: { state: 'failed' } });
    await add.message(id, { direction: 'outbound', delivery: { state: 'waiting' } });
    await add.message(id, { direction: 'outbound', delivery: { state: 'sent' }, automatic: 'auto_reply' });
    await add.message(id, { direction: 'outbound', kind: 'note' });
    await add.message(await add.ticket(await add.customer()));
    assert.deepEqual(await base.read.progress(id), { askedAt, answeredAt, closedAt: null });
  });

  it('is told also by what our people wrote elsewhere, and by when it was closed', async () => {
    const id = await add.ticket(await add.customer());
    await add.message(id, { direction: 'outbound' });
    await base.tx.updateTicket(id, { status: 'closed', closedAt: 7 }, base.clock.now());
    assert.deepEqual(await base.read.progress(id), { askedAt: null, answeredAt: base.clock.now(), closedAt: 7 });
    assert.deepEqual(await base.read.progress('tkt_none'), none);
  });
});
