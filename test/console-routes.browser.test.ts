import assert from 'node:assert/strict';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

interface Listed {
  readonly data: readonly {
    readonly id: string;
    readonly source: string | null;
    readonly when: object;
    readonly to: readonly string[];
    readonly stop: boolean;
  }[];
  readonly version: string;
}

describe('the routes in the console in a browser', function () {
  let receiver: Receiver;
  let opened: OpenedConsole;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    receiver.behave('ok');
    opened = await openConsole(`
channels:
  - { id: contact, type: form, spam: { minSeconds: 0 } }
  - { id: intake, type: webhook, name: Our intake, auth: { type: standard_webhooks, secret: "${secret}" } }
destinations:
  - { id: crm, type: webhook, name: Our CRM, url: "${receiver.origin}/crm", secret: "${secret}" }
  - { id: sales, type: webhook, name: Sales, url: "${receiver.origin}/sales", secret: "${secret}" }
routes:
  - { when: { tag: [vip] }, to: [crm] }
`);
    for (const id of ['one', 'two']) {
      await pushSigned(opened.gateway, secret, { id, text: id, fields: { department: id } } as { id: string });
    }
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

  const known = async () => (await opened.gateway.api('/routes')) as Listed;
  const own = async () => (await known()).data.filter(({ source }) => source === null);
  const rule = (number: number) => opened.page.locator(`.rule[aria-label="Route ${number}"]`);
  const button = (text: string) => opened.page.locator('.unsaved button', { hasText: text });
  const isFocused = (id: string) => opened.page.evaluate(`document.activeElement?.id === ${JSON.stringify(id)}`);
  const dialog = () => opened.page.locator('dialog.route-form');
  const group = (legend: string) =>
    dialog()
      .locator('fieldset')
      .filter({ has: opened.page.locator(`legend:text-is("${legend}")`) })
      .first();

  it('shows those of the file to read, with their line, and is found by keys and from the destinations', async () => {
    const { page } = opened;
    await opened.goto('/destinations');
    await page.locator('.under a', { hasText: 'Routes' }).click();
    await page.waitForURL('**/routes');
    await opened.goto('/');
    await page.keyboard.press('KeyG');
    await opened.pressCyrillic('KeyR', 'к');
    await page.waitForURL('**/routes');
    await rule(1).waitFor();
    assert.match(await rule(1).innerText(), /Tag\s+vip[^]*Our CRM[^]*set up in .*tributary\.yaml:\d+/);
    assert.equal(await rule(1).locator('button').count(), 0);
    assert.equal(await page.getAttribute('.nav a[href="/destinations"]', 'aria-current'), 'page');
    await page.locator('.none', { hasText: 'None yet.' }).waitFor();
  });

  it('adds, tries, orders, changes and removes them by mouse, and saves them together', async () => {
    const { page } = opened;
    await opened.goto('/routes');
    await page.click('#add-route');
    await group('Channel').locator('label', { hasText: 'Our intake' }).click();
    await page.click('#add-field');
    await dialog().locator('.field-of input').fill('department');
    await dialog().locator('.field-of textarea').fill('one\nthree');
    await dialog().locator('.button').click();
    await dialog().locator('[role=alert]', { hasText: 'Choose at least one destination.' }).waitFor();
    await group('Goes to').locator('label', { hasText: 'Sales' }).click();
    await dialog().locator('.button').click();
    await dialog().waitFor({ state: 'detached' });
    assert.match(await rule(2).innerText(), /Channel\s+Our intake[^]*Field department\s+one · three[^]*Sales/);
    assert.deepEqual(await own(), [], 'saved already');

    await button('Try it').click();
    await page.locator('#trial .found', { hasText: '1 of the last 2 messages would go elsewhere.' }).waitFor();
    const first = await page.locator('#trial .tried li').first().innerText();
    assert.match(first, /Ticket #\d+[^]*Message · Our intake[^]*Now\s+nowhere[^]*Then\s+Sales/);
    assert.equal(await page.locator('#trial .counts tr', { hasText: 'Sales' }).innerText(), 'Sales\t0\t1');

    await page.click('#add-route');
    await dialog().locator('label', { hasText: 'routes below it' }).click();
    await group('Goes to').locator('label', { hasText: 'Our CRM' }).click();
    await dialog().locator('.button').click();
    await rule(3).waitFor();
    assert.match(await rule(3).innerText(), /Everything[^]*Our CRM[^]*Ends the list/);
    await rule(3).locator('button[aria-label^=Up]').click();
    await until(async () => /Everything/.test(await rule(2).innerText()), 'it is above');
    await page.locator('#trial .found', { hasText: '2 of the last 2 messages would go elsewhere.' }).waitFor();
    await button('Save').click();
    await page.locator('.unsaved .said', { hasText: 'Saved.' }).waitFor();
    const saved = await own();
    assert.deepEqual(
      saved.map(({ when, to, stop }) => ({ when, to, stop })),
      [
        { when: {}, to: ['crm'], stop: true },
        { when: { channel: ['intake'], field: { department: ['one', 'three'] } }, to: ['sales'], stop: false },
      ],
    );

    await rule(3).locator('button', { hasText: 'Change' }).click();
    await dialog().locator('.field-of textarea').fill('two');
    await group('Time').locator('label', { hasText: 'Only at certain times' }).click();
    await dialog().getByLabel('Time zone').fill('Nowhere');
    await dialog().locator('.button').click();
    await dialog().locator('[role=alert]', { hasText: 'Time: write a time zone' }).waitFor();
    await dialog().getByLabel('Time zone').fill('Europe/Kyiv');
    await dialog().getByLabel('From').fill('09:00');
    await dialog().getByLabel('Mon', { exact: true }).check();
    await dialog().locator('.button').click();
    await dialog().waitFor({ state: 'detached' });
    assert.match(await rule(3).innerText(), /Mon 09:00 to 24:00 \(Europe\/Kyiv\)/);
    await rule(2).locator('button', { hasText: 'Remove' }).click();
    await rule(3).waitFor({ state: 'detached' });
    await button('Save').click();
    await page.locator('.unsaved .said', { hasText: 'Saved.' }).waitFor();
    const [left, ...others] = await own();
    assert.deepEqual(
      [left!.id, left!.when, others],
      [
        saved[1]!.id,
        {
          channel: ['intake'],
          field: { department: ['two'] },
          time: { zone: 'Europe/Kyiv', days: ['mon'], from: '09:00' },
        },
        [],
      ],
    );
  });

  it('does the same by keyboard alone, and keeps in the tab what is not saved', async () => {
    const { page } = opened;
    await opened.goto('/routes');
    await page.focus('#add-route');
    await page.keyboard.press('Enter');
    await group('Goes to').locator('input').first().focus();
    await page.keyboard.press('Space');
    await dialog().getByLabel('Tag').focus();
    await page.keyboard.type('b2b');
    await dialog().locator('.button').focus();
    await page.keyboard.press('Enter');
    await rule(3).waitFor();
    const id = await rule(3).locator('button', { hasText: 'Change' }).getAttribute('id');
    await until(() => isFocused(id!), 'at what was added');
    const key = id!.replace('change-', '');
    // The way down is none: it is passed over.
    await page.keyboard.press('Shift+Tab');
    await until(() => isFocused(`up-${key}`), 'at the way up');
    await page.keyboard.press('Enter');
    await until(async () => /b2b/.test(await rule(2).innerText()), 'it is above');
    await until(() => isFocused(`down-${key}`), 'it goes no further up');
    await page.locator('.spoken', { hasText: 'It is route 2 now.' }).waitFor();

    await page.reload();
    await until(async () => /b2b/.test(await rule(2).innerText()), 'what is not saved is still there');
    assert.equal((await own()).length, 1);
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('try it');
    await page.keyboard.press('Enter');
    await page.locator('#trial .found').waitFor();
    await page.keyboard.press('Control+KeyK');
    await page.keyboard.type('discard');
    await page.keyboard.press('Enter');
    await rule(3).waitFor({ state: 'detached' });
    assert.equal(await page.locator('[data-unsaved]').count(), 0);

    await page.focus('.rule .acts button:last-of-type');
    await page.keyboard.press('Enter');
    await rule(2).waitFor({ state: 'detached' });
    await until(() => isFocused('add-route'), 'nothing else is left');
    await button('Save').focus();
    await page.keyboard.press('Enter');
    await page.locator('.unsaved .said', { hasText: 'Saved.' }).waitFor();
    assert.deepEqual(await own(), []);
  });

  it('saves nothing over what somebody else has made meanwhile', async () => {
    const { page } = opened;
    await opened.goto('/routes');
    await page.click('#add-route');
    await group('Goes to').locator('label', { hasText: 'Our CRM' }).click();
    await dialog().locator('.button').click();
    await rule(2).waitFor();
    await opened.gateway.api('/routes', 'POST', { to: ['sales'] });
    await button('Save').click();
    await page.locator('.unsaved .said', { hasText: 'somebody has changed the routes since' }).waitFor();
    await page.locator('.unsaved', { hasText: 'Discard yours to see them.' }).waitFor();
    assert.equal(await button('Save').isDisabled(), true);
    await button('Discard').click();
    await until(async () => /Sales/.test(await rule(2).innerText()), 'what the other one has made');
    assert.equal((await own()).length, 1);
  });

  it('offers those who may not change them the trial only', async () => {
    const { page } = opened;
    await page.route('**/api/v1/session', async (route) => {
      const response = await route.fetch();
      const json = { ...(await response.json()), scopes: ['tickets:read', 'endpoints:read'] };
      await route.fulfill({ response, json });
    });
    await opened.goto('/routes');
    await rule(2).waitFor();
    assert.deepEqual(await page.locator('.sheet button').allInnerTexts(), ['Try it over the last messages']);
    await button('Try it').click();
    await page.locator('#trial .found', { hasText: 'would go where they go now' }).waitFor();
    await page.unroute('**/api/v1/session');
  });

  it('says it in Ukrainian and Russian, and fits 320 px without scrolling sideways', async () => {
    const { page } = opened;
    for (const [language, title] of [
      ['uk', 'Маршрути'],
      ['ru', 'Маршруты'],
    ] as const) {
      await page.setViewportSize({ width: 320, height: 720 });
      await page.evaluate(`localStorage.setItem('language', ${JSON.stringify(language)})`);
      await opened.goto('/routes');
      await page.locator('h1', { hasText: title }).waitFor();
      await page.locator('.unsaved button').first().click();
      await page.locator('#trial .tried li').first().waitFor({ state: 'attached' });
      assert.equal(await opened.sideways(), 0, language);
      await page.click('#add-route');
      await page.click('#add-field');
      assert.equal(
        await page.evaluate(
          `(() => { const d = document.querySelector('dialog.route-form'); return d.scrollWidth - d.clientWidth; })()`,
        ),
        0,
      );
      await page.keyboard.press('Escape');
    }
    await page.evaluate(`localStorage.setItem('language', 'en')`);
  });
});
