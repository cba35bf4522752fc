import assert from 'node:assert/strict';
import { PUBLIC_URL, startApi } from './fakes/api.ts';
import type { Reply, StartedApi } from './fakes/api.ts';

describe('The people of an installation, what they did and how it is', () => {
  let api: StartedApi;
  let admin: string;
  beforeEach(async () => {
    api = await startApi();
    admin = await api.signIn();
  });
  afterEach(() => api.stop());

  const invite = async (body: object, key?: string) => {
    const { status, json } = await api.call('POST', '/users', { body, ...(key !== undefined && { key }) });
    assert.equal(status, 201);
    return { id: json.id as string, url: json.link.url as string };
  };
  const use = (url: string): Promise<Reply> =>
    api.send('POST', '/setup', {
      key: null,
      body: new URLSearchParams({ t: new URL(url).searchParams.get('t')! }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: PUBLIC_URL },
    });
  const cookieOf = (reply: Reply) => reply.headers['set-cookie']![0]!.split(';')[0]!;

  it('lets in who was invited, as himself, with what his role may do, once', async () => {
    const { id, url } = await invite({ name: 'Олена' });
    const entered = await use(url);
    assert.equal(entered.status, 303);
    const { json } = await api.call('GET', '/session', { cookie: cookieOf(entered) });
    assert.deepEqual([json.id, json.name], [`user:${id}`, 'Олена']);
    assert.ok(json.scopes.includes('tickets:write') && !json.scopes.includes('*'));
    assert.equal((await use(url)).status, 403, 'twice');
    const names = (await api.call('GET', '/users')).json.data.map(({ name, role }: Record<string, string>) => [
      name,
      role,
    ]);
    assert.deepEqual(names, [
      ['Ada', 'admin'],
      ['Олена', 'agent'],
    ]);
  });

  it('takes a link for nobody but the one it was made for, and not after 30 minutes', async () => {
    const first = await invite({ name: 'First' });
    const second = await invite({ name: 'Second' });
    const swapped = first.url.replace(first.id, second.id);
    assert.equal((await use(swapped)).status, 403);
    assert.equal((await use(first.url.replace(`${first.id}.`, ''))).status, 403, 'as the link of the admin');
    const { json } = await api.call('POST', `/users/${first.id}/link`, { body: {} });
    api.gateway.clock.jump(30 * 60_000);
    assert.equal((await use(json.url)).status, 403);
  });

  it('signs a user in again by another link, and keeps no link', async () => {
    const { id } = await invite({ name: 'Olena' });
    const headers = { 'idempotency-key': 'link-1' };
    const { json } = await api.call('POST', `/users/${id}/link`, { body: {}, headers });
    assert.equal((await use(json.url)).status, 303);
    const again = await api.call('POST', `/users/${id}/link`, { body: {}, headers });
    assert.equal(again.json.url, null);
    const { tokens, audits, idempotent } = api.gateway.state;
    const secret = new URL(json.url as string).searchParams.get('t')!.split('.')[1]!;
    assert.ok(!JSON.stringify([[...tokens], audits, [...idempotent]]).includes(secret));
  });

  it('ends the sessions of who is removed at once, and his links', async () => {
    const { id, url } = await invite({ name: 'Olena' });
    const cookie = cookieOf(await use(url));
    const { json } = await api.call('POST', `/users/${id}/link`, { body: {} });
    let revoked = 0;
    assert.equal((await api.call('GET', '/session', { cookie })).status, 200);
    assert.equal((await api.call('DELETE', `/users/${id}`)).status, 204);
    revoked++;
    assert.equal((await api.call('GET', '/session', { cookie })).status, 401);
    assert.equal((await use(json.url)).status, 403);
    assert.equal((await api.call('DELETE', `/users/${id}`)).status, 404);
    assert.equal(revoked, 1);
  });

  it('keeps the last admin', async () => {
    const { json } = await api.call('GET', '/users/me', { cookie: admin });
    assert.equal((await api.call('DELETE', `/users/${json.id}`)).status, 409);
    const other = await invite({ name: 'Boris', role: 'admin' });
    assert.equal((await api.call('DELETE', `/users/${json.id}`)).status, 204);
    assert.equal((await api.call('DELETE', `/users/${other.id}`)).status, 409);
  });

  it('lets nobody invite, sign in or remove somebody who may do more than himself', async () => {
    const key = await api.key('users:write', 'tickets:read');
    const { id } = await invite({ name: 'Olena' });
    for (const role of ['admin', 'agent']) {
      const refused = await api.call('POST', '/users', { key, body: { name: 'x', role } });
      assert.deepEqual([refused.status, refused.json.code], [403, 'scope_missing'], role);
    }
    assert.equal((await api.call('POST', `/users/${id}/link`, { key, body: {} })).status, 403);
    assert.equal((await api.call('DELETE', `/users/${id}`, { key })).status, 403);
    assert.equal(api.gateway.state.users.size, 2);
  });

  it('lists who did what, by name, the last first', async () => {
    const { id } = await invite({ name: 'Olena' });
    const made = await api.call('POST', '/keys', {
      cookie: admin,
      headers: { origin: PUBLIC_URL },
      body: { name: 'CRM', scopes: ['tickets:read'] },
    });
    const { data } = (await api.call('GET', '/audit?limit=3')).json;
    assert.deepEqual(
      data.map(({ actorName, action, target, detail }: Record<string, string>) => [actorName, action, target, detail]),
      [
        ['Ada', 'key.created', made.json.id, 'tickets:read'],
        [null, 'link.created', id, null],
        [null, 'user.created', id, 'agent'],
      ],
    );
  });

  it('tells how it is, with a remedy for what is not well', async () => {
    const { state } = api.gateway;
    state.endpoints.set('crm', { ...state.endpoints.get('crm')!, problem: 'no secret' });
    const { json } = await api.call('GET', '/doctor');
    assert.deepEqual([json.healthy, json.publicUrl], [false, PUBLIC_URL]);
    const found = json.checks.map(({ name, state: how }: Record<string, string>) => `${name} ${how}`);
    assert.deepEqual(found, ['node ok', 'gateway ok', 'channel ok', 'destination failed']);
    const [failed] = json.checks.slice(-1);
    assert.match(failed.text, /crm \(webhook\): setting_up, 1 dead deliveries: no secret/);
    assert.match(failed.remedy, /log/);
    assert.equal(json.checks[0].remedy, null);
  });
});
