import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whatsappWeb } from '../src/connectors/whatsapp-web/whatsapp-web.ts';
import { systemClock } from '../src/core/clock.ts';
import type { Channel } from '../src/core/connector.ts';
import { hasBrowser } from './fakes/browser.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { selfSigned } from './fakes/self-signed.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const OLENA = '380501234567@c.us';
const program = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** What the library asks of WhatsApp's page until it is linked, and when somebody writes; nothing of WhatsApp's own. */
const PAGE = `<script>
  const heard = {};
  const model = (more) => ({ ...more, on: (name, listener) => (heard[name] ??= []).push(listener), off: () => {} });
  const wid = (id) => ({ _serialized: id, isLid: () => false });
  const Socket = model({ state: 'UNPAIRED' });
  const contact = { serialize: () => ({ id: wid('${OLENA}') }), id: wid('${OLENA}') };
  const modules = {
    WAWebSocketModel: { Socket },
    WAWebCmd: { Cmd: model({}) },
    WAWebConnModel: { Conn: model({ ref: 'REF', serialize: () => ({ pushname: 'Shop', platform: 'android' }) }) },
    WAWebOfflineHandler: { OfflineMessageHandler: {} },
    WAWebUserPrefsInfoStore: { waNoiseInfo: { get: async () => ({ staticKeyPair: { pubKey: 'NOISE' } }) }, DEVICE_PLATFORM: '1' },
    WAWebSignalStoreApi: { waSignalStore: { getRegistrationInfo: async () => ({ identityKeyPair: { pubKey: 'IDENTITY' } }) } },
    WABase64: { encodeB64: (text) => text },
    WAWebUserPrefsMultiDevice: { getADVSecretKey: () => 'ADV' },
    WAWebMiscBrowserUtils: { info: () => ({ os: 'Linux' }) },
    WAWebUserPrefsMeUser: { getMaybeMePnUser: () => wid('380440000000@c.us') },
    WAWebCollections: {
      Msg: model({}),
      Chat: model({}),
      Contact: { find: async () => contact },
    },
    WALinkify: { findLinks: () => [] },
    WAWebWidFactory: { createWid: wid, createWidFromWidLike: (id) => id },
    WAWebApiContact: { getAlternateUserWid: () => undefined },
    WAWebContactGetters: new Proxy({}, { get: (_, name) => () => (name === 'getPushname' ? 'Olena' : undefined) }),
    WAWebFrontendContactGetters: { getIsMyContact: () => false },
  };
  window.require = (name) => modules[name] ?? {};
  window.Debug = { VERSION: '2.3000.1' };
  const tell = (name, ...args) => { for (const listener of heard[name] ?? []) listener(...args); };
  const orders = {
    link() {
      localStorage.setItem('linked', 'yes');
      Socket.state = 'CONNECTED';
      // The library shows the code before it listens to what follows.
      if (heard['change:hasSynced']) tell('change:hasSynced');
      else setTimeout(orders.link, 50);
    },
    say(data) { tell('add', { isNewMsg: true, type: data.type, body: data.body, serialize: () => data }); },
  };
  if (localStorage.getItem('linked')) orders.link();
  new EventSource('/orders').onmessage = ({ data }) => { const [name, value] = JSON.parse(data); orders[name](value); };
</script>`;

describe('The library itself, in a real Chromium', () => {
  let folder: string;
  let server: Server;
  let tell: (name: string, value?: object) => void;
  let visits: string[];
  let channel: Channel;
  let ending: AbortController;
  let told: { event: string; people: object; data: { body: string } }[];
  let running: Promise<Error>[];

  before(function () {
    const require = createRequire(import.meta.url);
    const isInstalled = (() => {
      try {
        return require.resolve('whatsapp-web.js') !== '';
      } catch {
        return false;
      }
    })();
    skipUnless(this, hasBrowser, 'no Chromium is installed');
    skipUnless(this, isInstalled, 'whatsapp-web.js, which is optional, is not installed');
  });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wweb-real-'));
    [visits, told, running] = [[], [], []];
    const pages = new Set<ServerResponse>();
    server = createServer(selfSigned, (request, response) => {
      if (request.url === '/orders') {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        pages.add(response);
        response.on('close', () => pages.delete(response));
        return;
      }
      visits.push(`${request.headers.host} ${request.url} ${request.headers['user-agent']}`);
      response.writeHead(200, { 'content-type': 'text/html' }).end(request.url === '/' ? PAGE : '');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    tell = (name, value) => {
      for (const page of pages) page.write(`data: ${JSON.stringify([name, value])}\n\n`);
    };
    channel = await open();
    ending = new AbortController();
  });
  afterEach(async () => {
    ending?.abort(new Error('enough'));
    await Promise.all(running ?? []);
    server?.closeAllConnections();
    server?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  /** The same browser, to which web.whatsapp.com is this machine. */
  async function open(): Promise<Channel> {
    const { port } = server.address() as AddressInfo;
    const browser = join(folder, 'chromium');
    const rules = `MAP web.whatsapp.com 127.0.0.1:${port}, MAP * ~NOTFOUND`;
    const script = `#!/bin/sh\nexec '${program}' --no-sandbox --ignore-certificate-errors --host-resolver-rules='${rules}' "$@"\n`;
    writeFileSync(browser, script, { mode: 0o700 });
    const context = fakeContext({
      id: 'wa',
      clock: systemClock as never,
      log: fakeLog(),
      folder: join(folder, 'data'),
    });
    return whatsappWeb.open(whatsappWeb.config.parse({ browser }), context);
  }
  function stream(): void {
    const emit = async ({ body }: { body: Buffer }) =>
      void told.push(JSON.parse(body.toString()) as (typeof told)[number]);
    running.push(
      channel.stream!(undefined, emit, ending.signal).then(
        () => assert.fail('a stream ends by an error'),
        (error: unknown) => error as Error,
      ),
    );
  }
  async function linked(): Promise<void> {
    stream();
    await until(async () => (await channel.linking!())?.qr, 'the code');
    tell('link');
    await until(
      () =>
        channel.test!().then(
          (text) => text.includes('CONNECTED'),
          () => false,
        ),
      'it is linked',
    );
  }
  /** Processes of the browser that has this profile; what it left behind counts too. */
  const chromiums = () =>
    readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(folder, 'data'));
      } catch {
        return false;
      }
    });
  const say = (id: string, body: string) => {
    const key = { fromMe: false, remote: OLENA, id, _serialized: `false_${OLENA}_${id}` };
    tell('say', { id: key, type: 'chat', body, t: 1_795_341_600, from: OLENA, to: '380440000000@c.us' });
  };

  it('shows the code, is linked, and tells what is said', async () => {
    stream();
    const code = await until(async () => (await channel.linking!())?.qr, 'the code');
    assert.equal(code, 'REF,NOISE,IDENTITY,ADV,1');
    assert.match(visits[0]!, /^web\.whatsapp\.com \/ /);
    tell('link');
    await until(
      () =>
        channel.test!().then(
          (text) => text.includes('CONNECTED'),
          () => false,
        ),
      'it is linked',
    );
    assert.equal(await channel.linking!(), undefined);
    say('3EB0A1', 'Where is my order?');
    await until(() => told.length === 1, 'it is told');
    assert.deepEqual([told[0]!.event, told[0]!.data.body], ['message_create', 'Where is my order?']);
    assert.deepEqual(told[0]!.people, {
      [OLENA]: { name: 'Olena' },
      '380440000000@c.us': { name: 'Olena', number: OLENA },
    });
    const body = Buffer.from(JSON.stringify(told[0]));
    const [item] = await channel.normalize({
      endpointId: 'wa',
      receivedAt: 1,
      method: 'STREAM',
      url: '',
      headers: {},
      body,
    });
    assert.ok(item?.kind === 'message');
    assert.deepEqual([item.externalId, item.sender.name, item.text], ['in:3EB0A1', 'Olena', 'Where is my order?']);
  });

  it('keeps its session in the channel’s folder, and leaves no process behind', async () => {
    await linked();
    assert.ok(existsSync(join(folder, 'data/session/Default')));
    assert.ok(chromiums().length > 0);
    ending.abort(new Error('the channel is closed'));
    await Promise.all(running);
    await until(() => chromiums().length === 0, 'Chromium has ended');
    ending = new AbortController();
    stream();
    await until(
      () =>
        channel.test!().then(
          (text) => text.includes('CONNECTED'),
          () => false,
        ),
      'it is linked still',
    );
  });

  it('ends with its process, however that ends', async () => {
    await linked();
    const worker = readdirSync('/proc').find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return parent === String(process.pid) && words.some((word) => word.endsWith('whatsapp-web/worker.ts'));
      } catch {
        return false;
      }
    });
    process.kill(Number(worker), 'SIGKILL');
    assert.match((await running[0]!).message, /SIGKILL/);
    await until(() => chromiums().length === 0, 'Chromium has ended');
  });

  it('is given up when its Chromium is killed, and opened anew', async () => {
    await linked();
    for (const pid of chromiums()) process.kill(Number(pid), 'SIGKILL');
    assert.match((await running[0]!).message, /Chromium has ended|has crashed/);
    stream();
    // What the page had kept may not have been written down yet.
    const isConnected = () => channel.test!().then(Boolean, () => false);
    await until(async () => (await channel.linking!())?.qr || (await isConnected()), 'it is there again');
  });
});
