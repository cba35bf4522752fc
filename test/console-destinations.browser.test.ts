import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
/** More than are sent again at a time. */
const MANY = 30;

describe('the destinations in the console in a browser', function () {
  let receiver: Receiver;
  let opened: OpenedConsole;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    opened = await openConsole(`
channels:
  - id: intake
    type: webhook
    auth: { type: standard_webhooks, secret: "${secret}" }
    reply: { url: "${receiver.origin}/answers", secret: "${secret}" }
destinations:
  - { id: crm, type: webhook, name: Our CRM, url: "${receiver.origin}/hooks", secret: "${secret}" }
routes:
  - { to: [crm] }
`);
  });

  after(async () => {
    await opened?.close();
    await receiver?.close();
  });

  beforeEach(async () => {
    receiver.behave('ok');
    opened.trouble.length = 0;
    await opened.page.setViewportSize({ width: 1280, height: 800 });
  });

  afterEach(() => {
    assert.deepEqual(opened?.trouble, []);
  });

  const write = (id: string) => pushSigned(opened.gateway, secret, { id, ...{ text: `Order ${id}` } });
  const lines = () => opened.page.locator('[aria-labelledby=deliveries] .log > li');
  async function count(state: string): Promise<number> {
    const { data } = (await opened.gateway.api(`/deliveries?destination=crm&state=${state}&limit=200`)) as {
      data: unknown[];
    };
    return data.length;
  }
  const isBusy = async () => (await count('waiting')) + (await count('delivering')) > 0;
  /** What was set aside is told too, so one that ends may be followed by another one. */
  const settled = () =>
    until(async () => {
      if (await isBusy()) return false;
      await wait(300);
      return !(await isBusy());
    }, 'all have ended');

  it('shows each destination as it is', async () => {
    const { page } = opened;
    await opened.goto('/');
    await page.keyboard.press('KeyG');
    await page.keyboard.press('KeyD');
    await page.waitForURL('**/destinations');
    await page.waitForSelector('.card');
    assert.match(await page.innerText('.card'), /Our CRM[^]*Waiting for the first[^]*Nothing was sent yet/);
    await write('first');
    await page.locator('.card', { hasText: 'Healthy' }).waitFor();
    await page.keyboard.press('KeyJ');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/destinations/crm');
    await page.locator('.log .state[data-look=ok]').first().waitFor();
    assert.equal(await page.title().then((title) => title.replace(/^\(\d+\) /, '')), 'Our CRM · Tributary');
  });

  it('shows every try of a delivery with what was answered, and sends it again', async () => {
    const { page } = opened;
    await settled();
    receiver.behave({ status: 422, body: 'No such field: order' });
    await write('refused');
    await settled();
    const dead = await count('dead');
    assert.ok(dead > 0);
    await opened.goto('/destinations/crm');
    await lines().first().waitFor();
    await page.selectOption('[aria-labelledby=deliveries] select', 'dead');
    await page.waitForURL('**/destinations/crm?state=dead');
    await until(async () => (await lines().count()) === dead, 'only those that are set aside');
    await lines().first().locator('summary').press('Enter');
    await page.waitForURL(/state=dead&delivery=tsk_/);
    await page.waitForSelector('.attempts');
    assert.match(await page.innerText('.attempts'), /Try 1[^]*422[^]*No such field: order/);
    await page.reload();
    await page.waitForSelector('.attempts');
    receiver.behave('ok');
    await page.click('.log .actions button');
    await page.waitForSelector('.log .state[data-look=ok]');
    await page.locator('.attempts li').nth(1).waitFor();
    assert.match(await page.innerText('.attempts'), /Try 2[^]*Delivered/);
    assert.equal(await count('dead'), dead - 1, 'the others were sent again too');
    assert.equal(await lines().count(), dead, 'the opened one stays in sight, though it is not set aside any more');
  });

  it('says how many would be sent again before it does it', async () => {
    const { page } = opened;
    await settled();
    receiver.behave({ status: 422 });
    await write('again-1');
    await write('again-2');
    await settled();
    const dead = await count('dead');
    await opened.goto('/destinations/crm');
    await lines().first().waitFor();
    const before = receiver.requests.length;
    receiver.behave('ok');
    await page.click('[aria-labelledby=deliveries] .actions button');
    await page.locator('dialog [role=status]', { hasText: `${dead} deliveries` }).waitFor();
    await page.selectOption('dialog select >> nth=0', 'needs_check');
    await page.locator('dialog [role=status]', { hasText: 'There are none.' }).waitFor();
    assert.equal(await page.isDisabled('dialog .button'), true);
    await page.selectOption('dialog select >> nth=0', 'dead');
    await page.selectOption('dialog select >> nth=1', 'hour');
    await page.locator('dialog [role=status]', { hasText: `${dead} deliveries` }).waitFor();
    await page.click('dialog button >> nth=0');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    assert.equal(receiver.requests.length, before, 'cancelled, and sent nevertheless');
    await page.focus('[aria-labelledby=deliveries] .actions button');
    await page.keyboard.press('Enter');
    await page.locator('dialog [role=status]', { hasText: `${dead} deliveries` }).waitFor();
    await page.focus('dialog .button');
    await page.keyboard.press('Enter');
    await page.locator('.said', { hasText: `${dead} will be sent again` }).waitFor();
    await until(async () => (await count('dead')) === 0, 'all are sent again');
    await settled();
    assert.equal(receiver.requests.length, before + dead);
  });

  it('calls off what has not begun', async () => {
    const { page } = opened;
    receiver.behave({ status: 422 });
    for (let index = 0; index < MANY; index++) await write(`many-${index}`);
    await settled();
    const dead = await count('dead');
    assert.ok(dead >= MANY);
    await opened.goto('/destinations/crm');
    await lines().first().waitFor();
    receiver.behave('hang');
    await page.click('[aria-labelledby=deliveries] .actions button');
    await page.locator('dialog [role=status]', { hasText: `${dead} deliveries` }).waitFor();
    await page.click('dialog .button');
    await page.click('[aria-labelledby=deliveries] .notice button');
    await page.waitForSelector('[aria-labelledby=deliveries] .notice', { state: 'detached' });
    receiver.behave('ok');
    assert.ok((await count('dead')) > 0, 'nothing was called off');
    const left = (await opened.gateway.api('/deliveries?destination=crm&state=dead&limit=200')) as {
      data: { replayAt: string | null }[];
    };
    assert.ok(left.data.every(({ replayAt }) => replayAt === null));
  });

  it('lists what goes out through a channel, where something does', async () => {
    const { page, gateway } = opened;
    await opened.goto('/channels/intake');
    await page.waitForSelector('#events');
    assert.equal(await page.locator('#deliveries').count(), 0);
    await write('answered');
    const { data } = (await gateway.api('/tickets?q=answered')) as { data: { id: string }[] };
    await gateway.api(`/tickets/${data[0]?.id}/replies`, 'POST', { text: 'It is on its way' });
    await lines().first().waitFor();
    assert.match(await lines().first().innerText(), /Answer to the customer/);
    await page.selectOption('[aria-labelledby=deliveries] select', 'dead');
    await page.waitForSelector('[aria-labelledby=deliveries] .none');
    await page.selectOption('[aria-labelledby=deliveries] select', '');
    await lines().first().waitFor();
  });

  it('fits 320 px without scrolling sideways', async () => {
    const { page } = opened;
    await page.setViewportSize({ width: 320, height: 640 });
    await opened.goto('/destinations');
    await page.waitForSelector('.card');
    assert.equal(await opened.sideways(), 0);
    await page.click('.card');
    await lines().first().waitFor();
    await lines().first().locator('summary').click();
    await page.waitForSelector('.attempts');
    assert.equal(await opened.sideways(), 0);
    await page.click('[aria-labelledby=deliveries] .actions button');
    await page.waitForSelector('dialog[open]');
    assert.equal(await opened.sideways(), 0);
    await page.keyboard.press('Escape');
  });

  it('offers those who may not send again nothing of it', async () => {
    const { page } = opened;
    await page.route('**/api/v1/session', async (route) => {
      const response = await route.fetch();
      const json = { ...(await response.json()), scopes: ['tickets:read', 'endpoints:read', 'deliveries:read'] };
      await route.fulfill({ response, json });
    });
    await opened.goto('/destinations/crm');
    await lines().first().locator('summary').click();
    await page.waitForSelector('.attempts');
    assert.equal(await page.locator('[aria-labelledby=deliveries] .actions').count(), 0);
    await page.unroute('**/api/v1/session');
  });

  it('speaks Ukrainian and Russian', async () => {
    const { page } = opened;
    await opened.goto('/destinations/crm');
    for (const [tag, title] of [
      ['uk', 'Відправлення'],
      ['ru', 'Отправления'],
      ['en', 'Going out'],
    ] as const) {
      await page.selectOption('.top select', tag);
      await page.waitForSelector(`html[lang=${tag}]`);
      assert.equal(await page.innerText('#deliveries'), title);
    }
  });
});
