import assert from 'node:assert/strict';
import type { Express } from 'express';
import { scopes } from '../src/api/scopes.ts';
import { ADMIN_KEY, PUBLIC_URL, startApi } from './fakes/api.ts';
import type { StartedApi } from './fakes/api.ts';
import { sampleTicket } from './fakes/gateway.ts';

/** What each route needs, written down a second time: a route that isn't here fails the test. */
const EXPECTED: Readonly<Record<string, string>> = {
  'GET /tickets': 'tickets:read',
  'POST /tickets': 'tickets:write',
  'GET /tickets/by-number/{number}': 'tickets:read',
  'GET /labels': 'tickets:read',
  'GET /tickets/{id}': 'tickets:read',
  'PATCH /tickets/{id}': 'tickets:write',
  'GET /tickets/{id}/messages': 'tickets:read',
  'GET /messages/{id}': 'tickets:read',
  'POST /tickets/{id}/replies': 'tickets:write',
  'POST /tickets/{id}/notes': 'tickets:write',
  'POST /tickets/{id}/merge': 'tickets:write',
  'POST /tickets/{id}/split': 'tickets:write',
  'GET /attachments/{id}': 'tickets:read',
  'GET /customers': 'customers:read',
  'GET /customers/{id}': 'customers:read',
  'GET /customers/{id}/timeline': 'customers:read',
  'GET /customers/{id}/merges': 'customers:read',
  'GET /customers/{id}/traces': 'customers:read',
  'GET /customers/{id}/suggestions': 'customers:read',
  'GET /customers/{id}/export': 'customers:export',
  'POST /customers/{id}/merge/dry-run': 'customers:read',
  'POST /customers/{id}/split/dry-run': 'customers:read',
  'POST /merges/{id}/undo/dry-run': 'customers:read',
  'POST /customers/{id}/call': 'tickets:write',
  'POST /customers/{id}/merge': 'customers:write',
  'POST /customers/{id}/split': 'customers:write',
  'POST /customers/{id}/apart': 'customers:write',
  'POST /merges/{id}/undo': 'customers:write',
  'GET /events': 'events:read',
  'GET /events/balance': 'events:read',
  'GET /events/{id}': 'events:read',
  'GET /events/{id}/items': 'events:read',
  'POST /events/{id}/replay': 'events:write',
  'GET /deliveries': 'deliveries:read',
  'POST /deliveries/replay': 'deliveries:write',
  'POST /deliveries/replay/cancel': 'deliveries:write',
  'GET /deliveries/{id}': 'deliveries:read',
  'POST /deliveries/{id}/replay': 'deliveries:write',
  'GET /catalogue': 'endpoints:read',
  ...forBoth({
    'GET ': 'endpoints:read',
    'POST ': 'endpoints:write',
    'GET /{id}': 'endpoints:read',
    'PATCH /{id}': 'endpoints:write',
    'DELETE /{id}': 'endpoints:write',
    'GET /{id}/health': 'endpoints:read',
    'GET /{id}/refused': 'endpoints:read',
    'POST /{id}/test': 'endpoints:write',
    'POST /{id}/resume': 'endpoints:write',
  }),
  'POST /channels/{id}/dry-run': 'endpoints:write',
  'POST /destinations/{id}/dry-run': 'tickets:read',
  'GET /routes': 'endpoints:read',
  'POST /routes': 'endpoints:write',
  'PATCH /routes': 'endpoints:write',
  'POST /routes/dry-run': 'endpoints:read',
  'GET /routes/{id}': 'endpoints:read',
  'PATCH /routes/{id}': 'endpoints:write',
  'DELETE /routes/{id}': 'endpoints:write',
  'GET /changes': 'changes:read',
  'GET /keys': 'keys:write',
  'POST /keys': 'keys:write',
  'DELETE /keys/{id}': 'keys:write',
  'GET /audit': 'audit:read',
  'GET /doctor': 'doctor:read',
  'GET /reports/overview': 'reports:read',
  'GET /session': 'any',
  'DELETE /session': 'any',
  'GET /users': 'tickets:read',
  'POST /users': 'users:write',
  'POST /users/{id}/link': 'users:write',
  'DELETE /users/{id}': 'users:write',
  'GET /users/me': 'any',
  'POST /admin/link': '*',
};

/** What anybody may ask for. */
const PUBLIC = [
  '/healthz',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/docs/api',
  '/docs/api/start.js',
  '/docs/api/swagger-ui.css',
  '/docs/api/swagger-ui-bundle.js',
  '/docs/api/favicon-32x32.png',
  '/setup',
  // With a visitor's token, which no key stands for.
  '/chat/:channel/messages',
  '/chat/:channel/files/:id',
  // By an address that only the gateway can make.
  '/status{/*token}',
  '/,/index.html',
  '/{*path}',
];

function forBoth(routes: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    ['/channels', '/destinations'].flatMap((path) =>
      Object.entries(routes).map(([name, scope]) => [name.replace(' ', ` ${path}`), scope]),
    ),
  );
}

describe('Who may do what in the API', () => {
  let api: StartedApi;
  before(async () => {
    api = await startApi({ perMinute: { known: 1e6, unknown: 1e6, setUp: 1e6 } });
  });
  after(() => api.stop());

  it('has a scope for every route that is mounted, and no route besides', () => {
    const operations = api.api.operations.map(({ method, path, scope }) => [`${method} ${path}`, scope]);
    assert.deepEqual(Object.fromEntries(operations), EXPECTED);
    const mounted = (api.api.app as unknown as Express).router.stack.flatMap(({ route }) => route?.path ?? []);
    const known = new Set([
      ...api.api.operations.map(({ path }) => `/api/v1${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
      ...PUBLIC.flatMap((path) => path.split(',')),
    ]);
    assert.deepEqual(
      mounted.filter((path) => !known.has(path)),
      [],
    );
  });

  it('lets a key do exactly what its scope says', async () => {
    for (const scope of scopes) {
      const key = await api.key(scope);
      for (const { method, path, scope: wanted } of api.api.operations) {
        // A session that a key can't end, and a body that says nothing: refused, but not for want of a scope.
        const reply = await api.send(method, `/api/v1${path.replaceAll(/\{\w+\}/g, '9')}`, { key });
        const allowed = wanted === 'any' || scope === '*' || scope === wanted;
        assert.equal(reply.json?.code === 'scope_missing', !allowed, `${scope}: ${method} ${path} → ${reply.text}`);
        assert.notEqual(reply.status, 401);
        if (!allowed) assert.match(reply.json.detail, wanted === '*' ? /\*/ : /^[^*]+$/);
      }
    }
  });

  it('lets a key without scopes, and nobody at all, do nothing', async () => {
    const key = await api.key();
    for (const { method, path, scope } of api.api.operations) {
      const at = `/api/v1${path.replaceAll(/\{\w+\}/g, '9')}`;
      const { status, headers } = await api.send(method, at, { key: null });
      assert.equal(status, 401, `${method} ${path}`);
      assert.equal(headers['www-authenticate'], 'Bearer');
      if (scope !== 'any') assert.equal((await api.send(method, at, { key })).status, 403, `${method} ${path}`);
    }
    assert.equal((await api.send('GET', '/api/v1/nothing', { key: null })).status, 401);
  });

  it('refuses what is no key, whatever it looks like', async () => {
    const good = await api.key('*');
    const wrong = ['', 'null', 'undefined', '[]', '{}', '0', '   ', good.toUpperCase(), `${good}x`, good.slice(0, -1)];
    for (const key of [
      ...wrong,
      'trb_',
      `trb_${'a'.repeat(12)}_${'a'.repeat(43)}`,
      good.slice(0, 17) + 'a'.repeat(43),
      'x'.repeat(10_000),
    ]) {
      assert.equal((await api.call('GET', '/session', { key })).status, 401, JSON.stringify(key.slice(0, 60)));
    }
    for (const authorization of ['Basic YTpi', ADMIN_KEY, `Bearer ${good} x`, `Bearer`]) {
      assert.equal((await api.call('GET', '/session', { key: null, headers: { authorization } })).status, 401);
    }
  });

  it('takes keys from the header only', async () => {
    const key = await api.key('*');
    assert.equal((await api.call('GET', `/session?access_token=${key}&key=${key}`, { key: null })).status, 401);
    for (const cookie of [`__Host-tributary=${key}`, `tributary=${key}`, `authorization=Bearer ${key}`]) {
      assert.equal((await api.call('GET', '/session', { cookie, key: null })).status, 401);
    }
  });

  it('shows a key once, keeps its hash, and logs its prefix at most', async () => {
    const made = await api.call('POST', '/keys', { body: { name: 'CRM', scopes: ['tickets:read'] } });
    const secretPart = made.json.key.slice(17);
    assert.ok(Buffer.from(secretPart, 'base64url').length >= 32);
    await api.call('GET', '/session', { key: made.json.key.slice(0, -3) + 'AAA' });
    const list = await api.call('GET', '/keys');
    const kept = JSON.stringify([
      [...api.gateway.state.keys],
      [...api.gateway.state.idempotent],
      api.gateway.log.entries,
    ]);
    for (const text of [list.text, kept]) assert.ok(!text.includes(secretPart.slice(0, 20)));
    const warned = api.gateway.log.entries.filter(({ level }) => level === 'warn');
    assert.ok(warned.length > 0);
  });

  it('ends a key at once when it is revoked', async () => {
    const made = await api.call('POST', '/keys', { body: { name: 'CRM', scopes: ['tickets:read'] } });
    assert.equal((await api.call('GET', '/tickets', { key: made.json.key })).status, 200);
    assert.equal(api.gateway.state.keys.get(made.json.id)?.lastUsedAt, api.gateway.clock.now());
    assert.equal((await api.call('DELETE', `/keys/${made.json.id}`)).status, 204);
    assert.equal((await api.call('GET', '/tickets', { key: made.json.key })).status, 401);
    assert.equal((await api.call('DELETE', `/keys/${made.json.id}`)).status, 404);
    const actions = api.gateway.state.audits
      .filter(({ target }) => target === made.json.id)
      .map(({ action }) => action);
    assert.deepEqual(actions, ['key.created', 'key.revoked']);
  });

  it('lets nobody hand out, see or revoke more than he may do himself', async () => {
    const small = await api.key('keys:write', 'tickets:read');
    const { json: big } = await api.call('POST', '/keys', { body: { name: 'big', scopes: ['*'] } });
    for (const wanted of ['*', 'tickets:write']) {
      const reply = await api.call('POST', '/keys', { key: small, body: { name: 'x', scopes: [wanted] } });
      assert.equal(reply.status, 403, wanted);
    }
    const own = await api.call('POST', '/keys', { key: small, body: { name: 'x', scopes: ['tickets:read'] } });
    assert.equal(own.status, 201);
    const { json: list } = await api.call('GET', '/keys?limit=200', { key: small });
    assert.ok(list.data.every(({ id }: { id: string }) => id !== big.id));
    assert.equal((await api.call('DELETE', `/keys/${big.id}`, { key: small })).status, 404);
  });

  it('refuses to make a key with a scope that does not exist', async () => {
    for (const scope of ['tickets', 'tickets:*', 'admin', '']) {
      const { status, json } = await api.call('POST', '/keys', { body: { name: 'x', scopes: [scope] } });
      assert.equal(status, 400);
      assert.equal(json.errors[0].pointer, '/scopes/0');
    }
  });

  describe('with a session', () => {
    let cookie: string;
    before(async () => {
      cookie = await api.signIn();
      api.gateway.state.tickets.set('tkt_1', sampleTicket());
    });

    it('knows the user', async () => {
      const { json } = await api.call('GET', '/session', { cookie });
      assert.deepEqual([json.name, json.scopes, json.expiresAt], ['Ada', ['*'], '2026-12-06T10:00:00.000Z']);
      assert.equal((await api.call('GET', '/users/me', { cookie })).json.role, 'admin');
      assert.equal((await api.call('GET', '/users/me')).status, 404);
    });

    it('changes things only for pages of its own', async () => {
      const note = (headers: Record<string, string>) =>
        api.call('POST', '/tickets/tkt_1/notes', { cookie, body: { text: 'x' }, headers });
      assert.equal((await note({ origin: PUBLIC_URL })).status, 201);
      assert.equal((await note({ origin: api.url })).status, 201);
      const { host, port } = new URL(api.url);
      const foreign = [
        'null',
        'https://desk.example.com.evil.test',
        'http://desk.example.com',
        'https://sub.desk.example.com',
        'https://example.com',
        'http://evil.test',
        `http://localhost:${port}`,
        `https://${host}`,
      ];
      for (const origin of foreign) assert.equal((await note({ origin })).json.code, 'origin_refused', origin);
      assert.equal((await note({})).json.code, 'origin_refused');
      // A name that an attacker points at this machine is no loopback address.
      assert.equal((await note({ origin: 'http://evil.test', host: 'evil.test' })).status, 403);
    });

    it('is read by no other site', async () => {
      const origins = ['null', 'https://desk.example.com.evil.test', PUBLIC_URL];
      for (const origin of origins) {
        const { headers } = await api.call('GET', '/tickets', { cookie, headers: { origin } });
        assert.equal(headers['access-control-allow-origin'], undefined);
        const preflight = await api.send('OPTIONS', '/api/v1/tickets', {
          headers: { origin, 'access-control-request-method': 'POST' },
        });
        assert.equal(preflight.headers['access-control-allow-origin'], undefined);
      }
    });

    it('falls back to no cookie when the header is wrong', async () => {
      assert.equal((await api.call('GET', '/session', { cookie, key: 'wrong' })).status, 401);
      const headers = { authorization: 'Basic YTpi' };
      assert.equal((await api.call('GET', '/session', { cookie, headers })).status, 401);
    });

    it('ends when its time is over', async () => {
      const other = await api.signIn();
      api.gateway.clock.jump(14 * 24 * 3_600_000);
      assert.equal((await api.call('GET', '/session', { cookie: other })).status, 401);
      api.gateway.clock.jump(-14 * 24 * 3_600_000);
      assert.equal((await api.call('GET', '/session', { cookie: other })).status, 200);
    });

    it('ends when the user signs out', async () => {
      const other = await api.signIn();
      const out = await api.call('DELETE', '/session', { cookie: other, headers: { origin: PUBLIC_URL } });
      assert.match(out.headers['set-cookie']![0]!, /Max-Age=0/);
      assert.equal((await api.call('GET', '/session', { cookie: other })).status, 401);
      assert.equal((await api.call('GET', '/session', { cookie })).status, 200);
    });

    it('gives agents no more than their work needs', async () => {
      const [user] = [...api.gateway.state.users.values()];
      api.gateway.state.users.set(user!.id, { ...user!, role: 'agent' });
      assert.equal((await api.call('GET', '/tickets', { cookie })).status, 200);
      assert.equal((await api.call('GET', '/keys', { cookie })).json.code, 'scope_missing');
      api.gateway.state.users.set(user!.id, user!);
    });
  });
});
