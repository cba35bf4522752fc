import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Store, Transaction } from '../src/core/store.ts';
import { batonOf, newBaton } from '../src/store/baton.ts';
import { openStore } from '../src/store/open.ts';
import { openSecondWriter } from '../src/store/second-writer.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import { startWhole, type Whole } from './fakes/whole.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

describe('the baton of the writers', () => {
  it('goes to whoever asked first, whoever had it before', async () => {
    const shared = newBaton();
    const [one, other] = [batonOf(shared), batonOf(shared)];
    const had: string[] = [];
    await one.take();
    const otherTurn = other.take().then(() => had.push('other'));
    const oneAgain = one.take().then(() => had.push('one'));
    await new Promise(setImmediate);
    assert.deepEqual(had, []);
    one.give();
    await otherTurn;
    assert.deepEqual(had, ['other']);
    other.give();
    await oneAgain;
    one.give();
    await one.take();
  });
});

describe('two writers of one file', () => {
  let folder: string;
  let store: Store;
  let second: Pick<Store, 'write' | 'close'>;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-filer-'));
    store = await openStore({ folder, log: silent, typeOf: (id) => id });
    assert.ok(store.shared);
    second = openSecondWriter(store.shared);
  });
  afterEach(async () => {
    await second.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const link = (tx: Transaction, customerId: string) =>
    tx.saveIdentifier({ kind: 'chat', value: 'a', trust: 'observed', customerId }, 1);
  const owner = async (writer: Pick<Store, 'write'>) =>
    (await writer.write([], (tx) => tx.identifier('chat', 'a')))?.customerId;

  it('know what the other one has changed', async () => {
    await store.write([], async (tx) => {
      for (const id of ['x', 'y']) await tx.insertCustomer({ id, name: null, locale: null, at: 1 });
      await link(tx, 'x');
    });
    assert.equal(await owner(second), 'x');
    await store.write([], (tx) => tx.moveCustomer('x', 'y', 'same phone', 'mrg_1', 2));
    assert.equal(await owner(second), 'y');
    await second.write([], (tx) => link(tx, 'y'));
    assert.equal(await owner(store), 'y');
  });

  it('go on knowing what the other one has left as it is', async () => {
    await store.write([], (tx) => link(tx, 'x'));
    assert.equal(await owner(second), 'x');
    // Nobody can tell the second one of this: if it says something else, it has looked.
    const behind = openDatabase(join(folder, 'tributary.db'));
    behind.exec("UPDATE identifiers SET customer_id = 'y'");
    behind.close();
    await store.write([], (tx) => tx.insertChange({ type: 'customer.created', at: 1, version: 1 }));
    assert.deepEqual((await store.read.tickets({ q: 'indexed' }, { limit: 1 })).data, []);
    assert.equal(await owner(second), 'x');
  });

  it('take turns: nobody is refused, and no number of a change is given twice', async () => {
    const change = (tx: Transaction) => tx.insertChange({ type: 'customer.created', at: 1, version: 1 });
    const numbers: number[] = [];
    const writers = [store, second];
    await Promise.all(
      writers.flatMap((writer) =>
        Array.from({ length: 8 }, async () => {
          for (let i = 0; i < 40; i++) numbers.push(await writer.write([], change));
        }),
      ),
    );
    assert.equal(numbers.length, 640);
    assert.equal(new Set(numbers).size, 640);
  });

  it('are undone apart', async () => {
    const broken = second.write([], async (tx) => {
      await tx.insertCustomer({ id: 'gone', name: null, locale: null, at: 1 });
      throw new Error('no');
    });
    const kept = store.write([], (tx) => tx.insertCustomer({ id: 'kept', name: null, locale: null, at: 1 }));
    await assert.rejects(broken, /^Error: no$/);
    await kept;
    assert.equal(await store.read.customer('gone'), undefined);
    assert.ok(await store.read.customer('kept'));
  });
});

describe('filing on a thread of its own', () => {
  let whole: Whole;
  beforeEach(async () => {
    whole = await startWhole();
  });
  afterEach(() => whole.close());

  const body = (n: number) => ({ id: `m-${n}`, thread: 'one', from: { id: 'u' }, text: `message ${n}` });

  it('goes on while agents work on the same ticket', async () => {
    assert.equal(await whole.send(body(0)), 200);
    const [ticket] = (await whole.api<{ data: { id: string }[] }>('/tickets')).data;
    const path = `/tickets/${ticket?.id}`;
    const sent = Array.from({ length: 60 }, (_, n) => whole.send(body(n + 1)));
    const noted = Array.from({ length: 30 }, (_, n) =>
      whole.api(`${path}/notes`, { method: 'POST', body: { text: `note ${n}` } }),
    );
    assert.deepEqual(new Set(await Promise.all(sent)), new Set([200]));
    await Promise.all(noted);
    const messages = await whole.api<{ data: { text: string }[] }>(`${path}/messages?limit=100`);
    assert.equal(messages.data.length, 91);
    assert.equal(new Set(messages.data.map(({ text }) => text)).size, 91);
    const balance = await whole.api<{ balanced: boolean; received: number }>('/events/balance');
    assert.deepEqual([balance.balanced, balance.received], [true, 61]);
  });

  it('finishes what it has been given before the gateway stops', async () => {
    const sent = Array.from({ length: 40 }, (_, n) => whole.send(body(n)).catch(() => 0));
    // Some are on their way; which ones doesn't matter.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await whole.restart();
    const accepted = (await Promise.all(sent)).filter((status) => status === 200).length;
    const { received } = await whole.api<{ received: number }>('/events/balance');
    assert.ok(received >= accepted, `${received} filed, ${accepted} acknowledged`);
  });

  it('takes the whole process with it when it dies: it may have been in the middle', async () => {
    const script = fileURLToPath(new URL('fakes/filer-that-dies.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [code] = (await once(child, 'close')) as [number];
    assert.notEqual(code, 0);
    assert.match(said, /unable to open database file/);
  });
});
