import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as realTime } from 'node:timers/promises';
import type { SMTPServerOptions } from 'smtp-server';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  type TributaryError,
} from '../src/core/errors.ts';
import type { SmtpServer } from '../src/core/mail-server.ts';
import { Secret } from '../src/core/secret.ts';
import { fakeClock } from './fakes/clock.ts';
import { sealedHttp } from './fakes/context.ts';
import { answerOf, fileOf, loopback, senderTo, type GivenSender } from './fakes/mail-answers.ts';
import { sampleMessage } from './fakes/samples.ts';
import { selfSigned } from './fakes/self-signed.ts';
import { headersOf, smtpError, startSink, type SmtpSink } from './fakes/smtp.ts';
import { until } from './fakes/until.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

async function sink(options: Parameters<typeof startSink>[0] = {}): Promise<SmtpSink> {
  const started = await startSink(options);
  opened.push(started);
  return started;
}

describe('Sending a mail', () => {
  const failing = async (options: Parameters<typeof startSink>[0], smtp: Partial<SmtpServer> = {}) => {
    const server = await sink(options);
    const reply = answerOf();
    const error = await senderTo(server.port, smtp)
      .reply(reply)
      .then(
        () => undefined,
        (thrown: unknown) => thrown as TributaryError,
      );
    assert.deepEqual(reply.parts, [], 'not marked as sent');
    assert.equal(server.mails.length, 0);
    return error!;
  };
  const onRcptTo = (error: Error): SMTPServerOptions => ({ onRcptTo: (_a, _s, done) => done(error) });

  it('isn’t done again once it went out, and has the same Message-ID until it did', async () => {
    let refusals = 1;
    const server = await sink({
      refuse() {
        if (refusals-- > 0) throw smtpError(451, 'later');
      },
    });
    await assert.rejects(senderTo(server.port).reply(answerOf()), RetryableError);
    const clock = fakeClock();
    const context = { clock, http: loopback() };
    await senderTo(server.port).reply(answerOf());
    await senderTo(server.port, {}, { context }).reply(answerOf());
    assert.equal(clock.sleepers, 0, 'no deadline is left running');
    const ids = server.mails.map(({ raw }) => headersOf(raw).get('message-id'));
    assert.deepEqual([ids.length, new Set(ids).size], [2, 1]);
    await senderTo(server.port).reply(answerOf({ sent: [{ externalId: 'x' }] }));
    assert.equal(server.mails.length, 2);
  });

  it('is done again with the same Message-ID when the process ended before it was written down', async () => {
    const server = await sink();
    const partSent = async () => {
      throw new RetryableError('the store is gone');
    };
    await assert.rejects(senderTo(server.port).reply(answerOf({ partSent })), /the store is gone/);
    const reply = answerOf();
    await senderTo(server.port).reply(reply);
    const ids = server.mails.map(({ raw }) => headersOf(raw).get('message-id'));
    assert.deepEqual(ids, Array(2).fill(`<${reply.parts[0]}>`));
  });

  it('is tried again after a temporary refusal', async () => {
    for (const options of [
      onRcptTo(smtpError(450, 'mailbox busy')),
      onRcptTo(smtpError(451, 'greylisted')),
      {
        refuse: () => {
          throw smtpError(452, 'full');
        },
      },
    ]) {
      const error = await failing(options);
      assert.ok(error instanceof RetryableError, String(error));
      assert.equal(error.outcomeUnknown, false);
    }
  });

  it('pauses the channel when the server asks for it', async () => {
    const busy: SMTPServerOptions = { onMailFrom: (_a, _s, done) => done(smtpError(450, 'too many mails from you')) };
    for (const options of [onRcptTo(smtpError(421, 'too busy')), busy]) {
      const error = await failing(options);
      assert.ok(error instanceof RateLimitedError, String(error));
      assert.match(error.message, /^127\.0\.0\.1 refused/);
    }
  });

  it('fails for good when the address or the mail is refused, in the server’s words', async () => {
    const address = await failing(onRcptTo(smtpError(550, 'no such user here')));
    assert.ok(address instanceof PermanentError, String(address));
    assert.match(address.message, /refused the recipient: 550 .*no such user here/);
    assert.equal(address.response!.status, 550);
    const mail = await failing({
      refuse: () => {
        throw smtpError(554, 'looks like spam');
      },
    });
    assert.ok(mail instanceof PermanentError, String(mail));
    assert.match(mail.message, /refused the mail/);
    const full = await failing(onRcptTo(smtpError(552, 'mailbox full')));
    assert.doesNotMatch(full.hint!, /files/);
  });

  it('names it when the mail is too large, before or after it was sent', async () => {
    const announced = await failing({ size: 100 });
    assert.ok(announced instanceof PermanentError, String(announced));
    assert.match(announced.message, /larger than 127\.0\.0\.1 takes/);
    const late = await failing({
      refuse: () => {
        throw smtpError(552, 'message too large');
      },
    });
    assert.match(late.hint!, /smaller files/);
  });

  const users: SMTPServerOptions = {
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    authMethods: ['PLAIN', 'XOAUTH2'],
    onAuth(auth, _session, done) {
      const ok = auth.method === 'XOAUTH2' ? auth.accessToken === 'token-1' : auth.password === 'right';
      done(ok ? null : new Error('bad credentials'), ok ? { user: auth.username } : undefined);
    },
  };
  const inBase64 = (text: string) => Buffer.from(text).toString('base64');
  const login = (password: string) => ({ user: 'support', password: new Secret(password) });

  it('asks for new credentials when they are refused, and never shows them', async () => {
    const error = await failing(users, login('wrong-password'));
    assert.ok(error instanceof AuthExpiredError, String(error));
    assert.match(error.hint!, /password/);
    for (const shown of [error.message, JSON.stringify(error), String(error.stack)]) {
      assert.ok(!shown.includes('wrong-password') && !shown.includes(Buffer.from('wrong-password').toString('base64')));
    }
    // Some servers repeat what they refuse.
    const said = ['wrong-password', ...['wrong-password', '\0support\0wrong-password'].map(inBase64)].join(' ');
    const onAuth: SMTPServerOptions['onAuth'] = (_auth, _session, done) => done(smtpError(535, `no: ${said}`));
    const repeated = await failing({ ...users, onAuth }, login('wrong-password'));
    assert.match(repeated.message, /no: \[secret\] \[secret\] \[secret\]$/);
    assert.equal(repeated.response!.text, '535 no: [secret] [secret] [secret]');
    const forgotten = await failing({ ...users });
    assert.ok(forgotten instanceof AuthExpiredError, String(forgotten));
  });

  it('signs in with a password or with OAuth2', async () => {
    const server = await sink(users);
    await senderTo(server.port, login('right')).reply(answerOf());
    // The second is made when the server has refused the first.
    const made = ['token-0', 'token-1'];
    const forgotten: string[] = [];
    const tokens = {
      current: async () => made[forgotten.length]!,
      forget: (token: string) => void forgotten.push(token),
    };
    await senderTo(server.port, { user: 'support' }, { tokens }).reply(answerOf());
    assert.deepEqual([server.mails.length, forgotten], [2, ['token-0']]);
    const revoked = { current: async () => 'token-9', forget: () => undefined };
    await assert.rejects(
      senderTo(server.port, { user: 'support' }, { tokens: revoked }).reply(answerOf()),
      AuthExpiredError,
    );
    assert.match(await senderTo(server.port, login('right')).test(), /127\.0\.0\.1 lets support in/);
    await assert.rejects(senderTo(server.port, login('wrong')).test(), AuthExpiredError);
  });

  it('says nothing to a server without TLS that is not this machine', async () => {
    const server = await sink(users);
    const error = (await senderTo(server.port, { host: 'mail.example.test', ...login('right') })
      .reply(answerOf())
      .catch((thrown: unknown) => thrown)) as TributaryError;
    assert.ok(error instanceof RetryableError, String(error));
    assert.match(error.hint!, /STARTTLS/);
    assert.equal(server.mails.length, 0);
  });

  it('uses no TLS to this machine itself, where nobody stands in between', async () => {
    const server = await sink({ ...selfSigned, disabledCommands: ['AUTH'] });
    await senderTo(server.port).reply(answerOf());
    assert.equal(server.mails.length, 1);
  });

  it('holds the certificate against the name, with TLS from the start and with STARTTLS', async () => {
    for (const secure of [true, false]) {
      const server = await sink({ ...selfSigned, secure, disabledCommands: ['AUTH'] });
      const send = (smtp: Partial<SmtpServer>) => senderTo(server.port, { secure, ...smtp }).reply(answerOf());
      const host = 'desk.example.test';
      await send({ host, tls: { ca: selfSigned.cert } });
      assert.equal(server.mails.length, 1);
      for (const wrong of [{ host }, { host: 'other.example.test', tls: { ca: selfSigned.cert } }]) {
        const error = (await send(wrong).catch((thrown: unknown) => thrown)) as TributaryError;
        assert.ok(error instanceof RetryableError, String(error));
        assert.match(error.hint ?? '', /certificate/, error.message);
      }
      assert.equal(server.mails.length, 1);
      await send({ host, tls: { rejectUnauthorized: false } });
    }
  });

  it('goes only to the address that the guard allowed', async () => {
    const refused = Object.assign(sealedHttp(), {
      resolve: async () => {
        throw new PermanentError('not allowed');
      },
    });
    const context = { clock: fakeClock(), http: refused };
    await assert.rejects(senderTo(1, {}, { context }).reply(answerOf()), PermanentError);
  });

  it('sends nothing when a file can’t be read', async () => {
    const server = await sink();
    const open = async () => {
      throw new PermanentError('the file is gone');
    };
    const reply = answerOf({ message: sampleMessage({ attachments: [fileOf('a')] }), open });
    await assert.rejects(senderTo(server.port).reply(reply), PermanentError);
    async function* half() {
      yield Buffer.alloc(100_000);
      throw new RetryableError('the disk failed');
    }
    const broken = answerOf({
      message: sampleMessage({ attachments: [fileOf('a')] }),
      open: async () => Readable.from(half()),
    });
    await assert.rejects(senderTo(server.port).reply(broken), /the disk failed/);
    await realTime(50);
    assert.equal(server.mails.length, 0);
  });
});

describe('A mail server that goes away', () => {
  /** Speaks SMTP up to a point, then does what it is told. */
  async function scripted(step: (line: string, socket: Socket) => string | undefined): Promise<number> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.write('220 mail.example.test\r\n');
      let rest = '';
      socket.on('data', (chunk) => {
        const lines = (rest + chunk.toString()).split('\r\n');
        rest = lines.pop()!;
        for (const line of lines) {
          const answer = step(line, socket);
          if (answer !== undefined) socket.write(`${answer}\r\n`);
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened.push({
      close() {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    return (server.address() as { port: number }).port;
  }
  const usual = (line: string) => {
    if (/^(EHLO|MAIL|RCPT)/.test(line)) return '250 ok';
    return line === 'DATA' ? '354 go on' : undefined;
  };
  const failure = async (port: number, given: GivenSender = {}, reply = answerOf()) => {
    const error = await senderTo(port, {}, given)
      .reply(reply)
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    assert.ok(error instanceof RetryableError, String(error));
    return error;
  };

  it('before the mail was handed over: it surely didn’t go out', async () => {
    for (const at of ['EHLO', 'MAIL', 'RCPT', 'DATA']) {
      const port = await scripted((line, socket) => {
        if (!line.startsWith(at)) return usual(line);
        socket.destroy();
        return undefined;
      });
      const error = await failure(port);
      assert.equal(error.outcomeUnknown, false, at);
    }
  });

  it('while the mail is handed over: it surely didn’t go out either', async () => {
    let more: () => void = () => undefined;
    const port = await scripted((line, socket) => {
      if (/^MIME-Version/.test(line)) socket.destroy();
      return usual(line);
    });
    async function* slowly() {
      yield Buffer.alloc(200_000);
      await new Promise<void>((resolve) => (more = resolve));
      yield Buffer.alloc(10);
    }
    const reply = answerOf({
      message: sampleMessage({ attachments: [fileOf('a')] }),
      open: async () => Readable.from(slowly()),
    });
    const error = await failure(port, {}, reply);
    more();
    assert.equal(error.outcomeUnknown, false);
  });

  it('after the last byte: nobody knows, and the answer says so', async () => {
    const port = await scripted((line, socket) => {
      if (line === '.') socket.destroy();
      return usual(line);
    });
    const error = await failure(port);
    assert.equal(error.outcomeUnknown, true);
    assert.match(error.message, /unknown/);
  });

  it('by falling silent: the try ends after four minutes', async () => {
    const clock = fakeClock();
    const port = await scripted((line) => (line === '.' ? undefined : usual(line)));
    const failed = failure(port, { context: { clock, http: loopback() } });
    await until(() => clock.sleepers > 0, 'the try begins');
    await realTime(100);
    await clock.advance(240_000);
    assert.match((await failed).message, /4 minutes/);
    assert.equal(clock.sleepers, 0);
  });

  it('or isn’t there', async () => {
    const server = await startSink();
    await server.close();
    const error = await failure(server.port);
    assert.match(error.hint!, /smtp\.port/);
  });

  it('with endless answers', async () => {
    const port = await scripted((line, socket) => {
      if (line.startsWith('EHLO')) for (let i = 0; i < 100; i++) socket.write(`250-${'x'.repeat(1000)}\r\n`);
      return undefined;
    });
    assert.match((await failure(port)).message, /maximum/);
  });
});
