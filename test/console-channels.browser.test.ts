import assert from 'node:assert/strict';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const pushToken = 'f3a9c17e5b2d48a6901c';
const FEED = '<rss version="2.0"><channel><title>News</title><link>https://news.example.com/</link></channel></rss>';

describe('the sections of the console in a browser', function () {
  let receiver: Receiver;
  let opened: OpenedConsole;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    receiver.behave({ status: 401, body: 'feed key revoked' });
    opened = await openConsole(`
channels:
  - { id: contact, type: form, spam: { minSeconds: 0 } }
  - { id: intake, type: webhook, name: Shop, auth: { type: standard_webhooks, secret: "${secret}" } }
  - { id: pushed, type: webhook, auth: { type: token, token: "${pushToken}abcd" } }
  - { id: closed, type: form, enabled: false }
  - { id: news, type: rss, url: "${receiver.origin}/feed" }
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

  const card = (id: string) => opened.page.locator(`.card[data-row=${id}]`);
  const write = (id: string, text = 'hello') => pushSigned(opened.gateway, secret, { id, ...{ text } });

  it('fetches a section only when somebody goes there', async () => {
    const { page } = opened;
    const scripts: string[] = [];
    page.on('request', (request) => {
      if (request.resourceType() === 'script') scripts.push(request.url());
    });
    await opened.goto('/');
    await page.waitForSelector('.list');
    const before = scripts.length;
    await page.click('.nav a[href="/channels"]');
    await page.waitForURL('**/channels');
    await card('contact').waitFor();
    assert.ok(scripts.length > before, 'it was there already');
    assert.equal(await page.innerText('.sheet h1'), 'Channels');
    assert.equal(await page.title(), 'Channels · Tributary');
  });

  it('says when a section could not be fetched', async () => {
    const { page } = opened;
    await opened.goto('/');
    await page.route('**/assets/channels*.js', (route) => route.abort());
    await page.click('.nav a[href="/channels"]');
    await page.waitForSelector('.sheet [role=alert], .sheet[role=alert]');
    await page.unroute('**/assets/channels*.js');
    await page.click('.sheet button');
    await card('contact').waitFor();
  });

  it('shows each channel as it is, those first that somebody has to look at', async () => {
    const { page } = opened;
    await opened.goto('/channels');
    await card('news').filter({ hasText: 'Credentials refused' }).waitFor();
    assert.deepEqual(await page.locator('.group h2').allInnerTexts(), [
      'Needs attention 1',
      'Quiet or new 3',
      'Switched off 1',
    ]);
    assert.match(await card('news').innerText(), /401/);
    assert.match(await card('closed').innerText(), /Switched off/);
    assert.match(await card('contact').innerText(), /Waiting for the first[^]*Last in: never/);
    assert.match(await card('intake').innerText(), /Shop[^]*intake · webhook/);
    assert.equal(await page.innerText('.nav .alarm'), '1');
    await write('first');
    await card('intake').filter({ hasText: 'Healthy' }).waitFor();
  });

  it('tries the credentials, says what the other side says, and ends the pause', async () => {
    const { page } = opened;
    await opened.goto('/channels');
    await card('news').click();
    await page.waitForURL('**/channels/news');
    assert.match(await page.innerText('.notice'), /401/);
    await page.click('.actions button:has-text("Try the credentials")');
    await page.waitForSelector('.said[data-look=act]');
    assert.match(await page.innerText('.said'), /401/);
    receiver.behave({ status: 200, headers: { 'content-type': 'application/rss+xml' }, body: FEED });
    await page.click('.actions button:has-text("Try the credentials")');
    await page.waitForSelector('.said[data-look=ok]');
    await page.click('.actions button:has-text("End the pause")');
    await page.waitForSelector('.under .state[data-look=idle]');
    assert.equal(await page.locator('.notice[data-look=act]').count(), 0);
    await page.waitForSelector('.nav .alarm', { state: 'detached' });
    receiver.behave({ status: 401, body: 'feed key revoked' });
  });

  it('offers nothing that one may not do', async () => {
    const { page } = opened;
    await page.route('**/api/v1/session', async (route) => {
      const response = await route.fetch();
      const json = { ...(await response.json()), scopes: ['tickets:read', 'endpoints:read', 'events:read'] };
      await route.fulfill({ response, json });
    });
    await opened.goto('/channels/news');
    await page.waitForSelector('.block');
    assert.equal(await page.locator('.actions').count(), 0);
    await page.unroute('**/api/v1/session');
    await opened.goto('/channels/contact');
    await page.waitForSelector('.block');
    assert.equal(await page.locator('.actions').count(), 0, 'a form has no credentials');
  });

  it('shows the addresses to copy, and of a secret one all but the secret', async () => {
    const { page, gateway } = opened;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await opened.goto('/channels/contact');
    await page.waitForSelector('.address');
    assert.deepEqual(await page.locator('.address code').allInnerTexts(), [
      `${gateway.url}/forms/contact`,
      `<script src="${gateway.url}/forms/contact/embed.js"></script>`,
    ]);
    await page.click('.address button >> nth=1');
    await page.waitForSelector('.address button:has-text("Copied")');
    const copied = await page.evaluate<string>('navigator.clipboard.readText()');
    assert.equal(copied, `<script src="${gateway.url}/forms/contact/embed.js"></script>`);
    await opened.goto('/channels/pushed');
    await page.waitForSelector('.address');
    assert.equal(await page.innerText('.address code'), `${gateway.url}/webhooks/pushed/…`);
    assert.doesNotMatch(await page.content(), new RegExp(pushToken.slice(0, 8)));
  });

  it('shows what was refused and why, while it happens', async () => {
    const { page, gateway } = opened;
    await opened.goto('/channels/intake');
    await page.waitForSelector('#refused');
    const block = page.locator('[aria-labelledby=refused]');
    await block.locator('.none').waitFor();
    const forged = await fetch(`${gateway.url}/webhooks/intake`, { method: 'POST', body: '{"id":"forged"}' });
    assert.equal(forged.status, 401);
    // What is refused is no change of anything: the page looks again by itself when something happens.
    await write('after-the-forged');
    const line = block.locator('.log li').first();
    await line.waitFor();
    assert.match(await line.innerText(), /401[^]*not signed/);
    await line.locator('summary').click();
    assert.match(await line.innerText(), /POST · 127\.0\.0\.1 · 15 bytes/);
    const tickets = JSON.stringify(await gateway.api('/tickets'));
    assert.doesNotMatch(tickets, /"(Customer )?forged"/);
  });

  it('shows what became of everything that came in, as it comes, and what it was', async () => {
    const { page } = opened;
    await opened.goto('/channels/intake');
    const block = page.locator('[aria-labelledby=events]');
    await block.locator('.log li').first().waitFor();
    const before = await block.locator('.log li').count();
    await write('event', 'Do you see this?');
    await block.locator('.log li').nth(before).waitFor();
    const line = block.locator('.log li').first();
    assert.match(await line.innerText(), /New ticket/);
    await line.locator('summary').click();
    await line.locator('pre').waitFor();
    assert.match(await line.innerText(), / · event · evt_/);
    assert.match(await line.locator('pre').innerText(), /POST [^]*Do you see this\?/);
    assert.match(await line.locator('pre').innerText(), /webhook-signature: \[redacted\]/);
    await write('event', 'Do you see this?');
    await page.selectOption('[aria-labelledby=events] select', 'duplicate');
    await page.waitForURL('**/channels/intake?outcome=duplicate');
    await block.locator('.log li', { hasText: 'Seen before' }).waitFor();
    assert.equal(await block.locator('.log li').count(), 1);
    await page.reload();
    await block.locator('.log li', { hasText: 'Seen before' }).waitFor();
    await page.selectOption('[aria-labelledby=events] select', '');
    await block.locator('.log li >> nth=1').waitFor();
    await block
      .locator('.log li', { hasText: 'New ticket' })
      .first()
      .locator('a', { hasText: /^Ticket$/ })
      .click();
    await page.waitForURL('**/t/*');
    await page.waitForSelector('.message');
    await page.goBack();
    await page.waitForURL('**/channels/intake');
    await page.waitForSelector('[aria-labelledby=events] .log');
  });

  it('says that there is no such channel', async () => {
    await opened.goto('/channels/nothing');
    await opened.page.waitForSelector('.sheet .empty');
    assert.equal(await opened.page.innerText('.sheet .empty'), 'There is no such channel.');
  });

  it('says how old it is what it shows, when it can read nothing newer', async () => {
    const { page } = opened;
    await opened.goto('/channels');
    await card('contact').waitFor();
    await page.route('**/api/v1/channels?*', (route) => route.abort());
    await write('unread');
    await page.waitForSelector('.notice');
    assert.match(await page.innerText('.notice'), /could not be read again. It is from \d\d:\d\d/);
    await card('contact').waitFor();
    await page.unroute('**/api/v1/channels?*');
    await write('read');
    await page.waitForSelector('.notice', { state: 'detached' });
  });

  it('goes everywhere with the keyboard alone, in a Cyrillic layout too', async () => {
    const { page } = opened;
    await opened.goto('/');
    await page.waitForSelector('.row');
    await opened.pressCyrillic('KeyG', 'п');
    await opened.pressCyrillic('KeyH', 'р');
    await page.waitForURL('**/channels');
    await page.waitForSelector('.card');
    assert.equal(await page.evaluate<string>('document.activeElement.innerText'), 'Channels');
    await opened.pressCyrillic('KeyJ', 'о');
    await page.keyboard.press('KeyJ');
    await page.keyboard.press('KeyK');
    const first = await page.evaluate<string>('document.activeElement.dataset.row');
    assert.equal(first, await page.getAttribute('.card >> nth=0', 'data-row'));
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/channels/${first}`);
    await page.waitForSelector('.block');
    await page.keyboard.press('Escape');
    await page.waitForURL('**/channels');
    await page.waitForFunction(`document.activeElement?.dataset.row === ${JSON.stringify(first)}`);
    await page.keyboard.press('KeyG');
    await page.keyboard.press('KeyI');
    await page.waitForURL(`${opened.gateway.url}/`);
    await page.waitForSelector('.row');
  });

  it('has a palette of everything that can be done, opened in a Cyrillic layout too', async () => {
    const { page } = opened;
    await opened.goto('/');
    await page.waitForSelector('.row');
    await page.focus('#search');
    await opened.pressCyrillic('KeyK', 'л', 'ctrlKey');
    await page.waitForSelector('.palette[open]');
    const all = await page.locator('.palette li').allInnerTexts();
    for (const wanted of [
      'Go to: Inbox',
      'Go to: Channels',
      'Channel: Shop',
      'Language: Українська',
      'Density: Compact',
      'Sign out',
    ])
      assert.ok(
        all.some((title) => title.includes(wanted)),
        wanted,
      );
    await page.keyboard.press('Escape');
    await page.waitForSelector('.palette', { state: 'detached' });
    assert.equal(await page.evaluate<string>('document.activeElement.id'), 'search');
    await page.click('.find');
    await page.keyboard.type('shop chann');
    assert.equal(await page.locator('.palette li').count(), 1);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/channels/intake');
    await page.waitForSelector('.block');
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('nothing of that kind');
    assert.equal(await page.innerText('.palette .none'), 'Nothing found.');
    await page.keyboard.press('Escape');
  });

  it('does with the palette what belongs to the open ticket', async () => {
    const { page, gateway } = opened;
    await write('palette', 'Please close me');
    await opened.goto('/');
    await page.locator('.row', { hasText: 'Customer palette' }).click();
    await page.waitForSelector('.message');
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('status');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    const last = await page.innerText('.palette li[aria-selected=true]');
    assert.equal(last, 'Status: Closed');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.controls select[data-status=closed]');
    const { data } = (await gateway.api('/tickets?status=closed')) as { data: { customer: { name: string } }[] };
    assert.deepEqual(
      data.map(({ customer }) => customer.name),
      ['Customer palette'],
    );
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('note');
    await page.keyboard.press('Enter');
    await page.waitForFunction(`document.activeElement?.id === 'answer'`);
    await page.keyboard.type('no command');
    assert.equal(await page.inputValue('#answer'), 'no command');
  });

  it('keeps the density that was chosen', async () => {
    const { page } = opened;
    await opened.goto('/channels');
    await card('contact').waitFor();
    const height = async () => (await card('contact').boundingBox())?.height ?? 0;
    const cozy = await height();
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('compact');
    await page.keyboard.press('Enter');
    await page.waitForSelector('html[data-density=compact]');
    assert.ok((await height()) < cozy);
    await page.reload();
    await page.waitForSelector('html[data-density=compact]');
    await page.keyboard.press('Shift+Slash');
    await page.selectOption('dialog select', 'comfortable');
    await page.click('dialog .button');
    await card('contact').waitFor();
    assert.ok((await height()) > cozy);
    await page.keyboard.press('Shift+Slash');
    await page.selectOption('dialog select', 'cozy');
    await page.click('dialog .button');
  });

  it('fits 320 px without scrolling sideways, its sections at the bottom', async () => {
    const { page } = opened;
    await page.setViewportSize({ width: 320, height: 640 });
    for (const path of [
      '/',
      '/channels',
      '/channels/intake',
      '/channels/contact',
      '/channels/news',
      '/channels/nothing',
    ]) {
      await opened.goto(path);
      await page.waitForSelector('.row, .card, .block, .sheet .empty');
      assert.equal(await opened.sideways(), 0, path);
      const wide = `[...document.querySelectorAll('.sheet, .sheet *')].filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'auto').length`;
      assert.equal(await page.evaluate(wide), 0, path);
      const nav = await page.locator('.nav').boundingBox();
      assert.ok(nav && nav.y > 560 && nav.width === 320, path);
    }
    await page.click('.nav a >> nth=0');
    await page.click('.row >> nth=0');
    await page.waitForSelector('.message');
    assert.equal(await page.isVisible('.nav'), false, 'the answer box has the room');
    await page.click('.back');
    await page.waitForSelector('.nav');
  });

  it('speaks Ukrainian and Russian everywhere', async () => {
    const { page } = opened;
    for (const [tag, title, refused] of [
      ['uk', 'Канали', 'Відхилені запити'],
      ['ru', 'Каналы', 'Отклонённые запросы'],
      ['en', 'Channels', 'Refused requests'],
    ] as const) {
      await opened.goto('/channels');
      await page.selectOption('.top select', tag);
      await page.waitForSelector(`html[lang=${tag}]`);
      assert.equal(await page.innerText('.sheet h1'), title);
      await card('intake').click();
      await page.waitForSelector('#refused');
      assert.equal(await page.innerText('#refused'), refused);
    }
  });
});
