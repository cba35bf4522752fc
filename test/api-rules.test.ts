import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { RateLimitedError, RetryableError } from '../src/core/errors.ts';
import { PUBLIC_URL, startApi } from './fakes/api.ts';
import type { StartedApi } from './fakes/api.ts';
import { sampleCustomer, sampleTicket } from './fakes/gateway.ts';
import { until } from './fakes/until.ts';

describe('The rules of the API', () => {
  let api: StartedApi;
  beforeEach(async () => {
    api = await startApi();
    api.gateway.state.tickets.set('tkt_1', sampleTicket());
    api.gateway.state.customers.set('cus_1', sampleCustomer());
  });
  afterEach(() => api.stop());

  const note = (body: unknown, headers: Record<string, string> = {}) =>
    api.call('POST', '/tickets/tkt_1/notes', { body, headers });

  describe('bodies', () => {
    it('may not have fields that are unknown, and the answer names each', async () => {
      const { status, headers, json } = await api.call('PATCH', '/tickets/tkt_1', {
        body: { status: 'open', createdAt: 'x', 'a/b~c': 1, priority: 'huge' },
      });
      assert.equal(status, 400);
      assert.equal(headers['content-type'], 'application/problem+json');
      assert.deepEqual(json.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
        '/a~1b~0c',
        '/createdAt',
        '/priority',
      ]);
      assert.equal(json.code, 'invalid_request');
      assert.match(json.requestId, /^req_[0-9a-f]{16}$/);
      assert.equal(json.requestId, headers['x-request-id']);
      assert.equal(api.gateway.state.tickets.get('tkt_1')?.status, 'new');
    });

    it('can not set what only the gateway decides', async () => {
      const customer = { identifiers: [{ kind: 'email', value: 'o@example.com', trust: 'verified' }] };
      for (const body of [
        { text: 'x', customer },
        { text: 'x', customer: { id: 'cus_1' }, number: 7 },
        { text: 'x', customer: { id: 'cus_1', verified: true } },
      ]) {
        assert.equal((await api.call('POST', '/tickets', { body })).status, 400);
      }
      assert.equal((await note({ text: 'x', author: 'Boss' })).status, 400);
      assert.equal((await note({ text: 'x', bcc: 'a@example.com' })).status, 400);
    });

    it('must be JSON that everybody reads the same way', async () => {
      const wrong = [
        '{',
        '{"text":"a","text":"b"}',
        '{"text":1e400}',
        `${'['.repeat(100)}${']'.repeat(100)}`,
        '[]',
        '"x"',
        'null',
      ];
      for (const body of wrong) assert.equal((await note(body)).status, 400, body.slice(0, 30));
    });

    it('leave prototypes alone', async () => {
      await note('{"text":"x","__proto__":{"polluted":1}}');
      await api.call('PATCH', '/tickets/tkt_1', { body: '{"fields":{"__proto__":"x","constructor":"y","order":"1"}}' });
      assert.equal(({} as { polluted?: number }).polluted, undefined);
      assert.deepEqual(api.gateway.state.tickets.get('tkt_1')?.fields, { order: '1' });
    });

    it('come as they are, and as JSON', async () => {
      const text = JSON.stringify({ text: 'x' });
      for (const encoding of ['gzip', 'br', 'deflate', 'identity;q=0', 'BR', 'nothing']) {
        assert.equal((await note(text, { 'content-encoding': encoding })).status, 415, encoding);
      }
      const bomb = gzipSync(Buffer.alloc(1_000_000)).toString('latin1');
      assert.equal((await note(bomb, { 'content-encoding': 'gzip' })).status, 415);
      const types = [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/json;charset=utf-7',
      ];
      for (const type of types) assert.equal((await note(text, { 'content-type': type })).status, 415, type);
      assert.equal((await note(text, { 'content-type': 'application/json; charset=utf-8' })).status, 201);
    });

    it('are not read beyond their limit', async () => {
      assert.equal((await note({ text: 'x'.repeat(1_000_001) })).status, 413);
      const file = {
        name: 'a.bin',
        mediaType: 'application/octet-stream',
        content: Buffer.alloc(1_000_000).toString('base64'),
      };
      const reply = await api.call('POST', '/tickets/tkt_1/replies', { body: { text: 'x', attachments: [file] } });
      assert.equal(reply.status, 201);
    });
  });

  describe('parameters', () => {
    it('are checked: what is wrong, unknown or given twice is refused by name', async () => {
      const wrong: [string, string][] = [
        ['limit=1000000000', '/query/limit'],
        ['limit=-1', '/query/limit'],
        ['limit=1.5', '/query/limit'],
        ['limit=1&limit=2', '/query/limit'],
        ['statsu=open', '/query/statsu'],
        ['status=opened', '/query/status/0'],
        ['q[$regex]=.*', '/query/q[$regex]'],
        ['sort=subject', '/query/sort'],
        ['updatedSince=yesterday', '/query/updatedSince'],
      ];
      for (const [query, pointer] of wrong) {
        const { status, json } = await api.call('GET', `/tickets?${query}`);
        assert.deepEqual([status, json.errors[0].pointer], [400, pointer], query);
      }
      assert.equal((await api.call('GET', '/tickets?__proto__=1&constructor=2')).status, 400);
      assert.equal((await api.call('GET', '/channels?cursor=nothing')).status, 400);
    });

    it('survive addresses that make no sense', async () => {
      for (const path of [
        '/tickets/%00',
        '/tickets/%ff',
        `/tickets/${'x'.repeat(2000)}`,
        '/tickets/%2e%2e%2f',
        '/tickets/by-number/-1',
      ]) {
        const { status } = await api.call('GET', path);
        assert.ok([400, 404].includes(status), `${path.slice(0, 30)} → ${status}`);
      }
    });

    it('say which methods a path has', async () => {
      const { status, headers, json } = await api.call('DELETE', '/tickets/tkt_1');
      assert.deepEqual([status, headers.allow, json.code], [405, 'GET, PATCH', 'method_not_allowed']);
    });
  });

  describe('Idempotency-Key', () => {
    const key = { 'idempotency-key': 'order-17' };

    it('makes a repeat change nothing, and hear the first answer', async () => {
      const first = await note({ text: 'x' }, key);
      const again = await note({ text: 'x' }, key);
      assert.deepEqual([again.status, again.text], [first.status, first.text]);
      assert.deepEqual(
        [first.headers['idempotent-replayed'], again.headers['idempotent-replayed']],
        [undefined, 'true'],
      );
      assert.equal(api.gateway.state.messages.size, 1);
    });

    it('is refused for another body or another path', async () => {
      await note({ text: 'x' }, key);
      assert.equal((await note({ text: 'y' }, key)).json.code, 'idempotency_mismatch');
      const elsewhere = await api.call('POST', '/tickets/tkt_1/replies', { body: { text: 'x' }, headers: key });
      assert.equal(elsewhere.status, 422);
    });

    it('belongs to the one who sent it', async () => {
      await note({ text: 'x' }, key);
      const other = await api.key('tickets:write');
      const reply = await api.call('POST', '/tickets/tkt_1/notes', { key: other, body: { text: 'y' }, headers: key });
      assert.equal(reply.status, 201);
    });

    it('is refused while the first request still runs', async () => {
      let finish = (): void => undefined;
      const held = new Promise<void>((resolve) => (finish = resolve));
      const { desk } = api.gateway;
      const real = desk.note.bind(desk);
      let runs = false;
      Object.assign(desk, {
        async note(...given: Parameters<typeof real>) {
          runs = true;
          await held;
          return real(...given);
        },
      });
      const first = note({ text: 'x' }, key);
      await until(() => runs, 'the first one runs');
      const second = await note({ text: 'x' }, key);
      finish();
      assert.deepEqual([second.status, second.json.code], [409, 'idempotency_in_flight']);
      assert.equal((await first).status, 201);
      assert.equal(api.gateway.state.messages.size, 1);
    });

    it('keeps nothing of what only shows something', async () => {
      const tried = (from: string) =>
        api.call('POST', '/customers/cus_1/merge/dry-run', { body: { from }, headers: key });
      for (const from of ['cus_2', 'cus_3', 'cus_2']) {
        const { status, headers } = await tried(from);
        assert.deepEqual([status, headers['idempotent-replayed']], [200, undefined]);
      }
      assert.equal(api.gateway.state.idempotent.size, 0);
      await note({ text: 'x' }, key);
      assert.equal(api.gateway.state.idempotent.size, 1);
    });

    it('is forgotten after a day, and after a failure', async () => {
      assert.equal((await note({ wrong: 1 }, key)).status, 400);
      assert.equal((await note({ text: 'x' }, key)).status, 201);
      api.gateway.clock.jump(24 * 3_600_000);
      assert.equal((await note({ text: 'y' }, key)).status, 201);
      assert.equal((await note({ text: 'x' }, { 'idempotency-key': 'a b' })).status, 400);
    });

    it('does not keep what may be shown only once', async () => {
      const body = { name: 'CRM', scopes: ['tickets:read'] };
      const first = await api.call('POST', '/keys', { body, headers: key });
      const again = await api.call('POST', '/keys', { body, headers: key });
      assert.deepEqual(again.json, { ...first.json, key: null });
      const link = await api.call('POST', '/admin/link', { headers: key });
      assert.equal(link.status, 422);
      const kept = JSON.stringify([...api.gateway.state.idempotent]);
      assert.ok(!kept.includes(first.json.key));
    });
  });

  describe('failures', () => {
    it('of the store are worth another try', async () => {
      Object.assign(api.gateway.desk, { note: async () => Promise.reject(new RetryableError('The disk is full')) });
      const { status, headers, json } = await note({ text: 'x' });
      assert.deepEqual([status, headers['retry-after'], json.code], [503, '5', 'unavailable']);
      Object.assign(api.gateway.desk, { note: async () => Promise.reject(new RateLimitedError('slow down', 12_300)) });
      assert.equal((await note({ text: 'x' })).headers['retry-after'], '13');
    });

    it('of ours say nothing about the inside', async () => {
      Object.assign(api.gateway.desk, { note: async () => Promise.reject(new TypeError('canary at /src/desk.ts:7')) });
      const { status, text, json } = await note({ text: 'x' });
      assert.deepEqual([status, json.code], [500, 'internal']);
      assert.doesNotMatch(text, /canary|stack|\.ts/);
      const logged = api.gateway.log.entries.find(({ level }) => level === 'error');
      assert.match(JSON.stringify(logged), new RegExp(`${json.requestId}.*canary`));
    });
  });

  describe('limits', () => {
    it('hold for each key and each stranger, and say when to come back', async () => {
      await api.stop();
      api = await startApi({ perMinute: { known: 5, unknown: 2, setUp: 5 } });
      const key = await api.key('tickets:read');
      for (let i = 0; i < 5; i++) assert.equal((await api.call('GET', '/tickets', { key })).status, 200);
      const refused = await api.call('GET', '/tickets', { key });
      assert.deepEqual([refused.status, refused.json.code], [429, 'rate_limited']);
      assert.ok(Number(refused.headers['retry-after']) > 0);
      assert.ok(refused.headers['ratelimit'] && refused.headers['ratelimit-policy']);
      assert.equal((await api.call('GET', '/tickets')).status, 200);
      const stranger = (address: string) =>
        api.call('GET', '/tickets', {
          key: null,
          headers: { 'x-forwarded-for': address, forwarded: `for=${address}` },
        });
      // Nobody says that there is a proxy, so what it would say is not believed.
      assert.deepEqual([(await stranger('192.0.2.1')).status, (await stranger('192.0.2.2')).status], [401, 401]);
      assert.equal((await stranger('192.0.2.3')).status, 429);
    });
  });

  it('say what a browser may do with an answer', async () => {
    const { headers } = await api.call('GET', '/tickets', { headers: { origin: PUBLIC_URL } });
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-powered-by'], undefined);
    assert.equal(headers['strict-transport-security'], 'max-age=31536000');
  });
});
