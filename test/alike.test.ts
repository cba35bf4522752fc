import assert from 'node:assert/strict';
import type { Trust } from '../src/core/envelope.ts';
import { Merge, Suggestion, Trace } from '../src/core/people.ts';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, type TestDatabase } from './fakes/database.ts';

const PHONE = '+380671234567';

describeOnBoth('who a customer could be', (openTestDatabase) => {
  let base: TestDatabase;
  let add: ReturnType<typeof fill>;
  beforeEach(async () => {
    base = await openTestDatabase();
    add = fill(base);
  });
  afterEach(() => base.close());

  const carry = (customerId: string, kind: string, value: string, trust: 'verified' | 'observed') =>
    base.tx.saveIdentifier({ kind, value, trust, customerId }, base.clock.now());
  const claim = (customerId: string, kind: string, value: string) =>
    base.tx.saveClaim(customerId, kind, value, base.clock.now());
  const suggested = async (id: string) => {
    const found = await base.read.suggestions(id);
    return found
      .map((each) => Suggestion.parse(each))
      .map(({ customer, shared }) => [customer.name, ...shared.map(said)]);
  };
  const said = ({ value, trust, ownTrust }: { value: string; trust: Trust; ownTrust: Trust }) =>
    `${value} ${trust} ${ownTrust}`;

  it('is whoever has what he says that he has, and the other way round, the surest first', async () => {
    const [he, owner, claimant, caller] = [
      await add.customer('he'),
      await add.customer('owner'),
      await add.customer('claimant'),
      await add.customer('caller'),
    ];
    await add.customer('stranger', ['email=stranger@example.com']);
    await claim(he, 'phone', PHONE);
    await claim(he, 'email', 'he@example.com');
    await carry(owner, 'phone', PHONE, 'verified');
    await claim(claimant, 'email', 'he@example.com');
    await claim(claimant, 'phone', PHONE);
    await carry(caller, 'email', 'he@example.com', 'observed');
    assert.deepEqual(await suggested(he), [
      ['owner', `${PHONE} verified claimed`],
      ['caller', 'he@example.com observed claimed'],
      ['claimant', `${PHONE} claimed claimed`, 'he@example.com claimed claimed'],
    ]);
    assert.deepEqual(await suggested(owner), [
      ['claimant', `${PHONE} claimed verified`],
      ['he', `${PHONE} claimed verified`],
    ]);
  });

  it('is nobody by what many say, or by what is no address', async () => {
    const he = await add.customer('he');
    await claim(he, 'phone', '+380440000000');
    await claim(he, 'phone_unclear', 'none');
    for (let index = 0; index < 11; index++) await claim(await add.customer(`c${index}`), 'phone', '+380440000000');
    await claim(await add.customer('unclear'), 'phone_unclear', 'none');
    assert.deepEqual(await suggested(he), []);
    await carry(await add.customer('owner'), 'phone', '+380440000000', 'verified');
    assert.deepEqual(await suggested(he), [['owner', '+380440000000 verified claimed']]);
  });

  it('is at most ten', async () => {
    const he = await add.customer('he');
    for (let index = 0; index < 12; index++) {
      await claim(he, 'email', `${index}@example.com`);
      await claim(await add.customer(`c${index}`), 'email', `${index}@example.com`);
    }
    assert.equal((await suggested(he)).length, 10);
  });

  it('is nobody whom somebody has told apart from him, or who was joined into another one', async () => {
    const [he, other, gone] = [await add.customer('he'), await add.customer('other'), await add.customer('gone')];
    await claim(he, 'phone', PHONE);
    for (const id of [other, gone]) await claim(id, 'phone', PHONE);
    await base.tx.moveCustomer(gone, await add.customer('winner'), 'test', 'mrg_1', 1);
    const names = async () => (await suggested(he)).map(([name]) => name);
    assert.deepEqual(await names(), ['winner', 'other']);
    await base.tx.moveCustomer(other, he, 'test', 'mrg_2', 2);
    assert.deepEqual(await names(), ['winner']);
    await base.tx.undoMerge('mrg_2', 3);
    assert.deepEqual(await names(), ['winner'], 'he was joined once, and that was undone');

    await carry(he, 'telegram', '1', 'verified');
    await base.tx.insertCustomer({ id: 'cus_zzz', name: 'split', locale: null, at: 4 });
    await base.tx.splitCustomer(he, 'cus_zzz', [{ kind: 'telegram', value: '1' }], 'test', 'mrg_3', 4);
    await claim('cus_zzz', 'phone', PHONE);
    assert.deepEqual(await names(), ['winner'], 'he was split off');
  });

  it('is nobody of whom somebody says that he is not the same, on either page, until that is taken back', async () => {
    const [he, other, third] = [await add.customer('he'), await add.customer('other'), await add.customer('third')];
    for (const id of [he, other, third]) await claim(id, 'phone', PHONE);
    const names = async (id: string) => (await suggested(id)).map(([name]) => name);
    assert.equal(await base.tx.tellApart(he, other, 'another voice', 'mrg_1', 1), 'mrg_1');
    assert.deepEqual([await names(he), await names(other)], [['third'], ['third']]);
    assert.equal(await base.tx.tellApart(other, he, 'again', 'mrg_2', 2), 'mrg_1', 'it says so already');
    assert.deepEqual(
      (await base.read.merges(he)).map(({ at: _at, ...merge }) => Merge.omit({ at: true }).parse(merge)),
      [{ id: 'mrg_1', kind: 'apart', winner: he, loser: other, evidence: 'another voice', undoneAt: null }],
    );
    assert.deepEqual(await base.tx.undoMerge('mrg_1', 3), { kind: 'apart', winner: he, loser: other });
    assert.equal(await base.tx.undoMerge('mrg_1', 4), undefined);
    assert.deepEqual(
      [await names(he), await names(other)],
      [
        ['third', 'other'],
        ['third', 'he'],
      ],
    );
    assert.equal(await base.tx.tellApart(other, he, 'after all', 'mrg_3', 5), 'mrg_3');
    assert.deepEqual(await names(he), ['third']);
  });

  it('is not whom one of those was told apart from who were joined since, on either side', async () => {
    const [he, other, into, third] = [
      await add.customer('he'),
      await add.customer('other'),
      await add.customer('into'),
      await add.customer('third'),
    ];
    for (const id of [he, other, into, third]) await claim(id, 'phone', PHONE);
    const names = async (id: string) => (await suggested(id)).map(([name]) => name);
    await base.tx.tellApart(he, other, 'test', 'mrg_1', 1);
    await base.tx.moveCustomer(other, into, 'test', 'mrg_2', 2);
    assert.deepEqual([await names(he), await names(into)], [['third'], ['third']]);
    await base.tx.undoMerge('mrg_1', 3);
    assert.deepEqual(await names(he), ['third', 'into']);
    await base.tx.tellApart(he, third, 'test', 'mrg_4', 4);
    await base.tx.undoMerge('mrg_2', 5);
    assert.deepEqual(await names(third), ['into', 'other']);
    // Who was told apart stays so, whatever becomes of either; and can be joined nevertheless.
    await base.tx.moveCustomer(third, he, 'test', 'mrg_5', 6);
    assert.deepEqual(await names(he), ['into', 'other']);
    await base.tx.undoMerge('mrg_4', 7);
    assert.equal((await base.read.customer(third))!.mergedInto, he, 'they are one by now');
    await base.tx.undoMerge('mrg_5', 8);
    assert.deepEqual(await names(he), ['into', 'other'], 'they were joined, and that was undone');
    await base.tx.tellApart(he, third, 'test', 'mrg_6', 9);
    await base.tx.undoMerge('mrg_6', 10);
    assert.deepEqual(await names(he), ['into', 'other'], 'that is still so');
  });

  it('shows where each of his identifiers was seen', async () => {
    const he = await add.customer('he');
    const [first, second] = [await add.ticket(he), await add.ticket(he)];
    const by = (...values: string[]) => ({
      customerId: he,
      author: { identifiers: values.map((value) => ({ kind: 'telegram', value, trust: 'verified' as const })) },
    });
    await add.message(first, { ...by('1'), endpointId: 'bot' });
    const both = await add.message(first, { ...by('1', '2'), endpointId: 'bot2', occurredAt: 5000 });
    const last = await add.message(second, { ...by('2'), endpointId: 'bot', occurredAt: 6000 });
    await add.message(second, { ...by('2'), direction: 'outbound' });
    await add.message(second, { ...by('2'), customerId: await add.customer('other') });
    const traces = (await base.read.traces(he)).map((trace) => Trace.parse(trace));
    assert.deepEqual(traces, [
      {
        ...{ kind: 'telegram', value: '2', messages: 2, channels: ['bot', 'bot2'] },
        last: { messageId: last, ticketId: second, at: '1970-01-01T00:00:06.000Z' },
      },
      {
        ...{ kind: 'telegram', value: '1', messages: 2, channels: ['bot2', 'bot'] },
        last: { messageId: both, ticketId: first, at: '1970-01-01T00:00:05.000Z' },
      },
    ]);
  });
});
