import assert from 'node:assert/strict';
import { join } from 'node:path';
import { createIds, type NewId } from '../src/core/id.ts';
import { PermanentError } from '../src/core/errors.ts';
import { createOutbox } from '../src/outbox.ts';
import type { Outbox } from '../src/core/gateway.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import { message } from './fakes/filing.ts';
import { openOutgoing, type Outgoing } from './fakes/outgoing.ts';

const SECOND = 1000;
const MANY = 10_000;
/** Most of a destination that are due at a time because they are sent again. */
const AT_A_TIME = 20;

describe('deliveries that are sent again together', () => {
  let out: Outgoing;
  let outbox: Outbox;
  /** Ids as they were told, in order. */
  let told: string[];
  let refuses: boolean;
  let newId: NewId;
  beforeEach(async () => {
    out = await openOutgoing([], { carries: 'events', idempotent: true });
    [told, refuses, newId] = [[], true, createIds(out.clock)];
    out.addDestination('crm', {
      notify: async ({ id }) => {
        if (refuses) throw new PermanentError('no');
        told.push(id);
      },
    });
    outbox = createOutbox({
      store: out.store,
      clock: out.clock,
      endpointOf: (id) => out.endpoints.get(id),
      announced: () => undefined,
      resumed: async () => undefined,
    });
  });
  afterEach(() => out.close());

  /** Adds that many deliveries of one change, each of a ticket of its own, and lets them be refused. */
  async function refused(count: number): Promise<string[]> {
    await out.file(message('telegram|1'));
    const { seq: changeSeq } = (await out.changes())[0]!;
    const ids = Array.from({ length: count }, () => newId('tsk'));
    await out.store.write([], async (tx) => {
      for (const id of ids) await tx.insertTask({ ...task(id, changeSeq), createdAt: out.clock.now() }, 1);
    });
    for (let i = 0; i < 600 && (await out.store.read.replayCount(dead)) < count; i++) await out.pass(SECOND);
    return ids;
  }
  const task = (id: string, changeSeq: number) =>
    ({
      id,
      kind: 'notify',
      type: 'message.received',
      endpointId: 'crm',
      ticketId: `tkt_${id}`,
      messageId: null,
      changeSeq,
      attachmentId: null,
    }) as const;
  const dead = { destination: 'crm', state: 'dead' } as const;

  it('are counted beforehand, go the oldest first, each once, and keep their ids: ten thousand of them', async () => {
    const ids = await refused(MANY);
    refuses = false;
    assert.equal(await outbox.countReplays(dead), MANY);
    assert.equal(await outbox.replayAll(dead, 'user:usr_1'), MANY);
    assert.equal(await outbox.replayAll(dead, 'user:usr_1'), 0, 'asked twice, they go once');
    for (let i = 0; i < 3000 && told.length < MANY; i++) await out.pass(SECOND);
    assert.equal(told.length, MANY);
    assert.deepEqual(new Set(told), new Set(ids));
    const places = told.map((id, place) => Math.abs(ids.indexOf(id) - place));
    assert.ok(Math.max(...places) < AT_A_TIME, 'in their order but for those that go at the same time');
    await out.pass(10 * SECOND);
    assert.equal(told.length, MANY);
    assert.equal(await outbox.countReplays(dead), 0);
  }).timeout(120_000);

  it('let what is new pass, however slow the destination is', async () => {
    await refused(500);
    refuses = false;
    // One at a time, each a second long.
    let free: Promise<void> = Promise.resolve();
    out.addDestination('crm', {
      notify: ({ id }) => {
        free = free.then(() => out.clock.sleep(SECOND)).then(() => void told.push(id));
        return free;
      },
    });
    await outbox.replayAll(dead, 'user:usr_1');
    await out.pass(30 * SECOND, SECOND);
    const { seq: changeSeq } = (await out.changes())[0]!;
    const before = told.length;
    await out.store.write([], async (tx) => {
      await tx.insertTask({ ...task('tsk_new', changeSeq), createdAt: out.clock.now() }, out.clock.now());
    });
    await out.pass(2 * AT_A_TIME * SECOND, SECOND);
    const place = told.indexOf('tsk_new');
    assert.ok(place >= 0 && place - before <= AT_A_TIME + 2, `behind ${place - before} others`);
    assert.ok(told.length < 200, 'most of the others still wait');
  }).timeout(30_000);

  it('can be called off: what has not begun stays as it was', async () => {
    await refused(200);
    refuses = false;
    await outbox.replayAll(dead, 'user:usr_1');
    const [waits] = (await out.store.read.deliveries(dead, { limit: 1 })).data;
    assert.equal(waits!.replayAt, new Date(out.clock.now()).toISOString());
    await out.pass(3 * SECOND);
    const gone = told.length;
    assert.ok(gone > 0 && gone < 200, `${gone} went`);
    const cancelled = await outbox.cancelReplays('crm', 'user:usr_1');
    await out.pass(20 * SECOND);
    assert.equal(told.length + cancelled, 200);
    const left = (await out.store.read.deliveries(dead, { limit: 200 })).data;
    assert.deepEqual([left.length, left.filter(({ replayAt }) => replayAt !== null)], [cancelled, []]);
    assert.equal(await outbox.cancelReplays('crm', 'user:usr_1'), 0);
  });

  it('are those of one destination, in one state, made since a time, and none that was made after the call', async () => {
    await refused(3);
    refuses = false;
    assert.equal(await outbox.countReplays({ ...dead, destination: 'other' }), 0);
    assert.equal(await outbox.countReplays({ ...dead, state: 'delivered' }), 0);
    assert.equal(await outbox.countReplays({ ...dead, since: out.clock.now() + 1 }), 0);
    assert.equal(await outbox.replayAll({ ...dead, since: out.clock.now() + 1 }, 'user:usr_1'), 0);
    out.clock.jump(-60 * 60 * SECOND);
    assert.equal(await outbox.replayAll(dead, 'user:usr_1'), 0);
  });

  it('stand in the audit log once, with how many they were, and so does it that they were called off', async () => {
    await refused(3);
    await outbox.replayAll(dead, 'user:usr_1');
    await outbox.cancelReplays('crm', 'user:usr_2');
    const database = openDatabase(join(out.folder, 'tributary.db'));
    const entries = database.prepare('SELECT actor, action, target, detail FROM audit').all();
    database.close();
    assert.deepEqual(
      entries.map((row) => Object.values(row as object)),
      [
        ['user:usr_1', 'delivery.replay_all', 'crm', '3 dead'],
        ['user:usr_2', 'delivery.replay_cancel', 'crm', '3'],
      ],
    );
  });

  it('go once where several processes send them', async () => {
    await refused(30);
    const ids = await Promise.all([1, 2].map(() => out.store.read.replays(out.clock.now(), AT_A_TIME)));
    assert.deepEqual(ids, [[], []]);
    await outbox.replayAll(dead, 'user:usr_1');
    const [first, second] = await Promise.all([1, 2].map(() => out.store.read.replays(out.clock.now(), AT_A_TIME)));
    assert.deepEqual(first, second);
    const refs = await Promise.all(
      [first!, second!].map((list) =>
        out.store.write([], async (tx) => {
          const all = [];
          for (const id of list) all.push(await tx.beginReplay(id, out.clock.now()));
          return all;
        }),
      ),
    );
    assert.equal(refs.flat().filter((ref) => ref !== undefined).length, AT_A_TIME);
    // So many are on their way by now that no other one is taken.
    assert.deepEqual(await out.store.read.replays(out.clock.now(), AT_A_TIME), []);
  });

  it('are not begun a second time by who read them before they were delivered, nor after they were called off', async () => {
    await refused(30);
    refuses = false;
    await outbox.replayAll(dead, 'user:usr_1');
    const late = await out.store.read.replays(out.clock.now(), AT_A_TIME);
    await out.pass(5 * SECOND);
    assert.equal(told.length, 30);
    const begin = (ids: readonly string[]) =>
      out.store.write([], async (tx) => {
        for (const id of ids) assert.equal(await tx.beginReplay(id, out.clock.now()), undefined);
      });
    await begin(late);
    refuses = true;
    const others = await refused(3);
    await outbox.replayAll(dead, 'user:usr_1');
    await outbox.cancelReplays('crm', 'user:usr_1');
    await begin(others);
    await out.pass(5 * SECOND);
    assert.equal(told.length, 30);
  });

  it('are each marked once in one call, though those before them were delivered again meanwhile', async () => {
    const delivered = { destination: 'crm', state: 'delivered' } as const;
    await refused(5);
    refuses = false;
    await outbox.replayAll(dead, 'user:usr_1');
    await out.pass(5 * SECOND);
    const now = out.clock.now();
    await out.store.write([], (tx) => tx.requestReplays(delivered, now, 2));
    await out.pass(5 * SECOND);
    assert.equal(told.length, 7);
    let count = 2;
    for (let last = 2; last === 2; count += last)
      last = await out.store.write([], (tx) => tx.requestReplays(delivered, now, 2));
    assert.equal(count, 5);
  });
});
