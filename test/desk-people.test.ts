import assert from 'node:assert/strict';
import { ConflictError, NotFoundError, PermanentError } from '../src/core/errors.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';

const AGENT = 'user:usr_1';

describe('who says of two customers who they are', () => {
  let filing: Filing;
  beforeEach(async () => {
    filing = await openFiling();
  });
  afterEach(() => filing.close());

  const write = async (from = 'telegram|1') => (await filing.file(message(from)))[0]!.ticketId!;
  const customerOf = async (ticketId = '') => (await filing.store.read.ticket(ticketId))!.customer.id;
  const changes = async (work: () => Promise<unknown>) => {
    const before = await filing.store.read.lastChange();
    await work();
    return filing.store.read.changes(before, 100);
  };

  it('learns what would move though somebody is writing, who does not wait for it', async () => {
    const [a, b] = [await customerOf(await write()), await customerOf(await write('telegram|2'))];
    const { mergeId } = await filing.desk.mergeCustomers(b, await customerOf(await write('telegram|3')), AGENT);
    let finish = (): void => undefined;
    const held = new Promise<void>((resolve) => (finish = resolve));
    const writing = filing.store.write([], () => held);
    try {
      const c = await customerOf((await filing.desk.previewUndo(mergeId)).tickets[0]);
      assert.equal((await filing.desk.previewMerge(a, c)).messages.length, 1);
      const [first] = (await filing.store.read.customer(a))!.identifiers;
      assert.equal((await filing.desk.previewSplit(a, [first!])).messages.length, 1);
    } finally {
      finish();
      await writing;
    }
  });

  it('tells them apart, for good or until it is taken back, and it is known who did', async () => {
    const [a, b] = [await customerOf(await write()), await customerOf(await write('telegram|2'))];
    const told: string[] = [];
    const changed = await changes(async () => {
      for (const reason of ['another voice', 'once more']) {
        told.push((await filing.desk.tellApart(a, b, AGENT, { reason })).mergeId);
      }
      await filing.desk.undoMerge(told[0]!, AGENT);
    });
    assert.equal(told[0], told[1], 'two notes say the same');
    assert.deepEqual(changed, [], 'nothing has moved');
    const [merge] = await filing.store.read.merges(b);
    assert.deepEqual([merge!.kind, merge!.evidence, merge!.undoneAt === null], ['apart', 'another voice', false]);
    const { data } = await filing.store.read.audit({ limit: 3 });
    assert.deepEqual(
      data.map(({ actor, action, target, detail }) => [actor, action, target, detail]),
      [
        [AGENT, 'customer.undo_merge', told[0], null],
        [AGENT, 'customer.tell_apart', a, b],
        [AGENT, 'customer.tell_apart', a, b],
      ],
    );
    await assert.rejects(filing.desk.tellApart(a, a, AGENT), PermanentError);
    await assert.rejects(filing.desk.tellApart(a, 'cus_none', AGENT), NotFoundError);
    await filing.desk.mergeCustomers(a, b, AGENT);
    await assert.rejects(filing.desk.tellApart(b, a, AGENT), ConflictError);
  });
});
