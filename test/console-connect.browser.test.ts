import assert from 'node:assert/strict';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { until } from './fakes/until.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
const FEED = '<rss version="2.0"><channel><title>News</title><link>https://news.example.com/</link></channel></rss>';

describe('connecting in the console', function () {
  let receiver: Receiver;
  let opened: OpenedConsole;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    opened = await openConsole(`
egress: { allow: [127.0.0.1] }
channels:
  - { id: contact, type: form, title: Ask us, spam: { minSeconds: 0 } }
`);
  });

  after(async () => {
    await opened?.close();
    await receiver?.close();
  });

  beforeEach(async () => {
    opened.trouble.length = 0;
    await opened.page.setViewportSize({ width: 1280, height: 800 });
  });

  afterEach(() => {
    assert.deepEqual(opened?.trouble, []);
  });

  /** A control by the pointer of its setting. */
  const at = (pointer: string) => opened.page.locator(`[id="${pointer}"]`);
  const wrongAt = (pointer: string) => opened.page.locator(`[id="${pointer}!"]`).innerText();
  const focused = () => opened.page.evaluate<string>('document.activeElement.id');
  const forge = () => fetch(`${opened.gateway.url}/webhooks/intake`, { method: 'POST', body: '{"id":"forged"}' });

  it('leads from the catalogue to the first message, and shows what was refused on the way', async () => {
    const { page, gateway } = opened;
    await opened.goto('/channels');
    await page.click('.connect');
    await page.waitForURL('**/channels/new');
    await page.waitForSelector('.type');
    assert.equal(await page.innerText('.sheet h1'), 'Connect a channel');
    assert.match(await page.locator('.type[data-row=telegram]').innerText(), /works on localhost\s+two-way\s+beta/);
    assert.match(await page.locator('.type[data-row=viber]').innerText(), /needs a public address/);
    const all = await page.locator('.type').count();
    await page.fill('#search', 'sign webhook');
    const found = await page.locator('.type').count();
    assert.ok(found > 0 && found < all / 2, `${found} of ${all}`);
    await page.click('.type[data-row=webhook]');
    await page.waitForURL('**/channels/new/webhook');

    await at('/id').fill('intake');
    await page.click('.send .button');
    await page.waitForSelector('[role=alert]:has-text("1 field has to be corrected.")');
    assert.equal(await wrongAt('/settings/auth'), 'must be filled in');
    assert.equal(await focused(), '/settings/auth');
    await at('/settings/auth').selectOption('standard_webhooks');
    await at('/settings/auth/secret').fill('too short');
    await page.click('.send .button');
    // This only the gateway knows.
    await page.waitForSelector('[id="/settings/auth/secret!"]');
    assert.equal(await focused(), '/settings/auth/secret');
    await at('/settings/auth/secret').fill(secret);
    await at('/name').fill('Shop');
    await page.click('.send .button');

    await page.waitForURL('**/channels/intake');
    await page.waitForSelector('.awaited[data-state=waiting]');
    assert.equal((await page.innerText('.sheet h1')).trim(), 'Shop');
    assert.equal(await page.innerText('.awaited .address code'), `${gateway.url}/webhooks/intake`);
    assert.match(await page.innerText('.awaited'), /Only this machine knows this address/);
    const clock = await page.innerText('.elapsed');
    assert.match(clock, /^00:\d\d$/);
    await until(async () => (await page.innerText('.elapsed')) !== clock);

    const refusedAt = performance.now();
    assert.equal((await forge()).status, 401);
    await page.waitForSelector('.turned li');
    assert.ok(performance.now() - refusedAt < 5000, 'it took too long to tell');
    assert.match(await page.innerText('.turned'), /1 request was refused[^]*401 .*(sign|webhook)/i);

    await pushSigned(gateway, secret, { id: 'first', ...{ text: 'Is anybody there?' } });
    await page.waitForSelector('.awaited[data-state=here]');
    assert.equal(await page.innerText('#awaited'), 'The first message is here');
    await page.click('.awaited .steps .button');
    await page.waitForURL('**/t/*');
    await page.waitForSelector('.message:has-text("Is anybody there?")');
    await page.goBack();
    await page.waitForSelector('.awaited[data-state=here]');
    await page.click('.awaited header button');
    await page.waitForSelector('.awaited', { state: 'detached' });
    await page.waitForSelector('#health');
    assert.equal(await page.evaluate('JSON.stringify({ ...sessionStorage }).includes("intake")'), false);
  });

  it('keeps what was typed in the tab, but no secret', async () => {
    const { page } = opened;
    await opened.goto('/channels/new/telegram');
    await at('/settings/token').fill('123456:not-for-the-tab');
    await at('/name').fill('Bot of ours');
    await at('/settings/mode').selectOption('webhook');
    assert.equal(await at('/settings/token').getAttribute('type'), 'password');
    await page.reload();
    await at('/name').waitFor();
    assert.equal(await at('/name').inputValue(), 'Bot of ours');
    assert.equal(await at('/settings/mode').inputValue(), 'webhook');
    assert.equal(await at('/settings/token').inputValue(), '');
    assert.equal(await page.evaluate('JSON.stringify({ ...sessionStorage }).includes("not-for")'), false);
    assert.equal(await page.evaluate('JSON.stringify({ ...localStorage }).includes("not-for")'), false);
    await page.click('.send button:has-text("Discard")');
    assert.equal(await at('/name').inputValue(), '');
    await page.reload();
    await at('/name').waitFor();
    assert.equal(await at('/name').inputValue(), '');
  });

  it('takes a key with several lines as it is', async () => {
    const { page } = opened;
    await opened.goto('/channels/new/telegram');
    await at('/settings/token').waitFor();
    await page.evaluate(`(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text', 'line one\\nline two');
      const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
      document.getElementById('/settings/token').dispatchEvent(paste);
    })()`);
    const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/channels'));
    await page.click('.send .button');
    assert.equal((await sent).postDataJSON().settings.token, 'line one\nline two');
    await page.waitForSelector('[id="/settings/token!"]');
    await page.click('.send button:has-text("Discard")');
  });

  it('says in which field of a folded part something is wrong, and that an id is taken', async () => {
    const { page } = opened;
    await opened.goto('/channels/new/form');
    await page.click('.more-settings >> nth=0 >> summary');
    await at('/settings/maxFiles').fill('many');
    await at('/settings/redirectTo').fill('nowhere');
    await page.click('.more-settings >> nth=0 >> summary');
    await at('/id').fill('contact');
    await page.click('.send .button');
    assert.equal(await wrongAt('/settings/maxFiles'), 'must be a number');
    assert.equal(await wrongAt('/id'), 'is taken already');
    await until(async () => (await focused()) === '/settings/maxFiles');
    await at('/settings/maxFiles').fill('2');
    await at('/id').fill('second');
    await page.click('.send .button');
    await page.waitForSelector('[id="/settings/redirectTo!"]');
    assert.equal(await page.locator('[id="/id!"]').count(), 0);
    await page.click('.send button:has-text("Discard")');
  });

  it('tries the credentials, and leads to what corrects them', async () => {
    const { page } = opened;
    receiver.behave({ status: 401, body: 'feed key revoked' });
    await opened.goto('/channels/new/rss');
    await at('/settings/url').fill(`${receiver.origin}/feed`);
    await at('/id').fill('news');
    await page.click('.send .button');
    await page.waitForSelector('.step[data-look=act]');
    assert.match(await page.innerText('.step[data-look=act]'), /401/);
    await page.click('.step >> text=Correct the settings');
    await page.waitForURL('**/channels/news/settings');
    assert.equal(await at('/settings/url').inputValue(), `${receiver.origin}/feed`);
    receiver.behave({ status: 200, headers: { 'content-type': 'application/rss+xml' }, body: FEED });
    await at('/settings/url').fill(`${receiver.origin}/feed2`);
    await page.click('.send .button');
    await page.waitForURL('**/channels/news');
    await page.waitForSelector('.step[data-look=ok]');
    assert.match(await page.innerText('.awaited'), /we fetch what comes in/);
  });

  it('changes one that was made here, keeps its secrets, and removes it only when that is confirmed', async () => {
    const { page, gateway } = opened;
    await opened.goto('/channels/intake');
    await page.click('.under >> text=Settings');
    await page.waitForURL('**/channels/intake/settings');
    assert.equal(await at('/settings/auth/secret').inputValue(), '');
    assert.match(await at('/settings/auth/secret').getAttribute('placeholder').then(String), /^••••/);
    await at('/name').fill('Shop in Lviv');
    await page.click('.send .button');
    await page.waitForURL('**/channels/intake');
    await page.waitForSelector('.sheet h1:has-text("Shop in Lviv")');
    await pushSigned(gateway, secret, { id: 'second', ...{ text: 'Still with the same secret' } });

    await opened.goto('/channels/intake/settings');
    await at('/enabled').uncheck();
    await page.click('.send .button');
    await page.waitForSelector('.under .state[data-look=off]');

    await opened.goto('/channels/intake/settings');
    await page.click('.danger');
    await page.waitForSelector('dialog[open]');
    assert.equal(await page.isDisabled('dialog .button'), true);
    await page.fill('dialog input', 'intak');
    assert.equal(await page.isDisabled('dialog .button'), true);
    await page.keyboard.press('Enter');
    await page.fill('dialog input', 'intake');
    await page.click('dialog .button');
    await page.waitForURL('**/channels');
    await page.waitForSelector('.card[data-row=contact]');
    assert.equal(await page.locator('.card[data-row=intake]').count(), 0);
    assert.equal((await forge()).status, 404);
  });

  it('shows what the file defines, and where, but changes nothing of it', async () => {
    const { page } = opened;
    await opened.goto('/channels/contact/settings');
    await page.waitForSelector('.notice');
    assert.match(await page.innerText('.notice'), /tributary\.yaml:4: change it there/);
    assert.equal(await at('/settings/title').inputValue(), 'Ask us');
    assert.equal(await at('/settings/title').isDisabled(), true);
    assert.equal(await page.locator('.send, .danger').count(), 0);
  });

  it('shows the code to scan, and always the current one', async () => {
    const { page } = opened;
    let qr = 'first code';
    await page.route('**/api/v1/channels?*', async (route) => {
      const response = await route.fetch();
      const json = await response.json();
      json.data[0].health.linking = { text: 'Scan it with the phone', qr };
      json.data[0].health.state = 'setting_up';
      await route.fulfill({ response, json });
    });
    await opened.goto('/channels/contact');
    const drawn = () => page.getAttribute('.qr path', 'd');
    const first = await drawn();
    assert.match(String(first), /^M0 0h1v1h-1z/);
    assert.match(await page.innerText('.awaited'), /Scan it with the phone/);
    qr = 'second code';
    await until(async () => (await drawn()) !== first);
    await page.unroute('**/api/v1/channels?*');
    await page.waitForSelector('.qr', { state: 'detached' });
  });

  it('connects a destination, and says that no route leads there', async () => {
    const { page } = opened;
    await opened.goto('/destinations');
    await page.click('.connect');
    await page.click('.type[data-row=webhook]');
    await at('/settings/url').fill(`${receiver.origin}/hooks`);
    await at('/settings/secret').fill(secret);
    await page.click('.more-settings >> nth=0 >> summary');
    await page.click('[aria-label="Add: Headers"]');
    await page.fill('.pair input[type=text]', 'x-team');
    await page.fill('.pair input[type=password]', 'blue');
    await at('/id').fill('crm');
    const sent = page.waitForRequest((request) => request.method() === 'POST');
    await page.click('.send .button');
    assert.deepEqual((await sent).postDataJSON().settings.headers, { 'x-team': 'blue' });
    await page.waitForURL('**/destinations/crm');
    await page.waitForSelector('.step[data-look=act]:has-text("No route leads here yet")');
    await page.reload();
    await page.waitForSelector('.step[data-look=act]');
    await opened.goto('/destinations/crm/settings');
    await at('/settings/secret').waitFor();
    assert.match(await page.locator('.pair input[type=password]').getAttribute('placeholder').then(String), /^••••/);
  });

  it('goes the whole way with the keyboard alone', async () => {
    const { page } = opened;
    await opened.goto('/');
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('connect a channel');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/channels/new');
    await page.waitForSelector('.type');
    await opened.pressCyrillic('Slash', '.');
    await until(async () => (await focused()) === 'search');
    await page.keyboard.type('contact form');
    await page.keyboard.press('Escape');
    await page.keyboard.press('KeyJ');
    assert.equal(await page.evaluate('document.activeElement.dataset.row'), 'form');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/channels/new/form');
    await at('/id').focus();
    await page.keyboard.press('Control+KeyA');
    await page.keyboard.type('keys');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/channels/keys');
    await page.waitForSelector('.awaited[data-state=waiting]');
    assert.equal(await focused(), 'sheet');
    await page.keyboard.press('Escape');
    await page.waitForURL('**/channels');
    await until(async () => (await page.evaluate('document.activeElement.dataset.row')) === 'keys');
  });

  it('offers nothing to those who may not', async () => {
    const { page } = opened;
    await page.route('**/api/v1/session', async (route) => {
      const response = await route.fetch();
      const json = { ...(await response.json()), scopes: ['tickets:read', 'endpoints:read', 'events:read'] };
      await route.fulfill({ response, json });
    });
    await opened.goto('/channels');
    await page.waitForSelector('.card');
    assert.equal(await page.locator('.connect').count(), 0);
    for (const path of ['/channels/new/telegram', '/channels/keys/settings']) {
      await opened.goto(path);
      await page.waitForSelector('.notice:has-text("endpoints:write")');
      assert.equal(await page.locator('.send, .danger').count(), 0);
      assert.equal(await at('/name').isDisabled(), true);
    }
    await page.unroute('**/api/v1/session');
  });

  it('fits 320 px without scrolling sideways, in every language', async () => {
    const { page } = opened;
    await page.setViewportSize({ width: 320, height: 640 });
    for (const tag of ['uk', 'ru', 'en']) {
      for (const path of ['/channels/new', '/channels/new/email', '/channels/contact', '/channels/contact/settings']) {
        await opened.goto(path);
        await page.selectOption('.top select', tag);
        await page.waitForSelector('.type, .settings, .awaited');
        for (const box of await page.locator('.field[role=group] > .check > input:enabled').all()) await box.check();
        await page.evaluate(`for (const one of document.querySelectorAll('.more-settings')) one.open = true`);
        assert.equal(await opened.sideways(), 0, path);
        const wide = `[...document.querySelectorAll('.sheet')].filter((one) => one.scrollWidth > one.clientWidth + 1).length`;
        assert.equal(await page.evaluate(wide), 0, path);
      }
    }
  });
});
