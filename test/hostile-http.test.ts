import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { bytesOf, call, sendRaw } from './fakes/raw-http.ts';
import { until } from './fakes/until.ts';
import { page, sign, signedWebhook, startWebhookServer } from './fakes/webhook-server.ts';
import type { WebhookServer, WebhookServerOptions } from './fakes/webhook-server.ts';

const LIMIT = 1_048_576;

describe('hostile HTTP', () => {
  let web: WebhookServer;
  /** Connections as the server sees them, in order. */
  let arrived: Socket[];
  let verified: number;

  const start = async (options?: WebhookServerOptions): Promise<void> => {
    await web.close();
    await begin(options);
  };
  const begin = async (options?: WebhookServerOptions): Promise<void> => {
    web = await startWebhookServer(options);
    arrived = [];
    verified = 0;
    web.server.on('connection', (socket) => arrived.push(socket));
    const { verify } = signedWebhook();
    web.add({
      id: 'counted',
      webhook: {
        verify(request) {
          verified++;
          return verify(request);
        },
      },
    });
  };
  const post = (headers: Record<string, string | string[]>, body: string | Buffer = 'x', path = '/webhooks/counted') =>
    call(web.port, { path, headers, body });
  const signed = (body: string | Buffer, more: Record<string, string> = {}) => ({ 'x-signature': sign(body), ...more });
  /** Refused before the vendor's code saw anything of it. */
  const unread = (): void => {
    assert.equal(verified, 0);
    assert.deepEqual(web.stored, []);
  };

  beforeEach(() => begin());
  afterEach('the next honest request is stored and answered', async () => {
    const before = web.stored.length;
    const { status } = await web.honest();
    await web.close();
    assert.equal(status, 200);
    assert.equal(web.stored.length, before + 1);
  });

  describe('signatures', () => {
    it('refuses what is not signed, stores nothing of it, and keeps a record (A01)', async () => {
      const answer = await post({});
      assert.equal(answer.status, 401);
      assert.deepEqual(JSON.parse(answer.body), {
        type: 'about:blank',
        title: 'Unauthorized',
        status: 401,
        code: 'not_verified',
      });
      assert.deepEqual(web.stored, []);
      assert.equal(web.refusals.of('counted')[0]?.reason, 'not signed');
    });

    it('refuses a body that was changed after signing, however little (A02)', async () => {
      const body = '{"a":1,"b":2}';
      assert.equal((await post(signed(body), body)).status, 200);
      for (const other of ['{"a":1,"b":3}', '{"a":1, "b":2}', '{"b":2,"a":1}', `${body}\n`, '', `\ufeff${body}`]) {
        assert.equal((await post(signed(body), other)).status, 401, other);
      }
      assert.equal(web.stored.length, 1);
    });

    it('refuses signatures of any other form without stumbling (A03, A04)', async () => {
      const right = sign('x');
      const odd = [
        '',
        right.slice(2),
        `${right}00`,
        right.toUpperCase(),
        `sha256=${right}`,
        Buffer.from(right, 'hex').toString('base64'),
        'é'.repeat(64),
        '\u00ff\u0080',
        'a'.repeat(10_000),
        `${right}, ${right}`,
      ];
      for (const signature of odd) assert.equal((await post({ 'x-signature': signature })).status, 401, signature);
      assert.equal((await post({ 'x-signature': [right, right] })).status, 401);
      assert.equal((await post({ 'x-signature': ['', right] })).status, 401);
      assert.equal((await post({ 'x-signature': 'a'.repeat(1_000_000) })).status, 431);
      assert.deepEqual(web.stored, []);
    });

    it('refuses what is signed for another endpoint (A10)', async () => {
      web.add({ id: 'other', webhook: signedWebhook({}, 'another secret') });
      assert.equal((await post(signed('x'), 'x', '/webhooks/other')).status, 401);
      assert.equal((await post({ 'x-signature': sign('x', 'another secret') })).status, 401);
      assert.deepEqual(web.stored, []);
    });

    it('hashes little of a flood of forged bodies, and takes honest ones meanwhile (A16)', async () => {
      await start({ trustProxy: ['127.0.0.1'] });
      const body = Buffer.alloc(LIMIT, 'x');
      const flood = (async () => {
        const statuses: number[] = [];
        for (let round = 0; round < 10; round++) {
          const headers = { 'x-signature': 'forged', 'x-forwarded-for': '203.0.113.66' };
          const answers = await Promise.all(Array.from({ length: 10 }, () => post(headers, body)));
          statuses.push(...answers.map(({ status }) => status));
        }
        return statuses;
      })();
      for (let i = 0; i < 20; i++) assert.equal((await web.honest()).status, 200);
      const statuses = await flood;
      assert.deepEqual([...new Set(statuses)].sort(), [401, 429]);
      assert.equal(statuses.at(-1), 429);
      // 1,000 may be spent at once and a megabyte costs 17; ten of them may be on their way already.
      assert.ok(verified <= 1000 / 17 + 11, `${verified} bodies were hashed`);
    });
  });

  describe('encodings and sizes', () => {
    it('decodes nothing: an encoded body is refused unread (B01, B02)', async () => {
      const body = Buffer.from([0x8b, 0x02, 0x80, 0x7b, 0x7d, 0x03]);
      const encodings = [
        'br',
        'BR',
        'gzip',
        'deflate',
        'zstd',
        'gzip, br',
        'identity;q=0',
        '',
        ' ',
        'x',
        'identity, gzip',
      ];
      for (const encoding of encodings) {
        assert.equal((await post(signed(body, { 'content-encoding': encoding }), body)).status, 415, encoding);
      }
      const twice = { 'x-signature': sign(body), 'content-encoding': ['identity', 'br'] };
      assert.equal((await post(twice, body)).status, 415);
      assert.equal((await post(signed(body, { 'transfer-encoding': 'gzip, chunked' }), '0\r\n\r\n')).status, 415);
      unread();
      assert.equal((await post(signed(body, { 'content-encoding': 'Identity' }), body)).status, 200);
    });

    it('refuses a gzip bomb without unpacking it (B03)', async () => {
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      assert.equal((await post(signed(bomb, { 'content-encoding': 'gzip' }), bomb)).status, 415);
      unread();
    });

    it('takes a body of the limit, and refuses one byte more without reading it (B05)', async () => {
      const full = Buffer.alloc(LIMIT, 'x');
      assert.equal((await post(signed(full), full)).status, 200);
      assert.equal(web.stored[0]!.body.length, LIMIT);
      verified = 0;
      const more = Buffer.alloc(LIMIT + 1, 'x');
      assert.equal((await post(signed(more), more)).status, 413);
      assert.equal(verified, 0);
      const read = arrived.at(-1)!.bytesRead;
      assert.ok(read < LIMIT, `${read} bytes were read`);
    });

    it('answers a body of a hundred times the limit and hangs up on it (B05)', async () => {
      let sent = 0;
      async function* endless() {
        yield bytesOf({
          path: '/webhooks/counted',
          headers: { connection: 'keep-alive', 'content-length': String(100 * LIMIT) },
        });
        for (; sent < 100; sent++) yield Buffer.alloc(LIMIT, 'x');
      }
      const answer = await sendRaw(web.port, endless());
      assert.equal(answer.status, 413);
      assert.equal(answer.headers['connection'], 'close');
      assert.ok(sent < 100);
      assert.ok(arrived[0]!.bytesRead < LIMIT);
      unread();
    });

    it('stops a body of unknown length at the limit and hangs up (B06)', async () => {
      let sent = 0;
      async function* endless() {
        yield bytesOf({
          path: '/webhooks/counted',
          headers: { connection: 'keep-alive', 'transfer-encoding': 'chunked' },
        });
        for (; sent < 1000; sent++) yield `10000\r\n${'x'.repeat(65_536)}\r\n`;
      }
      const answer = await sendRaw(web.port, endless(), { waitMs: 5000 });
      assert.equal(answer.status, 413);
      assert.ok(answer.closed);
      assert.ok(sent < 1000);
      assert.ok(arrived[0]!.bytesRead < 2 * LIMIT, `${arrived[0]!.bytesRead} bytes were read`);
      unread();
    });

    it('reads a body in many chunks, but not a large one in tiny chunks', async () => {
      const chunked = (body: string, size: number): string => {
        const parts = body.match(new RegExp(`.{1,${size}}`, 'g')) ?? [];
        return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`;
      };
      const body = 'abcdefgh'.repeat(50_000);
      const small = body.slice(0, 1000);
      const headers = (text: string) => signed(text, { 'transfer-encoding': 'chunked' });
      assert.equal((await post(headers(small), chunked(small, 1))).status, 200);
      assert.equal((await post(headers(body), chunked(body, 80))).status, 200);
      assert.deepEqual(
        web.stored.map((payload) => payload.body.toString()),
        [small, body],
      );
      assert.equal((await post(headers(body), chunked(body, 1))).status, 400);
    });

    it('forgets a sender who hangs up in the middle', async () => {
      const socket = connect(web.port, '127.0.0.1');
      socket.write(bytesOf({ path: '/webhooks/counted', headers: { 'content-length': '1000' }, body: 'half' }));
      await wait(50);
      socket.destroy();
      await wait(50);
      unread();
      assert.deepEqual(web.logged, []);
    });
  });

  describe('slow and idle connections', () => {
    const quick = { headersTimeout: 1500, requestTimeout: 3000, connectionsCheckingInterval: 100 };

    it('hangs up on slow heads and slow bodies, and answers others meanwhile (B07)', async () => {
      await start({ http: quick });
      async function* slowly(first: string) {
        yield first;
        for (let i = 0; i < 200; i++) {
          await wait(50);
          yield 'x';
        }
      }
      const head = 'POST /webhooks/counted HTTP/1.1\r\nHost: localhost\r\nX-Slow: ';
      const body = `POST /webhooks/counted HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n`;
      const slow = Promise.all(
        Array.from({ length: 60 }, (_, i) => sendRaw(web.port, slowly(i % 2 ? head : body), { waitMs: 2000 })),
      );
      for (let i = 0; i < 5; i++) assert.equal((await web.honest()).status, 200);
      for (const answer of await slow) {
        assert.equal(answer.status, 408);
        assert.ok(answer.closed);
      }
      assert.equal(verified, 0);
      assert.equal(web.stored.length, 5);
    });

    it('makes room for new connections of an address by closing its idle ones (B08)', async () => {
      for (const kind of ['silent', 'kept alive'] as const) {
        await start({ connections: { perAddress: 20 } });
        const idle: Socket[] = [];
        for (let i = 0; i < 60; i++) {
          const socket = connect(web.port, '127.0.0.1');
          socket.on('error', () => undefined);
          idle.push(socket);
          if (kind === 'silent') await wait(2);
          else {
            socket.write(bytesOf({ method: 'GET', path: '/', headers: { connection: 'keep-alive' } }));
            await new Promise((done) => socket.once('data', done));
          }
        }
        assert.equal((await web.honest()).status, 200, kind);
        const open = await new Promise<number>((done) => web.server.getConnections((_error, count) => done(count)));
        assert.ok(open <= 20, `${open} connections are open`);
        for (const socket of idle) socket.destroy();
      }
    });

    it('does not close connections at work for new ones, nor count those of a trusted proxy', async () => {
      await start({ connections: { perAddress: 3 } });
      const busy = Array.from({ length: 3 }, () => {
        const socket = connect(web.port, '127.0.0.1');
        socket.write('POST /webhooks/counted HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n');
        return socket;
      });
      await until(() => arrived.filter((socket) => socket.bytesRead > 0).length === 3, 'they are at work');
      assert.equal((await web.honest()).status, 0, 'the new one is closed');
      assert.ok(busy.every((socket) => !socket.destroyed && socket.readyState === 'open'));
      for (const socket of busy) socket.destroy();
      await until(() => arrived.every((socket) => socket.destroyed), 'they are gone');
      assert.equal((await web.honest()).status, 200);

      await start({ connections: { perAddress: 3, trustProxy: ['127.0.0.0/8'] } });
      const many = Array.from({ length: 10 }, () => connect(web.port, '127.0.0.1'));
      await until(() => arrived.filter((socket) => !socket.destroyed).length === 10, 'all are there');
      assert.equal((await web.honest()).status, 200);
      assert.ok(arrived.filter((socket) => !socket.destroyed).length >= 10);
      for (const socket of many) socket.destroy();
    });
  });

  describe('heads', () => {
    it('refuses heads that are too large or malformed (B18)', async () => {
      const head = (lines: string) =>
        `POST /webhooks/counted HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}`;
      const cases: Record<string, [string, number]> = {
        'one header of 16 KB': [`X-A: ${'a'.repeat(16_384)}\r\n\r\n`, 431],
        '200 headers': [
          `${Array.from({ length: 200 }, (_, i) => `X-${i}: a\r\n`).join('')}Content-Length: 0\r\n\r\n`,
          431,
        ],
        'a folded header': ['X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n', 400],
        'an 8-bit name': ['X-\u00e9: a\r\nContent-Length: 0\r\n\r\n', 400],
        'a NUL': ['X-A: a\u0000b\r\nContent-Length: 0\r\n\r\n', 400],
        'no name': [': a\r\nContent-Length: 0\r\n\r\n', 400],
        'a space before the colon': ['X-A : a\r\nContent-Length: 0\r\n\r\n', 400],
      };
      for (const [name, [lines, status]] of Object.entries(cases)) {
        const answer = await sendRaw(web.port, Buffer.from(head(lines), 'latin1'));
        assert.equal(answer.status, status, name);
      }
      const garbage = [
        '\u0016\u0003\u0001\u0002\u0000',
        'GET\r\n\r\n',
        'POST /webhooks/counted HTTP/9.9\r\n\r\n',
        'hello\r\n\r\n',
      ];
      for (const text of garbage)
        assert.equal((await sendRaw(web.port, Buffer.from(text, 'latin1'))).status, 400, text);
      unread();
    });

    it('takes headers called __proto__ and constructor for headers (B19)', async () => {
      const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
      const headers = { ...signed('x'), ...Object.fromEntries(names.map((name) => [name, 'polluted'])) };
      assert.match(bytesOf({ path: '/', headers }).toString(), /\r\n__proto__: polluted\r\n/);
      assert.equal((await post(headers)).status, 200);
      const { headers: stored } = web.stored[0]!;
      assert.equal(Object.getPrototypeOf(stored), null);
      assert.equal(Object.getOwnPropertyDescriptor(stored, '__proto__')?.value, 'polluted');
      assert.equal(stored['constructor'], 'polluted');
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    });

    it('refuses requests whose length can be read two ways (B23)', async () => {
      const start = 'POST /webhooks/counted HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
      const smuggled = '0\r\n\r\nPOST /webhooks/counted HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n';
      const cases = {
        'length and chunked': `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled}`,
        'chunked and length': `${start}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${smuggled}`,
        'a space in the name': `${start}Transfer-Encoding : chunked\r\n\r\n${smuggled}`,
        'two lengths': `${start}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello`,
        'a list of lengths': `${start}Content-Length: 5, 5\r\n\r\nhello`,
        'a signed length': `${start}Content-Length: +5\r\n\r\nhello`,
        'a negative length': `${start}Content-Length: -1\r\n\r\n`,
        'a hexadecimal length': `${start}Content-Length: 0x5\r\n\r\nhello`,
        'chunked that is not last': `${start}Transfer-Encoding: chunked, identity\r\n\r\n${smuggled}`,
        'a chunk size that is no number': `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
        'a bare CR': `${start}X-A: a\rContent-Length: 5\r\n\r\nhello`,
      };
      for (const [name, bytes] of Object.entries(cases)) {
        assert.equal((await sendRaw(web.port, bytes)).status, 400, name);
      }
      unread();
    });

    it('never takes two requests for one, or one for two, when lines end in LF only (B23)', async () => {
      const body = 'x';
      const bytes = `POST /webhooks/counted HTTP/1.1\nHost: localhost\nConnection: close\nX-Signature: ${sign(body)}\nContent-Length: 1\n\n${body}`;
      const answer = await sendRaw(web.port, bytes);
      assert.ok([200, 400].includes(answer.status), String(answer.status));
      assert.equal(web.stored.length, answer.status === 200 ? 1 : 0);
      assert.ok(web.stored.every((payload) => payload.body.toString() === body));
    });

    it('finds nothing at odd addresses (B24)', async () => {
      const paths = [
        `/webhooks/${'a'.repeat(15_000)}`,
        `/webhooks${'/'.repeat(10_000)}`,
        '/webhooks//counted',
        '/webhooks/../counted',
        '/webhooks/%2e%2e%2fcounted',
        '/webhooks/counted%00',
        '/webhooks/counted;jsessionid=1',
        '/webhooks/COUNTED',
        '/webhooks/%63ounted',
        '/webhooks/__proto__',
        '/webhooks/constructor',
        '/webhooks/counted/%ff',
        '/webhooks/counted/a/../b',
        `/forms/${'%2f'.repeat(4000)}`,
      ];
      for (const path of paths) {
        assert.equal((await post(signed('x'), 'x', path)).status, 404, path.slice(0, 60));
      }
      assert.equal((await post(signed('x'), 'x', `/webhooks/counted?${'a'.repeat(16_384)}`)).status, 431);
      assert.equal((await post(signed('x'), 'x', '/webhooks/a b')).status, 400);
      for (const path of ['http://localhost/webhooks/counted', '/%77ebhooks/counted', '*']) {
        assert.ok([400, 418].includes((await post(signed('x'), 'x', path)).status), path);
      }
      unread();
    });

    it('leaves the media type to the connector: a signed webhook comes as its vendor sends it (B25)', async () => {
      const types = [
        '',
        'text/plain',
        'application/json;charset=utf-7',
        'application/x-www-form-urlencoded',
        'nonsense',
      ];
      for (const type of types)
        assert.equal((await post(signed('{}', { 'content-type': type }), '{}')).status, 200, type);
      assert.equal(web.stored.length, types.length);
    });

    it('hands on broken multipart bodies as they came (B22)', async () => {
      const bodies = ['', '--a', '--a\r\n\r\n--a--', `--a\r\n${'X: y\r\n'.repeat(5000)}`, '--a\r\n'.repeat(10_000)];
      for (const body of bodies) {
        const headers = signed(body, { 'content-type': 'multipart/form-data; boundary=a' });
        assert.equal((await post(headers, body)).status, 200);
        assert.equal(web.stored.at(-1)!.body.toString(), body);
      }
    });

    it('refuses methods that carry nothing, and HEAD changes nothing (B26)', async () => {
      for (const method of ['TRACE', 'PATCH', 'PUT', 'DELETE', 'OPTIONS', 'GET', 'HEAD', 'LOCK']) {
        const answer = await call(web.port, { method, path: '/webhooks/counted', headers: signed('') });
        assert.equal(answer.status, 405, method);
        assert.equal(answer.headers['allow'], 'POST');
      }
      const tunnel = await sendRaw(web.port, 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n');
      assert.equal(tunnel.status, 405);
      web.add({ id: 'asked', webhook: signedWebhook({ challenge: () => page(200, 'hello') }) });
      const head = await call(web.port, { method: 'HEAD', path: '/webhooks/asked' });
      assert.deepEqual([head.status, head.body], [200, '']);
      unread();
    });

    it('closes a connection that asks for an upgrade or an unknown expectation properly', async () => {
      const expect = await post(signed('x', { expect: 'the-spanish-inquisition' }));
      assert.equal(expect.status, 417);
      const more = await post(signed('x', { expect: '100-continue' }));
      assert.equal(more.status, 200);
      const upgrade = await call(web.port, {
        path: '/webhooks/counted',
        body: 'x',
        headers: signed('x', { connection: 'Upgrade', upgrade: 'h2c' }),
      });
      assert.equal(upgrade.status, 200);
    });
  });
});
