import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { z } from 'zod';
import { signStandardWebhook, verifyStandardWebhook } from '../src/core/signature.ts';
import { hasBrowser, openBrowser, startProcess, startRelay } from './fakes/browser.ts';
import type { Relay, StartedGateway } from './fakes/browser.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { PATIENCE_MS } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const replySecret = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;

/** What runs a script where text is taken for markup, an attribute or an address. */
const ATTACKS = [
  '<script>window.__xss=1</script>',
  '<img src=x onerror="window.__xss=2">',
  '"><svg onload=window.__xss=3>',
  "'-alert(4)-'",
  '<iframe srcdoc="<script>parent.__xss=5</script>"></iframe>',
  'javascript:window.__xss=6',
  '<a href="javascript:alert(7)">a</a>',
  '<math><mtext></table><mglyph><style><!--</style><img src onerror=alert(8)>',
  '</title><script>alert(9)</script>',
  '<noscript><p title="</noscript><img src onerror=alert(10)>">',
  'https://example.com/"onmouseover="alert(11)',
  '<base href="https://evil.example.com/"><meta http-equiv=refresh content="0;url=javascript:alert(12)">',
  '{{constructor.constructor("alert(13)")()}}',
  '<style>@import "https://evil.example.com/a.css";</style><div style="position:fixed;inset:0">',
];

const Tickets = z.object({
  data: z.array(
    z.looseObject({
      id: z.string(),
      number: z.number(),
      subject: z.string(),
      status: z.string(),
      messageCount: z.number(),
      customer: z.object({ name: z.string().nullable() }),
    }),
  ),
});
const Messages = z.object({
  data: z.array(
    z.looseObject({ text: z.string(), kind: z.string(), delivery: z.object({ state: z.string() }).nullable() }),
  ),
});

describe('the console in a browser', function () {
  let gateway: StartedGateway;
  let relay: Relay;
  let receiver: Receiver;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** What must never happen on the page: scripts of others, dialogs, refusals of the policy, errors of ours. */
  const trouble: string[] = [];
  let sent = 0;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    gateway = await startProcess(`
channels:
  - { id: contact, type: form, spam: { minSeconds: 0 } }
  - id: intake
    type: webhook
    auth: { type: standard_webhooks, secret: "${secret}" }
    reply: { url: "${receiver.origin}/answers", secret: "${replySecret}" }
`);
    // What the browser talks through, so that it can be cut.
    relay = await startRelay(gateway.port);
    browser = await openBrowser();
    context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(PATIENCE_MS);
    page = await context.newPage();
    watch(page);
    await page.goto(gateway.setupLink.replace(gateway.url, relay.origin));
    await page.fill('input[name=name]', 'Iryna');
    await page.click('button');
    await page.waitForSelector('.link[data-link=up]');
  });

  after(async () => {
    await browser?.close();
    await relay?.close();
    const code = await gateway?.stop();
    await receiver?.close();
    assert.ok(code === undefined || code === 0, `the gateway ended with ${code}`);
  });

  beforeEach(async () => {
    trouble.length = 0;
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  function watch(opened: Page): void {
    opened.on('dialog', (dialog) => {
      trouble.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    opened.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
    opened.on('console', (line) => {
      if (/Content Security Policy|TrustedHTML|TrustedScript/i.test(line.text())) trouble.push(line.text());
    });
  }

  /** A customer's message through the signed webhook. */
  async function write(element: Record<string, unknown>): Promise<void> {
    const id = `b-${++sent}`;
    const body = JSON.stringify({ id, thread: id, from: { id, name: `Customer ${id}` }, ...element });
    const message = { id, timestampSec: Math.floor(performance.timeOrigin / 1000 + performance.now() / 1000), body };
    const response = await fetch(`${gateway.url}/webhooks/intake`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signStandardWebhook([secret], message) },
      body,
    });
    assert.ok(response.ok, `${response.status} ${await response.text()}`);
  }

  const tickets = async (query = '') => Tickets.parse(await gateway.api(`/tickets?limit=200${query}`)).data;
  const row = (text: string) => page.locator('.row', { hasText: text });
  const home = async () => {
    await page.goto(`${relay.origin}/`);
    await page.waitForSelector('.link[data-link=up]');
  };

  it('shows strangers the sign-in page and nothing of the console', async () => {
    const other = await browser.newContext();
    const stranger = await other.newPage();
    const response = await stranger.goto(`${relay.origin}/t/anything`);
    assert.equal(response?.status(), 401);
    assert.match(await stranger.innerText('h1'), /Sign in/);
    assert.equal(await stranger.locator('#console').count(), 0);
    await other.close();
  });

  it('says how the first message gets here while there is no ticket', async () => {
    const fresh = await startProcess();
    const other = await browser.newContext();
    try {
      const first = await other.newPage();
      await first.goto(fresh.setupLink);
      await first.fill('input[name=name]', 'Iryna');
      await first.click('button');
      await first.waitForSelector('.first pre');
      assert.equal(await first.getAttribute('.first a', 'href'), `${fresh.url}/forms/contact`);
      const line = await first.innerText('.first pre');
      const [, address, type, body] = /^curl (\S+) -H '([^']+)' -d '([^']+)'$/.exec(line) ?? [];
      const [name = '', value = ''] = type?.split(': ') ?? [];
      const answer = await fetch(address ?? '', { method: 'POST', headers: { [name]: value }, body: body ?? '' });
      assert.equal(answer.status, 200, line);
      await first.locator('.row', { hasText: 'Olena' }).waitFor();
    } finally {
      await other.close();
      assert.equal(await fresh.stop(), 0);
    }
  });

  it('shows what was typed into the hosted form without a reload, and so does the API', async () => {
    await home();
    await page.evaluate('window.__same = true');
    const form = await context.newPage();
    await form.goto(`${relay.origin}/forms/contact`);
    await form.fill('[name=name]', 'Олена Коваль');
    await form.fill('[name=email]', 'olena@example.com');
    await form.fill('[name=message]', 'Де моє замовлення 4512?');
    await form.click('form button');
    const number = Number(await form.innerText('.number b'));
    await form.close();

    await row('Олена Коваль').waitFor();
    assert.match(await row('Олена Коваль').innerText(), new RegExp(`#${number}\\b`));
    await row('Олена Коваль').click();
    await page.waitForSelector('.message');
    assert.match(await page.innerText('.message'), /Де моє замовлення 4512\?/);
    assert.match(await page.innerText('.message'), /unverified/);
    assert.match(await page.innerText('.head'), new RegExp(`#${number}`));
    assert.match(await page.innerText('.answer'), /contact: /, 'the reason why a form cannot answer is missing');
    assert.equal(await page.evaluate('window.__same'), true, 'the page was loaded again');

    const [ticket] = await tickets();
    assert.deepEqual([ticket?.number, ticket?.customer.name], [number, 'Олена Коваль']);
    const { data } = Messages.parse(await gateway.api(`/tickets/${ticket?.id}/messages`));
    assert.equal(data[0]?.text, 'Де моє замовлення 4512?');
  });

  it('sends an answer signed, shows it as sent, and keeps the draft until then', async () => {
    await write({ from: { id: 'ivan', name: 'Ivan' }, text: 'Is it in stock?' });
    await home();
    await row('Ivan').click();
    await page.fill('#answer', 'Yes, three of them.');
    await page.reload();
    assert.equal(await page.inputValue('#answer'), 'Yes, three of them.');
    const before = receiver.requests.length;
    await page.press('#answer', 'Enter');
    assert.match(await page.inputValue('#answer'), /\n/);
    assert.equal(await page.locator('.message.outbound').count(), 0, 'Enter alone sent it');
    await page.fill('#answer', 'Yes, three of them.');
    await page.press('#answer', 'Control+Enter');
    await page.waitForSelector('.message.outbound .delivery[data-state=sent]');
    assert.match(await page.innerText('.message.outbound'), /You[^]*Yes, three of them\.[^]*Sent/);
    assert.equal(await page.inputValue('#answer'), '');

    assert.equal(receiver.requests.length, before + 1);
    const request = receiver.requests.at(-1);
    assert.ok(request);
    const headers = request.headers as Record<string, string>;
    const now = Number(headers['webhook-timestamp']) * 1000;
    verifyStandardWebhook([replySecret], { headers, body: request.body }, now);
    assert.match(request.body.toString(), /Yes, three of them\./);
  });

  it('says why an answer was not sent', async () => {
    receiver.behave({ status: 404 });
    await write({ from: { id: 'bohdan', name: 'Bohdan' }, text: 'Can you answer?' });
    await home();
    await row('Bohdan').click();
    const delivery = page.locator('.delivery[data-state=failed]');
    // The feed is faster than the answer to the request: what it says must not be undone.
    await page.route('**/replies', async (route) => {
      const response = await route.fetch();
      await delivery.waitFor();
      await route.fulfill({ response });
    });
    await page.fill('#answer', 'No');
    await page.click('.send button');
    await page.locator('#answer:not([readonly])').waitFor();
    assert.equal(await page.inputValue('#answer'), '');
    await page.unroute('**/replies');
    assert.match(await delivery.innerText(), /Not sent: .*404/);
    receiver.behave('ok');
  });

  it('changes status and priority, and takes notes that nobody is sent', async () => {
    const before = receiver.requests.length;
    await write({ from: { id: 'taras', name: 'Taras' }, text: 'Refund, please' });
    await home();
    await row('Taras').click();
    await page.selectOption('.controls select >> nth=1', 'urgent');
    await row('Taras').locator('.priority').waitFor();
    await page.click('.boxes button >> nth=1');
    await page.fill('#answer', 'Ask the warehouse');
    await page.click('.send button');
    await page.waitForSelector('.message.note');
    await page.selectOption('.controls select >> nth=0', 'solved');
    await row('Taras').waitFor({ state: 'detached' });
    const [ticket] = await tickets('&q=Taras');
    assert.equal(ticket?.status, 'solved');
    assert.equal(receiver.requests.length, before);
  });

  it('runs nothing of what customers send', async () => {
    for (const [index, attack] of ATTACKS.entries()) {
      await write({
        thread: 'attacks',
        from: { id: 'attacker', name: attack },
        subject: attack,
        text: `${index} ${attack}`,
        fields: { [attack]: attack },
        attachments: [{ name: attack, mediaType: 'text/html', content: Buffer.from(attack).toString('base64') }],
      });
      await write({ from: { id: `attacker ${index}`, name: attack }, subject: attack, text: attack });
      const form = await fetch(`${gateway.url}/forms/contact`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: attack.slice(0, 200), email: 'a@example.com', subject: attack, message: attack }),
      });
      assert.equal(form.status, 200);
    }
    await home();
    const all = await tickets();
    const busy = all.filter(({ messageCount }) => messageCount === ATTACKS.length);
    assert.equal(busy.length, 2, 'one thread of the webhook and one person at the form');
    for (const { id } of [...busy, ...all.slice(0, 8)]) {
      await page.goto(`${relay.origin}/t/${id}`);
      await page.waitForSelector('.message');
      for (const summary of await page.locator('.messages summary').all()) await summary.click();
    }
    await page.fill('#search', '<img src=x onerror=alert(1)>');
    // A script that runs would need a moment, and nothing tells that it never will.
    await wait(500);
    assert.equal(await page.evaluate('window.__xss'), undefined);
    assert.equal(await page.locator('.page :is(script, iframe, base, meta, math, img)').count(), 0);
    assert.deepEqual(
      await page.$$eval('.page a[href]', (links) =>
        links.map((link) => link.getAttribute('href') ?? '').filter((href) => !/^(\/|https?:\/\/)/.test(href)),
      ),
      [],
    );
    assert.deepEqual(trouble, []);
  });

  it('makes links only of addresses that lead where they seem to', async () => {
    await write({
      from: { id: 'links', name: 'Links' },
      text: 'https://shop.example.com/a?b=1. https://good.example.com@evil.example.com/ https://xn--80ak6aa92e.example.com/ https://аррlе.example.com javascript:alert(1)',
    });
    await home();
    await row('Links').click();
    await page.waitForSelector('.message');
    const links = await page.$$eval('.text a', (all) => all.map((link) => [link.getAttribute('href'), link.rel]));
    assert.deepEqual(links, [['https://shop.example.com/a?b=1', 'noopener noreferrer nofollow']]);
  });

  it('misses nothing when the connection breaks, and says that it is broken', async () => {
    await write({ thread: 'cut', from: { id: 'cut', name: 'Olha' }, text: 'one' });
    await home();
    await row('Olha').click();
    await page.waitForSelector('.message');
    await page.mouse.move(1000, 400);
    relay.cut();
    await page.waitForSelector('.link[data-link=down]');
    assert.match(await page.innerText('.link'), /Reconnecting … last update \d\d:\d\d/);
    for (const text of ['two', 'three', 'four']) {
      await write({ thread: 'cut', from: { id: 'cut', name: 'Olha' }, text });
    }
    await write({ from: { id: 'late', name: 'Came meanwhile' }, text: 'hello' });
    relay.mend();
    await page.waitForSelector('.link[data-link=up]');
    await row('Came meanwhile').waitFor();
    await page.locator('.message').nth(3).waitFor();
    assert.deepEqual(await page.locator('.message .text').allInnerTexts(), ['one', 'two', 'three', 'four']);
    assert.match(await page.title(), /^\(\d+\) #\d+/, 'the tab does not say that something is unread');
  });

  it('keeps the list still under the pointer and offers what is new', async () => {
    await write({ from: { id: 'under', name: 'Under the pointer' }, text: 'hello' });
    await home();
    await page.locator('.row').first().hover();
    const first = await page.locator('.row').first().getAttribute('data-row');
    await write({ from: { id: 'pill', name: 'Above the pointer' }, text: 'hello' });
    await page.waitForSelector('.pill');
    assert.match(await page.innerText('.pill'), /1 new/);
    assert.equal(await page.locator('.row').first().getAttribute('data-row'), first);
    await page.click('.pill');
    assert.match(await page.locator('.row').first().innerText(), /Above the pointer/);
  });

  it('works with the keyboard alone', async () => {
    await write({ from: { id: 'keys', name: 'Keyboard' }, text: 'hello' });
    await home();
    await row('Keyboard').waitFor();
    await page.mouse.move(1000, 400);
    await page.keyboard.press('KeyJ');
    await page.keyboard.press('KeyJ');
    await page.keyboard.press('KeyK');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.message');
    assert.match(await page.innerText('.head'), /Keyboard/);
    await page.keyboard.press('KeyN');
    await page.keyboard.type('j k are letters here');
    assert.equal(await page.inputValue('#answer'), 'j k are letters here');
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('.message.note');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.waitForURL(`${relay.origin}/`);
    assert.match(await page.evaluate<string>('document.activeElement.innerText'), /Keyboard/);
    await page.keyboard.press('Slash');
    await page.keyboard.type('Keyboard');
    assert.equal(await page.inputValue('#search'), 'Keyboard');
    await page.locator('.row').nth(1).waitFor({ state: 'detached' });
    assert.match(await page.innerText('.row'), /Keyboard/);
  });

  it('loses no letter of whoever types on at once, however slowly it draws and answers', async () => {
    await write({ from: { id: 'quick', name: 'Quick' }, text: 'hello' });
    const slow = await context.newPage();
    await slow.addInitScript(
      'const soon = requestAnimationFrame; window.requestAnimationFrame = (then) => setTimeout(() => soon(then), 700);',
    );
    await slow.goto(`${relay.origin}/channels`);
    await slow.waitForSelector('.card');
    await slow.keyboard.press('Slash');
    await slow.keyboard.type('Quick');
    assert.equal(await slow.inputValue('#search'), 'Quick');
    await slow.keyboard.press('Escape');
    const open = async () => {
      await slow.locator('.row', { hasText: 'Quick' }).waitFor();
      await slow.keyboard.press('KeyJ');
      await slow.keyboard.press('Enter');
    };
    await open();
    await slow.waitForSelector('.message');
    await slow.keyboard.press('Escape');
    await slow.keyboard.press('Slash');
    await slow.keyboard.type('?!', { delay: 500 });
    assert.equal(await slow.inputValue('#search'), 'Quick?!', 'the row took the focus');
    await slow.fill('#search', 'Quick');
    await slow.keyboard.press('Escape');
    await slow.route('**/api/v1/tickets/*', async (route) => {
      await wait(400);
      await route.continue();
    });
    await open();
    await slow.keyboard.press('Slash');
    await slow.keyboard.type(' and on', { delay: 150 });
    await slow.waitForSelector('.message');
    assert.equal(await slow.inputValue('#search'), 'Quick and on', 'the ticket that came took the focus');
    await slow.close();
  });

  it('fits 320 px without scrolling sideways, list and ticket in turn', async () => {
    await write({ from: { id: 'narrow', name: 'A-very-long-name-'.repeat(8) }, text: 'word'.repeat(200) });
    await page.setViewportSize({ width: 320, height: 640 });
    await home();
    await page.waitForSelector('.row');
    const sideways = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    assert.equal(await page.evaluate(sideways), 0);
    assert.equal(await page.isVisible('.ticket'), false);
    await page.click('.row >> nth=0');
    await page.waitForSelector('.message');
    assert.equal(await page.isVisible('.list'), false);
    assert.equal(await page.evaluate(sideways), 0);
    await page.click('.back');
    await page.waitForSelector('.row');
  });

  it('speaks Ukrainian and Russian', async () => {
    await home();
    for (const [tag, word] of [
      ['uk', 'Вийти'],
      ['ru', 'Выйти'],
      ['en', 'Sign out'],
    ] as const) {
      await page.selectOption('.top select', tag);
      await page.waitForSelector(`html[lang=${tag}]`);
      assert.match(await page.innerText('.top'), new RegExp(word));
    }
  });

  it('leads to the sign-in page once the session is over', async () => {
    const { url } = z.object({ url: z.string() }).parse(await gateway.api('/admin/link', 'POST'));
    const other = await browser.newContext();
    const mine = await other.newPage();
    await mine.goto(url);
    await mine.click('button');
    await mine.waitForSelector('.link[data-link=up]');
    await mine.click('.top button >> nth=-1');
    await mine.waitForSelector('h1:has-text("Sign in")');
    await other.close();
  });
});

describe('the built console', () => {
  it('loads at most 70 KB of JavaScript and 12 KB of styles at first, later at most 60 KB at once, compressed', () => {
    const folder = join(import.meta.dirname, '../dist/console');
    const page = readFileSync(join(folder, 'index.html'), 'utf8');
    const all = readdirSync(join(folder, 'assets')).map((name) => ({
      name,
      isFirst: page.includes(`/assets/${name}`),
      size: gzipSync(readFileSync(join(folder, 'assets', name))).length,
    }));
    const first = (ending: string) =>
      all.filter(({ name, isFirst }) => isFirst && name.endsWith(ending)).reduce((sum, { size }) => sum + size, 0);
    const [scripts, styles] = [first('.js'), first('.css')];
    assert.ok(scripts > 0 && scripts <= 70 * 1024, `${scripts} bytes of JavaScript`);
    assert.ok(styles > 0 && styles <= 12 * 1024, `${styles} bytes of styles`);
    assert.ok(all.some(({ isFirst }) => !isFirst));
    assert.deepEqual(
      all.filter(({ isFirst, size }) => !isFirst && size > 60 * 1024),
      [],
    );
  });
});
