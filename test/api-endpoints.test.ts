import assert from 'node:assert/strict';
import { AuthExpiredError } from '../src/core/errors.ts';
import type { EndpointState } from '../src/core/rows.ts';
import { startApi } from './fakes/api.ts';
import type { StartedApi } from './fakes/api.ts';
import { sampleTicket } from './fakes/gateway.ts';

const HOUR = 3_600_000;

describe('Channels, destinations and routes over the API', () => {
  let api: StartedApi;
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api.stop());

  const bot = { id: 'bot', type: 'sample', settings: { token: 'a-very-secret-canary-9876' } };

  it('are listed with where they come from and how they are', async () => {
    const { json } = await api.call('GET', '/channels');
    const [contact] = json.data;
    assert.deepEqual(
      [contact.id, contact.source, contact.health.state],
      ['contact', 'config/tributary.yaml:3', 'waiting_first'],
    );
    assert.equal((await api.call('GET', '/destinations')).json.data[0].id, 'crm');
    const page = await api.call('GET', '/channels?limit=1');
    assert.equal(page.json.nextCursor, null);
  });

  it('are set up, changed and removed, and that is written down', async () => {
    assert.equal((await api.call('POST', '/channels', { body: bot })).json.id, 'bot');
    assert.equal((await api.call('PATCH', '/channels/bot', { body: { enabled: false } })).json.health.state, 'paused');
    assert.equal((await api.call('DELETE', '/channels/bot')).status, 204);
    assert.equal((await api.call('GET', '/channels/bot')).status, 404);
    const actions = api.gateway.state.audits.map(({ actor, action, target }) => [actor, action, target]);
    assert.deepEqual(actions, [
      ['key:admin', 'channel.created', 'bot'],
      ['key:admin', 'channel.changed', 'bot'],
      ['key:admin', 'channel.removed', 'bot'],
    ]);
  });

  it('show no secret, neither of the settings nor of the address', async () => {
    const made = await api.call('POST', '/channels', { body: bot });
    assert.equal(made.json.settings.token, '••••9876');
    assert.equal(made.json.webhookUrl, 'https://desk.example.com/webhooks/bot/••••ress');
    const { settings } = made.json;
    const changed = await api.call('PATCH', '/channels/bot', { body: { settings: { ...settings, room: 'b' } } });
    assert.deepEqual(changed.json.settings, { token: '••••9876', room: 'b' });
    const shown = [made, changed, await api.call('GET', '/channels/bot'), await api.call('GET', '/channels')];
    for (const { text } of shown) assert.doesNotMatch(text, /canary|a-long-secret/);
  });

  it('from the file are read-only', async () => {
    const { status, json } = await api.call('PATCH', '/channels/contact', { body: { enabled: false } });
    assert.equal(status, 422);
    assert.match(json.detail, /config\/tributary\.yaml:3/);
    assert.equal((await api.call('DELETE', '/channels/contact')).status, 422);
  });

  it('say what is wrong with their ids and fields', async () => {
    for (const id of ['', 'Bot', '../x', 'a b', 'x'.repeat(64), '__proto__']) {
      const { status, json } = await api.call('POST', '/channels', { body: { ...bot, id } });
      assert.deepEqual([status, json.errors[0].pointer], [400, '/id'], id);
    }
    assert.equal((await api.call('POST', '/channels', { body: { ...bot, role: 'destination' } })).status, 400);
    assert.equal((await api.call('POST', '/channels', { body: { ...bot, id: 'contact' } })).status, 409);
  });

  it('have a state that the evidence shows', async () => {
    const now = api.gateway.clock.now();
    const nothing: EndpointState = {
      endpointId: 'contact',
      pausedUntil: null,
      pauseReason: null,
      needsReauth: false,
      disabledAt: null,
      failures: 0,
      lastInAt: null,
      lastOutAt: null,
      lastError: null,
      lastErrorAt: null,
      inbound: { failures: 0, needsReauth: false, lastError: null, lastErrorAt: null },
      quarantinedAt: null,
      reconciledAt: null,
      missed: 0,
    };
    const fetching = nothing.inbound;
    const cases: [string, Partial<EndpointState>][] = [
      ['waiting_first', {}],
      ['healthy', { lastInAt: now - HOUR }],
      ['quiet', { lastInAt: now - 25 * HOUR }],
      ['degraded', { lastInAt: now - 2 * HOUR, lastError: '502', lastErrorAt: now - 1000 }],
      ['degraded', { lastInAt: now, failures: 3 }],
      ['healthy', { lastInAt: now - 1000, lastError: '502', lastErrorAt: now - 2000 }],
      ['healthy', { lastInAt: now - 3 * HOUR, lastError: '502', lastErrorAt: now - 2 * HOUR }],
      ['needs_reauth', { needsReauth: true, pausedUntil: now + HOUR, lastError: '401 Unauthorized' }],
      ['paused', { pausedUntil: now + 1, pauseReason: 'asked for 30 s' }],
      ['healthy', { pausedUntil: now - 1, lastInAt: now }],
      ['paused', { disabledAt: now }],
      ['degraded', { lastInAt: now, inbound: { ...fetching, failures: 1 } }],
      ['needs_reauth', { lastInAt: now, inbound: { ...fetching, needsReauth: true } }],
      ['healthy', { lastInAt: now, inbound: fetching }],
      ['degraded', { lastInAt: now, quarantinedAt: now - 1000 }],
      ['healthy', { lastInAt: now, quarantinedAt: now - 2 * HOUR }],
    ];
    for (const [state, evidence] of cases) {
      api.gateway.state.endpointStates.set('contact', { ...nothing, ...evidence });
      const { json } = await api.call('GET', '/channels/contact/health');
      assert.equal(json.state, state, JSON.stringify(evidence));
      assert.equal(json.lastError, evidence.lastError ?? null);
    }
    // The newest error is shown, of the way in or out.
    const sending = { failures: 1, lastError: '550 no such user', lastErrorAt: now - 2000 };
    for (const [at, shown] of [
      [now - 3000, '550 no such user'],
      [now - 1000, '535 bad password'],
    ] as const) {
      const inbound = { failures: 2, needsReauth: false, lastError: '535 bad password', lastErrorAt: at };
      api.gateway.state.endpointStates.set('contact', { ...nothing, ...sending, inbound });
      const { json } = await api.call('GET', '/channels/contact/health');
      assert.deepEqual([json.lastError, json.failures], [shown, 3]);
    }
    const contact = api.gateway.state.endpoints.get('contact')!;
    api.gateway.state.endpoints.set('contact', { ...contact, problem: 'The token is missing' });
    const { json } = await api.call('GET', '/channels/contact/health');
    assert.deepEqual([json.state, json.problem], ['setting_up', 'The token is missing']);
    // One that is switched off can't be opened either, but nobody has to act on that.
    api.gateway.state.endpoints.set('contact', { ...contact, enabled: false, problem: 'switched off' });
    assert.equal((await api.call('GET', '/channels/contact/health')).json.state, 'paused');
    const crm = (await api.call('GET', '/destinations/crm/health')).json;
    assert.deepEqual([crm.backlog, crm.dead, crm.lagMs], [2, 1, 5000]);
  });

  it('go on when a pause is ended', async () => {
    assert.equal((await api.call('POST', '/destinations/crm/resume')).json.health.state, 'waiting_first');
    assert.equal(api.gateway.state.audits.at(-1)?.action, 'destination.resumed');
  });

  it('say where the vendor is told the address by the gateway', async () => {
    const contact = api.gateway.state.endpoints.get('contact')!;
    const registers = async () => (await api.call('GET', '/channels/contact')).json.registers;
    assert.equal(await registers(), false);
    const webhook = { verify: () => undefined, registered: true as const };
    api.gateway.state.endpoints.set('contact', { ...contact, webhook });
    assert.equal(await registers(), true);
    api.gateway.state.endpoints.set('contact', contact);
  });

  it('are tried out, and the answer is what the other side said', async () => {
    const contact = api.gateway.state.endpoints.get('contact')!;
    const testing = (test: () => Promise<string>) =>
      api.gateway.state.endpoints.set('contact', { ...contact, channel: { normalize: () => [], test } });
    assert.equal((await api.call('GET', '/channels/contact')).json.testable, false);
    testing(async () => 'Signed in as support');
    assert.equal((await api.call('GET', '/channels/contact')).json.testable, true);
    const good = await api.call('POST', '/channels/contact/test');
    assert.deepEqual(good.json, { ok: true, text: 'Signed in as support', error: null, hint: null });
    testing(async () => Promise.reject(new AuthExpiredError('401 Unauthorized', { hint: 'Set a new token' })));
    const bad = await api.call('POST', '/channels/contact/test');
    assert.deepEqual(bad.json, {
      ok: false,
      text: '401 Unauthorized',
      error: 'AuthExpiredError',
      hint: 'Set a new token',
    });
    api.gateway.state.endpoints.set('contact', contact);
    assert.equal((await api.call('POST', '/channels/contact/test')).status, 422);
  });

  it('show what was refused, and what they would make of a payload', async () => {
    assert.equal((await api.call('GET', '/channels/contact/refused')).json.data[0].reason, 'not signed');
    const body = { headers: { 'X-Kind': 'a' }, bodyBase64: Buffer.from('hello').toString('base64') };
    const { json } = await api.call('POST', '/channels/contact/dry-run', { body });
    assert.deepEqual(json.items, [{ kind: 'ignored', name: 'hello', reason: '{"x-kind":"a"}' }]);
    api.gateway.state.tickets.set('tkt_1', sampleTicket());
    const { json: sent } = await api.call('POST', '/destinations/crm/dry-run', { body: { ticketId: 'tkt_1' } });
    assert.deepEqual(sent, {
      method: 'POST',
      url: 'https://crm.example.com/tickets',
      body: { ticketId: 'tkt_1' },
    });
  });

  it('come in types whose settings are described', async () => {
    const [sample] = (await api.call('GET', '/catalogue')).json.data;
    assert.deepEqual([sample.role, sample.type, sample.stability], ['channel', 'sample', 'alpha']);
    assert.equal(sample.config.properties.token.writeOnly, true);
    assert.deepEqual(sample.config.required, ['token']);
  });

  it('are joined by routes', async () => {
    const made = await api.call('POST', '/routes', { body: { when: { priority: ['urgent'] }, to: ['crm'] } });
    assert.deepEqual([made.json.when, made.json.to], [{ priority: ['urgent'] }, ['crm']]);
    const path = `/routes/${made.json.id}`;
    const changed = await api.call('PATCH', path, { body: { when: { tag: ['vip'] } } });
    assert.deepEqual([changed.json.when, changed.json.to], [{ tag: ['vip'] }, ['crm']]);
    assert.equal((await api.call('GET', '/routes')).json.data.length, 1);
    const stopping = await api.call('PATCH', path, { body: { stop: true } });
    assert.deepEqual([made.json.stop, stopping.json.stop, stopping.json.when], [false, true, { tag: ['vip'] }]);
    const { json: known } = await api.call('GET', '/routes');
    const body = { version: known.version, routes: [{ to: ['crm'] }, { ...known.data[0], source: undefined }] };
    const replaced = await api.call('PATCH', '/routes', { body });
    assert.deepEqual(
      replaced.json.data.map((each: { when: object; stop: boolean }) => [each.when, each.stop]),
      [
        [{}, false],
        [{ tag: ['vip'] }, true],
      ],
    );
    assert.equal(replaced.json.data[1].id, made.json.id);
    assert.equal((await api.call('PATCH', '/routes', { body })).status, 409, 'of another version');
    const wrong = { ...body, routes: [{ to: [] }] };
    assert.equal((await api.call('PATCH', '/routes', { body: wrong })).json.errors[0].pointer, '/routes/0/to');
    const last = (await api.call('GET', '/audit')).json.data[0];
    assert.deepEqual([last.action, last.target], ['routes.replaced', 'routes']);
    const back = { version: replaced.json.version, routes: [{ ...known.data[0], source: undefined }] };
    await api.call('PATCH', '/routes', { body: back });
    const tried = await api.call('POST', '/routes/dry-run', { body: {} });
    assert.deepEqual(
      tried.json.data.map((each: { to: string[] }) => each.to),
      [['crm']],
    );
    for (const to of [['nothing'], ['contact']]) {
      const wrong = await api.call('PATCH', path, { body: { to } });
      assert.deepEqual([wrong.status, wrong.json.errors[0].pointer], [422, '/to/0']);
    }
    assert.equal((await api.call('DELETE', path)).status, 204);
    assert.equal((await api.call('GET', path)).status, 404);
  });

  describe('what operators watch', () => {
    it('says that it is alive and nothing else', async () => {
      const { status, text } = await api.send('GET', '/healthz', { key: null });
      assert.deepEqual([status, text], [200, '{"status":"ok"}']);
    });

    it('says whether it is ready, and why not only to those it knows', async () => {
      await api.stop();
      api = await startApi({ ready: async () => ({ ok: false, detail: { store: 'The disk is full' } }) });
      const away = { 'x-forwarded-for': '192.0.2.1' };
      const stranger = await api.send('GET', '/readyz', { key: null, headers: away });
      assert.deepEqual([stranger.status, stranger.json], [503, { status: 'not_ready' }]);
      const known = await api.send('GET', '/readyz', { headers: away });
      assert.deepEqual(known.json, { status: 'not_ready', detail: { store: 'The disk is full' } });
    });

    it('counts, for this machine and for keys that may', async () => {
      const { status, text } = await api.send('GET', '/metrics', { key: null });
      assert.equal(status, 200);
      assert.match(text, /^tributary_tasks\{endpoint="crm",state="dead"\} 1$/m);
      assert.match(text, /^tributary_endpoint_state\{endpoint="contact",role="channel",state="waiting_first"\} 1$/m);
      assert.match(text, /^tributary_ledger_balanced 1$/m);
      for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) {
        const headers = { [name]: '127.0.0.1' };
        assert.equal((await api.send('GET', '/metrics', { key: null, headers })).status, 401, name);
        const key = await api.key('tickets:read');
        assert.equal((await api.send('GET', '/metrics', { key, headers })).status, 403);
        const watcher = await api.key('metrics:read');
        assert.equal((await api.send('GET', '/metrics', { key: watcher, headers })).status, 200);
      }
    });
  });
});
