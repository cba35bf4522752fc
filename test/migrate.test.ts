import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Ticket } from '../src/core/ticket.ts';
import { openDatabase } from '../src/store/sqlite.ts';
import { run } from './fakes/cli.ts';
import { allOf, everythingOf, fillEmptyTables, settled, startInstallation, tablesIn } from './fakes/installation.ts';
import { postgresMissing, startPostgres, type Postgres } from './fakes/postgres.ts';
import { until } from './fakes/until.ts';
import { INTAKE_SECRET, startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

/** `tributary migrate`, as its operator runs it. */
async function migrate(whole: Whole, to: string, ...args: string[]) {
  const env = { TRIBUTARY_CONFIG: join(whole.folder, 'tributary.yaml'), DATA_DIR: join(whole.folder, 'data') };
  return run(['migrate', '--to', to, ...args], { cwd: whole.folder, env });
}

/** Writes another store into the configuration, for the next start. */
function configure(whole: Whole, store: string): void {
  const file = join(whole.folder, 'tributary.yaml');
  // At the end: what is defined in the file says in which line.
  const rest = readFileSync(file, 'utf8').replace(/^store: .*\n/m, '');
  writeFileSync(file, `${rest}store: "${store}"\n`);
}

const databaseOf = (whole: Whole) => join(whole.folder, 'data', 'tributary.db');
const dataOf = (whole: Whole) =>
  readdirSync(join(whole.folder, 'data')).filter((name) => name.startsWith('tributary.db'));

describe('moving an installation', function () {
  let server: Postgres;
  let url: string;
  before(async function () {
    const missing = postgresMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    server = await startPostgres();
  });
  after(() => server?.stop());
  beforeEach(async () => {
    url = await server.createDatabase();
  });

  it('takes everything to PostgreSQL and back, and the gateway goes on where it was', async () => {
    const installation = await startInstallation(40);
    const { whole, telegram, busy, sent } = installation;
    try {
      const before = await everythingOf(whole);
      const fetched = telegram.offsets.at(-1);
      const last = (before['changes'] as { seq: number }[]).length;
      await whole.running.close();
      fillEmptyTables(whole.folder);
      const held = tablesIn(databaseOf(whole));

      const moved = await migrate(whole, url, '--json');
      assert.equal(moved.code, 0, moved.stderr);
      const told = JSON.parse(moved.stdout) as {
        rows: number;
        changed: number;
        tables: { name: string; rows: number }[];
      };
      const counts = (tables: { name: string; rows: number }[]) =>
        Object.fromEntries(tables.map(({ name, rows }) => [name, rows]));
      const expected = Object.entries(held).map(([name, rows]) => ({ name, rows: rows.length }));
      assert.deepEqual(counts(told.tables), counts(expected));
      assert.ok(
        Object.values(counts(told.tables)).every((rows) => rows > 0),
        'a table was empty',
      );
      assert.deepEqual(dataOf(whole), ['tributary.db.moved']);

      telegram.offsets.length = 0;
      configure(whole, url);
      await whole.restart();
      const after = await everythingOf(whole);
      assert.deepEqual(Object.keys(after), Object.keys(before));
      for (const [path, answer] of Object.entries(before)) assert.deepEqual(after[path], answer, path);
      await until(() => telegram.offsets.length > 0, 'it fetches again');
      assert.deepEqual(telegram.offsets[0], fetched);

      // What is sent again is known; what is new goes on in its thread, and with the next number.
      for (const body of sent) assert.equal(await whole.send(body), 200);
      const events = await allOf<LedgerEvent>(whole, '/events');
      const again = events.slice(0, events.length - (before['/events'] as unknown[]).length);
      assert.deepEqual(
        [again.length, new Set(again.map(({ outcome }) => outcome))],
        [sent.length, new Set(['duplicate'])],
      );
      const newest = Math.max(...(before['/tickets'] as Ticket[]).map(({ number }) => number));
      await whole.send({ id: 'n-1', thread: 't-2', from: { id: 'u-2' }, text: 'Ще про це' });
      await whole.send({ id: 'n-2', thread: 'n-2', from: { id: 'n-2' }, text: 'Нове' }, { channel: 'second' });
      const [made, grown] = (await allOf<LedgerEvent>(whole, '/events')).map(({ outcome }) => outcome);
      assert.deepEqual([made, grown], ['ticket_created', 'appended']);
      const tickets = await allOf<Ticket>(whole, '/tickets');
      assert.equal(Math.max(...tickets.map(({ number }) => number)), newest + 1);
      const fed = await whole.api<{ data: { seq: number }[] }>(`/changes?after=${last}`);
      assert.ok(fed.data.length > 0 && fed.data.every(({ seq }) => seq > last));

      // What waited is delivered once its receiver takes it.
      const waiting = busy.requests.length;
      busy.behave('ok');
      await whole.api('/destinations/busy/resume', { method: 'POST', body: {} });
      await until(() => busy.requests.length > waiting + 10, 'it is delivered');

      // And back.
      await settled(whole);
      const there = await everythingOf(whole);
      await whole.running.close();
      const back = await migrate(whole, 'sqlite:data/back.db', '--json');
      assert.equal(back.code, 0, back.stderr);
      assert.deepEqual(
        readdirSync(join(whole.folder, 'data')).filter((name) => name.startsWith('back')),
        ['back.db'],
      );
      configure(whole, 'sqlite:data/back.db');
      await whole.restart();
      assert.deepEqual(await everythingOf(whole), there);
      await whole.send({ id: 'n-3', thread: 'n-3', from: { id: 'n-3' }, text: 'Знову' });
      const [latest] = await allOf<Ticket>(whole, '/tickets');
      assert.equal(latest!.number, newest + 2);
    } finally {
      await installation.close();
    }
  });

  describe('of a few tickets', () => {
    let whole: Whole;
    beforeEach(async () => {
      whole = await startWhole();
      for (const id of ['1', '2']) await whole.send({ id, thread: id, from: { id }, text: `Де замовлення ${id}?` });
    });
    afterEach(() => whole.close());

    const write = (text: string) => {
      const database = openDatabase(databaseOf(whole));
      database.exec(text);
      database.close();
    };
    const tablesThere = async () =>
      (await server.run(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`, url)).length;
    /** What only messages move: a gateway that runs also writes by itself. */
    const kept = () => {
      if (!existsSync(databaseOf(whole))) return undefined;
      const { messages, tickets, customers, events, changes } = tablesIn(databaseOf(whole));
      return { messages, tickets, customers, events, changes };
    };
    /** It fails with these words, and neither database has changed. */
    async function fails(to: string, words: RegExp): Promise<void> {
      const held = kept();
      const [there, files] = [await tablesThere(), dataOf(whole)];
      const { code, stdout, stderr } = await migrate(whole, to);
      assert.equal(code, 1, stdout);
      assert.match(stderr, words);
      assert.deepEqual(kept(), held);
      assert.equal(await tablesThere(), there);
      const made = dataOf(whole).filter((name) => !files.includes(name) && !/-(wal|shm)$/.test(name));
      assert.deepEqual(made, []);
    }

    it('is refused while the gateway runs, from either side', async () => {
      await fails(url, new RegExp(`in use by process ${process.pid}\\n.*Stop it`));
      await whole.running.close();
      assert.equal((await migrate(whole, url)).code, 0);
      configure(whole, url);
      await whole.restart();
      await fails(`sqlite:${databaseOf(whole)}`, /a gateway is connected to the database, from 127\.0\.0\.1/);
    });

    it('says what it moved, and where the old database is', async () => {
      await whole.running.close();
      const { code, stdout, stderr } = await migrate(whole, url.replace('tributary@', 'tributary:secret@'));
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^messages +2 +[0-9a-f]{16}$/m);
      assert.match(stdout, /rows moved from .*tributary\.db to postgres:\/\/127\.0\.0\.1:\d+\/test_\d+$/m);
      assert.match(stderr, /tributary\.db\.moved now/);
      assert.ok(!`${stdout}${stderr}`.includes('secret@'));
      const indexed = await server.run(
        `SELECT value = (SELECT max(seq) FROM changes) AS all FROM counters WHERE name = 'search'`,
        url,
      );
      assert.deepEqual(indexed, [{ all: true }]);
    });

    it('is refused where there is something already', async () => {
      await whole.running.close();
      await server.run('CREATE TABLE somebodys (id INT)', url);
      await fails(url, /not empty: it has a table somebodys\n.*CREATE DATABASE/);
      await server.run('DROP TABLE somebodys', url);
      assert.equal((await migrate(whole, url)).code, 0);
      configure(whole, url);
      for (const file of ['other.db', 'third.db-wal']) {
        writeFileSync(join(whole.folder, file), '');
        await fails(`sqlite:${file.replace('-wal', '')}`, new RegExp(`${file} exists already\n.*elsewhere`));
      }
    });

    it('is refused where there is nothing to move, and where nothing would move', async () => {
      await whole.running.close();
      const { code, stderr } = await migrate(whole, `sqlite:${whole.folder}/other.db`);
      assert.deepEqual([code, /from SQLite to PostgreSQL, or back\n.*DATABASE_URL/.test(stderr)], [2, true], stderr);
      configure(whole, url);
      await fails(`sqlite:${whole.folder}/other.db`, /no gateway in it/);
      const empty = await run(['migrate'], { cwd: whole.folder, env: { DATABASE_URL: url, DATA_DIR: 'nowhere' } });
      assert.match(empty.stderr, /no database at .*nowhere/);
      const nowhere = await migrate(whole, 'postgres://tributary@127.0.0.1:1/x');
      assert.match(nowhere.stderr, /PostgreSQL can't be used: .*ECONNREFUSED/);
    });

    it('reads from SQLite what the configuration already has in PostgreSQL', async () => {
      await whole.running.close();
      configure(whole, url);
      const env = { TRIBUTARY_CONFIG: join(whole.folder, 'tributary.yaml'), DATA_DIR: join(whole.folder, 'data') };
      const { code, stderr } = await run(['migrate'], { cwd: whole.folder, env });
      assert.equal(code, 0, stderr);
      await whole.restart();
      assert.equal((await allOf(whole, '/tickets')).length, 2);
    });

    it('leaves nothing behind when a row can’t be written', async () => {
      await whole.running.close();
      // Longer than a key of PostgreSQL's indexes may be, and nothing in it to compress.
      write(`UPDATE messages SET external_id = hex(randomblob(9000))`);
      await fails(url, /can't be moved: .*index row/);
      await whole.restart();
      assert.equal((await allOf(whole, '/tickets')).length, 2);
    });

    it('leaves no file behind when a row can’t be written to SQLite', async () => {
      await whole.running.close();
      assert.equal((await migrate(whole, url)).code, 0);
      configure(whole, url);
      await server.run('CREATE TABLE unheard_of (id BIGINT); INSERT INTO unheard_of VALUES (1)', url);
      const { code, stderr } = await migrate(whole, `sqlite:${databaseOf(whole)}`);
      assert.deepEqual([code, /can't be moved: .*unheard_of/.test(stderr)], [1, true], stderr);
      assert.deepEqual(dataOf(whole), ['tributary.db.moved']);
    });

    it('is taken back when what was written differs from what was read', async () => {
      await whole.running.close();
      // Changes a word on its way into a table that is made later.
      await server.run(
        `CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.text = NEW.text || '!'; RETURN NEW; END $$;
         CREATE FUNCTION plant() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
           IF to_regclass('messages') IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'forged') THEN
             CREATE TRIGGER forged BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION forge();
           END IF; END $$;
         CREATE EVENT TRIGGER planted ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION plant()`,
        url,
      );
      await fails(url, /table messages is not the same on both sides: 2 rows were read, and 2 written/);
    });

    it('says how many texts could not stay as they were', async () => {
      await whole.running.close();
      write(`UPDATE messages SET html = CAST(X'61006200' AS TEXT) WHERE external_id = '1'`);
      const { code, stderr } = await migrate(whole, url);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /1 texts held U\+0000/);
      const rows = await server.run(`SELECT html FROM messages WHERE html IS NOT NULL`, url);
      assert.deepEqual(rows, [{ html: 'a\ufffdb\ufffd' }]);
    });

    it('begins where a delivery was cut off by a crash with its next try, not when its lease is over', async () => {
      await whole.running.close();
      write(`INSERT INTO tasks (id, kind, type, endpoint_id, state, attempts, tries, uncertain, due_at, lease_token, lease_until,
        created_at, updated_at) VALUES ('tsk_x', 'deliver', 'x', 'gone', 'delivering', 1, 1, 0, 1, 'l', 9e15, 1, 1);
        INSERT INTO processes (id, beat) VALUES ('dead', 1)`);
      assert.equal((await migrate(whole, url)).code, 0);
      const rows = await server.run(
        `SELECT lease_until::int AS until, (SELECT count(*)::int FROM processes) AS alive FROM tasks WHERE id = 'tsk_x'`,
        url,
      );
      assert.deepEqual(rows, [{ until: 0, alive: 0 }]);
    });

    it('opens the sealed secrets with the key that stayed in the data folder', async () => {
      const settings = { auth: { type: 'standard_webhooks', secret: INTAKE_SECRET } };
      await whole.api('/channels', { method: 'POST', body: { id: 'second', type: 'webhook', settings } });
      await whole.running.close();
      assert.equal((await migrate(whole, url)).code, 0);
      configure(whole, url);
      await whole.restart();
      assert.equal(await whole.send({ id: '3', from: { id: '3' }, text: 'x' }, { channel: 'second' }), 200);
      const rows = await server.run(
        `SELECT position($1 in encode(sealed, 'escape')) AS at FROM endpoints`.replace('$1', `'${INTAKE_SECRET}'`),
        url,
      );
      assert.deepEqual(rows, [{ at: 0 }]);
    });
  });
});
