import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { PUBLIC_URL, startApi } from './fakes/api.ts';
import type { Reply, StartedApi } from './fakes/api.ts';

describe('The set-up link and the console page', () => {
  let api: StartedApi;
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api.stop());

  const tokenOf = (link: string | undefined): string => new URL(link!).searchParams.get('t')!;
  const use = (token: string, headers: Record<string, string> = { origin: PUBLIC_URL }, name = 'Ada'): Promise<Reply> =>
    api.send('POST', '/setup', {
      key: null,
      body: new URLSearchParams({ t: token, name }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });

  it('makes the first admin and a session, once', async () => {
    const link = await api.api.setupLink();
    assert.ok(link?.startsWith(`${PUBLIC_URL}/setup?t=`));
    const done = await use(tokenOf(link));
    assert.deepEqual([done.status, done.headers.location], [303, '/']);
    assert.match(
      done.headers['set-cookie']![0]!,
      /^__Host-tributary=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=\d+$/,
    );
    assert.deepEqual(
      [...api.gateway.state.users.values()].map(({ name, role }) => [name, role]),
      [['Ada', 'admin']],
    );
    assert.equal((await use(tokenOf(link))).status, 403);
    assert.equal(await api.api.setupLink(), undefined);
  });

  it('keeps neither the link nor the session in clear', async () => {
    const token = tokenOf(await api.api.setupLink());
    const cookie = (await use(token)).headers['set-cookie']![0]!.split(/[=;]/)[1]!;
    const { tokens, sessions } = api.gateway.state;
    const kept = JSON.stringify([[...tokens], [...sessions], api.gateway.state.audits, api.gateway.log.entries]);
    assert.ok(!kept.includes(token) && !kept.includes(cookie));
  });

  it('survives previews: only the button uses it up', async () => {
    const token = tokenOf(await api.api.setupLink());
    for (let i = 0; i < 3; i++) {
      const page = await api.send('GET', `/setup?t=${token}`, { key: null });
      assert.match(page.text, /<form method="post"/);
      assert.equal(page.headers['cache-control'], 'no-store');
    }
    assert.equal((await use(token)).status, 303);
  });

  it('makes one admin when two links are used at the same time', async () => {
    const links = [await api.api.setupLink(), await api.api.setupLink()];
    const { read } = api.gateway.store;
    const users = read.users;
    // Long enough for both to see that there is nobody yet.
    Object.assign(read, {
      users: async () => {
        const found = await users();
        await wait(50);
        return found;
      },
    });
    const done = await Promise.all(links.map((link) => use(tokenOf(link))));
    assert.deepEqual(done.map(({ status }) => status).sort(), [303, 403]);
    assert.equal(api.gateway.state.users.size, 1);
  });

  it('is worth nothing after 30 minutes, or once there is an admin', async () => {
    const late = tokenOf(await api.api.setupLink());
    api.gateway.clock.jump(30 * 60_000);
    assert.equal((await use(late)).status, 403);
    const first = tokenOf(await api.api.setupLink());
    const second = tokenOf(await api.api.setupLink());
    assert.equal((await use(first)).status, 303);
    assert.equal((await use(second)).status, 403);
  });

  it('answers every wrong token with the same page, which says how to get a new link', async () => {
    const pages = await Promise.all(['', 'x', 'a'.repeat(43), 'a'.repeat(5000)].map((token) => use(token)));
    assert.deepEqual(
      pages.map(({ status }) => status),
      [403, 403, 403, 403],
    );
    assert.equal(new Set(pages.map(({ text }) => text)).size, 1);
    assert.match(pages[0]!.text, /npx tributary admin link/);
  });

  it('reflects nothing that runs', async () => {
    const { text } = await api.send('GET', `/setup?t=${encodeURIComponent('"><script>alert(1)</script>')}`, {
      key: null,
    });
    assert.doesNotMatch(text, /<script/);
  });

  it('is not used by a form on another site', async () => {
    const token = tokenOf(await api.api.setupLink());
    assert.equal((await use(token, { origin: 'https://evil.test' })).status, 403);
    assert.equal((await use(token)).status, 303);
  });

  it('is followed by sign-in links for the same admin, made with a key that may do everything', async () => {
    await use(tokenOf(await api.api.setupLink()));
    const narrow = await api.key('keys:write', 'tickets:write');
    assert.equal((await api.call('POST', '/admin/link', { key: narrow })).status, 403);
    const { url } = (await api.call('POST', '/admin/link')).json;
    assert.equal((await use(tokenOf(url), {}, '')).status, 303);
    assert.equal(api.gateway.state.users.size, 1);
    assert.equal((await use(tokenOf(url))).status, 403);
  });

  it('can not be guessed at length', async () => {
    await api.stop();
    api = await startApi({ perMinute: { known: 100, unknown: 100, setUp: 3 } });
    for (let i = 0; i < 3; i++) assert.equal((await use('wrong')).status, 403);
    const refused = await use('wrong');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers['retry-after']) > 0);
  });

  it('stands before the console: without a session there is only the way to one', async () => {
    for (const path of ['/', '/index.html', '/tickets/tkt_1']) {
      const page = await api.send('GET', path, { key: null, headers: { accept: 'text/html' } });
      assert.equal(page.status, 401, path);
      assert.match(page.text, /npx tributary admin link/);
      assert.doesNotMatch(page.text, /The console/);
    }
    const cookie = await api.signIn();
    for (const path of ['/', '/tickets/tkt_1']) {
      const page = await api.send('GET', path, { cookie, headers: { accept: 'text/html' } });
      assert.deepEqual([page.status, page.text], [200, '<title>The console</title>'], path);
      const policy = page.headers['content-security-policy']!;
      for (const rule of ["default-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
        assert.ok(policy.includes(rule), rule);
      }
    }
    assert.equal((await api.send('GET', '/app.js', { key: null })).text, 'start()');
    assert.equal((await api.send('GET', '/missing.js', { cookie })).json.code, 'not_found');
  });

  it('stays below the folder of the console', async () => {
    const paths = ['/../package.json', '/%2e%2e%2fpackage.json', '/..%5cpackage.json', '/%00', '/.env', '/%ff'];
    for (const path of paths) {
      const { status, text } = await api.send('GET', path, { key: null });
      assert.ok([400, 404].includes(status), `${path} → ${status}`);
      assert.doesNotMatch(text, /dependencies|evil/);
    }
  });
});
