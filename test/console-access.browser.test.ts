import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
  readonly passes: readonly unknown[];
}

describe('the console for people who see, hear or point otherwise', function () {
  let receiver: Receiver;
  let opened: OpenedConsole;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    receiver.behave(({ url }) => ({ status: url === '/feed' ? 401 : 422, body: 'refused' }));
    // The program that looks is no part of the page: its policy would stop it.
    const options = { bypassCSP: true };
    opened = await openConsole(
      `
channels:
  - { id: contact, type: form, spam: { minSeconds: 0 } }
  - { id: intake, type: webhook, auth: { type: standard_webhooks, secret: "${secret}" } }
  - { id: closed, type: form, enabled: false }
  - { id: news, type: rss, url: "${receiver.origin}/feed" }
destinations:
  - { id: crm, type: webhook, url: "${receiver.origin}/hooks", secret: "${secret}" }
routes:
  - { to: [crm] }
`,
      options,
    );
    for (const id of ['one', 'two', 'three']) {
      const element = { id, text: 'See https://shop.example.com/a', subject: `Order ${id}`, fields: { order: '4512' } };
      await pushSigned(opened.gateway, secret, element);
    }
    await fetch(`${opened.gateway.url}/webhooks/intake`, { method: 'POST', body: '{"id":"forged"}' });
  });

  after(async () => {
    await opened?.close();
    await receiver?.close();
  });

  async function check(screen: string): Promise<void> {
    const { page } = opened;
    await page.evaluate(axe);
    const options = JSON.stringify({ runOnly: { type: 'tag', values: RULES } });
    const { violations, passes } = await page.evaluate<Found>(`axe.run(document, ${options})`);
    assert.ok(passes.length > 10, 'it looked at nothing');
    const told = violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html}\n${node.failureSummary}`),
    );
    assert.deepEqual(told, [], screen);
  }

  const screens: readonly (readonly [string, string, string])[] = [
    ['the list', '/', '.row'],
    ['the customers', '/customers', '.people .card'],
    ['the channels', '/channels', '.card'],
    ['a channel with events and refused requests', '/channels/intake', '[aria-labelledby=events] .log'],
    ['a channel whose credentials are refused', '/channels/news', '.notice[data-look=act]'],
    ['a form', '/channels/contact', '.address'],
    ['the destinations', '/destinations', '.card'],
    ['a destination', '/destinations/crm?state=dead', '[aria-labelledby=deliveries] .log'],
    ['the routes', '/routes', '.rule'],
    ['the events', '/events', '.entry'],
    ['no such events', '/events?q=nothing-like-that', '.sheet .none'],
    ['what can be connected', '/channels/new', '.type'],
    ['a form of settings', '/channels/new/email', '.settings'],
    ['settings that can only be read', '/destinations/crm/settings', '.settings'],
    ['a channel that waits for its first message', '/channels/contact', '.awaited'],
    ['what there is not', '/channels/nothing', '.sheet .empty'],
  ];

  for (const scheme of ['light', 'dark'] as const) {
    for (const [width, height] of [
      [1280, 800],
      [360, 740],
    ] as const) {
      it(`has nothing that stands in their way (${scheme}, ${width} pixels wide)`, async () => {
        const { page } = opened;
        await page.emulateMedia({ colorScheme: scheme });
        await page.setViewportSize({ width, height });
        for (const [screen, path, ready] of screens) {
          await opened.goto(path);
          await page.waitForSelector(ready);
          for (const summary of await page
            .locator('[aria-labelledby=events] .log summary, #refused .log summary')
            .all())
            await summary.click();
          for (const box of await page.locator('.field[role=group] > .check > input:enabled').all()) await box.check();
          await page.evaluate(`for (const one of document.querySelectorAll('.more-settings')) one.open = true`);
          await check(screen);
        }
        await opened.goto('/destinations/crm');
        await page.click('.log summary');
        await page.waitForSelector('.attempts li');
        await check('a delivery with its tries');
        await page.click('[aria-labelledby=deliveries] .actions button');
        await page.waitForSelector('dialog[open]');
        await check('what is to be sent again');
        await page.keyboard.press('Escape');
        await opened.goto('/routes');
        await page.click('.unsaved button');
        await page.waitForSelector('#trial .tried li');
        await check('where messages would go');
        await page.click('#add-route');
        await page.click('#add-field');
        await page.check('.route-form section:first-of-type > fieldset:last-of-type > .tick input');
        await page.click('.route-form .button');
        await page.waitForSelector('.route-form fieldset[data-problem]');
        await check('a route that leads nowhere');
        await page.check('.route-form section:last-of-type .ticks input');
        await page.click('.route-form .button');
        await page.waitForSelector('.unsaved[data-unsaved]');
        await check('routes that are not saved yet');
        await page.click('.unsaved button >> nth=2');
        await opened.goto('/events?q=three');
        await page.click('.entry >> nth=0');
        await page.waitForSelector('.read');
        await page.waitForSelector('.way .log li');
        for (const summary of await page.locator('.way summary').all()) await summary.click();
        await page.waitForSelector('.attempts li');
        await check('the whole way of an event');
        await opened.goto('/customers');
        await page.click('.people .card');
        await page.waitForSelector('.timeline .message');
        await check('a customer');
        await page.click('[aria-labelledby=history] header button');
        await page.fill('dialog input[type=search]', 'customer');
        await page.click('dialog .choices button');
        await page.waitForSelector('dialog .moves');
        await check('a merge of customers');
        await page.keyboard.press('Escape');
        await opened.goto('/');
        await page.click('.row >> nth=0');
        await page.waitForSelector('.message');
        await page.waitForSelector(width >= 1200 ? 'aside.beside .identities li' : 'details.beside');
        if (width < 1200) await page.click('details.beside > summary');
        await page.click('.message summary >> nth=-1');
        await check('a ticket');
        await page.keyboard.press('Control+KeyK');
        await page.waitForSelector('.palette[open]');
        await check('the palette');
        await page.keyboard.press('Escape');
        await page.waitForSelector('.palette', { state: 'detached' });
        await page.keyboard.press('Shift+Slash');
        await page.waitForSelector('dialog[open]');
        await check('the keys');
        await page.keyboard.press('Escape');
      });
    }
  }
});
