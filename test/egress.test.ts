import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Http } from '../src/core/connector.ts';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import type { Resolve } from '../src/http/agents.ts';
import { createGuard } from '../src/http/guard.ts';
import type { Egress, HttpOptions } from '../src/http/http.ts';
import { createHttp } from '../src/http/http.ts';
import type { Receiver } from './fakes/receiver.ts';
import { startReceiver } from './fakes/receiver.ts';
import { skipUnless } from './skip.ts';

const METADATA = [
  '169.254.169.254',
  '169.254.170.2',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'fd00:ec2::254',
];

/** Every way to write this machine that somebody has tried. */
const LOOPBACK_SPELLINGS = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0x7f.1',
  '0177.0.0.1',
  '017700000001',
  '127.0.0.1.',
  '127.255.255.254',
  '0.0.0.0',
  '0',
  '%31%32%37.0.0.1',
  '127%2e0.0.1',
  '127。0。0。1',
  '127.0.0。1',
  '①②⑦.⓪.⓪.①',
  '１２７.0.0.1',
  'localhost',
  'LOCALHOST',
  'localhost.',
  '[::1]',
  '[::]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[2002:7f00:1::]',
];

describe('the guarded way out', () => {
  let canary: Receiver;
  const egresses: Egress[] = [];

  before(async () => {
    canary = await startReceiver();
  });
  after(async () => {
    await canary.close();
  });
  beforeEach(() => {
    canary.requests.length = 0;
  });
  afterEach(() => {
    for (const egress of egresses.splice(0)) egress.close();
  });

  /** The canary's port counts as a web port here, so that only its address stands in the way. */
  function open(options: Partial<HttpOptions> & { hosts?: string[] } = {}): Http {
    const egress = createHttp({ allow: [], webPorts: [canary.port], limits: { totalMs: 2000 }, ...options });
    egresses.push(egress);
    return egress.for({ hosts: options.hosts ?? [] });
  }

  const refused = (error: unknown) =>
    error instanceof PermanentError && /this address may not be called/.test(error.message);
  const resolving = (...addresses: string[]): Resolve => {
    return async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };

  it('reaches a private host that the operator named', async () => {
    const { status } = await open({ hosts: [canary.host] }).send({ url: canary.origin });
    assert.equal(status, 200);
  });

  it('reaches this machine under no spelling when nobody named it', async () => {
    const before = canary.connections();
    const out = open();
    for (const spelling of LOOPBACK_SPELLINGS) {
      const url = `http://${spelling}:${canary.port}/`;
      await assert.rejects(out.send({ url }), refused, `send ${spelling}`);
      await assert.rejects(out.fetch(url), refused, `fetch ${spelling}`);
      await assert.rejects(out.stream({ url, maxBytes: 10 }), refused, `stream ${spelling}`);
    }
    assert.equal(canary.connections(), before);
  });

  it('reaches this machine under no spelling through the lent agents either', async () => {
    const before = canary.connections();
    const { agents } = open();
    for (const host of [
      '127.0.0.1',
      '127.1',
      '0x7f.1',
      '2130706433',
      '::1',
      '::ffff:127.0.0.1',
      'localhost',
      'a b',
      '',
    ]) {
      const request = http.request({ host, port: canary.port, agent: agents.http });
      const error = await new Promise<Error>((resolve) => {
        request.on('error', resolve);
        request.end();
      });
      assert.match(error.message, /may not be called/, host);
    }
    assert.equal(canary.connections(), before);
  });

  it('reaches no Unix socket through the lent agents', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tributary-'));
    let reached = 0;
    const inside = net.createServer((socket) => {
      reached++;
      socket.destroy();
    });
    try {
      inside.listen(join(folder, 's'));
      await once(inside, 'listening');
      const { agents } = open({ hosts: [canary.host] });
      const target = { socketPath: join(folder, 's'), host: '127.0.0.1', port: canary.port, agent: agents.http };
      await new Promise((resolve) => http.request(target).on('error', resolve).on('response', resolve).end());
      assert.equal(reached, 0);
    } finally {
      inside.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('reaches an IPv6 address of this machine only when it is named', async function () {
    const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
    skipUnless(this, hasIpv6, 'this machine has no IPv6');
    const canary6 = await startReceiver('::1');
    try {
      await assert.rejects(open({ webPorts: [canary6.port] }).send({ url: canary6.origin }), refused);
      assert.equal(canary6.connections(), 0);
      assert.equal((await open({ hosts: [canary6.host] }).send({ url: canary6.origin })).status, 200);
    } finally {
      await canary6.close();
    }
  });

  it('refuses a name that resolves to a private address', async () => {
    for (const address of ['127.0.0.1', '10.0.0.1', '::1', '::ffff:127.0.0.1', 'fe80::1', '127.1', 'not an address']) {
      const out = open({ resolve: resolving(address) });
      await assert.rejects(out.send({ url: `http://evil.test:${canary.port}/` }), refused, address);
    }
    assert.equal(canary.requests.length, 0);
  });

  it('refuses a name as soon as one of its addresses is bad', async () => {
    const out = open({ allow: ['127.0.0.1'], resolve: resolving('127.0.0.1', '127.0.0.2') });
    await assert.rejects(out.send({ url: `http://mixed.test:${canary.port}/` }), refused);
    await assert.rejects(open({ resolve: resolving() }).send({ url: `http://none.test:${canary.port}/` }), refused);
    assert.equal(canary.requests.length, 0);
  });

  it('connects to the address that it checked, whatever the name resolves to a moment later', async () => {
    let asked = 0;
    const resolve: Resolve = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
    const out = open({ allow: ['127.0.0.1'], resolve });
    const { status } = await out.send({ url: `http://rebinding.test:${canary.port}/` });
    assert.equal(status, 200);
    assert.equal(asked, 1);
  });

  it('checks again for each new connection', async () => {
    let address = '127.0.0.1';
    const out = open({ allow: ['127.0.0.1'], resolve: async () => [{ address, family: 4 }] });
    const url = `http://rebinding.test:${canary.port}/`;
    canary.behave({ status: 200, headers: { connection: 'close' } });
    await out.send({ url });
    address = '127.0.0.2';
    await assert.rejects(out.send({ url }), refused);
    canary.behave('ok');
  });

  it('does not lend a connection of one endpoint to another', async () => {
    const egress = createHttp({ allow: [], webPorts: [canary.port] });
    egresses.push(egress);
    await egress.for({ hosts: [canary.host] }).send({ url: canary.origin });
    await assert.rejects(egress.for({ hosts: [] }).send({ url: canary.origin }), refused);
  });

  it('keeps the port of a named host: others of its ports stay closed', async () => {
    const out = open({ webPorts: [80, 443], hosts: [`127.0.0.1:${canary.port + 1}`] });
    await assert.rejects(out.send({ url: canary.origin }), refused);
    await assert.rejects(open({ webPorts: [80, 443], hosts: ['127.0.0.1'] }).send({ url: canary.origin }), refused);
  });

  it('reads host names in one spelling', async () => {
    const out = open({ hosts: [`Desk.Internal:${canary.port}`], resolve: resolving('127.0.0.1') });
    const { status } = await out.send({ url: `http://desk.INTERNAL.:${canary.port}/` });
    assert.equal(status, 200);
    assert.equal(canary.requests[0]?.headers.host, `desk.internal:${canary.port}`);
  });

  it('refuses schemes other than http and https, and addresses with a user in them', async () => {
    const out = open({ hosts: [canary.host] });
    for (const url of [
      'gopher://127.0.0.1/',
      'file:///etc/hostname',
      'data:text/plain,x',
      'ftp://127.0.0.1/',
      'nonsense',
    ]) {
      await assert.rejects(out.send({ url }), PermanentError, url);
      await assert.rejects(out.fetch(url), PermanentError, url);
      await assert.rejects(out.stream({ url, maxBytes: 1 }), PermanentError, url);
    }
    await assert.rejects(out.send({ url: `http://user:secret@${canary.host}/` }), refused);
    assert.equal(canary.requests.length, 0);
  });

  it('says the same whether a refused port is open or closed', async () => {
    const out = open({ webPorts: [80] });
    const textFor = (port: number) =>
      out.send({ url: `http://127.0.0.1:${port}/` }).then(
        () => assert.fail('reached it'),
        (error: unknown) => {
          assert(error instanceof PermanentError);
          return `${error.message.replace(`:${port}`, ':N')} ${error.hint} ${String(error.cause)}`;
        },
      );
    assert.equal(await textFor(canary.port), await textFor(1));
  });

  it('follows no redirect and tells only the origin of where it leads', async () => {
    const inside = await startReceiver();
    const out = open({ hosts: [canary.host, inside.host] });
    const targets = [
      `${inside.origin}/admin?token=t0ps3cret`,
      `//${inside.host}/`,
      'gopher://127.0.0.1/',
      'data:,x',
      'file:///x',
      '\\\\',
    ];
    try {
      for (const status of [301, 302, 303, 307, 308]) {
        for (const location of targets) {
          canary.behave({ status, headers: { location, refresh: `0; url=${inside.origin}` } });
          const request = { url: canary.origin, headers: { authorization: 'Bearer t0ps3cret' } };
          for (const call of [
            () => out.send(request),
            () => out.fetch(request.url, request),
            () => out.stream({ ...request, maxBytes: 9 }),
          ]) {
            await assert.rejects(call(), (error) => {
              assert(error instanceof RetryableError);
              assert(!error.outcomeUnknown);
              assert.doesNotMatch(`${error.message} ${error.hint}`, /t0ps3cret|admin/);
              return true;
            });
          }
        }
      }
      assert.equal(inside.connections(), 0);
    } finally {
      canary.behave('ok');
      await inside.close();
    }
  });

  it('goes through no proxy that the environment names', async () => {
    const proxy = await startReceiver();
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'all_proxy'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = proxy.origin;
    try {
      const out = open({ hosts: [canary.host] });
      await out.send({ url: canary.origin });
      await (await out.fetch(canary.origin)).text();
      (await out.stream({ url: canary.origin, maxBytes: 100 })).body.destroy();
      assert.equal(proxy.connections(), 0);
      assert.equal(canary.requests.length, 3);
    } finally {
      names.forEach((name, index) => {
        const value = before[index];
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      });
      await proxy.close();
    }
  });

  it('is changed by nothing that somebody put on Object.prototype', async () => {
    const script = `
        import { createHttp } from './src/http/http.ts';
        const origin = '${canary.origin}';
        const out = createHttp({ allow: ['127.0.0.1'] }).for({ hosts: [] });
        const polluted = { headers: { 'x-evil': '1' }, proxy: { host: '127.0.0.1', port: 1 }, baseURL: 'http://127.0.0.1:1',
          transformRequest: [() => 'evil'], transformResponse: [() => 'evil'], params: { evil: 1 }, auth: { username: 'e', password: 'e' },
          createConnection: () => { throw new Error('evil'); }, socketPath: '/evil.sock', maxRedirects: 5, insecureHTTPParser: true,
          data: 'evil', body: 'evil', lookup: () => { throw new Error('evil'); }, httpVersion: 2, 'x-evil': '1', decompress: true };
        for (const [name, value] of Object.entries(polluted)) {
          Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true, enumerable: true });
        }
        await (await out.fetch(origin + '/fetch')).text();
        const sent = await out.send({ method: 'POST', url: origin + '/send', body: 'honest' });
        const got = await out.stream({ url: origin + '/stream', maxBytes: 1000 });
        got.body.resume();
        await new Promise((done) => got.body.on('end', done));
        for (const name of Object.keys(polluted)) delete Object.prototype[name];
        console.log(sent.text);
        process.exit(0);`;
    const run = promisify(execFile)(process.execPath, ['--import=tsx', '--input-type=module', '--eval', script]);
    assert.equal((await run).stdout.trim(), '{"ok":true}');
    const seen = canary.requests.map(({ method, url, headers, body }) => [
      method,
      url,
      body.toString(),
      headers['x-evil'],
      headers.authorization,
    ]);
    assert.deepEqual(seen, [
      ['GET', '/fetch', '', undefined, undefined],
      ['POST', '/send', 'honest', undefined, undefined],
      ['GET', '/stream', '', undefined, undefined],
    ]);
  });
});

describe('the guard', () => {
  const guard = (allow: string[] = [], hosts: string[] = []) => {
    const passes = createGuard({ allow, hosts, ports: [80, 443] });
    return (address: string, host = 'some.test', port = 443) => passes({ host, port }, address);
  };

  it('lets public addresses pass on web ports', () => {
    const passes = guard();
    for (const address of ['8.8.8.8', '1.1.1.1', '2606:4700::1111', '2a00:1450:4001::200e'])
      assert(passes(address), address);
    assert(!passes('8.8.8.8', 'some.test', 25));
    assert(!passes('8.8.8.8', 'some.test', 6379));
  });

  it('stops whatever is not public', () => {
    const passes = guard();
    const special = [
      ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '169.254.1.1', '172.16.0.1', '172.31.255.255', '192.0.0.8'],
      ...['192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1'],
      ...[
        '240.0.0.1',
        '255.255.255.255',
        '::',
        '::1',
        '::7f00:1',
        '::ffff:10.0.0.1',
        '::ffff:0:7f00:1',
        '64:ff9b::1.1.1.1',
      ],
      ...[
        '64:ff9b:1::1',
        '100::1',
        '2001::1',
        '2001:db8::1',
        '2002:808:808::',
        '3fff::1',
        '5f00::1',
        'fc00::1',
        'fd12::1',
      ],
      ...[
        'fe80::1',
        'fe80::1%eth0',
        'fec0::1',
        'ff02::1',
        '4000::1',
        '8000::1',
        '',
        'x',
        '127.1',
        '2130706433',
        '010.0.0.1',
      ],
    ];
    for (const address of special) assert(!passes(address), address);
  });

  it('never lets metadata services pass, whatever is configured', () => {
    const everything = guard(['0.0.0.0/0', '::/0', 'metadata.test', ...METADATA], ['metadata.test', ...METADATA]);
    const hidden = ['::ffff:169.254.169.254', '64:ff9b::169.254.169.254', '2002:a9fe:a9fe::', '::169.254.169.254'];
    for (const address of [...METADATA, ...hidden]) {
      assert(!everything(address), address);
      assert(!everything(address, 'metadata.test'), address);
      assert(!everything(address, address), address);
    }
    assert(everything('10.0.0.1'));
  });

  it('opens exactly what an entry says', () => {
    const passes = guard([
      '10.1.0.0/16',
      '192.168.0.5',
      '192.168.0.6:8080',
      'fd00:1::/64',
      '[fd00:2::1]:81',
      'crm.internal',
      'db.internal:99',
    ]);
    assert(passes('10.1.255.1', 'x.test', 9999));
    assert(!passes('10.2.0.1'));
    assert(passes('192.168.0.5', 'x.test', 1));
    assert(!passes('192.168.0.4'));
    assert(passes('192.168.0.6', 'x.test', 8080));
    assert(!passes('192.168.0.6', 'x.test', 443));
    assert(passes('::ffff:192.168.0.5'));
    assert(passes('fd00:1::5'));
    assert(!passes('fd00:1:0:1::5'));
    assert(passes('fd00:2::1', 'x.test', 81));
    assert(!passes('fd00:2::1'));
    assert(passes('10.9.9.9', 'CRM.internal.', 5000));
    assert(!passes('10.9.9.9', 'sub.crm.internal'));
    assert(passes('10.9.9.9', 'db.internal', 99));
    assert(!passes('10.9.9.9', 'db.internal', 98));
  });

  it('opens a named host for itself only', () => {
    const passes = guard([], ['crm.internal', 'api.internal:8443', '10.0.0.5:8080']);
    assert(passes('10.0.0.1', 'crm.internal', 443));
    assert(!passes('10.0.0.1', 'crm.internal', 6379));
    assert(!passes('10.0.0.1', 'other.internal'));
    assert(passes('10.0.0.1', 'api.internal', 8443));
    assert(!passes('10.0.0.1', 'api.internal', 443));
    assert(passes('10.0.0.5', '10.0.0.5', 8080));
    assert(!passes('10.0.0.5', 'rebound.test', 8080));
  });
});
