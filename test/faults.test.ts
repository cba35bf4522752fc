import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIds } from '../src/core/id.ts';
import { Secret } from '../src/core/secret.ts';
import { createVault } from '../src/core/vault.ts';
import { migrate } from '../src/store/migrate.ts';
import { openStore, type StoreOptions } from '../src/store/open.ts';
import { migrations } from '../src/store/schema.ts';
import { configure, openDatabase, pragmaOf, type Database } from '../src/store/sqlite.ts';
import { fakeClock } from './fakes/clock.ts';
import { openFiling, message } from './fakes/filing.ts';
import { startWhole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const lines: string[] = [];
const note = (_fields: object, text: string) => lines.push(text);
const log = { debug: () => undefined, info: note, warn: note, error: note };

describe('a data folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-faults-'));
    lines.length = 0;
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const open = (options: Partial<StoreOptions> = {}) => openStore({ folder, log, typeOf: (id) => id, ...options });

  it('is durable in the same way after it is opened again', async () => {
    for (let i = 0; i < 2; i++) {
      const store = await open();
      const { journal, synchronous } = await store.health();
      assert.deepEqual({ journal, synchronous }, { journal: 'wal', synchronous: 'full' });
      await store.close();
    }
  });

  it('is refused when the database does not take the setting that durability hangs on', () => {
    const database = openDatabase(join(folder, 'x.db'));
    const deaf: Database = {
      ...wrap(database),
      exec: (text) => {
        if (!text.includes('synchronous')) database.exec(text);
        else database.exec('PRAGMA synchronous = NORMAL');
      },
    };
    assert.throws(() => {
      configure(deaf);
    }, /synchronous=1 where 2 was set/);
    database.close();
  });

  it('is one process’s: a second start is refused and names the first, a crash leaves no lock', async () => {
    const script = `
      const { openStore } = await import(${JSON.stringify(new URL('../src/store/open.ts', import.meta.url).href)});
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      await openStore({ folder: process.argv[1], log, typeOf: (id) => id });
      console.log('open');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await assert.rejects(open(), (error: Error & { hint?: string }) => {
      assert.match(error.message, new RegExp(`in use by process ${child.pid!}`));
      assert.match(error.hint!, /DATA_DIR/);
      return true;
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await open()).close();
  });

  it('that is no folder is refused in one clear line', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await assert.rejects(open({ folder: file }), /the data folder .* can't be used/);
  });

  it('is readable by its owner only', async () => {
    await (await open()).close();
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, 'tributary.db')).mode & 0o777, 0o600);
  });

  it('with a damaged database is refused, with what to do', async () => {
    const store = await open();
    for (let i = 0; i < 200; i++)
      await store.write([], (tx) => tx.saveEarly('chat', `m-${i}`, { text: 'x'.repeat(500) }, i));
    await store.close();
    const file = openSync(join(folder, 'tributary.db'), 'r+');
    writeSync(file, Buffer.alloc(4096 * 3, 0x5a), 0, 4096 * 3, 4096 * 8);
    closeSync(file);
    await assert.rejects(open(), (error: Error & { hint?: string }) => {
      assert.match(error.message, /damaged|malformed/);
      assert.match(error.hint!, /backup/);
      return true;
    });
  });

  it('says so loudly when the database is older than it was', async () => {
    const database = join(folder, 'tributary.db');
    await (await open()).close();
    copyFileSync(database, join(folder, 'old.db'));
    const store = await open();
    for (let i = 0; i < 3; i++)
      await store.write([], (tx) => tx.insertChange({ type: 'test.ping', at: 1, version: 1 }));
    await store.close();
    copyFileSync(join(folder, 'old.db'), database);
    lines.length = 0;
    await (await open()).close();
    assert.ok(
      lines.some((line) => /older than it was: 3 changes are missing/.test(line)),
      lines.join('\n'),
    );
  });

  it('from a newer version is left alone', async () => {
    await (await open()).close();
    const database = openDatabase(join(folder, 'tributary.db'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    await assert.rejects(open(), /written by a newer version/);
  });

  it('is copied before an upgrade, and an upgrade that is cut off is done again', () => {
    const file = join(folder, 'u.db');
    const database = openDatabase(file);
    migrate(database, file);
    const broken = [
      ...migrations,
      { name: 'next', statements: ['CREATE TABLE extra (id TEXT PRIMARY KEY)', 'THIS IS NOT SQL'] },
    ];
    assert.throws(() => {
      migrate(database, file, broken);
    });
    assert.equal(pragmaOf(database, 'user_version'), migrations.length);
    assert.equal(database.prepare(`SELECT count(*) AS n FROM sqlite_master WHERE name = 'extra'`).columns().length, 1);
    const whole = [...migrations, { name: 'next', statements: ['CREATE TABLE extra (id TEXT PRIMARY KEY)'] }];
    migrate(database, file, whole);
    migrate(database, file, whole);
    assert.equal(pragmaOf(database, 'user_version'), whole.length);
    assert.ok(existsSync(`${file}.before-${whole.length}`));
    database.close();
  });

  it('keeps every filing whole when the storage fails at any statement', async () => {
    let statements = 0;
    let failAt = Infinity;
    const failing = (path: string): Database => {
      const database = openDatabase(path);
      const count = <T>(run: () => T): T => {
        if (++statements === failAt) throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
        return run();
      };
      return wrap(database, count);
    };
    const store = await open({ openDatabase: failing });
    const ticket = (n: number) =>
      store.write([], async (tx) => {
        await tx.insertCustomer({ id: `cus_${n}`, name: null, locale: null, at: n });
        await tx.saveClaim(`cus_${n}`, 'email', `${n}@example.com`, n);
        await tx.saveIdentifier({ kind: 'chat', value: `${n}`, trust: 'verified', customerId: `cus_${n}` }, n);
        await tx.identifier('chat', `${n}`);
        await tx.insertChange({ type: 'customer.created', at: n, version: 1, customerId: `cus_${n}` });
      });
    let failures = 0;
    for (let n = 1; n < 40; n++) {
      failAt = statements + n;
      const done = await ticket(n).then(
        () => true,
        () => false,
      );
      failAt = Infinity;
      if (!done) failures++;
      const customer = await store.read.customer(`cus_${n}`);
      assert.equal(customer !== undefined, done, `statement ${n}: acknowledged and stored are the same`);
      assert.equal(customer?.identifiers.length ?? 0, done ? 2 : 0, `statement ${n}: all or nothing`);
      const remembered = await store.write([], (tx) => tx.identifier('chat', `${n}`));
      assert.equal(remembered !== undefined, done, `statement ${n}: what failed is not remembered`);
      await ticket(1000 + n);
    }
    assert.ok(failures >= 5, `${failures} statements failed`);
    await store.close();
  });

  it('that is full answers 503, keeps what it has, and goes on without a restart when there is room', async function () {
    const disk = join(folder, 'disk');
    const mounted = mountSmall(disk);
    skipUnless(this, mounted, 'needs the right to mount a small file system');
    try {
      const whole = await startWhole({ env: { DATA_DIR: join(disk, 'data') } });
      try {
        const say = (n: number) => whole.send({ id: `m-${n}`, thread: 't', from: { id: 'u' }, text: 'x'.repeat(2000) });
        assert.equal(await say(0), 200);
        writeFileSync(join(disk, 'filler'), Buffer.alloc(64 * 1024 * 1024), { flag: 'w' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
      const say = (n: number) => whole.send({ id: `m-${n}`, thread: 't', from: { id: 'u' }, text: 'x'.repeat(2000) });
      const statuses = new Set<number>();
      let acknowledged = 1;
      for (let n = 1; n <= 300 && !statuses.has(503); n++) {
        const status = await say(n);
        statuses.add(status);
        if (status === 200) acknowledged++;
      }
      assert.ok(statuses.has(503), `answered ${[...statuses].join()}`);
      const health = await fetch(`${whole.running.url}/healthz`);
      assert.equal(health.status, 200);
      rmSync(join(disk, 'filler'));
      assert.equal(await say(1000), 200);
      const { data } = await whole.api<{ data: { messageCount: number }[] }>('/tickets');
      assert.equal(data[0]!.messageCount, acknowledged + 1);
      assert.equal((await whole.api<{ balanced: boolean }>('/events/balance')).balanced, true);
      await whole.close();
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});

describe('a clock that jumps', () => {
  it('makes no id twice and none that sorts before an older one', () => {
    const clock = fakeClock();
    const newId = createIds(clock);
    const ids: string[] = [];
    for (const jump of [0, -3_600_000, 86_400_000, -86_400_000 * 365, 0]) {
      clock.jump(jump);
      for (let i = 0; i < 200; i++) ids.push(newId('evt'));
    }
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(ids, ids.toSorted());
  });

  it('loses and doubles no message', async () => {
    const filing = await openFiling();
    try {
      const item = message('telegram|1', { externalId: 'a' });
      await filing.file(item);
      for (const jump of [-3_600_000, 86_400_000, -40 * 365 * 86_400_000]) {
        filing.clock.jump(jump);
        assert.equal((await filing.file(item))[0]!.outcome, 'duplicate');
      }
      assert.equal((await filing.store.read.balance(-1e15, 1e15)).balanced, true);
    } finally {
      await filing.close();
    }
  });
});

describe('stored secrets', () => {
  it('open with their key, in their place and untouched only', () => {
    const vault = createVault(new Secret('k'.repeat(32)));
    const sealed = vault.seal('whsec_CANARY', 'endpoints|crm|sealed');
    assert.equal(sealed.includes('CANARY'), false);
    assert.equal(vault.open(sealed, 'endpoints|crm|sealed'), 'whsec_CANARY');
    assert.throws(() => vault.open(sealed, 'endpoints|other|sealed'), /cannot be read/);
    assert.throws(() => createVault(new Secret('x'.repeat(32))).open(sealed, 'endpoints|crm|sealed'), /cannot be read/);
    for (let i = 0; i < sealed.length; i++) {
      const touched = Buffer.from(sealed);
      touched[i]! ^= 1;
      assert.throws(() => vault.open(touched, 'endpoints|crm|sealed'), `byte ${i}`);
    }
  });

  it('lock only their endpoint when the key is another one, and stay as they are', async () => {
    const whole = await startWhole();
    try {
      const settings = { auth: { type: 'bearer', token: 'CANARY-token-0123456789-abcdefgh' } };
      await whole.api('/channels', { method: 'POST', body: { id: 'second', type: 'webhook', settings } });
      const database = readFileSync(join(whole.folder, 'data', 'tributary.db'));
      const journal = readFileSync(join(whole.folder, 'data', 'tributary.db-wal'));
      assert.equal(Buffer.concat([database, journal]).includes('CANARY'), false, 'not in clear in the database');
      const keyFile = join(whole.folder, 'data', 'secret.key');
      const key = readFileSync(keyFile, 'utf8');
      writeFileSync(keyFile, 'another-key-another-key-another-key-another');
      await whole.restart();
      const problem = () => whole.running.gateway.endpoints.get('second')!.problem;
      assert.match(problem()!, /cannot be read/);
      assert.equal(await whole.send({ id: 'm-1', from: { id: 'u' }, text: 'others go on' }), 200);
      writeFileSync(keyFile, key);
      await whole.restart();
      assert.equal(problem(), null);
    } finally {
      await whole.close();
    }
  });
});

/** A database with something around every statement. */
function wrap(database: Database, around: <T>(run: () => T) => T = (run) => run()): Database {
  return {
    exec: (text) => {
      around(() => {
        database.exec(text);
      });
    },
    close: () => {
      database.close();
    },
    prepare: (text) => {
      const statement = database.prepare(text);
      return {
        run: (...values) => around(() => statement.run(...values)),
        get: (...values) => around(() => statement.get(...values)),
        all: (...values) => around(() => statement.all(...values)),
        columns: () => statement.columns(),
      };
    },
  };
}

function mountSmall(folder: string): boolean {
  try {
    execFileSync('mkdir', ['-p', folder]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
