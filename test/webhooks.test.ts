import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import type { Receipt, Webhook } from '../src/core/connector.ts';
import { BadPayloadError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import type { WebhookRequest } from '../src/core/payload.ts';
import { Secret } from '../src/core/secret.ts';
import { createAllowance } from '../src/webhooks/allowance.ts';
import { createRefusals } from '../src/webhooks/refusals.ts';
import { fakeClock } from './fakes/clock.ts';
import { bytesOf, call, sendRaw } from './fakes/raw-http.ts';
import { page, sign, signedWebhook, startWebhookServer } from './fakes/webhook-server.ts';
import type { WebhookServer, WebhookServerOptions } from './fakes/webhook-server.ts';

const NOTHING_STORED: Receipt = { items: [] };

describe('the way in over HTTP', () => {
  let web: WebhookServer;
  const start = async (options?: WebhookServerOptions): Promise<void> => {
    await web.close();
    web = await startWebhookServer(options);
  };
  const post = (path: string, body = 'x', headers: Record<string, string | string[]> = {}) =>
    call(web.port, { path, body, headers: { 'x-signature': sign(body), ...headers } });

  beforeEach(async () => {
    web = await startWebhookServer();
  });
  afterEach(() => web.close());

  it('stores the bytes as they came and answers 200 without a body', async () => {
    const body = '{ "text" : "Привіт" }\r\n';
    const answer = await post('/webhooks/honest?a=1&a=2', body, { 'Content-Type': 'application/json' });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, '');
    assert.equal(answer.headers['content-length'], '0');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['x-powered-by'], undefined);
    assert.equal(web.stored.length, 1);
    const payload = web.stored[0]!;
    assert.equal(payload.body.toString(), body);
    assert.equal(payload.endpointId, 'honest');
    assert.equal(payload.method, 'POST');
    assert.equal(payload.url, '/webhooks/honest?a=1&a=2');
    assert.equal(payload.receivedAt, web.clock.now());
    assert.equal(payload.remoteAddress, '127.0.0.1');
    assert.equal(payload.headers['content-type'], 'application/json');
    assert.equal(Object.getPrototypeOf(payload.headers), null);
  });

  it('answers only when it is stored', async () => {
    let release: (receipt: Receipt) => void = () => undefined;
    web.onReceive(() => new Promise((resolve) => (release = resolve)));
    let answered = false;
    const answer = post('/webhooks/honest').finally(() => (answered = true));
    await new Promise((done) => setTimeout(done, 100));
    assert.equal(answered, false);
    release(NOTHING_STORED);
    assert.equal((await answer).status, 200);
  });

  it('keeps the connection for the next request', async () => {
    const request = bytesOf({
      path: '/webhooks/honest',
      body: 'x',
      headers: { 'x-signature': sign('x'), connection: 'keep-alive' },
    });
    const socket = connect(web.port, '127.0.0.1');
    for (let i = 1; i <= 3; i++) {
      socket.write(request);
      const [data] = (await once(socket, 'data')) as [Buffer];
      assert.match(String(data), /^HTTP\/1.1 200/);
      assert.equal(web.stored.length, i);
    }
    socket.destroy();
  });

  it('leaves other addresses to others, and answers 404 for what is no endpoint', async () => {
    for (const path of ['/', '/webhooks', '/webhook/honest', '/api/v1/tickets', '/forms', '//webhooks/honest']) {
      assert.equal((await post(path)).status, 418, path);
    }
    web.add({ id: 'off', enabled: false });
    web.add({ id: 'polled', webhook: undefined });
    for (const path of [
      '/webhooks/',
      '/webhooks/unknown',
      '/webhooks/off',
      '/webhooks/polled',
      '/webhooks/honest/a/b',
    ]) {
      const answer = await post(path);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.headers['content-type'], 'application/problem+json');
      assert.deepEqual(JSON.parse(answer.body), {
        type: 'about:blank',
        title: 'Not Found',
        status: 404,
        code: 'not_found',
      });
    }
    assert.deepEqual(web.stored, []);
  });

  it('asks the sender to come again while an endpoint could not be opened', async () => {
    web.add({ id: 'broken', webhook: undefined, problem: 'the token is missing' });
    const answer = await post('/webhooks/broken');
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['retry-after'], '5');
    assert.doesNotMatch(answer.body, /token/);
  });

  it('serves forms and their script at their own address, for channels of type form only', async () => {
    const asked: string[] = [];
    const webhook = signedWebhook({
      challenge(request) {
        asked.push(request.url);
        return page(200, 'the form');
      },
    });
    web.add({ id: 'contact', type: 'form', webhook });
    const get = (path: string) => call(web.port, { method: 'GET', path });
    assert.equal((await get('/forms/contact?lang=uk')).body, 'the form');
    assert.equal((await get('/forms/contact/embed.js')).body, 'the form');
    assert.equal((await get('/webhooks/contact')).body, 'the form');
    assert.deepEqual(asked, ['/forms/contact?lang=uk', '/forms/contact/embed.js', '/webhooks/contact']);
    assert.equal((await post('/forms/contact')).status, 200);
    assert.equal((await post('/webhooks/contact')).status, 200);
    assert.equal(web.stored.length, 2);
    const answer = await post('/forms/contact/embed.js');
    assert.equal(answer.status, 405);
    assert.equal(answer.headers['allow'], 'GET, HEAD, OPTIONS');
    for (const path of ['/forms/contact/other.js', '/forms/honest', '/forms/unknown', '/forms/']) {
      assert.equal((await post(path)).status, 404, path);
    }
  });

  it('takes payloads only with the methods of the connector, never with PATCH or HEAD', async () => {
    web.add({ id: 'get', webhook: signedWebhook({ methods: ['GET', 'PATCH', 'HEAD', 'TRACE'] }) });
    const headers = { 'x-signature': sign('') };
    assert.equal((await call(web.port, { method: 'GET', path: '/webhooks/get?text=hi', headers })).status, 200);
    assert.equal(web.stored[0]!.url, '/webhooks/get?text=hi');
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'HEAD', 'OPTIONS', 'PROPFIND']) {
      const answer = await call(web.port, { method, path: '/webhooks/get', headers });
      assert.equal(answer.status, 405, method);
      assert.equal(answer.headers['allow'], 'GET');
    }
    assert.equal((await call(web.port, { method: 'GET', path: '/webhooks/honest', headers })).headers['allow'], 'POST');
    assert.equal(web.stored.length, 1);
  });

  it('answers what the vendor asks with GET, HEAD and OPTIONS, and stores nothing of it', async () => {
    const challenge = (request: WebhookRequest) => {
      if (request.url.endsWith('wrong')) throw new BadPayloadError('wrong token', { status: 403 });
      return request.url.endsWith('nothing') ? undefined : page(200, `${request.method} says 42`);
    };
    web.add({ id: 'asked', webhook: signedWebhook({ challenge }) });
    const ask = (method: string, query = '') => call(web.port, { method, path: `/webhooks/asked?${query}` });
    assert.equal((await ask('GET')).body, 'GET says 42');
    assert.equal((await ask('OPTIONS')).body, 'OPTIONS says 42');
    const head = await ask('HEAD');
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '12', '']);
    assert.equal((await ask('GET', 'wrong')).status, 403);
    const nothing = await ask('GET', 'nothing');
    assert.deepEqual([nothing.status, nothing.headers['allow']], [405, 'POST, GET, HEAD, OPTIONS']);
    assert.deepEqual(web.stored, []);
  });

  it('asks for the token of the address before anything else, and tells it nobody', async () => {
    const token = 'tok/en+Ω-that-stays-here';
    const tokens: unknown[] = [];
    const webhook: Webhook = {
      token: new Secret(token),
      verify(request) {
        tokens.push(request.token);
        if (request.body.toString() === 'bug') throw new TypeError('a bug');
      },
      challenge: () => page(200, 'hello'),
    };
    web.add({ id: 'secret', webhook });
    const path = `/webhooks/secret/${encodeURIComponent(token)}`;
    assert.equal((await post(`${path}?a=1`)).status, 200);
    assert.equal((await post(path, 'bug')).status, 503);
    assert.equal((await call(web.port, { method: 'GET', path })).body, 'hello');
    for (const wrong of [
      '',
      '/',
      '/other',
      '/%',
      `/${encodeURIComponent(token)}x`,
      '/__proto__',
      `?token=${token.slice(0, 6)}`,
    ]) {
      const answer = await post(`/webhooks/secret${wrong}`);
      assert.equal(answer.status, wrong === '/%' ? 404 : 401, wrong);
    }
    assert.equal((await call(web.port, { method: 'GET', path: '/webhooks/secret/other' })).status, 401);
    assert.deepEqual(tokens, [token, token]);
    assert.equal(web.stored.length, 1);
    assert.equal(web.stored[0]!.url, '/webhooks/secret?a=1');
    assert.ok(web.logged.length > 0);
    const told = JSON.stringify([web.logged, web.stored, web.refusals.of('secret')]);
    assert.doesNotMatch(told, /that-stays-here/);
  });

  it('refuses what the vendor did not send with a constant answer', async () => {
    const errors: Record<string, [Error, number]> = {
      '/webhooks/a': [new BadPayloadError('not signed by <b>them</b>'), 401],
      '/webhooks/b': [new BadPayloadError('gone', { status: 403 }), 403],
      '/webhooks/c': [new BadPayloadError('odd', { status: 200 }), 401],
    };
    for (const [path, [error, status]] of Object.entries(errors)) {
      const verify = () => Promise.reject(error);
      web.add({ id: path.slice(-1), webhook: { verify } });
      const answer = await post(path);
      assert.equal(answer.status, status);
      assert.doesNotMatch(answer.body, /signed|gone|odd/);
      assert.equal(web.refusals.of(path.slice(-1))[0]!.reason, error.message);
    }
    assert.deepEqual(web.stored, []);
  });

  it('answers 503 when a key can not be fetched, and when verifying has a bug', async () => {
    const refuse: Webhook['refuse'] = (_request, error) => page(200, error.message);
    for (const [error, wait] of [
      [new RetryableError('the key server is down'), '5'],
      [new RateLimitedError('the key server is busy', 1500), '2'],
      [new TypeError('x is undefined'), '5'],
    ] as const) {
      const verify = () => {
        throw error;
      };
      web.add({ id: 'honest', webhook: { verify, refuse } });
      const answer = await post('/webhooks/honest');
      assert.deepEqual([answer.status, answer.headers['retry-after']], [503, wait]);
      assert.doesNotMatch(answer.body, /undefined|key/);
    }
    assert.deepEqual(web.stored, []);
    assert.match(web.logged.join('\n'), /x is undefined/);
  });

  it('answers 503 whenever it is not stored, whatever the reason', async () => {
    for (const error of [
      new RetryableError('disk full'),
      new BadPayloadError('odd'),
      new PermanentError('no'),
      new RateLimitedError('slowly', 1500),
      new Error('?'),
    ]) {
      web.onReceive(() => Promise.reject(error));
      const answer = await post('/webhooks/honest');
      assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '5'], error.message);
    }
  });

  it('answers as the vendor expects', async () => {
    const respond: Webhook['respond'] = (request, receipt) => ({
      status: 202,
      headers: { 'content-type': 'text/xml' },
      body: `<ok n="${receipt.items[0]?.ticketNumber}">${request.body.toString()}</ok>`,
    });
    web.add({ id: 'honest', webhook: signedWebhook({ respond }) });
    const answer = await post('/webhooks/honest', 'hi');
    assert.equal(answer.status, 202);
    assert.equal(answer.body, '<ok n="1">hi</ok>');
    assert.equal(answer.headers['content-type'], 'text/xml');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  });

  it('says 200 for what is stored even when the answer for the vendor fails', async () => {
    const broken: NonNullable<Webhook['respond']>[] = [
      () => {
        throw new Error('no idea');
      },
      () => ({ status: 200, headers: { 'x-id': 'two\r\nlines' } }),
      () => ({ status: 99 }),
    ];
    for (const respond of broken) {
      web.add({ id: 'honest', webhook: signedWebhook({ respond }) });
      assert.equal((await post('/webhooks/honest')).status, 200);
    }
    assert.equal(web.stored.length, 3);
    assert.equal(web.logged.length, 3);
  });

  it('shows people the refusal of the connector, with our status and nothing from inside', async () => {
    const refuse: Webhook['refuse'] = (_request, error) => page(200, `Sorry (${error.status}): ${error.message}`);
    web.add({ id: 'contact', type: 'form', webhook: { ...signedWebhook({ maxBytes: 10 }), refuse } });
    const answer = await post('/forms/contact', 'x', { 'x-signature': 'wrong' });
    assert.deepEqual([answer.status, answer.body], [401, 'Sorry (401): the signature does not match the body']);
    assert.equal((await post('/forms/contact', 'more than ten bytes')).status, 413);
    web.onReceive(() => Promise.reject(new Error('EIO: /var/lib/secret.db')));
    const failed = await post('/forms/contact');
    assert.deepEqual([failed.status, failed.headers['retry-after']], [503, '5']);
    assert.doesNotMatch(failed.body, /EIO/);
    const broken = () => {
      throw new Error('no template');
    };
    web.add({ id: 'contact', type: 'form', webhook: signedWebhook({ refuse: broken }) });
    assert.equal((await post('/forms/contact', 'x', { 'x-signature': 'wrong' })).status, 401);
  });

  it('joins headers that come twice, so that none of them can be smuggled in', async () => {
    const answer = await post('/webhooks/honest', 'x', { 'x-signature': [sign('x'), sign('x')] });
    assert.equal(answer.status, 401);
    await post('/webhooks/honest', 'x', { 'X-Two': ['a', 'b'], 'user-agent': ['c', 'd'] });
    assert.equal(web.stored[0]!.headers['x-two'], 'a, b');
    assert.equal(web.stored[0]!.headers['user-agent'], 'c, d');
  });

  describe('behind proxies', () => {
    const seenAs = async (forwarded: string | undefined): Promise<string | undefined> => {
      const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
      assert.equal((await post('/webhooks/honest', 'x', headers)).status, 200);
      return web.stored.at(-1)!.remoteAddress;
    };

    it('believes no header about the sender when no proxy is configured', async () => {
      assert.equal(await seenAs('203.0.113.7'), '127.0.0.1');
    });

    it('takes the last address that is no proxy, and only addresses', async () => {
      await start({ trustProxy: ['127.0.0.0/8', '10.0.0.0/8', '2001:db8:1::5'] });
      assert.equal(await seenAs(undefined), '127.0.0.1');
      assert.equal(await seenAs('203.0.113.7'), '203.0.113.7');
      assert.equal(await seenAs('1.1.1.1, 203.0.113.7, 10.1.2.3'), '203.0.113.7', 'what stands before it is hearsay');
      assert.equal(await seenAs('2001:db8::7, 2001:db8:1::5'), '2001:db8::7');
      assert.equal(await seenAs('::ffff:203.0.113.9'), '203.0.113.9');
      assert.equal(await seenAs('10.9.9.9, 10.1.2.3'), '10.9.9.9', 'all of them proxies');
      for (const odd of ['', 'unknown', '<script>', '127.1', '0x7f.1', '203.0.113.7:80', 'a'.repeat(5000)]) {
        assert.equal(await seenAs(odd), '127.0.0.1', odd);
        assert.equal(await seenAs(`${odd}, 10.1.2.3`), '10.1.2.3', odd);
      }
    });

    it('never lets a header change the address that is stored', async () => {
      await post('/webhooks/honest', 'x', {
        host: 'evil.example.com',
        'x-forwarded-host': 'evil.example.com',
        'x-forwarded-proto': 'https',
      });
      assert.equal(web.stored[0]!.url, '/webhooks/honest');
    });
  });

  describe('limits', () => {
    const small = { refused: { burst: 3, perSecond: 1 }, waiting: 2, bodies: 8_000_000 };
    const from = (address: string, signature = sign('x')) =>
      post('/webhooks/honest', 'x', { 'x-forwarded-for': address, 'x-signature': signature });

    it('stops listening to an address that keeps sending forged requests, and to no other', async () => {
      await start({ limits: small, trustProxy: ['127.0.0.1'] });
      for (let i = 0; i < 3; i++) assert.equal((await from('203.0.113.1', 'forged')).status, 401);
      const answer = await from('203.0.113.1');
      assert.equal(answer.status, 429);
      assert.ok(Number(answer.headers['retry-after']) >= 1);
      assert.equal((await from('203.0.113.2')).status, 200);
      await web.clock.advance(1100);
      assert.equal((await from('203.0.113.1')).status, 200, 'it is let in again');
    });

    it('counts an IPv6 line as one sender', async () => {
      await start({ limits: small, trustProxy: ['127.0.0.1'] });
      for (let i = 0; i < 3; i++) assert.equal((await from(`2001:db8:0:1::${i}`, 'forged')).status, 401);
      assert.equal((await from('2001:db8:0:1:ffff::1', 'forged')).status, 429);
      assert.equal((await from('2001:db8:0:2::1')).status, 200);
    });

    it('counts forged requests by their size, before it reads the next one', async () => {
      await start({ limits: { ...small, refused: { burst: 10, perSecond: 1 } } });
      const body = 'x'.repeat(1_000_000);
      assert.equal((await post('/webhooks/honest', body, { 'x-signature': 'forged' })).status, 401);
      // Only the head of the next one is sent: it is answered all the same.
      const head = bytesOf({ path: '/webhooks/honest', headers: { 'content-length': '1000000' } });
      assert.equal((await sendRaw(web.port, head)).status, 429);
    });

    it('counts what it stopped reading as if it had read all of it', async () => {
      await start({ limits: { ...small, refused: { burst: 10, perSecond: 1 } } });
      const body = `${'1\r\nx\r\n'.repeat(1100)}0\r\n\r\n`;
      const chunked = () => post('/webhooks/honest', body, { 'transfer-encoding': 'chunked' });
      assert.equal((await chunked()).status, 400);
      assert.equal((await chunked()).status, 429);
    });

    it('lets honest senders send as much as they like', async () => {
      await start({ limits: small });
      for (let i = 0; i < 10; i++) assert.equal((await web.honest()).status, 200);
    });

    it('bounds what waits for the store for each endpoint alone, and has the rest sent again', async () => {
      await start({ limits: small });
      web.add({ id: 'other' });
      let entered = 0;
      let release = (): void => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      web.onReceive(async (payload) => {
        entered++;
        if (payload.endpointId === 'honest') await gate;
        return NOTHING_STORED;
      });
      const waiting = [web.honest(), web.honest()];
      while (entered < 2) await new Promise((done) => setTimeout(done, 5));
      const answer = await web.honest();
      assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
      assert.deepEqual([web.refusals.of('honest').map(({ status }) => status), web.logged], [[503], []]);
      assert.equal((await post('/webhooks/other')).status, 200);
      release();
      for (const { status } of await Promise.all(waiting)) assert.equal(status, 200);
      assert.equal((await web.honest()).status, 200);
    });
  });

  describe('what strangers may cost', () => {
    const limits = { burst: 10, perSecond: 1 };

    it('shuts nobody out for long after one enormous request', async () => {
      const clock = fakeClock();
      const allowance = createAllowance(limits, clock);
      allowance.spend('a', 1_000_000);
      assert.equal(allowance.waitOf('a'), 10_001);
      await clock.advance(10_001);
      assert.equal(allowance.waitOf('a'), 0);
    });

    it('takes nothing more when the clock jumps back', () => {
      const clock = fakeClock();
      const allowance = createAllowance(limits, clock);
      allowance.spend('a', 5);
      clock.jump(-3_600_000);
      assert.equal(allowance.waitOf('a'), 0);
      allowance.spend('a', 5);
      assert.equal(allowance.waitOf('a'), 1);
    });

    it('remembers 10,000 senders and forgets who spent longest ago', () => {
      const allowance = createAllowance(limits, fakeClock());
      for (let i = 0; i <= 10_000; i++) allowance.spend(`s${i}`, 10);
      assert.equal(allowance.waitOf('s0'), 0);
      assert.ok(allowance.waitOf('s1') > 0);
    });
  });

  it('serves with limits of its own, not those of Node', async () => {
    const { headersTimeout, requestTimeout, keepAliveTimeout, maxHeadersCount } = web.server;
    assert.deepEqual([headersTimeout, requestTimeout, keepAliveTimeout, maxHeadersCount], [10_000, 30_000, 5_000, 100]);
    await start({ connections: { connections: 2 } });
    const others = [connect(web.port, '127.0.0.1'), connect(web.port, '127.0.0.1')];
    await Promise.all(others.map((socket) => once(socket, 'connect')));
    assert.equal((await web.honest()).status, 0, 'there are too many');
    for (const socket of others) socket.destroy();
  });

  describe('the record of what was refused', () => {
    it('says what, when and why, with names of headers and no values', async () => {
      await post('/webhooks/honest', 'body-canary', { 'x-signature': 'signature-canary', 'X-Api-Key': 'key-canary' });
      const [refusal, ...others] = web.refusals.of('honest');
      assert.deepEqual(others, []);
      assert.equal(refusal?.at, '2026-11-22T10:00:00.000Z');
      assert.equal(refusal.status, 401);
      assert.equal(refusal.reason, 'the signature does not match the body');
      assert.equal(refusal.method, 'POST');
      assert.equal(refusal.remoteAddress, '127.0.0.1');
      assert.equal(refusal.size, 11);
      assert.ok(refusal.headers.includes('x-api-key'));
      assert.doesNotMatch(JSON.stringify([web.refusals.of('honest'), web.logged]), /canary/);
    });

    it('keeps the last 50 of each of 1,000 endpoints for a day, and counts all', async () => {
      const clock = fakeClock();
      const refusals = createRefusals(clock);
      const note = (endpointId: string, reason: string) =>
        refusals.note(
          { endpointId, receivedAt: clock.now(), method: 'POST', url: '/', headers: {}, body: Buffer.alloc(0) },
          401,
          reason,
        );
      for (let i = 1; i <= 60; i++) note('a', `no. ${i}`);
      assert.equal(refusals.of('a').length, 50);
      assert.equal(refusals.of('a')[0]!.reason, 'no. 60');
      assert.equal(refusals.countOf('a'), 60);
      note('a', `two\r\nlines \u001b[31m \ud800 ${'x'.repeat(1000)}`);
      assert.equal(refusals.of('a')[0]!.reason.length, 200);
      assert.match(refusals.of('a')[0]!.reason, /^two {2}lines {2}\[31m \ufffd x+$/);
      await clock.advance(24 * 3_600_000);
      assert.deepEqual(refusals.of('a'), []);
      assert.equal(refusals.countOf('a'), 61);
      for (let i = 0; i < 1000; i++) note(`e${i}`, 'x');
      assert.equal(refusals.countOf('a'), 0, 'the one refused longest ago is forgotten');
      assert.equal(refusals.countOf('e0'), 1);
    });
  });
});
