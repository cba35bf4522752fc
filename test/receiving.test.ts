import assert from 'node:assert/strict';
import { RetryableError } from '../src/core/errors.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import type { Store, Transaction } from '../src/core/store.ts';
import { fakeLog, type FakeLog } from './fakes/context.ts';
import { message, openFiling, type Filing } from './fakes/filing.ts';

const HOUR = 3_600_000;

describe('receiving a payload', () => {
  let filing: Filing;
  let log: FakeLog;
  let woken: string[];
  /** Statements that fail, by name. */
  let failing: Partial<Record<keyof Transaction, Error>>;

  beforeEach(async () => {
    [log, woken, failing] = [fakeLog(), [], {}];
    const around = (store: Store): Store => ({
      ...store,
      write: (locks, work) =>
        store.write(locks, (tx) => {
          const broken = Object.entries(failing).map(([name, error]) => [name, () => Promise.reject(error)]);
          return work({ ...tx, ...(Object.fromEntries(broken) as Partial<Transaction>) });
        }),
    });
    filing = await openFiling({ log, around, wake: (id) => woken.push(id) });
    await filing.store.write([], (tx) => tx.takeChannel('chat', 'this'));
  });
  afterEach(() => filing.close());

  const receive = async (body: string | ItemInput, cursor?: string, endpointId = 'chat') => {
    const text = typeof body === 'string' ? body : JSON.stringify([body]);
    const about = { endpointId, receivedAt: filing.clock.now(), method: 'POLL', url: '', headers: {} };
    const { items } = await filing.intake.receive(
      { ...about, body: Buffer.from(text) },
      cursor === undefined ? undefined : { cursor, processId: 'this' },
    );
    return items.map(({ outcome }) => outcome);
  };
  const events = async () => (await filing.store.read.events({}, { limit: 100 })).data;
  const alarms = async () =>
    (await filing.store.read.changes(0, 100))
      .filter(({ type }) => type === 'channel.health_changed')
      .map(({ data }) => [data['endpoint'], data['health']]);

  it('saves the cursor whatever becomes of it: new, known already, no message, unreadable', async () => {
    const hello = message('chat|anna');
    const ignored: ItemInput = { kind: 'ignored', name: 'typing', reason: 'no message' };
    for (const [index, [body, outcome]] of [
      [hello, 'ticket_created'] as const,
      [hello, 'duplicate'] as const,
      [ignored, 'ignored'] as const,
      ['{', 'quarantined'] as const,
    ].entries()) {
      assert.deepEqual(await receive(body, `c${index}`), [outcome]);
      assert.equal(await filing.store.read.cursor('chat'), `c${index}`);
    }
    await receive(message('chat|anna'));
    assert.equal(await filing.store.read.cursor('chat'), 'c3', 'without one, it stays where it is');
  });

  it('sets aside what a fault of ours keeps from being filed, with its bytes, until it is repaired', async () => {
    failing = { insertMessage: new TypeError('a bug') };
    const hello = message('chat|anna', { externalId: 'm' });
    assert.deepEqual(await receive(hello, 'behind'), ['quarantined']);
    assert.equal(await filing.store.read.cursor('chat'), 'behind', 'it doesn’t come again for ever');
    const [event] = await events();
    assert.match(event!.reason!, /a bug/);
    assert.deepEqual((await filing.store.read.tickets({}, { limit: 9 })).data, [], 'nothing half done is left');
    const now = filing.clock.now();
    assert.equal((await filing.store.read.balance(now - 1, now + 1)).balanced, true);

    failing = {};
    const replayed = await filing.intake.replay(event!.id, 'user:anna');
    assert.deepEqual(
      replayed.items.map(({ outcome }) => outcome),
      ['ticket_created'],
    );
  });

  it('keeps nothing and lets it come again when the store can’t write', async () => {
    failing = { insertMessage: new RetryableError('the disk is full') };
    await assert.rejects(receive(message('chat|anna'), 'behind'), RetryableError);
    assert.deepEqual([await events(), await filing.store.read.cursor('chat')], [[], undefined]);
  });

  it('keeps nothing and lets it come again when it can’t be read now', async () => {
    let busy = true;
    const channel = {
      normalize: () => {
        if (busy) throw new RetryableError('too much is waiting for a thread');
        return [message('chat|anna')];
      },
    };
    const other = await openFiling({ log, channel });
    await other.store.write([], (tx) => tx.takeChannel('chat', 'this'));
    try {
      const about = { endpointId: 'chat', receivedAt: other.clock.now(), method: 'POLL', url: '', headers: {} };
      const send = () =>
        other.intake.receive({ ...about, body: Buffer.from('a mail') }, { cursor: 'behind', processId: 'this' });
      await assert.rejects(send(), RetryableError);
      assert.deepEqual((await other.store.read.events({}, { limit: 9 })).data, []);
      assert.equal(await other.store.read.cursor('chat'), undefined);
      busy = false;
      assert.equal((await send()).items[0]?.outcome, 'ticket_created');
    } finally {
      await other.close();
    }
  });

  it('raises one alarm for many that can’t be read, and another one after an hour without', async () => {
    for (let i = 0; i < 4; i++) {
      await receive(`{ ${i}`);
      await filing.clock.advance(HOUR - 1);
    }
    await receive('{', undefined, 'mail');
    assert.deepEqual(await alarms(), [
      ['chat', 'degraded'],
      ['mail', 'degraded'],
    ]);
    await filing.clock.advance(1);
    await receive('{ again');
    assert.equal((await alarms()).length, 3);
    const told = log.entries.filter(({ level, text }) => level === 'warn' && text.includes('quarantined'));
    assert.equal(told.length, 6, 'the log names each of them');
  });

  it('has something fetched once the notification is stored, not before', async () => {
    failing = { insertEvent: new RetryableError('the disk is full') };
    await assert.rejects(receive({ kind: 'wake' }), RetryableError);
    assert.deepEqual(woken, []);
    failing = {};
    await receive({ kind: 'wake' });
    await receive(message('chat|anna'));
    assert.deepEqual(woken, ['chat']);
  });
});
