import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as realTime } from 'node:timers/promises';
import Connection from 'nodemailer/lib/smtp-connection';
import type { Listen } from '../src/connectors/email/config.ts';
import { createListener } from '../src/connectors/email/listen.ts';
import type { Raw } from '../src/core/connector.ts';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import { Secret } from '../src/core/secret.ts';
import { fakeClock, type FakeClock } from './fakes/clock.ts';
import { fakeLog } from './fakes/context.ts';
import { selfSigned } from './fakes/self-signed.ts';
import { until } from './fakes/until.ts';

const OWN = ['support@example.test', 'help@example.test'];
const KB = 1024;

interface Intake {
  readonly port: number;
  readonly clock: FakeClock;
  readonly stored: readonly Raw[];
  /** Resolves once it has stopped. */
  stop(): Promise<void>;
}

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.close();
});

async function listen(given: Partial<Listen> = {}, store: (raw: Raw) => Promise<void> = async () => undefined) {
  const log = fakeLog();
  const clock = fakeClock();
  const stored: Raw[] = [];
  const ending = new AbortController();
  const settings = { host: '127.0.0.1', port: 0, maxBytes: 64 * KB, ...given };
  const { stream } = createListener({ listen: settings, own: OWN, name: 'example.test', context: { clock, log } });
  const emit = async (raw: Raw) => {
    await store(raw);
    stored.push(raw);
  };
  const ended = stream(undefined, emit, ending.signal);
  ended.catch(() => undefined);
  const stop = () => {
    ending.abort();
    return ended;
  };
  running.push({ close: () => stop().catch(() => undefined) });
  const told = () =>
    log.entries.find(({ text }) => text === 'listening for mail')?.fields as { port: number } | undefined;
  const { port } = await until(async () => {
    await Promise.race([realTime(1), ended]);
    return told();
  }, 'it listens');
  const intake: Intake = { port, clock, stored, stop };
  return intake;
}

/** A client that says what it is told, byte for byte. */
async function call(port: number) {
  const socket: Socket = connect({ port, host: '127.0.0.1' });
  running.push({ close: () => socket.destroy() });
  let heard = '';
  let waiting: () => void = () => undefined;
  let over = false;
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
    waiting();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    over = true;
    waiting();
  });
  socket.on('end', () => {
    over = true;
    waiting();
  });
  const answer = async (): Promise<string> => {
    for (;;) {
      const complete = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(heard)?.[0];
      if (complete !== undefined) {
        heard = heard.slice(complete.length);
        return complete.trimEnd();
      }
      if (over) return 'closed';
      await new Promise<void>((resolve) => (waiting = resolve));
    }
  };
  const write = (text: string) => {
    socket.write(Buffer.from(text, 'latin1'));
  };
  const say = (line: string) => {
    write(`${line}\r\n`);
    return answer();
  };
  const client = {
    socket,
    answer,
    write,
    say,
    get heard() {
      return heard;
    },
    /** Up to the answer to DATA. */
    async begin(to = 'support@example.test') {
      await say('MAIL FROM:<olena@example.com>');
      const taken = await say(`RCPT TO:<${to}>`);
      return taken.startsWith('250') ? say('DATA') : taken;
    },
  };
  assert.match(await answer(), /^220 example\.test/);
  assert.match(await say('EHLO mail.example.com'), /250/);
  return client;
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

const MAIL = 'From: olena@example.com\r\nSubject: Hi\r\n\r\nHello\r\n';

describe('Own SMTP intake', () => {
  it('says 250 once a mail is stored, not before', async () => {
    let store: () => void = () => undefined;
    const intake = await listen({}, () => new Promise<void>((resolve) => (store = resolve)));
    const client = await call(intake.port);
    assert.match(await client.begin(), /^354/);
    client.write(`${MAIL}.\r\n`);
    await realTime(100);
    assert.equal(client.heard, '', 'nothing is said yet');
    store();
    assert.match(await client.answer(), /^250/);
    assert.match(await client.say('QUIT'), /^221/);
  });

  it('keeps the bytes and what the sender’s server said', async () => {
    const intake = await listen();
    const client = await call(intake.port);
    await client.begin('Help+t1.x@example.TEST');
    client.write('Subject: \xff\xfe\r\n\r\n..dot\r\n...\r\nbare\nlf and bare\rcr\r\n.\r\n');
    assert.match(await client.answer(), /^250/);
    const [{ body, headers }] = intake.stored as [Raw];
    assert.equal(body.toString('latin1'), 'Subject: \xff\xfe\r\n\r\n.dot\r\n..\r\nbare\nlf and bare\rcr\r\n');
    assert.deepEqual(headers, {
      'x-smtp-mail-from': 'olena@example.com',
      'x-smtp-rcpt-to': 'Help+t1.x@example.TEST',
      'x-smtp-remote': '127.0.0.1',
      'x-smtp-helo': 'mail.example.com',
    });
  });

  it('says 451 while nothing can be stored, and takes the mail later', async () => {
    let broken = true;
    const intake = await listen({}, async () => {
      if (broken) throw new RetryableError('the disk is full');
    });
    const client = await call(intake.port);
    for (const expected of [/^451 .*later/, /^250/]) {
      await client.begin();
      client.write(`${MAIL}.\r\n`);
      const answer = await client.answer();
      assert.match(answer, expected);
      assert.doesNotMatch(answer, /disk/);
      broken = false;
    }
    assert.equal(intake.stored.length, 1);
  });

  it('announces how large a mail may be, and refuses a larger one before and after it was sent', async () => {
    const intake = await listen();
    const client = await call(intake.port);
    assert.match(await client.say('EHLO x'), /SIZE 65536/);
    assert.match(await client.say('MAIL FROM:<a@example.com> SIZE=65537'), /^552/);
    await client.begin();
    client.write(`Subject: x\r\n\r\n${'y'.repeat(70 * KB)}\r\n.\r\n`);
    assert.match(await client.answer(), /^552/);
    assert.match(await client.begin(), /^354/);
    client.write(`${MAIL}.\r\n`);
    assert.match(await client.answer(), /^250/);
    assert.equal(intake.stored.length, 1);
  });

  it('takes mail for its own addresses only, and sends away who keeps guessing', async () => {
    const intake = await listen();
    const client = await call(intake.port);
    for (const own of ['SUPPORT@example.test', 'support+t1.y@example.test', 'help@example.test']) {
      await client.say('RSET');
      assert.match(await client.begin(own), /^354/, own);
      client.write(`${MAIL}.\r\n`);
      assert.match(await client.answer(), /^250/);
    }
    await client.say('MAIL FROM:<>');
    const strangers = ['ann@example.com', 'root@example.test', 'support@example.test.example.com'];
    for (const stranger of [...strangers, 'a%example.com@example.test']) {
      assert.match(await client.say(`RCPT TO:<${stranger}>`), /^550/, stranger);
    }
    assert.match(await client.say('DATA'), /^503/);
    for (let i = 0; i < 6; i++) assert.match(await client.say(`RCPT TO:<guess${i}@example.test>`), /^550/);
    assert.match(await client.say('RCPT TO:<once-more@example.test>'), /^421/);
    assert.equal(await client.answer(), 'closed');
    assert.equal(intake.stored.length, 3);
  });

  it('ends a mail at CRLF.CRLF and nowhere else, so that no second one is smuggled in', async () => {
    const hidden = 'MAIL FROM:<ceo@example.test>\r\nRCPT TO:<support@example.test>\r\nDATA\r\nSubject: evil\r\n';
    const ends = ['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r.\r\n', '\n.\r', '\r\n\0.\r\n'];
    const intake = await listen();
    const client = await call(intake.port);
    for (const [index, end] of ends.entries()) {
      await client.begin();
      // Also cut into pieces: what is an end must not depend on how the bytes arrive.
      for (const piece of ['Subject: a\r\n\r\nb', ...end.split('')]) {
        client.write(piece);
        await realTime(2);
      }
      client.write(`${hidden}\r\n.\r\n`);
      assert.match(await client.answer(), /^250/);
      assert.equal(intake.stored.length, index + 1, JSON.stringify(end));
      assert.ok(intake.stored[index]!.body.includes('Subject: evil'));
    }
  });

  it('doesn’t wait for ever for slow clients, and forgets what was cut off', async () => {
    const intake = await listen();
    const slow = await call(intake.port);
    await slow.begin();
    slow.write('Subject: half a mail\r\n');
    const vanished = await call(intake.port);
    await vanished.begin();
    vanished.write(MAIL);
    vanished.socket.destroy();
    await until(() => intake.clock.sleepers === 1, 'who has gone is forgotten');
    await intake.clock.advance(600_000);
    assert.match(await slow.answer(), /^421/);
    assert.equal(await slow.answer(), 'closed');
    await until(() => intake.clock.sleepers === 0, 'nothing is left of them');
    assert.equal(intake.stored.length, 0);
  });

  it('lets no address take all connections', async () => {
    const intake = await listen();
    for (let i = 0; i < 20; i++) await call(intake.port);
    const one = connect({ port: intake.port, host: '127.0.0.1' });
    running.push({ close: () => one.destroy() });
    const [greeting] = (await once(one, 'data')) as [Buffer];
    assert.match(greeting.toString(), /^421/);
  });

  it('holds only so much mail in memory at once', async () => {
    let store: () => void = () => undefined;
    const stuck = new Promise<void>((resolve) => (store = resolve));
    const intake = await listen({}, () => stuck);
    const clients = [];
    for (let i = 0; i < 6; i++) {
      const client = await call(intake.port);
      clients.push(client);
      await client.begin();
      client.write(`Subject: x\r\n\r\n${'y'.repeat(60 * KB)}\r\n.\r\n`);
      await realTime(20);
    }
    assert.match(await clients[5]!.answer(), /^452/);
    store();
    for (const client of clients.slice(0, 5)) assert.match(await client.answer(), /^250/);
    // What was refused and what was stored takes no room any more.
    const last = clients[5]!;
    for (const [kilobytes, expected] of [...times(6, [70, /^552/] as const), ...times(6, [60, /^250/] as const)]) {
      await last.begin();
      last.write(`Subject: x\r\n\r\n${'y'.repeat(kilobytes * KB)}\r\n.\r\n`);
      assert.match(await last.answer(), expected);
    }
  });

  it('knows no users, no relaying commands and no endless lines', async () => {
    const intake = await listen();
    const client = await call(intake.port);
    const features = await client.say('EHLO x');
    assert.doesNotMatch(features, /AUTH|STARTTLS|XCLIENT|XFORWARD/);
    for (const command of ['AUTH PLAIN AGEAYg==', 'STARTTLS', 'XCLIENT ADDR=127.0.0.1']) {
      assert.match(await client.say(command), /^5\d\d/, command);
    }
    assert.match(await client.say(`NOOP ${'x'.repeat(4 * KB)}`), /^421/);
    const many = await call(intake.port);
    await many.say('MAIL FROM:<a@example.com>');
    let last = '';
    for (let i = 0; i < 101; i++) last = await many.say(`RCPT TO:<support+${i}@example.test>`);
    assert.match(last, /^452/);
  });

  it('offers STARTTLS with a certificate of its own', async () => {
    const intake = await listen({ tls: { cert: selfSigned.cert, key: new Secret(selfSigned.key) } });
    const client = new Connection({
      host: '127.0.0.1',
      port: intake.port,
      requireTLS: true,
      tls: { servername: 'desk.example.test', ca: selfSigned.cert },
    });
    await new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.connect(() => resolve());
    });
    const envelope = { from: 'a@example.com', to: ['support@example.test'] };
    await new Promise<void>((resolve, reject) => {
      client.send(envelope, MAIL, (error) => (error ? reject(error) : resolve()));
    });
    client.close();
    assert.equal(intake.stored.length, 1);
  });
});

describe('Own SMTP intake that stops', () => {
  it('frees its port at once, lets what is being stored finish, and sends everybody else away', async () => {
    let store: () => void = () => undefined;
    const intake = await listen({}, () => new Promise<void>((resolve) => (store = resolve)));
    const [filing, sending, idle] = [await call(intake.port), await call(intake.port), await call(intake.port)];
    await filing.begin();
    filing.write(`${MAIL}.\r\n`);
    await sending.begin();
    sending.write('Subject: half');
    await realTime(50);
    let over = false;
    const stopped = intake.stop().then(() => (over = true));
    assert.match(await idle.answer(), /^421/);
    assert.match(await sending.answer(), /^421/);
    const refused = connect({ port: intake.port, host: '127.0.0.1' });
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
    assert.equal(over, false);
    store();
    assert.match(await filing.answer(), /^250/);
    for (const each of [filing, sending, idle]) each.socket.destroy();
    await stopped;
    assert.equal(intake.stored.length, 1);
  });
});

describe('Own SMTP intake that can’t start', () => {
  const failure = async (given: Partial<Listen>) => {
    const log = fakeLog();
    const settings = { host: '127.0.0.1', port: 0, maxBytes: 64 * KB, ...given };
    const context = { clock: fakeClock(), log };
    const { stream } = createListener({ listen: settings, own: OWN, name: 'x', context });
    const error = await stream(undefined, async () => undefined, new AbortController().signal).catch((e: unknown) => e);
    assert.ok(error instanceof PermanentError, String(error));
    return error;
  };

  it('says which port is taken, and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    running.push({ close: () => other.close() });
    const { port } = other.address() as AddressInfo;
    const error = await failure({ port });
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
    assert.match(error.hint!, /listen\.port/);
  });

  it('says that the host is none of this machine, or that the key is not the certificate’s', async () => {
    assert.match((await failure({ host: '192.0.2.1' })).hint!, /listen\.host/);
    const key = new Secret('not a key');
    const error = await failure({ tls: { cert: selfSigned.cert, key } });
    assert.match(error.hint!, /PEM/);
    assert.ok(!error.message.includes('not a key'));
  });
});
