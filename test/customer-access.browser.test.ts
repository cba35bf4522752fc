import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import type { Message, Ticket } from '../src/core/ticket.ts';
import { hasBrowser, openBrowser } from './fakes/browser.ts';
import { PATIENCE_MS, until } from './fakes/until.ts';
import { startWhole, type Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
  readonly passes: readonly unknown[];
}

const LONG = 'https://shop.example.com/a/very/long/address/without/any/space/in/it/that/has/to/be/broken/somewhere';

describe('pages for customers, for people who see, hear or point otherwise', function () {
  let whole: Whole;
  let browser: Browser;
  let statusUrl: string;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    whole = await startWhole({
      yaml: `  - { id: quick, type: form, spam: { minSeconds: 0 } }
  - id: full
    type: form
    title: Замовити дзвінок
    intro: Ми телефонуємо щодня.
    spam: { minSeconds: 0 }
    fields:
      - { name: name, required: true }
      - { name: phone, type: phone, required: true }
      - { name: topic, label: Тема, type: select, options: [Замовлення, Повернення] }
      - { name: agree, label: Згоден із правилами, type: checkbox, required: true }
  - { id: site, type: web_chat, greeting: How can we help?, perMinute: { visitor: 1000, address: 10000 } }
`,
    });
    browser = await openBrowser();
    const answer = await fetch(`${whole.running.url}/forms/contact`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'o@example.com', subject: LONG, message: 'x' }),
    });
    const made = (await answer.json()) as { ticket: number; statusUrl: string };
    statusUrl = made.statusUrl;
    const { id } = await whole.api<Ticket>(`/tickets/by-number/${made.ticket}`);
    const body = { status: 'pending', assignee: 'Iryna', team: 'Returns and complaints' };
    await whole.api(`/tickets/${id}`, { method: 'PATCH', body });
  });
  after(async () => {
    await browser?.close();
    await whole?.close();
  });

  async function check(page: Page, how: string): Promise<void> {
    const sideways = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    assert.equal(await page.evaluate(sideways), 0, `scrolls sideways: ${how}`);
    const options = JSON.stringify({ runOnly: { type: 'tag', values: RULES } });
    const { violations, passes } = await page.evaluate<Found>(`axe.run(document, ${options})`);
    assert.ok(passes.length > 10, 'it looked at nothing');
    const told = violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html}\n${node.failureSummary}`),
    );
    assert.deepEqual(told, [], how);
  }

  const fill = async (page: Page, given: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(given)) await page.fill(`[name=${name}]`, value);
  };

  /** Each screen: how to come to it. */
  const screens: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
    'a form': (page) => page.goto(`${whole.running.url}/forms/quick`),
    'a form with every kind of field': (page) => page.goto(`${whole.running.url}/forms/full?lang=uk`),
    'a form with what is wrong in it': async (page) => {
      await page.goto(`${whole.running.url}/forms/quick?lang=uk`);
      await fill(page, { name: 'Олена', message: 'Де моє замовлення?' });
      await page.click('button');
      await page.locator('.summary').waitFor();
    },
    'thanks for a message': async (page) => {
      await page.goto(`${whole.running.url}/forms/quick?lang=uk`);
      await fill(page, { email: `${Math.random()}@example.com`, message: 'Де моє замовлення?' });
      await page.click('button');
      await page.locator('.follow').waitFor();
    },
    'a request': (page) => page.goto(`${statusUrl}?lang=uk`),
    'no such request': (page) => page.goto(`${whole.running.url}/status/nothing`),
    'a site with the chat': openSite,
    'the chat, empty': async (page) => {
      await openSite(page);
      await page.click('.launch');
      await page.locator('li').waitFor();
    },
    'the chat, with what was said': async (page) => {
      await openSite(page);
      await page.click('.launch');
      const subject = `Where is it? ${Math.random()}`;
      await page.fill('tributary-chat textarea', subject);
      await page.keyboard.press('Enter');
      const ticket = await until(async () => {
        const { data } = await whole.api<{ data: Ticket[] }>('/tickets?channel=site&limit=200');
        return data.find((each) => each.subject === subject);
      });
      const content = Buffer.from('x').toString('base64');
      const attachments = [{ name: 'invoice.txt', mediaType: 'text/plain', content }];
      const text = `It left us this morning: ${LONG}`;
      await whole.api<Message>(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text, attachments } });
      await page.locator('li.team button').waitFor();
      await page.setInputFiles('input[type=file]', [
        { name: 'large.bin', mimeType: 'application/zip', buffer: Buffer.alloc(5 * 1024 * 1024 + 1) },
      ]);
      await page.locator('.note.bad').waitFor();
    },
  };

  async function openSite(page: Page): Promise<void> {
    const body =
      '<!doctype html><html lang="en"><head><title>Shop</title><meta name="viewport" content="width=device-width">' +
      '<meta name="color-scheme" content="light dark"></head><body><main><h1>Shop</h1><p>Lamps</p></main>' +
      '<script src="/chat/site/widget.js"></script></body></html>';
    await page.route('**/shop.html', (route) => route.fulfill({ contentType: 'text/html', body }));
    await page.goto(`${whole.running.url}/shop.html`);
    await page.locator('.launch').waitFor();
  }

  for (const [screen, come] of Object.entries(screens)) {
    it(`have nothing that stands in their way: ${screen}, light and dark, on a phone and on a desk`, async () => {
      // The program that looks is no part of the page: its policy would stop it.
      const context = await browser.newContext({ locale: 'en-GB', bypassCSP: true });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      await come(page);
      await page.evaluate(axe);
      for (const colorScheme of ['light', 'dark'] as const) {
        for (const width of [320, 768, 1440]) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 720 });
          await check(page, `${colorScheme}, ${width} pixels wide`);
        }
      }
      await context.close();
    });
  }
});
