import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Channel } from '../src/core/connector.ts';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Endpoint } from '../src/core/gateway.ts';
import type { Task } from '../src/core/rows.ts';
import { Secret } from '../src/core/secret.ts';
import type { Store, Transaction } from '../src/core/store.ts';
import type { Pool } from 'pg';
import { createReply } from '../src/dispatch/reply.ts';
import { openStore } from '../src/store/open.ts';
import { createOutcomes } from '../src/store/postgres/outcome.ts';
import { startCommitProxy, type CommitProxy } from './fakes/commit-proxy.ts';
import { fakeLog } from './fakes/context.ts';
import { postgresMissing, startPostgres, type Postgres } from './fakes/postgres.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';
import { describeStore } from './suites/store.ts';
import { storeTools } from './suites/store-tools.ts';

describe('PostgreSQL', function () {
  let server: Postgres;
  let database: string;
  let folder: string;
  before(async function () {
    const missing = postgresMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    server = await startPostgres();
    database = await server.createDatabase();
    folder = mkdtempSync(join(tmpdir(), 'tributary-postgres-'));
  });
  after(async () => {
    await server?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const open = (url = database) => openStore({ folder, url: new Secret(url), log: fakeLog(), typeOf: (id) => id });

  describeStore('PostgreSQL', async () => {
    const store = await open();
    return {
      store,
      async close() {
        await store.close();
        await server.empty(database);
      },
    };
  });

  describe('as a store', () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
      await server.empty(database);
    });
    const { make } = storeTools(() => store);
    const write = <T>(work: (tx: Transaction) => Promise<T>) => store.write([], work);
    const ping = (tx: Transaction) => tx.insertChange({ type: 'test.ping', at: 1, version: 1 });
    const customer = (tx: Transaction, id: string) => tx.insertCustomer({ id, name: id, locale: null, at: 1 });

    it('lets those who have nothing in common write side by side, also new tickets', async () => {
      await write(async () => {
        const numbers = [];
        for (let i = 0; i < 2; i++) {
          const id = await make(async (rows) => rows.ticket(await rows.customer()));
          numbers.push((await store.read.ticket(id))!.number);
        }
        assert.equal(new Set(numbers).size, 2);
      });
      const first = await make(async (rows) => rows.ticket(await rows.customer()));
      await make(async (rows) => {
        await rows.ticket(await rows.customer());
        // Waits for one that was begun later.
        const later = await make(async (other) => other.ticket(await other.customer()));
        assert.notEqual(later, first);
      });
    });

    it('shows no change before one with a lower number can come no more', async () => {
      const seen = async () => (await store.read.changes(0, 10)).map(({ seq }) => seq);
      let later = 0;
      const earlier = await write(async (tx) => {
        const seq = await ping(tx);
        later = await write(ping);
        assert.ok(later > seq);
        assert.deepEqual(await seen(), []);
        assert.equal(await store.read.lastChange(), 0);
        return seq;
      });
      assert.deepEqual(await seen(), [earlier, later]);
      assert.equal(await store.read.lastChange(), later);
    });

    it('waits a moment with the feed for who is about to end, so that it shows what was just written', async () => {
      let done: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        done = resolve;
      });
      let begun: () => void = () => undefined;
      const first = new Promise<void>((resolve) => {
        begun = resolve;
      });
      const slow = write(async (tx) => {
        await ping(tx);
        begun();
        await held;
      });
      await first;
      const quick = await write(ping);
      const reading = store.read.changes(0, 10);
      await wait(50);
      done();
      assert.equal((await reading).at(-1)?.seq, quick);
      await slow;
    });

    it('finds what was written while others were being indexed', async () => {
      const find = async (q: string) => (await store.read.tickets({ q }, { limit: 5 })).data.length;
      await make(async (rows) => {
        await rows.message(await rows.ticket(await rows.customer(null)), { text: 'повільне' });
        await make(async (other) => other.message(await other.ticket(await other.customer(null)), { text: 'швидке' }));
        await find('швидке');
      });
      assert.deepEqual([await find('повільне'), await find('швидке')], [1, 1]);
    });

    it('goes on indexing behind a text with more words than it keeps', async () => {
      const find = async (q: string) => (await store.read.tickets({ q }, { limit: 5 })).data.length;
      await make(async (rows) => {
        const ticket = await rows.ticket(await rows.customer(null));
        const word = (i: number) => String.fromCharCode(0x4e00 + i / 300, 0x4e00 + (i % 300));
        const field = (from: number) => Array.from({ length: 16_000 }, (_, i) => word(from + i)).join(' ');
        const fields = Object.fromEntries([0, 1, 2, 3, 4].map((i) => [i, field(i * 16_000)]));
        // For one of these the cut falls behind a space.
        for (const text of ['перше', 'перше x', 'перше xx']) await rows.message(ticket, { text, fields });
        await rows.message(ticket, { text: 'останнє' });
      });
      assert.deepEqual([await find('перше'), await find('останнє')], [1, 1]);
    });

    it('gets over two who wait for each other', async () => {
      const [a, b] = await make(async (rows) => {
        const id = await rows.customer();
        return [await rows.ticket(id), await rows.ticket(id)] as const;
      });
      let arrived = 0;
      const inOrder = (first: string, second: string) =>
        write(async (tx) => {
          await tx.ticket(first);
          arrived++;
          await until(() => arrived >= 2);
          return tx.updateTicket(second, {}, 1);
        });
      await Promise.all([inOrder(a, b), inOrder(b, a)]);
    });

    it('keeps nothing of a transaction in which a statement failed, whoever caught that', async () => {
      const caught = write(async (tx) => {
        await tx.saveToken('twice', 10);
        await tx.saveToken('twice', 10).catch(() => undefined);
        return 'fine';
      });
      await assert.rejects(caught, RetryableError);
      assert.equal(await write((tx) => tx.takeToken('twice', 1)), false);
    });

    it('keeps text with a NUL in it, under a name by which it is found again', async () => {
      const ticket = await make(async (rows) => rows.ticket(await rows.customer('a\0b')));
      await make((rows) => rows.message(ticket, { externalId: 'id\0', text: 'x\0y' }));
      const found = await write((tx) => tx.findMessage('contact', 'id\0'));
      assert.equal(found?.text, 'x\ufffdy');
      assert.equal((await store.read.tickets({ assignee: '\0' }, { limit: 1 })).data.length, 0);
    });

    it('reads also while everybody who may write at the same moment wants to read first', async () => {
      const all = Array.from({ length: 30 }, (_, index) => write(() => store.read.customer(`nobody ${index}`)));
      assert.deepEqual(new Set(await Promise.all(all)), new Set([undefined]));
    });

    it('says what it runs on', async () => {
      const { database: name, synchronous, size, tasksWaiting } = await store.health();
      assert.match(name, /^postgresql \d+/);
      assert.deepEqual([synchronous, tasksWaiting], ['on', 0]);
      assert.ok(size > 1_000_000);
    });

    it('shows a receipt that comes in just when the part that it is about is noted', async () => {
      const { newId, clock } = storeTools(() => store);
      const messageId = await make(async (rows) =>
        rows.message(await rows.ticket(await rows.customer()), { direction: 'outbound', externalId: null }),
      );
      const early: (readonly object[])[] = [];
      const channel: Partial<Channel> = {
        async reply({ partSent }) {
          await partSent('part');
        },
      };
      const reply = createReply({
        store,
        clock,
        endpointOf: () =>
          ({ id: 'contact', type: 'test', enabled: true, problem: null, channel }) as unknown as Endpoint,
        openAttachment: () => assert.fail(),
        proofOf: String,
        isIdempotent: () => true,
        settleEarly: async (tx, endpointId, externalId) => {
          early.push(await tx.takeEarly(endpointId, externalId));
        },
        replaceOthers: () => assert.fail(),
      });
      const task = { id: newId('tsk'), kind: 'reply', endpointId: 'contact', messageId } as Task;
      let replying: Promise<unknown> | undefined;
      await store.write(['message part'], async (tx) => {
        assert.equal(await tx.messageOfPart('contact', 'part'), undefined);
        replying = reply(task);
        await Promise.race([replying, wait(300)]);
        await tx.saveEarly('contact', 'part', { state: 'delivered' }, 1);
      });
      await replying;
      assert.deepEqual(early, [[{ state: 'delivered' }]]);
    });

    it('leaves the leases of other processes alone when it is opened', async () => {
      const { task, lease, clock, due } = storeTools(() => store);
      const id = await task();
      await lease(id);
      const other = await open();
      assert.deepEqual(await due(), []);
      assert.equal((await other.read.delivery(id))?.state, 'delivering');
      assert.equal(await other.write([], (tx) => tx.lease(id, 'other', clock.now(), clock.now() + 1)), undefined);
      await other.close();
    });

    it('shares locks with other processes', async () => {
      const other = await open();
      let inside = 0;
      const work = async () => {
        assert.equal(++inside, 1);
        await wait(20);
        inside--;
      };
      await Promise.all([store, other, store, other].map((each) => each.write(['a', 'b'], work)));
      await other.close();
    });

    describe('when its server', () => {
      it('restarts, fails what is under way, so that it is sent again, and goes on by itself', async () => {
        await write((tx) => customer(tx, 'before'));
        const idle = write(async (tx) => {
          await customer(tx, 'idle');
          await server.crash();
          await wait(50);
          await customer(tx, 'idle too');
        });
        await assert.rejects(idle, RetryableError);
        await assert.rejects(
          write((tx) => customer(tx, 'down')),
          RetryableError,
        );
        await assert.rejects(store.read.customer('before'), RetryableError);
        await assert.rejects(store.health(), RetryableError);
        await server.start();
        await until(() =>
          write((tx) => customer(tx, 'after')).then(
            () => true,
            () => false,
          ),
        );
        const known = await Promise.all(['before', 'idle', 'down', 'after'].map((id) => store.read.customer(id)));
        assert.deepEqual(
          known.map((each) => each?.id),
          ['before', undefined, undefined, 'after'],
        );
      });

      it('ends a connection that nobody uses, gets another one', async () => {
        await write((tx) => customer(tx, 'a'));
        await server.run(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
          database,
        );
        await until(() => write(ping).then(Boolean, () => false));
      });
    });

    describe('when the line breaks in the middle of a commit', () => {
      let proxy: CommitProxy;
      let far: Store;
      beforeEach(async () => {
        proxy = await startCommitProxy(server.port);
        far = await open(proxy.urlOf(database));
      });
      afterEach(async () => {
        await far.close();
        await proxy.close();
      });
      const save = (id: string) => far.write([], (tx) => customer(tx, id));

      it('asks what became of it: what was stored is acknowledged', async () => {
        proxy.cut('after');
        await save('stored');
        assert.equal((await far.read.customer('stored'))?.name, 'stored');
      });

      it('asks what became of it: what was not stored can be sent again', async () => {
        proxy.cut('before');
        await assert.rejects(save('lost'), (error) => error instanceof RetryableError && !error.outcomeUnknown);
        assert.equal(await store.read.customer('lost'), undefined);
        await save('lost');
      });

      it('acknowledges nothing while nobody can be asked', async () => {
        proxy.cut('after', 'for good');
        await assert.rejects(save('perhaps'), (error) => error instanceof RetryableError && error.outcomeUnknown);
        assert.equal((await store.read.customer('perhaps'))?.name, 'perhaps');
      });
    });
  });

  it('is not asked what became of a commit once its history is another one', async () => {
    let timeline = '00000001';
    const asked: string[] = [];
    const query = async (text: string) => {
      asked.push(text);
      return { rows: [text.includes('pg_xact_status') ? { status: 'committed' } : { timeline }] };
    };
    const outcomes = await createOutcomes({ query } as unknown as Pool);
    const [one, two, three] = [outcomes.begin(), outcomes.begin(), outcomes.begin()];
    assert.equal(await one('1'), 'committed');
    timeline = '00000002';
    asked.length = 0;
    assert.equal(await two('2'), 'unknown');
    assert.equal(await three('3'), 'unknown', 'whoever asks first');
    assert.ok(!asked.some((text) => text.includes('pg_xact_status')));
    assert.equal(await outcomes.begin()('4'), 'committed', 'what begins after that is its own');
  });

  it('opens also where the server does not tell its history, in whatever language, and then knows no outcome', async () => {
    const query = () => Promise.reject(Object.assign(new Error('…'), { severity: 'ПОМИЛКА', code: '0A000' }));
    const outcomes = await createOutcomes({ query } as unknown as Pool);
    assert.equal(await outcomes.begin()('1'), 'unknown');
  });

  describe('is refused as a store', () => {
    const refused = (what: RegExp, url = database) =>
      assert.rejects(open(url), (error) => {
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, what);
        assert.ok(error.hint);
        assert.ok(!`${error.message} ${error.hint}`.includes('topsecret'));
        return true;
      });

    it('when it acknowledges what is not on the disk yet', async () => {
      const url = await server.createDatabase();
      const name = new URL(url).pathname.slice(1);
      await server.run(`ALTER DATABASE ${name} SET synchronous_commit = off`);
      await refused(/synchronous_commit=off/, url);
    });

    it('when a newer version wrote it', async () => {
      const url = await server.createDatabase();
      await (await open(url)).close();
      await server.run('UPDATE schema_version SET version = 99', url);
      await refused(/newer version \(schema 99\)/, url);
    });

    it('when it keeps text in another way', async () => {
      await server.run(`CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`);
      await refused(/SQL_ASCII/, database.replace(/\w+$/, 'ascii'));
    });

    it('when it is not there, without a word about the password', async () => {
      await refused(
        /can't be opened/,
        database.replace(/\/\/.*@/, '//tributary:topsecret@').replace(/\w+$/, 'nowhere'),
      );
      await refused(/can't be opened/, 'postgres://tributary:topsecret@127.0.0.1:1/nowhere');
    });
  });

  it('gets its tables once, whoever starts first', async () => {
    const url = await server.createDatabase();
    const stores = await Promise.all([open(url), open(url), open(url)]);
    await stores[0].write([], (tx) => tx.saveToken('a', 5));
    assert.equal(await stores[2].write([], (tx) => tx.takeToken('a', 1)), true);
    for (const store of stores) await store.close();
    await (await open(url)).close();
  });

  it('holds a whole gateway: a message comes in, its ticket is there, also after a restart', async () => {
    const url = await server.createDatabase();
    const whole = await startWhole({ env: { DATABASE_URL: url } });
    const tickets = async (q = '') =>
      (await whole.api<{ data: { number: number; messageCount: number }[] }>(`/tickets?${q}`)).data;
    const sent = (id: string) =>
      whole.send({ id, thread: 't-1', from: { id: 'u-1', name: 'Олена' }, text: `число ${id}` });
    try {
      assert.equal(await sent('m-1'), 200);
      const [ticket] = await tickets();
      assert.deepEqual([ticket?.number, ticket?.messageCount], [1001, 1]);
      await whole.restart();
      assert.equal(await sent('m-1'), 200);
      assert.equal(await sent('m-2'), 200);
      assert.deepEqual(
        (await tickets('q=m-2')).map(({ number, messageCount }) => [number, messageCount]),
        [[1001, 2]],
      );
      const ready = await (await fetch(`${whole.running.url}/readyz`)).text();
      assert.match(ready, /postgresql/);
      assert.ok(!existsSync(join(whole.folder, 'data', 'tributary.db')));
    } finally {
      await whole.close();
    }
  });
});
