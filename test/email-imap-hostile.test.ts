import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { setTimeout as realTime } from 'node:timers/promises';
import { Config } from '../src/connectors/email/config.ts';
import { createImap } from '../src/connectors/email/imap.ts';
import type { Raw } from '../src/core/connector.ts';
import { RetryableError } from '../src/core/errors.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeClock, type FakeClock } from './fakes/clock.ts';
import { fakeLog } from './fakes/context.ts';
import { startImap, type FakeImap, type Whim } from './fakes/imap.ts';
import { until } from './fakes/until.ts';

const MAIL = 'From: olena@example.com\r\nSubject: Hi\r\nMessage-ID: <hi@example.com>\r\n\r\nHello\r\n';
const MB = 1024 * 1024;

/** Section C, C45: what a server may do to whoever reads a mailbox on it. */
describe('A mail server that means us harm', () => {
  let egress: Egress;
  let clock: FakeClock;
  let server: FakeImap | undefined;
  const running: (() => Promise<unknown>)[] = [];
  const timers = new Set<NodeJS.Timeout>();
  /** Whether it does what it means to do. */
  let begun = false;

  beforeEach(() => {
    begun = false;
    egress = createHttp({ allow: ['127.0.0.1'] });
    clock = fakeClock('2026-01-31T09:00:00Z');
  });
  afterEach(async () => {
    for (const timer of timers) clearInterval(timer);
    timers.clear();
    for (const stop of running.splice(0)) await stop();
    await server?.close();
    egress.close();
  });

  /** Reads the mailbox; `ended` resolves with what ended it. */
  function read(port: number, given: { readonly cursor?: string; readonly connections?: number } = {}) {
    const { cursor, connections = 3 } = given;
    const imap = {
      host: '127.0.0.1',
      port,
      secure: false,
      user: 'support',
      password: 'long enough',
      maxBytes: 256 * 1024,
      connections,
    };
    const config = Config.parse({ address: 'support@example.test', imap });
    const context = { clock, http: egress.for({ hosts: [] }), log: fakeLog() };
    const raws: Raw[] = [];
    const cursors: string[] = [];
    const emit = async (raw: Raw, next = '') => {
      if (raw.headers?.['x-imap-note'] === undefined) raws.push(raw);
      cursors.push(next);
    };
    const stopping = new AbortController();
    const ended: Promise<unknown> = createImap({ imap: config.imap!, context, tokens: undefined })
      .stream(cursor, emit, stopping.signal)
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    running.push(() => {
      stopping.abort();
      return ended;
    });
    return { raws, cursors, ended };
  }

  /** Says something again and again, for as long as the line is open. */
  function forEver(socket: Socket, text: string | Buffer): void {
    begun = true;
    const timer = setInterval(() => {
      // What isn't read is not piled up here either.
      if (socket.writable && socket.writableLength < 4 * MB) socket.write(text);
    }, 1);
    timers.add(timer);
    socket.once('close', () => {
      clearInterval(timer);
      timers.delete(timer);
    });
  }

  /** The mail that the same mailbox hands out once its server is honest: nothing was passed over. */
  async function assertNothingLost(cursor: string | undefined): Promise<void> {
    await server?.close();
    server = await startImap(MAIL);
    const { raws } = read(server.port, cursor === undefined ? {} : { cursor });
    await until(() => raws.length === 1, 'the mail is read');
    assert.equal(raws[0]!.body.toString(), MAIL);
  }

  it('is read, as long as it does none', async () => {
    await assertNothingLost(undefined);
  });

  it('is asked for mail, and for nothing that changes it', async () => {
    await assertNothingLost(undefined);
    const { commands } = server!;
    assert.ok(commands.includes('EXAMINE'), commands.join());
    const changing = /SELECT|STORE|MOVE|COPY|APPEND|EXPUNGE|CLOSE|CREATE|DELETE|RENAME/;
    assert.deepEqual(
      commands.filter((name) => changing.test(name)),
      [],
    );
  });

  it('has one line open, and not two, where channels take turns', async () => {
    server = await startImap(MAIL);
    const first = read(server.port, { connections: 1 });
    await until(() => first.raws.length === 1 && server!.commands.includes('IDLE'), 'the first one waits for mail');
    const second = read(server.port, { connections: 1 });
    await until(() => second.cursors.length === 1, 'the second one begins');
    await clock.advance(60_000);
    await until(() => second.raws.length === 1, 'the second one has its turn');
    await until(() => server!.open() === 1, 'the line of the first one is closed');
  });

  const told: readonly (readonly [what: string, says: RegExp, start: () => Promise<FakeImap>])[] = [
    [
      'greets without an end',
      /Response size \d+ exceeds/,
      () => startImap(MAIL, { greet: (socket) => forEver(socket, Buffer.alloc(256 * 1024, 'x')) }),
    ],
    [
      'announces a mail of nearly a gigabyte',
      /Literal size 900000000 exceeds/,
      () =>
        startImap(MAIL, {
          whim: ({ name, rest, say }) => {
            if (name !== 'UID FETCH' || !rest.includes('BODY')) return false;
            say('* 1 FETCH (UID 1 BODY[] {900000000}');
            return true;
          },
        }),
    ],
    [
      'announces a mail of two gigabytes',
      /Literal size 2147483648 exceeds/,
      () =>
        startImap(MAIL, {
          whim: ({ name, rest, say }) => {
            if (name !== 'UID FETCH' || !rest.includes('BODY')) return false;
            say('* 1 FETCH (UID 1 BODY[] {2147483648}');
            return true;
          },
        }),
    ],
    [
      'puts one mail after the other into one answer',
      /Response size \d+ exceeds/,
      () =>
        startImap(MAIL, {
          whim: ({ name, rest, say }) => {
            if (name !== 'UID FETCH' || !rest.includes('BODY')) return false;
            const part = `BODY[] {${4 * MB}}\r\n${'y'.repeat(4 * MB)}`;
            say(`* 1 FETCH (UID 1 ${part} ${part} ${part})`);
            return true;
          },
        }),
    ],
  ];
  for (const [what, says, start] of told) {
    it(`is left when it ${what}, and nothing is lost by it`, async () => {
      server = await start();
      const { ended, raws, cursors } = read(server.port);
      const error = await ended;
      assert.ok(error instanceof RetryableError, String(error));
      assert.match(error.message, says);
      if (what.includes('gigabyte')) assert.match(error.hint ?? '', /imap\.maxBytes/);
      await until(() => server!.open() === 0, 'the line is cut');
      assert.equal(raws.length, 0);
      await assertNothingLost(cursors.at(-1));
    });
  }

  const at =
    (place: string, say: string, body = ''): Whim =>
    ({ name, rest, socket }) => {
      if (name !== place || !rest.includes(body)) return false;
      forEver(socket, say);
      return true;
    };
  const endless: readonly (readonly [what: string, seconds: number, start: () => Promise<FakeImap>])[] = [
    ['says nothing at all', 60, () => startImap(MAIL, { greet: () => (begun = true) })],
    ['greets one letter at a time', 60, () => startImap(MAIL, { greet: (socket) => forEver(socket, '*') })],
    ['goes on talking while we sign in', 60, () => startImap(MAIL, { whim: at('LOGIN', '* OK one moment\r\n') })],
    ['goes on talking while a folder is opened', 900, () => startImap(MAIL, { whim: at('EXAMINE', '* 1 EXISTS\r\n') })],
    ['finds the same mail again and again', 900, () => startImap(MAIL, { whim: at('UID SEARCH', '* SEARCH 1\r\n') })],
    [
      'says how large mails are again and again',
      900,
      () => startImap(MAIL, { whim: at('UID FETCH', '* 1 FETCH (UID 1 RFC822.SIZE 9)\r\n', 'SIZE') }),
    ],
    [
      'tells of flags instead of the mail',
      900,
      () => startImap(MAIL, { whim: at('UID FETCH', '* 1 FETCH (UID 1 FLAGS ())\r\n', 'BODY') }),
    ],
    [
      'hands out a mail letter by letter',
      900,
      () =>
        startImap(MAIL, {
          whim: (command) => {
            if (command.name === 'UID FETCH' && command.rest.includes('BODY')) {
              command.say('* 1 FETCH (UID 1 BODY[] {200000}');
            }
            return at('UID FETCH', 'x', 'BODY')(command);
          },
        }),
    ],
    ['no longer answers while we wait for mail', 30, () => startImap(MAIL, { whim: at('NOOP', '* 1 EXISTS\r\n') })],
  ];
  for (const [what, seconds, start] of endless) {
    it(`isn’t waited for when it ${what}, and nothing is lost by it`, async () => {
      server = await start();
      const { ended, cursors } = read(server.port);
      if (what.endsWith('wait for mail')) {
        await until(() => server!.commands.includes('IDLE'), 'it is waited for');
        await clock.advance(60_000);
      }
      await until(() => begun, 'it begins');
      await clock.advance((seconds - 1) * 1000);
      const early = await Promise.race([ended, realTime(20, 'waits')]);
      assert.equal(early, 'waits', String(early));
      await clock.advance(2000);
      const error = await ended;
      assert.ok(error instanceof RetryableError, String(error));
      assert.match(error.message, new RegExp(`has not answered for ${seconds} s`));
      await until(() => server!.open() === 0, 'the line is cut');
      if (!what.endsWith('wait for mail')) await assertNothingLost(cursors.at(-1));
    });
  }

  it('does no harm by words that mean nothing', async () => {
    for (const line of [
      '* 1 FETCH (UID 1 ENVELOPE (((((( RFC822.SIZE x)',
      '* 1 FETCH (UID -1 RFC822.SIZE 99999999999999999999)',
      '* 1 FETCH ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((',
      '* 99999999999999999999 FETCH (UID 1)',
      '\0\0\0',
      '+ ',
      '* SEARCH a b c',
    ]) {
      let isFirst = true;
      server = await startImap(MAIL, {
        whim: ({ name, say }) => {
          if (name === 'UID FETCH' && isFirst) say(line);
          isFirst = isFirst && name !== 'UID FETCH';
          return false;
        },
      });
      const { ended, raws, cursors } = read(server.port);
      let failure: unknown;
      void ended.then((error) => (failure = error));
      await until(() => raws.length === 1 || failure !== undefined, 'the mail is read, or it is given up');
      if (failure !== undefined) assert.ok(failure instanceof RetryableError, line);
      if (raws.length === 0) await assertNothingLost(cursors.at(-1));
      await server.close();
    }
  });
});
