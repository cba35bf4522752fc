import assert from 'node:assert/strict';
import { HOUR_MS, quantileOf, stepOf } from '../src/core/counts.ts';
import type { Count, Measure } from '../src/core/counts.ts';
import { createCounting } from '../src/store/counting.ts';
import { describeOnBoth } from './fakes/both-databases.ts';
import { fill, type TestDatabase } from './fakes/database.ts';

const MINUTE = 60_000;

describe('how long something took', () => {
  it('is known to within 5 %, from milliseconds to months', () => {
    for (let ms = 1000; ms < 90 * 24 * HOUR_MS; ms *= 1.37) {
      const near = quantileOf([{ step: stepOf(ms), total: 1 }], 0.5)!;
      assert.ok(Math.abs(near / ms - 1) <= 0.05, `${ms} → ${near}`);
    }
    assert.deepEqual([stepOf(0), stepOf(999)], [0, 0]);
  });

  it('in half of the cases and in nine of ten is the time of the one in that place', () => {
    const counts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => ({ step: stepOf(n * MINUTE), total: 1 })).toReversed();
    const at = (share: number) => Math.round(quantileOf(counts, share)! / MINUTE);
    assert.deepEqual([at(0.5), at(0.9)], [5, 9]);
    assert.equal(quantileOf([], 0.5), null);
  });
});

describeOnBoth('what reports count', (open) => {
  let base: TestDatabase;
  let start: number;
  beforeEach(async () => {
    base = await open();
    const { clock } = base;
    clock.jump(HOUR_MS - (clock.now() % HOUR_MS));
    start = clock.now();
  });
  afterEach(() => base.close());

  const counting = () => {
    const { db, clock, sql } = base;
    return createCounting({ db, clock, write: (work) => work(sql) });
  };
  async function countAll(): Promise<number> {
    const { count } = counting();
    let steps = 0;
    while ((await count()) > 0) steps++;
    return steps;
  }
  const edges = (hours: number) => [...Array.from({ length: hours }, (_, i) => start + i * HOUR_MS), base.clock.now()];
  const totals = (counts: readonly Count[], measure: Measure) =>
    Object.fromEntries(counts.filter((each) => each.measure === measure).map((each) => [each.endpointId, each.total]));

  it('is messages of customers and tickets by their channel, and first answers by how long they took', async () => {
    const { clock } = base;
    const { customer, ticket, message } = fill(base);
    const of = await customer();
    const first = await ticket(of);
    const answer = { direction: 'outbound', delivery: { state: 'sent' } } as const;
    await message(first);
    await message(first, { endpointId: 'bot' });
    await message(first, { kind: 'note', direction: 'outbound' });
    await message(first, { ...answer, automatic: 'auto_reply' });
    await message(first, { ...answer, delivery: { state: 'failed' } });
    clock.jump(10 * MINUTE);
    await message(first, answer);
    await message(first, answer);
    const second = await ticket(of, { channelId: 'bot', status: 'closed' });
    await message(second, answer);
    await message(second, { endpointId: 'bot' });
    clock.jump(1);
    const { spans, unsolved } = await base.read.counts(edges(1));
    const { counts } = spans[0]!;
    assert.deepEqual(totals(counts, 'received'), { contact: 1, bot: 2 });
    assert.deepEqual(totals(counts, 'opened'), { contact: 1, bot: 1 });
    const answered = counts.filter(({ measure }) => measure === 'answered');
    assert.deepEqual(
      answered.map(({ endpointId, step, total }) => [endpointId, step, total]),
      [['contact', stepOf(10 * MINUTE + 5000), 1]],
    );
    assert.deepEqual([unsolved, spans[0]!.unsolved], [{ contact: 1 }, 1]);
  });

  it('is what destinations took, and what was set aside', async () => {
    const { sql, clock } = base;
    const { task } = fill(base);
    const at = clock.now();
    for (const [state, kind, endpointId] of [
      ['delivered', 'deliver', 'crm'],
      ['delivered', 'update', 'crm'],
      ['delivered', 'download', 'contact'],
      ['dead', 'notify', 'crm'],
      ['needs_check', 'deliver', 'desk'],
      ['waiting', 'deliver', 'desk'],
    ] as const) {
      const id = await task({ kind, endpointId });
      await sql.run('UPDATE tasks SET state = ?, updated_at = ? WHERE id = ?', state, at, id);
    }
    const { counts } = (await base.read.counts(edges(1))).spans[0]!;
    assert.deepEqual([totals(counts, 'delivered'), totals(counts, 'failed')], [{ crm: 2 }, { crm: 1, desk: 1 }]);
  });

  it('is the same whether it was counted before or is now, each thing once', async () => {
    const { clock } = base;
    const { customer, ticket, message } = fill(base);
    const of = await customer();
    for (let i = 0; i < 12; i++) {
      await message(await ticket(of));
      clock.jump(17 * MINUTE);
    }
    const all = async () =>
      (await base.read.counts(edges(4))).spans.map(({ counts }) => totals(counts, 'received')['contact']);
    const steps = await countAll();
    assert.ok(steps >= 3, `${steps} steps`);
    const before = await all();
    assert.equal(
      before.reduce<number>((sum, total) => sum + (total ?? 0), 0),
      12,
    );
    assert.deepEqual(before.slice(0, 3), [4, 4, 3]);
    assert.equal(await countAll(), 0, 'there is nothing left');
    clock.jump(3 * HOUR_MS);
    await countAll();
    assert.deepEqual((await all()).slice(0, 3), before.slice(0, 3));
    assert.deepEqual((await base.read.counts(edges(4))).until, clock.now() - 5 * MINUTE);
  });

  it('is counted once where two processes do it at the same time', async () => {
    const { clock } = base;
    const { customer, ticket, message } = fill(base);
    await message(await ticket(await customer()));
    clock.jump(2 * HOUR_MS);
    const [one, other] = [counting(), counting()];
    for (let i = 0; i < 4; i++) await Promise.all([one.count(), other.count()]);
    const { spans } = await base.read.counts(edges(1));
    assert.deepEqual(totals(spans[0]!.counts, 'received'), { contact: 1 });
  });

  it('leaves what is younger than five minutes for later, since it may not all be there', async () => {
    const { clock } = base;
    const { customer, ticket, message } = fill(base);
    await message(await ticket(await customer()));
    clock.jump(9 * MINUTE);
    assert.equal(await countAll(), 0);
    clock.jump(2 * MINUTE);
    assert.equal(await countAll(), 1);
    assert.ok((await base.read.counts(edges(1))).until <= clock.now() - 5 * MINUTE);
  });

  it('keeps how many tickets waited at the end of an hour', async () => {
    const { clock, sql } = base;
    const { customer, ticket, message } = fill(base);
    const id = await ticket(await customer());
    await message(id);
    clock.jump(40 * MINUTE);
    await countAll();
    clock.jump(25 * MINUTE);
    await sql.run(`UPDATE tickets SET status = 'closed' WHERE id = ?`, id);
    await countAll();
    clock.jump(60 * MINUTE);
    const { spans } = await base.read.counts(edges(3));
    assert.deepEqual(
      spans.map(({ unsolved }) => unsolved),
      [1, 0, 0],
    );
  });

  it('lists what was done page by page, and forgets a user with his sessions', async () => {
    const { tx, read, clock } = base;
    for (let i = 0; i < 5; i++) await tx.audit({ at: clock.now(), actor: 'user:usr_1', action: `a.${i}`, target: 't' });
    const first = await read.audit({ limit: 2 });
    assert.deepEqual(
      first.data.map(({ action }) => action),
      ['a.4', 'a.3'],
    );
    const rest = await read.audit({ limit: 10, cursor: first.nextCursor! });
    assert.deepEqual([rest.data.map(({ action }) => action), rest.nextCursor], [['a.2', 'a.1', 'a.0'], null]);
    const user = { id: 'usr_1', name: 'Olena', role: 'agent', at: clock.now() } as const;
    await tx.saveUser(user);
    const expiresAt = clock.now() + HOUR_MS;
    await tx.saveSession({ hash: 'h', userId: user.id, createdAt: clock.now(), expiresAt });
    assert.deepEqual([await tx.deleteUser(user.id), await tx.deleteUser(user.id)], [true, false]);
    assert.deepEqual(await read.users(), []);
    await tx.saveUser(user);
    assert.equal(await read.session('h', clock.now()), undefined);
    for (const id of ['usr_2', 'usr_3']) await tx.saveUser({ ...user, id, role: 'admin' });
    assert.deepEqual([await tx.deleteUser('usr_2'), await tx.deleteUser('usr_3')], [true, false]);
    await tx.saveSession({ hash: 'a', userId: 'usr_3', createdAt: clock.now(), expiresAt });
    assert.equal(await tx.deleteUser('usr_3'), false);
    assert.equal((await read.session('a', clock.now()))?.userId, 'usr_3');
  });
});

describeOnBoth('reports over many messages', (open) => {
  it('finds everything by an index, however much there is', async () => {
    const base = await open();
    try {
      const { clock } = base;
      base.queries();
      await base.read.counts([clock.now() - HOUR_MS, clock.now() - (clock.now() % HOUR_MS), clock.now()]);
      for (const text of base.queries()) {
        for (const plan of base.planOf(text))
          assert.doesNotMatch(
            plan,
            /^SCAN (messages|tickets|tasks|counts|q|e|m|t)\b(?! USING COVERING INDEX tickets_by_channel)/,
            `${plan}: ${text}`,
          );
      }
    } finally {
      await base.close();
    }
  });
});
