import assert from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import type { Ticket } from '../src/core/ticket.ts';
import { hasBrowser, openBrowser } from './fakes/browser.ts';
import { PATIENCE_MS } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

describe('a customer’s way to the page of his request', function () {
  let whole: Whole;
  let browser: Browser;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    whole = await startWhole({ yaml: '  - { id: quick, type: form, spam: { minSeconds: 0 } }\n' });
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await whole?.close();
  });

  for (const javaScriptEnabled of [false, true]) {
    it(`leads there by keyboard alone, ${javaScriptEnabled ? 'with' : 'without'} scripts, in his language`, async () => {
      const context = await browser.newContext({ javaScriptEnabled, locale: 'uk-UA' });
      context.setDefaultTimeout(PATIENCE_MS);
      try {
        const page = await context.newPage();
        const refused: string[] = [];
        page.on('console', (line) => {
          if (/Content Security Policy/.test(line.text())) refused.push(line.text());
        });
        await page.goto(`${whole.running.url}/forms/quick`);
        const email = `olena-${String(javaScriptEnabled)}@example.com`;
        for (const typed of ['Олена', email, '', 'Де замовлення?']) {
          await page.keyboard.press('Tab');
          await page.keyboard.insertText(typed);
        }
        await page.keyboard.press('Tab');
        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        const number = Number(await page.locator('.number b').innerText());
        await page.waitForLoadState();
        const opened = context.waitForEvent('page');
        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        const status = await opened;
        assert.equal(await status.locator('h1').innerText(), `Звернення № ${number}`);
        assert.equal(await status.locator('.stage h2').innerText(), 'Отримано');
        const { id } = await whole.api<Ticket>(`/tickets/by-number/${number}`);
        await whole.api(`/tickets/${id}`, { method: 'PATCH', body: { status: 'open', team: 'Склад' } });
        await status.reload();
        assert.equal(await status.locator('[aria-current=step]').innerText(), 'У роботі');
        assert.equal(await status.locator('dd').first().innerText(), 'Склад');
        await status.keyboard.press('Tab');
        await status.keyboard.press('Enter');
        await status.waitForURL(/lang=ru$/);
        assert.equal(await status.locator('h1').innerText(), `Обращение № ${number}`);
        assert.deepEqual(refused, []);
      } finally {
        await context.close();
      }
    });
  }

  it('brings him there from a form that a site shows in a frame', async () => {
    const context = await browser.newContext({ locale: 'en-GB' });
    context.setDefaultTimeout(PATIENCE_MS);
    try {
      const page = await context.newPage();
      const body = `<iframe src="/forms/quick" width="600" height="900"></iframe>`;
      await page.route('**/shop.html', (route) => route.fulfill({ contentType: 'text/html', body }));
      await page.goto(`${whole.running.url}/shop.html`);
      const frame = page.frameLocator('iframe');
      await frame.locator('[name=email]').fill('o@example.com');
      await frame.locator('[name=message]').fill('From a frame');
      await frame.locator('button').click();
      const opened = context.waitForEvent('page');
      await frame.locator('.follow a').click();
      assert.match(await (await opened).locator('h1').innerText(), /^Request No\. \d+$/);
    } finally {
      await context.close();
    }
  });
});
