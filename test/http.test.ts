import assert from 'node:assert/strict';
import http from 'node:http';
import { createServer } from 'node:https';
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import type { Clock } from '../src/core/clock.ts';
import type { Http, HttpRequest } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import type { Egress, HttpOptions } from '../src/http/http.ts';
import { createHttp } from '../src/http/http.ts';
import type { Receiver } from './fakes/receiver.ts';
import { startReceiver } from './fakes/receiver.ts';
import { selfSigned } from './fakes/self-signed.ts';

const NOW = Date.parse('2026-11-22T10:00:00Z');
const clock: Clock = { now: () => NOW, sleep: async () => undefined };
const SECRET = 't0p-s3cret-value';

describe('calls to others', () => {
  let far: Receiver;
  const egresses: Egress[] = [];

  beforeEach(async () => {
    far = await startReceiver();
  });
  afterEach(async () => {
    for (const egress of egresses.splice(0)) egress.close();
    await far.close();
  });

  function open(limits: HttpOptions['limits'] = {}, ...hosts: string[]): Http {
    const egress = createHttp({ allow: [], clock, limits });
    egresses.push(egress);
    return egress.for({ hosts: [far.host, ...hosts] });
  }

  /** What the call was rejected with, as the class that it should be. */
  async function failure<E extends TributaryError>(
    kind: abstract new (...parts: never[]) => E,
    call: Promise<unknown>,
  ): Promise<E> {
    const error: unknown = await call.then(
      () => assert.fail('it went through'),
      (reason: unknown) => reason,
    );
    assert(error instanceof kind, inspect(error));
    return error;
  }

  const answering = (
    status: number,
    headers: Record<string, string> = {},
    body = '',
    given: Partial<HttpRequest> = {},
  ) => {
    far.behave({ status, headers, body });
    return open().send({ method: 'POST', url: `${far.origin}/hooks`, body: { a: 1 }, ...given });
  };

  describe('what is sent', () => {
    it('sends an object as JSON and reads JSON back', async () => {
      const answer = await open().send({
        method: 'POST',
        url: `${far.origin}/v1/things?b=2`,
        headers: { 'X-Key': 'k' },
        body: { name: 'Олена' },
      });
      assert.deepEqual(answer.json, { ok: true });
      assert.equal(answer.text, '{"ok":true}');
      assert.equal(answer.headers['content-type'], 'application/json');
      const [request] = far.requests;
      assert.equal(request?.method, 'POST');
      assert.equal(request.url, '/v1/things?b=2');
      assert.equal(request.body.toString(), '{"name":"Олена"}');
      assert.equal(request.headers['content-type'], 'application/json');
      assert.equal(request.headers['content-length'], String(request.body.length));
      assert.equal(request.headers['x-key'], 'k');
      assert.equal(request.headers['user-agent'], 'Tributary');
    });

    it('sends text and bytes as they stand', async () => {
      const bytes = Buffer.from([0, 1, 2, 255]);
      await open().send({ method: 'PUT', url: far.origin, body: bytes });
      await open().send({
        method: 'PATCH',
        url: far.origin,
        body: 'a=1',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      });
      await open().send({ method: 'DELETE', url: far.origin });
      assert.deepEqual(
        far.requests.map(({ method, headers }) => [method, headers['content-type']]),
        [
          ['PUT', 'application/octet-stream'],
          ['PATCH', 'application/x-www-form-urlencoded'],
          ['DELETE', undefined],
        ],
      );
      assert.deepEqual(far.requests[0]?.body, bytes);
      assert.equal(far.requests[1]?.body.toString(), 'a=1');
    });

    it('asks for no compression, whatever the caller asks for', async () => {
      const headers = { 'Accept-Encoding': 'br, gzip' };
      await open().send({ url: far.origin, headers });
      await (await open().fetch(far.origin, { headers })).text();
      await text((await open().stream({ url: far.origin, headers, maxBytes: 100 })).body);
      for (const request of far.requests) assert.equal(request.headers['accept-encoding'], 'identity');
      assert.equal(far.requests.length, 3);
    });

    it('uses a connection again for the same origin', async () => {
      const out = open();
      await out.send({ url: far.origin });
      await out.send({ url: far.origin });
      await text((await out.stream({ url: far.origin, maxBytes: 100 })).body);
      assert.equal(far.connections(), 1);
    });

    it('refuses headers that would end early and start another', async () => {
      await failure(PermanentError, open().stream({ url: far.origin, headers: { 'x-a': 'b\r\nx-c: d' }, maxBytes: 1 }));
      await open()
        .send({ url: far.origin, headers: { 'x-a': 'b\r\nx-c: d' } })
        .catch(() => undefined);
      for (const request of far.requests) assert.equal(request.headers['x-c'], undefined);
    });
  });

  describe('what an answer means', () => {
    it('counts every 2xx as done', async () => {
      for (const status of [200, 201, 202, 204]) assert.equal((await answering(status)).status, status);
    });

    it('has the worker try again after 5xx, not knowing what came of it', async () => {
      for (const status of [500, 502, 503, 504, 599]) {
        const error = await failure(RetryableError, answering(status));
        assert(error.outcomeUnknown, String(status));
        assert.match(error.message, /^POST http:\/\/127\.0\.0\.1:\d+\/hooks answered 5\d\d$/);
      }
    });

    it('has the worker try again after 408 and 425, knowing that nothing happened', async () => {
      for (const status of [408, 425]) {
        assert(!(await failure(RetryableError, answering(status))).outcomeUnknown);
      }
    });

    it('gives up on 400, 403, 404, 409, 413 and 422', async () => {
      for (const status of [400, 402, 403, 404, 405, 406, 409, 413, 415, 418, 422]) {
        const error = await failure(PermanentError, answering(status, {}, '{"error":"no"}'));
        assert(!error.gone);
        assert.deepEqual(error.response, { status, text: '{"error":"no"}' });
      }
    });

    it('asks for new credentials after 401, and never calls again after 410', async () => {
      assert((await failure(AuthExpiredError, answering(401))).hint);
      assert((await failure(PermanentError, answering(410))).gone);
    });

    it('reads Retry-After as seconds or as a date, and hands on what else is said of limits', async () => {
      const cases: [string, number | undefined][] = [
        ['7', 7000],
        ['0.5', 500],
        ['1000000000', 1e12],
        ['Sun, 22 Nov 2026 10:00:30 GMT', 30_000],
        ['Sun, 22 Nov 2026 09:00:00 GMT', undefined],
        ['0', undefined],
        ['-1', undefined],
        ['1e9', undefined],
        ['soon', undefined],
        ['2026', 2_026_000],
        ['', undefined],
      ];
      for (const [value, expected] of cases) {
        const error = await failure(RateLimitedError, answering(429, { 'retry-after': value }));
        assert.equal(error.retryAfterMs, expected, value);
      }
      for (const status of [429, 420])
        assert.equal((await failure(RateLimitedError, answering(status))).retryAfterMs, undefined);
      const told = await failure(RateLimitedError, answering(429, { 'x-ratelimit-reset': '2', 'x-other': '3' }));
      assert.deepEqual([told.retryAfterMs, told.response?.limits], [undefined, { 'x-ratelimit-reset': '2' }]);
    });

    it('reads what the caller knows to say how long to wait, where there is no Retry-After', async () => {
      const waitOf: HttpRequest['waitOf'] = ({ status, headers }) => `${status - 400}${headers['x-wait'] ?? ''}`;
      const wait = async (status: number, headers: Record<string, string>) =>
        (await failure(RateLimitedError, answering(status, headers, '', { waitOf }))).retryAfterMs;
      assert.deepEqual([await wait(429, { 'x-wait': '0' }), await wait(503, {})], [290_000, 103_000]);
      assert.equal(await wait(429, { 'x-wait': '0', 'retry-after': '7' }), 7000);
      assert.equal(await wait(429, { 'x-wait': ' minutes' }), undefined);
      assert.equal((await failure(RateLimitedError, answering(429, { 'x-wait': '0' }))).retryAfterMs, undefined);
    });

    it('takes 503 with a Retry-After as a request for a pause', async () => {
      assert.equal((await failure(RateLimitedError, answering(503, { 'retry-after': '3' }))).retryAfterMs, 3000);
      await failure(RetryableError, answering(503, { 'retry-after': 'soon' }));
    });

    it('keeps 2,048 characters of an error, whatever its length', async () => {
      far.behave({ status: 400, body: 'x'.repeat(1_000_000) });
      const error = await failure(PermanentError, open().send({ url: far.origin }));
      assert.equal(error.response?.text.length, 2048);
    });

    it('means the same for downloads', async () => {
      const download = (status: number) => {
        far.behave({ status, headers: { 'content-encoding': 'br' }, body: 'x' });
        return open().stream({ url: far.origin, maxBytes: 100 });
      };
      await failure(RateLimitedError, download(429));
      await failure(AuthExpiredError, download(401));
      await failure(PermanentError, download(404));
      await failure(RetryableError, download(500));
      await failure(RetryableError, download(200));
    });
  });

  describe('answers that are too much', () => {
    it('takes a 2xx with 100 MB behind it as done, and reads 64 KB of it', async () => {
      far.behave('huge');
      const { status, text, json } = await open().send({ method: 'POST', url: far.origin, body: {} });
      assert.equal(status, 200);
      assert.equal(text.length, 64 * 1024);
      assert.equal(json, undefined);
      // What fits into the buffers of both kernels may have left, not 100 MB.
      assert(far.bytesSent() < 30 * 1024 * 1024, String(far.bytesSent()));
    });

    it('reads as much as the caller asks for', async () => {
      const body = JSON.stringify({ list: 'x'.repeat(200_000) });
      far.behave({ status: 200, body });
      const { json } = await open().send({ url: far.origin, maxBytes: 1_000_000 });
      assert.equal((json as { list: string }).list.length, 200_000);
      assert.equal((await open().send({ url: far.origin })).json, undefined);
    });

    it('fails a download that is longer than allowed, said beforehand or not', async () => {
      far.behave('huge');
      const error = await failure(PermanentError, open().stream({ url: far.origin, maxBytes: 1000 }));
      assert.match(error.message, /larger than 1000 bytes/);
      far.behave('trickle');
      const { body } = await open().stream({ url: far.origin, maxBytes: 5 });
      await failure(PermanentError, text(body));
    });

    it('passes a download on to its last byte', async () => {
      far.behave({ status: 200, headers: { 'content-type': 'image/png' }, body: Buffer.alloc(300_000, 'b') });
      const { headers, body } = await open().stream({ url: far.origin, maxBytes: 300_000 });
      assert.equal(headers['content-type'], 'image/png');
      assert.equal((await text(body)).length, 300_000);
    });

    it('refuses compressed answers undecoded', async () => {
      for (const encoding of ['br', 'gzip', 'deflate', 'zstd', 'identity, br', 'GZIP']) {
        far.behave({ status: 200, headers: { 'content-encoding': encoding }, body: 'not really' });
        for (const call of [
          () => open().send({ url: far.origin }),
          () => open().fetch(far.origin),
          () => open().stream({ url: far.origin, maxBytes: 100 }),
        ]) {
          const error = await failure(RetryableError, call());
          assert(error.outcomeUnknown);
          assert.match(error.message, /compressed/);
        }
      }
      far.behave({ status: 200, headers: { 'content-encoding': 'Identity' }, body: 'plain' });
      assert.equal((await open().send({ url: far.origin })).text, 'plain');
    });
  });

  describe('what goes wrong on the way', () => {
    it('knows that nothing arrived when nobody listens', async () => {
      const gone = await startReceiver();
      await gone.close();
      for (const call of [
        () => open({}, gone.host).send({ url: gone.origin }),
        () => open({}, gone.host).fetch(gone.origin),
        () => open({}, gone.host).stream({ url: gone.origin, maxBytes: 1 }),
      ]) {
        const error = await failure(RetryableError, call());
        assert(!error.outcomeUnknown);
        assert.match(error.message, /ECONNREFUSED/);
        assert(error.hint);
      }
    });

    it('knows that nothing arrived when the name is unknown', async () => {
      const resolve = () => Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }));
      const egress = createHttp({ allow: [], resolve });
      egresses.push(egress);
      const error = await failure(RetryableError, egress.for({ hosts: [] }).send({ url: 'http://nowhere.test/' }));
      assert(!error.outcomeUnknown);
      assert.match(error.message, /resolved \(ENOTFOUND\)/);
    });

    it('does not know what came of a request whose connection broke', async () => {
      for (const behaviour of ['drop', 'cut', 'garbage'] as const) {
        far.behave(behaviour);
        const error = await failure(RetryableError, open().send({ method: 'POST', url: far.origin, body: { a: 1 } }));
        assert(error.outcomeUnknown, behaviour);
      }
      far.behave('drop');
      assert((await failure(RetryableError, open().fetch(far.origin))).outcomeUnknown);
    });

    it('fails a download whose connection breaks', async () => {
      far.behave('cut');
      const { body } = await open().stream({ url: far.origin, maxBytes: 10_000 });
      await failure(RetryableError, text(body));
    });

    it('waits a limited time for the first byte', async () => {
      far.behave('hang');
      const error = await failure(
        RetryableError,
        open({ firstByteMs: 50 }).send({ method: 'POST', url: far.origin, body: {} }),
      );
      assert(error.outcomeUnknown);
      assert.match(error.message, /no answer within 50 ms/);
      await failure(RetryableError, open({ firstByteMs: 50 }).stream({ url: far.origin, maxBytes: 1 }));
    });

    it('waits a limited time for the last byte', async () => {
      far.behave('trickle');
      const error = await failure(RetryableError, open({ totalMs: 1500 }).send({ url: far.origin }));
      assert(error.outcomeUnknown);
      assert.match(error.message, /not done within 1500 ms/);
      await failure(RetryableError, open().send({ url: far.origin, timeoutMs: 1500 }));
      const { body } = await open({ totalMs: 1500 }).stream({ url: far.origin, maxBytes: 1e9 });
      await failure(RetryableError, text(body));
      const answer = await open({ fetchMs: 1500 }).fetch(far.origin);
      await assert.rejects(answer.text());
    });

    it('lets a far end answer while it is still being written to', async () => {
      const early = http.createServer((request, response) => {
        response.writeHead(200).write('{"ok":');
        setTimeout(() => request.resume(), 50);
        setTimeout(() => response.end('true}'), 2500);
      });
      const port = await listen(early);
      try {
        const out = open({ firstByteMs: 2000 }, `127.0.0.1:${port}`);
        const body = Buffer.alloc(20 * 1024 * 1024);
        const { json } = await out.send({ method: 'POST', url: `http://127.0.0.1:${port}/`, body });
        assert.deepEqual(json, { ok: true });
      } finally {
        early.closeAllConnections();
        early.close();
      }
    });

    it('waits as long as the caller says, and no longer', async () => {
      far.behave('hang');
      const error = await failure(RetryableError, open({ firstByteMs: 10 }).send({ url: far.origin, timeoutMs: 80 }));
      assert.match(error.message, /within 80 ms/);
    });

    it('waits a limited time for a connection that is never secured', async () => {
      const silent = net.createServer();
      const port = await listen(silent);
      try {
        const url = `https://127.0.0.1:${port}/`;
        const error = await failure(RetryableError, open({ connectMs: 50 }, `127.0.0.1:${port}`).send({ url }));
        assert(!error.outcomeUnknown);
        assert.match(error.message, /no connection within 50 ms/);
      } finally {
        silent.close();
      }
    });

    it('sends nothing to a server that cannot prove who it is', async () => {
      let requests = 0;
      const impostor = createServer(selfSigned, (_request, response) => {
        requests++;
        response.end();
      });
      const port = await listen(impostor);
      try {
        const out = open({}, `127.0.0.1:${port}`);
        for (const call of [
          () => out.send({ url: `https://127.0.0.1:${port}/` }),
          () => out.fetch(`https://127.0.0.1:${port}/`),
        ]) {
          const error = await failure(RetryableError, call());
          assert(!error.outcomeUnknown);
          assert.match(error.message, /no trusted connection/);
        }
        assert.equal(requests, 0);
        const plain = await failure(RetryableError, open().send({ url: far.origin.replace('http:', 'https:') }));
        assert(!plain.outcomeUnknown);
      } finally {
        impostor.closeAllConnections();
        impostor.close();
      }
    });

    it('stops when the caller calls it off', async () => {
      far.behave('hang');
      const caller = new AbortController();
      const call = open().send({ url: far.origin, signal: caller.signal });
      setTimeout(() => caller.abort(), 30);
      assert.match((await failure(RetryableError, call)).message, /called off/);
      await failure(RetryableError, open().send({ url: far.origin, signal: caller.signal }));
      await assert.rejects(open().fetch(far.origin, { signal: caller.signal }), { name: 'AbortError' });
    });
  });

  describe('what it tells', () => {
    it('names no credentials in an error, wherever they were', async () => {
      const echo = `you sent Bearer ${SECRET} and ${SECRET}`;
      for (const behaviour of [
        'drop',
        'hang',
        'cut',
        'brotli',
        { status: 403, body: echo },
        { status: 429, body: echo },
      ] as const) {
        far.behave(behaviour);
        const request = {
          method: 'POST' as const,
          url: `${far.origin}/bot123456:${SECRET}/send?key=${SECRET}#${SECRET}`,
          headers: { authorization: `Bearer ${SECRET}`, 'x-token': SECRET },
          body: { password: SECRET },
        };
        const out = open({ firstByteMs: 50 });
        for (const call of [() => out.send(request), () => out.stream({ ...request, maxBytes: 10 })]) {
          const error: unknown = await call().catch((reason: unknown) => reason);
          assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), new RegExp(SECRET));
          if (error instanceof TributaryError) assert.match(error.message, /^POST http:\/\/127\.0\.0\.1:\d+\/…\/send/);
        }
      }
    });

    it('names none that looks like a word either, where the caller says so', async () => {
      const hidden = 'onlyletters';
      for (const behaviour of ['drop', { status: 403, body: `no such code: ${hidden}` }] as const) {
        far.behave(behaviour);
        const request = { url: `${far.origin}/rest/1/${hidden}/profile`, hidden };
        const error: unknown = await open()
          .send(request)
          .catch((reason: unknown) => reason);
        assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /onlyletters/);
        assert.match((error as Error).message, /\/rest\/1\/…\/profile/);
      }
    });
  });

  describe('the lent fetch', () => {
    it('sends what SDKs send and leaves every status to them', async () => {
      far.behave(({ body }) => ({ status: 404, headers: { 'x-a': 'b' }, body }));
      const out = open();
      const form = new FormData();
      form.set('file', new Blob(['bytes']), 'a.txt');
      const bodies: NonNullable<RequestInit['body']>[] = [
        'text',
        Buffer.from('bytes'),
        new URLSearchParams({ a: '1' }),
        form,
        new Blob(['blob']).stream(),
      ];
      for (const body of bodies) {
        const answer = await out.fetch(new URL(far.origin), { method: 'post', body, duplex: 'half' });
        assert.equal(answer.status, 404);
        assert.equal(answer.headers.get('x-a'), 'b');
        assert((await answer.text()).length > 0);
      }
      assert.match(far.requests[3]?.headers['content-type'] ?? '', /^multipart\/form-data; boundary=/);
      const request = new Request(`${far.origin}/r`, { method: 'PUT', body: '{"a":1}', headers: { 'x-b': 'c' } });
      assert.deepEqual(await (await out.fetch(request)).json(), { a: 1 });
      const last = far.requests.at(-1);
      assert.deepEqual([last?.method, last?.url, last?.headers['x-b']], ['PUT', '/r', 'c']);
    });

    it('hands over at most as much as is allowed', async () => {
      far.behave('huge');
      const answer = await open({ fetchBytes: 1000 }).fetch(far.origin);
      await assert.rejects(answer.text(), /larger than 1000 bytes/);
    });
  });
});

async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
