import assert from 'node:assert/strict';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { Config } from '../src/connectors/email/config.ts';
import { createImap } from '../src/connectors/email/imap.ts';
import { systemClock, type Clock } from '../src/core/clock.ts';
import type { Raw } from '../src/core/connector.ts';
import { AuthExpiredError, RetryableError } from '../src/core/errors.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeLog } from './fakes/context.ts';
import { startCuttingProxy, type CuttingProxy } from './fakes/cutting-proxy.ts';
import { dovecotMissing, startDovecot, type Dovecot } from './fakes/dovecot.ts';
import { selfSigned } from './fakes/self-signed.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const HOUR_MS = 3_600_000;
/** Time passes ten times as fast; what the pauses are for shows all the same. */
function quickClock(): Clock {
  const began = systemClock.now();
  return {
    now: () => began + (systemClock.now() - began) * 10,
    sleep: (ms, signal) => systemClock.sleep(ms / 10, signal),
  };
}

const mail = (subject: string, text = 'Hello') =>
  `From: Olena <olena@example.com>\r\nTo: support@example.test\r\nSubject: ${subject}\r\n` +
  `Message-ID: <${subject}@example.com>\r\n\r\n${text}\r\n`;

const subjectOf = (raw: Raw) => /^Subject: (.*)\r?$/m.exec(raw.body.toString('latin1'))?.[1];

describe('a mailbox on Dovecot', () => {
  let dovecot: Dovecot;
  let egress: Egress;
  let count = 0;
  /** A mailbox of its own for each test. */
  let user: string;
  const running: (() => Promise<void>)[] = [];
  const proxies: CuttingProxy[] = [];

  before(async function () {
    const missing = dovecotMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    dovecot = await startDovecot(Array.from({ length: 40 }, (_, index) => `u${index}@example.test`));
  });
  after(async () => {
    await dovecot?.stop();
  });
  beforeEach(() => {
    user = `u${count++}@example.test`;
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    for (const stop of running.splice(0)) await stop();
    for (const proxy of proxies.splice(0)) await proxy.close();
    egress.close();
  });

  /** Filed raws and the cursor, as the host would keep them. */
  interface Filed {
    readonly raws: Raw[];
    cursor: string | undefined;
    fail: boolean;
  }

  const nothing = (): Filed => ({ raws: [], cursor: undefined, fail: false });
  const mailsOf = ({ raws }: Filed) => raws.filter(({ headers }) => headers?.['x-imap-note'] === undefined);
  const subjects = (filed: Filed) => mailsOf(filed).map(subjectOf);
  const notes = ({ raws }: Filed) => raws.flatMap(({ headers }) => headers?.['x-imap-note'] ?? []);

  function imapOf(settings: object = {}) {
    const imap = { host: '127.0.0.1', port: dovecot.imapPort, secure: false, user, password: dovecot.password };
    const config = Config.parse({ address: 'support@example.test', imap: { ...imap, ...settings } });
    const context = { clock: quickClock(), http: egress.for({ hosts: [] }), log: fakeLog() };
    return createImap({ imap: config.imap!, context, tokens: undefined });
  }

  /** Reads until stopped; what ends it otherwise is what `ended` resolves with. */
  function start(filed: Filed, settings: object = {}) {
    const controller = new AbortController();
    const emit = async (raw: Raw, cursor?: string) => {
      await sleep(0);
      if (filed.fail) throw new RetryableError('the store can’t write');
      filed.raws.push(raw);
      filed.cursor = cursor ?? filed.cursor;
    };
    const ended = imapOf(settings)
      .stream(filed.cursor, emit, controller.signal)
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    const stop = async () => {
      controller.abort();
      await ended;
    };
    running.push(stop);
    return { stop, ended };
  }

  it('is read from the first start on, without the mail that was there before', async () => {
    await dovecot.save(user, mail('old'), { received: new Date(Date.now() - HOUR_MS) });
    await dovecot.deliver(user, [mail('a'), mail('b')]);
    const filed = nothing();
    start(filed);
    await until(() => mailsOf(filed).length === 2);
    assert.deepEqual(notes(filed), ['mailbox_started']);
    await dovecot.deliver(user, [mail('c')]);
    await until(() => mailsOf(filed).length === 3);
    assert.deepEqual(subjects(filed), ['a', 'b', 'c']);
    const { headers, body } = mailsOf(filed)[0]!;
    assert.deepEqual(
      { folder: headers?.['x-imap-folder'], uid: headers?.['x-imap-uid'] },
      { folder: 'INBOX', uid: '2' },
    );
    assert.match(headers?.['x-imap-uidvalidity'] ?? '', /^\d+$/);
    assert.ok(Math.abs(Number(headers?.['x-imap-internaldate']) - Date.now()) < HOUR_MS);
    assert.ok(body.toString().endsWith('\r\n\r\nHello\r\n'), 'the bytes as they were received');
  });

  it('loses nothing between set-up and the first time that it could be read', async () => {
    const filed = nothing();
    const { ended } = start(filed, { password: 'wrong' });
    assert.ok((await ended) instanceof AuthExpiredError);
    assert.deepEqual(notes(filed), ['mailbox_started']);
    // Days pass; the password is repaired.
    const { start: began } = JSON.parse(filed.cursor!) as { start: number };
    filed.cursor = JSON.stringify({ start: began - 48 * HOUR_MS, folders: {} });
    await dovecot.save(user, mail('before'), { received: new Date(began - 49 * HOUR_MS) });
    await dovecot.save(user, mail('meanwhile'), { received: new Date(began - 24 * HOUR_MS) });
    await dovecot.deliver(user, [mail('now')]);
    start(filed);
    await until(() => mailsOf(filed).length === 2);
    assert.deepEqual(subjects(filed), ['meanwhile', 'now']);
    assert.deepEqual(notes(filed), ['mailbox_started']);
  });

  it('is read from `since` on, also when that is set later', async () => {
    for (const [subject, day] of Object.entries({ may: '2024-05-05', july: '2024-07-07', september: '2024-09-09' })) {
      await dovecot.save(user, mail(subject), { received: new Date(`${day}T12:00:00Z`) });
    }
    const filed = nothing();
    const first = start(filed, { since: '2024-07-01' });
    await until(() => mailsOf(filed).length === 2);
    await first.stop();
    assert.deepEqual(subjects(filed), ['july', 'september']);
    const again = start(filed, { since: '2024-01-01' });
    await until(() => mailsOf(filed).length === 5);
    await again.stop();
    assert.deepEqual(subjects(filed), ['july', 'september', 'may', 'july', 'september']);
    start(filed, { since: '2024-08-01' });
    await dovecot.deliver(user, [mail('new')]);
    await until(() => mailsOf(filed).length === 6);
    assert.equal(subjects(filed).at(-1), 'new');
  });

  it('is read on where it was left, whatever somebody has read meanwhile', async () => {
    const filed = nothing();
    const first = start(filed);
    await dovecot.deliver(user, [mail('a')]);
    await until(() => mailsOf(filed).length === 1);
    await first.stop();
    await dovecot.deliver(user, [mail('b'), mail('c'), mail('d')]);
    dovecot.doveadm('flags', 'add', '-u', user, '\\Seen', 'mailbox', 'INBOX', 'subject', 'c');
    start(filed);
    await until(() => mailsOf(filed).length === 4);
    assert.deepEqual(subjects(filed), ['a', 'b', 'c', 'd']);
    const seen = dovecot.doveadm('search', '-u', user, 'mailbox', 'INBOX', 'seen').trim().split('\n');
    assert.equal(seen.length, 1, 'no mail was marked as read by us');
  });

  it('files a mail again rather than passing one that could not be stored', async () => {
    const filed = nothing();
    await dovecot.deliver(user, [mail('a'), mail('b')]);
    const first = start(filed);
    await until(() => mailsOf(filed).length === 2);
    filed.fail = true;
    await dovecot.deliver(user, [mail('c')]);
    assert.match(String(await first.ended), /the store can’t write/);
    filed.fail = false;
    start(filed);
    await until(() => mailsOf(filed).length === 3);
    assert.deepEqual(subjects(filed), ['a', 'b', 'c']);
  });

  it('is read again when its mails were renumbered, and that is told', async () => {
    const filed = nothing();
    await dovecot.save(user, mail('old'), { received: new Date(Date.now() - HOUR_MS) });
    await dovecot.deliver(user, [mail('a'), mail('b')]);
    const first = start(filed);
    await until(() => mailsOf(filed).length === 2);
    await first.stop();
    dovecot.renumber(user, 'INBOX');
    await dovecot.deliver(user, [mail('c')]);
    start(filed);
    await until(() => mailsOf(filed).length === 5);
    assert.deepEqual(subjects(filed), ['a', 'b', 'a', 'b', 'c']);
    assert.deepEqual(notes(filed), ['mailbox_started', 'folder_renumbered']);
  });

  it('is read as soon as the server tells of a mail, long before it would be looked at again', async () => {
    const filed = nothing();
    await dovecot.deliver(user, [mail('a')]);
    start(filed, { pollSeconds: 1500 });
    await until(() => mailsOf(filed).length === 1);
    await sleep(500);
    await dovecot.deliver(user, [mail('b')]);
    await until(() => mailsOf(filed).length === 2);
  });

  it('goes on when the server drops the connection, and is told by the server’s words', async () => {
    const filed = nothing();
    const first = start(filed);
    await dovecot.deliver(user, [mail('a')]);
    await until(() => mailsOf(filed).length === 1);
    dovecot.kick(user);
    const error = await first.ended;
    assert.ok(error instanceof RetryableError, String(error));
    await dovecot.deliver(user, [mail('b')]);
    start(filed);
    await until(() => mailsOf(filed).length === 2);
    assert.deepEqual(subjects(filed), ['a', 'b']);
  });

  it('makes headway over a line that breaks in the middle of every page of mails', async () => {
    const proxy = await startCuttingProxy(dovecot.imapPort);
    proxies.push(proxy);
    const text = `${'x'.repeat(70)}\r\n`.repeat(400);
    await dovecot.deliver(
      user,
      Array.from({ length: 12 }, (_, index) => mail(`m${index}`, text)),
    );
    const filed = nothing();
    proxy.cutAfter(100_000);
    let tries = 0;
    for (; mailsOf(filed).length < 12 && tries < 20; tries++) {
      const reading = start(filed, { port: proxy.port });
      await Promise.race([reading.ended, until(() => mailsOf(filed).length === 12)]);
      await reading.stop();
    }
    assert.deepEqual(
      subjects(filed),
      Array.from({ length: 12 }, (_, index) => `m${index}`),
    );
    assert.ok(
      mailsOf(filed).every(({ body }) => body.length > 28_000),
      'each mail is whole',
    );
    assert.ok(tries > 2, 'the line was cut');
  });

  it('notices that a line is dead', async () => {
    const proxy = await startCuttingProxy(dovecot.imapPort);
    proxies.push(proxy);
    const filed = nothing();
    await dovecot.deliver(user, [mail('a')]);
    const reading = start(filed, { port: proxy.port, pollSeconds: 5 });
    await until(() => mailsOf(filed).length === 1);
    await sleep(500);
    proxy.freeze();
    assert.match(String(await reading.ended), /has not answered for 30 s/);
  });

  it('has all its folders read, over as many connections as it may hold', async () => {
    const folders = ['INBOX', 'Sales/Європа', 'Returns', 'Other'];
    for (const folder of folders.slice(1)) dovecot.doveadm('mailbox', 'create', '-u', user, folder);
    const filed = nothing();
    const proxy = await startCuttingProxy(dovecot.imapPort);
    proxies.push(proxy);
    start(filed, { port: proxy.port, folders, connections: 2, pollSeconds: 5 });
    await until(() => proxy.connections() === 2);
    for (const folder of folders) await dovecot.save(user, mail(folder), { folder });
    await until(() => mailsOf(filed).length === 4);
    assert.deepEqual(
      mailsOf(filed)
        .map(({ headers }) => headers?.['x-imap-folder'])
        .sort(),
      [...folders].sort(),
    );
    assert.equal(proxy.connections(), 2);
    const { folders: saved } = JSON.parse(filed.cursor!) as { folders: object };
    assert.deepEqual(Object.keys(saved).sort(), [...folders].sort());
  });

  it('shares the connections that a host may bear with the other channels', async () => {
    const proxy = await startCuttingProxy(dovecot.imapPort);
    proxies.push(proxy);
    const settings = { port: proxy.port, connections: 1, pollSeconds: 5 };
    const mine = nothing();
    const other = nothing();
    start(mine, settings);
    await dovecot.deliver(user, [mail('a')]);
    await until(() => mailsOf(mine).length === 1);
    user = `u${count++}@example.test`;
    await dovecot.deliver(user, [mail('b')]);
    start(other, settings);
    assert.equal(proxy.connections(), 1);
    await until(() => mailsOf(other).length === 1);
    await until(() => proxy.connections() > 2);
  });

  it('has its other folders read although one is gone, which is told', async () => {
    await dovecot.deliver(user, [mail('a')]);
    const filed = nothing();
    const error = await start(filed, { folders: ['INBOX', 'Lost'], connections: 1 }).ended;
    assert.deepEqual(subjects(filed), ['a']);
    assert.ok(error instanceof RetryableError);
    assert.match(error.message, /has no folder Lost/);
    assert.match(error.hint ?? '', /INBOX.*Sent|Sent.*INBOX/);
  });

  it('hands out of a mail that is too large its beginning, and says how large it is', async () => {
    const filed = nothing();
    const maxBytes = 256 * 1024;
    await dovecot.deliver(user, [mail('a'), mail('huge', `${'y'.repeat(78)}\r\n`.repeat(5000)), mail('b')]);
    start(filed, { maxBytes });
    await until(() => mailsOf(filed).length === 3);
    assert.deepEqual(subjects(filed), ['a', 'huge', 'b']);
    const [whole, cut] = mailsOf(filed);
    assert.equal(whole?.headers?.['x-imap-size'], undefined);
    assert.ok(Number(cut?.headers?.['x-imap-size']) > 400_000);
    assert.equal(cut?.body.length, maxBytes);
  });

  it('is not disturbed by mails that vanish', async () => {
    const filed = nothing();
    await dovecot.deliver(user, [mail('a'), mail('b'), mail('c')]);
    dovecot.doveadm('expunge', '-u', user, 'mailbox', 'INBOX', 'subject', 'b');
    const first = start(filed);
    await until(() => mailsOf(filed).length === 2);
    dovecot.doveadm('expunge', '-u', user, 'mailbox', 'INBOX', 'subject', 'c');
    await first.stop();
    start(filed);
    await dovecot.deliver(user, [mail('d')]);
    await until(() => mailsOf(filed).length === 3);
    assert.deepEqual(subjects(filed), ['a', 'c', 'd']);
  });

  it('can be tried out: who is let in, which folders there are', async () => {
    const { test } = imapOf();
    assert.match(await test(), /^127\.0\.0\.1 lets u\d+@example\.test in; read: INBOX; not read: Sent$/);
    await assert.rejects(imapOf({ folders: ['Lost'] }).test(), /has no folder Lost/);
    await assert.rejects(imapOf({ password: 'wrong' }).test(), (error) => {
      assert.ok(error instanceof AuthExpiredError);
      assert.match(error.message, /Authentication failed/);
      assert.match(error.hint ?? '', /app password/);
      return true;
    });
    await assert.rejects(imapOf({ port: 1 }).test(), (error) => {
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /ECONNREFUSED/);
      return true;
    });
  });

  it('is never asked for a password over a line that somebody could listen to', async () => {
    const settings = { host: 'mail.example.test', port: dovecot.imapPort };
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    egress.close();
    egress = createHttp({ allow: ['127.0.0.1'], resolve });
    // This Dovecot offers no STARTTLS.
    await assert.rejects(imapOf(settings).test(), (error) => {
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /STARTTLS/i);
      return true;
    });
  });

  it('is only opened at the server that its certificate names, unless the operator says otherwise', async () => {
    const sockets = new Set<Socket>();
    const server = createServer(selfSigned, (near) => {
      const far = connect(dovecot.imapPort, '127.0.0.1');
      for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()));
      near.pipe(far).pipe(near);
    });
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      egress.close();
      egress = createHttp({ allow: ['127.0.0.1'], resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
      const { port } = server.address() as AddressInfo;
      const test = (host: string, tls?: object) => imapOf({ host, port, secure: true, tls }).test();
      await assert.rejects(test('desk.example.test'), (error) => {
        assert.ok(error instanceof RetryableError);
        assert.match(error.message, /certificate/i);
        assert.match(error.hint ?? '', /imap\.tls\.ca/);
        return true;
      });
      assert.match(await test('desk.example.test', { ca: selfSigned.cert }), /lets/);
      await assert.rejects(test('other.example.test', { ca: selfSigned.cert }), /altnames|does not match/);
      await assert.rejects(test('127.0.0.1', { ca: selfSigned.cert }), /altnames|does not match/);
      assert.match(await test('desk.example.test', { rejectUnauthorized: false }), /lets/);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('is only looked for where calls may go', async () => {
    egress.close();
    egress = createHttp({ allow: [] });
    await assert.rejects(imapOf().test(), /this address may not be called/);
  });
});
