import assert from 'node:assert/strict';
import { message, openFiling, type Filing } from './fakes/filing.ts';

describe('recognising customers', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling();
  });
  afterEach(() => filing.close());

  const customers = async () =>
    (await filing.store.read.customers({}, { limit: 50 })).data.filter((each) => each.mergedInto === null);
  const customerOf = async (ticketId: string | undefined) => (await filing.store.read.ticket(ticketId!))!.customer.id;
  const messagesOf = async (ticketId: string | undefined) =>
    (await filing.store.read.messages(ticketId!, { limit: 50 })).data;

  it('knows a person again by a verified identifier', async () => {
    await filing.file(message('telegram|77'));
    await filing.file(message('telegram|77'));
    assert.equal((await customers()).length, 1);
  });

  it('knows a person on two channels by a verified phone, however it is written', async () => {
    await filing.file(message(['phone|+380 67 123-45-67', 'telegram|77']));
    await filing.file(message('phone|067 123 45 67'), 'whatsapp');
    const all = await customers();
    assert.equal(all.length, 1);
    assert.deepEqual(
      all[0]!.identifiers.map(({ kind, value }) => `${kind} ${value}`),
      ['phone +380671234567', 'telegram 77'],
    );
  });

  it('joins two customers when one message proves both, and takes it back exactly', async () => {
    const [a] = await filing.file(message('telegram|1', { text: 'one' }));
    filing.clock.jump(1000);
    const [b] = await filing.file(message('whatsapp|2', { text: 'two' }));
    const before = [await customerOf(a!.ticketId), await customerOf(b!.ticketId)];
    assert.notEqual(before[0], before[1]);
    await filing.file(message(['telegram|1', 'whatsapp|2']));
    assert.equal((await customers()).length, 1);
    assert.equal(await customerOf(a!.ticketId), await customerOf(b!.ticketId));

    const [merge] = await filing.store.read.merges(before[0]!);
    assert.match(merge!.evidence, /telegram 1 and whatsapp 2/);
    await filing.desk.undoMerge(merge!.id, 'user:usr_1');
    assert.deepEqual([await customerOf(a!.ticketId), await customerOf(b!.ticketId)], before);
    const identifiers = (await customers()).map((each) => [each.id, each.identifiers.map(({ kind }) => kind).join()]);
    assert.deepEqual(
      new Map(identifiers as [string, string][]),
      new Map([
        [before[0]!, 'telegram'],
        [before[1]!, 'whatsapp'],
      ]),
    );
  });

  it('finds the customer by an observed address, and marks the message as unverified', async () => {
    await filing.file(message('email|olena@example.com|verified'));
    const [spoofable] = await filing.file(message('email|Olena@Example.com|observed'));
    assert.equal((await customers()).length, 1);
    assert.deepEqual(
      (await messagesOf(spoofable!.ticketId)).map((each) => each.verified),
      [true, false],
    );
  });

  it('never joins customers by an observed or claimed identifier', async () => {
    await filing.file(message(['telegram|1', 'email|victim@example.com']));
    await filing.file(message(['telegram|2', 'email|victim@example.com|observed']));
    await filing.file(message(['telegram|3', 'email|victim@example.com|claimed']));
    assert.equal((await customers()).length, 3);
    const victim = await filing.store.read.customers({ identifier: { kind: 'telegram', value: '1' } }, { limit: 1 });
    assert.deepEqual(
      victim.data[0]!.identifiers.map(({ kind, trust }) => `${kind} ${trust}`),
      ['telegram verified', 'email verified'],
    );
  });

  it('gives a spoofer nothing: his own phone does not become the phone of the customer whose address he uses', async () => {
    await filing.file(message('email|victim@example.com|verified'));
    await filing.file(message(['email|victim@example.com|observed', 'phone|+380501112233|observed']));
    const [call] = await filing.file(message('phone|+380501112233|observed'), 'phone');
    const victim = await filing.store.read.customers(
      { identifier: { kind: 'email', value: 'victim@example.com' } },
      { limit: 5 },
    );
    assert.notEqual(await customerOf(call!.ticketId), victim.data[0]!.id);
  });

  it('lets whoever proves a number have it, without joining whom it was only observed with', async () => {
    await filing.file(message(['telegram|evil', 'phone|+380501112233|observed']));
    const [proven] = await filing.file(message('phone|+380501112233|verified'), 'whatsapp');
    const evil = await filing.store.read.customers({ identifier: { kind: 'telegram', value: 'evil' } }, { limit: 1 });
    assert.notEqual(await customerOf(proven!.ticketId), evil.data[0]!.id);
  });

  it('shows the calls of an observed number to whoever proves that number', async () => {
    const [call] = await filing.file(message('phone|+380501112233|observed'), 'phone');
    const [chat] = await filing.file(message('phone|+380501112233|verified'), 'whatsapp');
    assert.equal(await customerOf(call!.ticketId), await customerOf(chat!.ticketId));
  });

  it('never takes people for one because both have no phone', async () => {
    const [first] = await filing.file(message(['email|ivan@example.com|claimed', 'phone|none|claimed']));
    const [second] = await filing.file(message(['email|olha@example.com|claimed', 'phone|none|claimed']));
    assert.notEqual(await customerOf(first!.ticketId), await customerOf(second!.ticketId));
  });

  it('groups messages by a claim only among people of whom nothing else is known', async () => {
    const [first] = await filing.file(message('email|ivan@example.com|claimed'));
    const [second] = await filing.file(message('email|ivan@example.com|claimed'));
    assert.equal(await customerOf(first!.ticketId), await customerOf(second!.ticketId));
    await filing.file(message(['telegram|9', 'email|olha@example.com|claimed']));
    const [claim] = await filing.file(message('email|olha@example.com|claimed'));
    const known = await filing.store.read.customers({ identifier: { kind: 'telegram', value: '9' } }, { limit: 1 });
    assert.notEqual(await customerOf(claim!.ticketId), known.data[0]!.id);
  });

  it('never makes one giant customer of those who hide their number', async () => {
    await filing.file(message('phone|anonymous|observed'));
    const [one] = await filing.file(message(['phone|anonymous|observed', 'call|1']));
    const [two] = await filing.file(message(['phone|anonymous|observed', 'call|2']));
    assert.notEqual(await customerOf(one!.ticketId), await customerOf(two!.ticketId));
  });

  it('never takes two for one because both share a number that is none', async () => {
    const [one] = await filing.file(message(['telegram|1', 'phone|+|verified']));
    const [two] = await filing.file(message(['telegram|2', 'phone|+|verified']));
    assert.notEqual(await customerOf(one!.ticketId), await customerOf(two!.ticketId));
  });

  it('splits a customer: the identifier leaves with the messages that came by it', async () => {
    await filing.file(message(['telegram|1', 'whatsapp|2']));
    const [mine] = await filing.file(message('telegram|1', { text: 'mine' }));
    const [theirs] = await filing.file(message('whatsapp|2', { text: 'theirs', thread: { externalId: 'other' } }));
    const id = await customerOf(mine!.ticketId);
    const { customerId } = await filing.desk.splitCustomer(id, [{ kind: 'whatsapp', value: '2' }], 'user:usr_1');
    const left = await filing.store.read.timeline(customerId, { limit: 10 });
    assert.ok(left.data.some((each) => each.text === 'theirs'));
    assert.ok(left.data.every((each) => each.text !== 'mine'));
    assert.ok(theirs);
  });
});
