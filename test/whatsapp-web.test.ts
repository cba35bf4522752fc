import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOfStream } from 'node:stream/consumers';
import { createWhatsAppWeb } from '../src/connectors/whatsapp-web/whatsapp-web.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../src/core/errors.ts';
import { fakeContext, fakeLog, fakeSecrets } from './fakes/context.ts';
import { fakeClock } from './fakes/clock.ts';
import type { FakeClock } from './fakes/clock.ts';
import { until } from './fakes/until.ts';
import { saying, SELF, STAND_IN, startPage } from './fakes/whatsapp-web.ts';
import type { FakePage } from './fakes/whatsapp-web.ts';

const OLENA = '380501234567@c.us';
const HIDDEN = '179950657237125@lid';

describe('WhatsApp Web, in a process of its own', () => {
  let page: FakePage;
  let clock: FakeClock;
  let channel: Channel;
  let ending: AbortController;
  let told: { event: string; data: { body?: string }; people: object }[];
  let emit: (raw: Raw) => Promise<void>;
  let running: Promise<unknown>[];
  const log = fakeLog();

  beforeEach(async () => {
    page = await startPage();
    // Its answers take real time, its patience none.
    clock = fakeClock();
    ending = new AbortController();
    told = [];
    running = [];
    emit = async ({ body }) => void told.push(JSON.parse(body.toString()) as (typeof told)[number]);
    channel = await open(STAND_IN);
  });
  afterEach(async () => {
    ending.abort(new Error('enough'));
    await Promise.all(running);
    await page.close();
  });

  async function open(library: string, settings: object = { browser: process.execPath }): Promise<Channel> {
    const connector = createWhatsAppWeb(library);
    const context = fakeContext({ id: 'wa', clock, log, folder: page.folder, secrets });
    return connector.open(connector.config.parse(settings), context);
  }
  const secrets = fakeSecrets();

  /** Runs the stream; resolves with why it ended. */
  function stream(): Promise<Error> {
    const ended = channel.stream!(undefined, (raw) => emit(raw), ending.signal).then(
      () => assert.fail('a stream ends by an error'),
      (error: unknown) => error as Error,
    );
    running.push(ended);
    return ended;
  }
  async function ready(nth = 1): Promise<number> {
    const pid = await page.opened(nth);
    await page.set({ self: SELF });
    page.emit('ready');
    await until(() => channel.test!().then(Boolean, () => false), 'it can be asked');
    return pid;
  }
  const saidOf = (what: string) => page.said.flatMap((each) => (what in each ? [each[what] as never] : []));
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  describe('is linked by a code', () => {
    it('that the log draws and the API tells, until it is scanned', async () => {
      void stream();
      await page.opened(1);
      page.emit('qr', 'first,code');
      await until(async () => (await channel.linking!())?.qr === 'first,code', 'the code');
      page.emit('qr', 'second,code');
      await until(async () => (await channel.linking!())?.qr === 'second,code', 'the next code');
      const drawn = log.entries.filter(({ text }) => text.includes('█▀') || text.includes('█ ▄▄▄▄▄'));
      assert.equal(drawn.length, 2);
      page.emit('authenticated');
      page.emit('ready');
      await until(async () => (await channel.linking!()) === undefined, 'it no longer waits');
    });

    it('which is not shown any more when it is too old to be scanned', async () => {
      void stream();
      await page.opened(1);
      page.emit('qr', 'a,code');
      await until(async () => (await channel.linking!())?.qr === 'a,code', 'the code');
      await clock.advance(90_000);
      assert.equal(await channel.linking!(), undefined);
    });

    it('and asks for a person when nobody scans it', async () => {
      const ended = stream();
      await page.opened(1);
      page.emit('qr', 'a,code');
      page.emit('disconnected', 'Max qrcode retries reached');
      assert.ok((await ended) instanceof AuthExpiredError);
      assert.equal(await channel.linking!(), undefined);
    });

    it('and its session lies in the channel’s folder, for nobody else', async () => {
      void stream();
      await ready();
      assert.ok(existsSync(join(page.folder, 'session')));
      assert.equal(statSync(join(page.folder, 'files')).mode & 0o077, 0);
      const { puppeteer, env, deviceName } = page.said.find(({ began }) => began)!;
      assert.deepEqual((env as string[]).toSorted(), ['HOME', 'PATH']);
      const { pipe, handleSIGINT, args, executablePath } = puppeteer as Record<string, unknown>;
      assert.deepEqual([pipe, handleSIGINT, executablePath], [true, false, process.execPath]);
      assert.ok(!(args as string[]).includes('--no-sandbox'));
      assert.equal(deviceName, 'Tributary');
    });

    it('anew when the phone has ended the link, and nothing of the session stays', async () => {
      const ended = stream();
      await ready();
      page.emit('disconnected', 'LOGOUT');
      const error = await ended;
      assert.ok(error instanceof AuthExpiredError, String(error));
      assert.ok(!existsSync(join(page.folder, 'session')));
    });
  });

  describe('hands over', () => {
    it('what is said, in its order, with who says it', async () => {
      void stream();
      await ready();
      await page.set({
        people: { [OLENA]: { name: 'Olena' }, [HIDDEN]: { name: 'Ihor', number: '380670000001@c.us' } },
      });
      page.emit('message_create', saying('one'));
      page.emit('message_edit', saying('one, changed'), 'one, changed', 'one');
      page.emit('message_create', saying('two', { remote: HIDDEN }));
      page.emit('message_create', saying('three', { remote: HIDDEN }));
      await until(() => told.length === 4, 'all are told');
      assert.deepEqual(
        told.map(({ event, data }) => [event, data.body]),
        [
          ['message_create', 'one'],
          ['message_edit', 'one, changed'],
          ['message_create', 'two'],
          ['message_create', 'three'],
        ],
      );
      assert.deepEqual(told[2]!.people, {
        [HIDDEN]: { name: 'Ihor', number: '380670000001@c.us' },
        [SELF]: {},
      });
      // Each is asked for once; whom nobody knows, again.
      assert.equal(saidOf('askedWho').filter((wid) => wid === HIDDEN).length, 1);
    });

    it('nothing before the message before it is stored', async () => {
      const order: string[] = [];
      let store: () => void = () => undefined;
      const stored = new Promise<void>((resolve) => (store = resolve));
      emit = async ({ body }) => {
        const { data } = JSON.parse(body.toString()) as (typeof told)[number];
        order.push(`begin ${data.body}`);
        await stored;
        order.push(`end ${data.body}`);
      };
      void stream();
      await ready();
      for (const body of ['one', 'two']) page.emit('message_create', saying(body));
      await until(() => order.length > 0, 'the first one is being stored');
      // What is asked behind it is answered behind it: the second one has come.
      for (let n = 0; n < 5; n++) await channel.test!();
      assert.deepEqual(order, ['begin one']);
      store();
      await until(() => order.length === 4, 'both are stored');
      assert.deepEqual(order, ['begin one', 'end one', 'begin two', 'end two']);
    });

    it('no keys, secrets and pictures in small', async () => {
      void stream();
      await ready();
      const bulk = { mediaKey: 'KEY', messageSecret: 'KEY', thumbnail: 'KEY', directPath: 'KEY' };
      const _data = { ...bulk, t: 1, body: 'KEY', caption: 'Look', size: 3 };
      page.emit('message_create', saying('Look', { type: 'image', hasMedia: true, file: 'abc', ...bulk, _data }));
      await until(() => told.length === 1, 'it is told');
      assert.ok(!JSON.stringify(told).includes('KEY'));
    });

    it('files, fetched at once, and gone once they are read', async () => {
      void stream();
      await ready();
      const message = saying('', { type: 'image', hasMedia: true, file: 'a picture' });
      page.emit('message_create', message);
      await until(() => readdirSync(join(page.folder, 'files')).length === 1, 'it lies there');
      const [name] = readdirSync(join(page.folder, 'files'));
      assert.equal(statSync(join(page.folder, 'files', name!)).mode & 0o077, 0);
      const [item] = await normalized(message);
      assert.ok(item?.kind === 'message');
      const bytes = await channel.download!(item.attachments![0]!, {} as never);
      assert.equal(await textOfStream(bytes), 'a picture');
      await until(() => readdirSync(join(page.folder, 'files')).length === 0, 'it is gone');
    });

    it('files that are asked for later, and says when they can’t be had', async () => {
      void stream();
      await ready();
      const message = saying('', { type: 'image', hasMedia: true, file: 'later' });
      const lost = saying('', { type: 'image', hasMedia: true });
      await page.set({ chats: [{ id: OLENA, messages: [message, lost] }] });
      const fetch = (id: string) => channel.download!({ id, name: 'x', mediaType: 'y' }, {} as never);
      assert.equal(await textOfStream(await fetch(message.id._serialized)), 'later');
      await assert.rejects(fetch(lost.id._serialized), PermanentError);
      await assert.rejects(fetch('false_1@c.us_NEVER'), PermanentError);
    });

    it('what was missed, the oldest first, chats in which nothing happened left alone', async () => {
      void stream();
      await ready();
      const old = saying('old', { timestamp: 1000 });
      const [first, second] = [saying('first', { timestamp: 5000 }), saying('second', { timestamp: 6000 })];
      await page.set({
        chats: [
          { id: OLENA, timestamp: 6000, messages: [old, second, first] },
          { id: '380509999999@c.us', timestamp: 4000, messages: [saying('asleep')] },
          { id: 'status@broadcast', timestamp: 9000, messages: [saying('to all')] },
        ],
      });
      const found: string[] = [];
      for await (const { body } of channel.reconcile!(4_500_000, ending.signal)) {
        found.push((JSON.parse(body.toString()) as { data: { body: string } }).data.body);
      }
      assert.deepEqual(found, ['first', 'second']);
      assert.deepEqual(saidOf('fetched'), [OLENA]);
    });

    it('what was missed by more than a page', async () => {
      void stream();
      await ready();
      const messages = Array.from({ length: 300 }, (_, at) => saying(String(at), { timestamp: 5000 + at }));
      await page.set({ chats: [{ id: OLENA, timestamp: 9000, messages }] });
      let found = 0;
      for await (const { body } of channel.reconcile!(1, ending.signal)) found += Math.sign(body.length);
      assert.equal(found, 300);
    });
  });

  async function normalized(message: object) {
    const body = Buffer.from(JSON.stringify({ event: 'message_create', self: SELF, people: {}, data: message }));
    return channel.normalize({ endpointId: 'wa', receivedAt: 1, method: 'STREAM', url: '', headers: {}, body });
  }

  describe('that ends', () => {
    it('takes nothing with it, and is opened anew', async () => {
      const ended = stream();
      await ready();
      page.tell({ crash: true });
      const error = await ended;
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /SIGKILL/);
      void stream();
      await ready(2);
      page.emit('message_create', saying('again'));
      await until(() => told.length === 1, 'it goes on');
    });

    it('at an error that nobody catches', async () => {
      const ended = stream();
      await ready();
      page.tell({ throwLater: 'out of the blue' });
      const error = await ended;
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /out of the blue/);
    });

    it('when WhatsApp Web can’t be opened, in its words', async () => {
      const ended = stream();
      await page.opened(1);
      page.tell({ reject: 'no sandbox' });
      assert.match((await ended).message, /can't be opened: no sandbox/);
    });

    it('with its channel: its process is gone, and the profile was closed', async () => {
      const ended = stream();
      const pid = await ready();
      ending.abort(new Error('the channel is closed'));
      assert.equal((await ended).message, 'the channel is closed');
      assert.ok(!isAlive(pid));
      await until(() => saidOf('destroyed').length === 1, 'Chromium was closed');
    });
  });

  describe('that hangs', () => {
    it('is ended, though nobody says that it is disconnected', async () => {
      const ended = stream();
      const pid = await ready();
      await page.set({ state: 'hangs' });
      await look();
      await clock.advance(30_000);
      const error = await ended;
      assert.ok(error instanceof RetryableError);
      assert.match(error.message, /did not answer within 30 s/);
      assert.ok(!isAlive(pid));
    });

    it('as a whole is ended as well', async () => {
      const ended = stream();
      const pid = await ready();
      page.tell({ hang: true });
      await clock.advance(30_000);
      await clock.advance(30_000);
      assert.ok((await ended) instanceof RetryableError);
      assert.ok(!isAlive(pid));
    });

    it('before it is there is given up', async () => {
      const ended = stream();
      await page.opened(1);
      await clock.advance(180_000);
      assert.match((await ended).message, /did not load within 180 s/);
    });

    for (const [state, error] of [
      ['UNPAIRED', AuthExpiredError],
      ['CONFLICT', RetryableError],
      [null, RetryableError],
    ] as const) {
      it(`or says ${state} is not taken for connected`, async () => {
        const ended = stream();
        await ready();
        await page.set({ state });
        await look();
        assert.ok((await ended) instanceof error);
      });
    }

    it('is waited for while it connects again by itself', async () => {
      void stream();
      await ready();
      await page.set({ state: 'OPENING' });
      for (let looks = 0; looks < 5; looks++) await look();
      page.emit('message_create', saying('still there'));
      await until(() => told.length === 1, 'it is told');
    });
  });

  /** The page is asked how it is, for the nth time since it was ready. */
  async function look(): Promise<void> {
    const before = saidOf('asked').length;
    await clock.advance(30_000);
    await until(() => saidOf('asked').length > before, 'it is asked');
  }

  it('ends when what it tells can’t be stored', async () => {
    emit = () => Promise.reject(new RetryableError('the store is full'));
    const ended = stream();
    await ready();
    page.emit('message_create', saying('one'));
    assert.equal((await ended).message, 'the store is full');
  });

  it('ends when more than a thousand messages wait to be stored: they are asked for afterwards', async () => {
    emit = () => new Promise(() => undefined);
    const ended = stream();
    await ready();
    for (let n = 0; n <= 1000; n++) page.emit('message_create', saying(String(n)));
    const error = await ended;
    assert.ok(error instanceof RetryableError);
    assert.match(error.message, /1000 messages wait/);
  });

  it('says what to do where the library or a browser isn’t installed, and opens all the same', async () => {
    channel = await open('whatsapp-web.js-that-nobody-has');
    const missing = await stream();
    assert.ok(missing instanceof PermanentError);
    assert.match(missing.hint ?? '', /npm ci --include=optional/);
    await assert.rejects(channel.test!(), PermanentError);
    channel = await open(STAND_IN, { browser: '/no/such/chromium' });
    assert.match(((await stream()) as PermanentError).hint ?? '', /apt-get install chromium/);
  });
});
