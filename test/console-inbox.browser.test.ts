import assert from 'node:assert/strict';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

interface Ticket {
  readonly id: string;
  readonly status: string;
  readonly priority: string;
  readonly assignee: string | null;
  readonly team: string | null;
  readonly tags: readonly string[];
  readonly version: number;
}

describe('the inbox of the console in a browser', function () {
  let opened: OpenedConsole;
  let own: string;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    opened = await openConsole(`
channels:
  - { id: contact, type: form, spam: { minSeconds: 0 } }
  - { id: intake, type: webhook, auth: { type: standard_webhooks, secret: "${secret}" } }
`);
    for (const id of ['one', 'two', 'three', 'four']) {
      await pushSigned(opened.gateway, secret, { id, ...{ text: `about ${id}` } });
    }
    const { data } = (await opened.gateway.api('/users')) as { data: { id: string }[] };
    own = data[0]?.id ?? '';
  });

  after(() => opened?.close());

  beforeEach(() => {
    opened.trouble.length = 0;
  });
  afterEach(() => assert.deepEqual(opened.trouble, []));

  const ticketOf = async (name: string): Promise<Ticket> => {
    const { data } = (await opened.gateway.api(`/tickets?q=${name}`)) as { data: Ticket[] };
    assert.ok(data[0]);
    return data[0];
  };
  const row = (name: string) => opened.page.locator('.row', { hasText: `Customer ${name}` });
  /** Somebody else, over the API. */
  const change = (id: string, patch: object) => opened.gateway.api(`/tickets/${id}`, 'PATCH', patch);
  const is = (name: string, what: string, holds: (ticket: Ticket) => boolean) =>
    until(async () => holds(await ticketOf(name)), what);

  it('gives a ticket to oneself, to a team and to nobody, and marks it, by mouse', async () => {
    const { page, goto } = opened;
    await goto('/');
    await page.click('.views a >> nth=1');
    await page.waitForURL(/\?assignee=none$/);
    await row('one').click();
    await page.click('.controls .owner');
    await page.click('.palette [role=option] >> text=Assign to me');
    await page.locator('.controls .owner', { hasText: 'Iryna' }).waitFor();
    // Taken, it is no longer among those that nobody has; the list keeps still under the pointer only.
    await page.mouse.move(1000, 400);
    await row('one').waitFor({ state: 'detached' });
    assert.equal((await ticketOf('one')).assignee, own);

    await page.click('.controls .owner');
    await page.fill('.palette input', 'Warehouse');
    await page.click('.palette [role=option] >> text=New team: Warehouse');
    await page.locator('.controls .owner', { hasText: 'Iryna · Warehouse' }).waitFor();
    await page.click('.controls .tagging');
    await page.fill('.palette input', 'Refund');
    await page.click('.palette [role=option] >> text=New tag: Refund');
    await page.locator('.labels li', { hasText: 'Refund' }).waitFor();

    await page.click('.views a >> nth=0');
    await page.waitForURL(/\?assignee=me$/);
    await row('one').waitFor();
    assert.equal(await page.locator('.row').count(), 1);
    await page.click('.labels button');
    await page.locator('.labels li').waitFor({ state: 'detached' });
    const { tags, team } = await ticketOf('one');
    assert.deepEqual([tags, team], [[], 'Warehouse']);
    await page.click('.controls .owner');
    await page.click('.palette [role=option] >> text=Assign to nobody');
    await is('one', 'nobody has it', ({ assignee }) => assignee === null);
  });

  it('narrows the list down by the address, which filters change and a reload keeps', async () => {
    const { page, goto } = opened;
    await change((await ticketOf('two')).id, { tags: ['VIP'], priority: 'urgent' });
    await goto('/?tag=vip');
    await row('two').waitFor();
    assert.equal(await page.locator('.row').count(), 1);
    assert.equal(await page.locator('.narrowing').getAttribute('open'), '');
    await page.selectOption('select[aria-label=Priority] >> nth=0', 'low');
    await page.locator('.list .empty').waitFor();
    await page.reload();
    await page.locator('.list .empty').waitFor();
    await page.selectOption('.choices select[aria-label=Priority]', 'urgent');
    await row('two').waitFor();
    await page.selectOption('.choices select[aria-label=Channel]', 'contact');
    await page.locator('.list .empty').waitFor();
    await page.click('.choices button');
    await page.waitForURL(`${opened.gateway.url}/`);
    await row('three').waitFor();
    // What no longer fits leaves the list as it happens.
    await page.mouse.move(1000, 400);
    await page.selectOption('.choices select[aria-label=Tag]', 'VIP');
    await row('three').waitFor({ state: 'detached' });
    await change((await ticketOf('two')).id, { tags: [] });
    await row('two').waitFor({ state: 'detached' });
  });

  it('does all of it with the keyboard alone, in every layout, and goes on to the next ticket', async () => {
    const { page, goto, pressCyrillic } = opened;
    await goto('/');
    await page.mouse.move(1000, 400);
    await page.keyboard.press('Alt+Digit2');
    await page.waitForURL(/\?assignee=none$/);
    await page.locator('.row').nth(3).waitFor();
    const names = await page.locator('.row .who').allInnerTexts();
    const [first = '', second = ''] = names.map((name) => name.replace('Customer ', ''));
    await page.keyboard.press('KeyJ');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.message');
    await pressCyrillic('KeyM', 'ь');
    await page.locator('.controls .owner', { hasText: 'Iryna' }).waitFor();
    await page.keyboard.press('KeyA');
    await page.waitForSelector('.palette[open]');
    await page.keyboard.type('nobody');
    await page.keyboard.press('Enter');
    await page.locator('.controls .owner', { hasText: 'Nobody' }).waitFor();
    await page.keyboard.press('Shift+Digit3');
    await page.waitForSelector('.palette[open]');
    await page.keyboard.type('Срочно');
    await page.keyboard.press('Enter');
    await page.locator('.labels li', { hasText: 'Срочно' }).waitFor();
    await page.keyboard.press('KeyP');
    await page.waitForSelector('.palette[open]');
    await page.keyboard.type('high');
    await page.keyboard.press('Enter');
    await is(first, 'the priority is set', ({ priority }) => priority === 'high');
    await page.locator('.row >> nth=0', { hasText: first }).waitFor();
    await page.keyboard.press('Shift+KeyE');
    await page.locator('.head .name', { hasText: second }).waitFor();
    const { status, tags } = await ticketOf(first);
    assert.deepEqual([status, tags], ['solved', ['Срочно']]);
    await page.keyboard.press('KeyE');
    await is(second, 'it is resolved', (ticket) => ticket.status === 'solved');
  });

  it('tells kindly that somebody was faster, and changes nothing', async () => {
    const { page, goto } = opened;
    const { id } = await ticketOf('three');
    await change(id, { status: 'open', assignee: null });
    await goto(`/t/${id}`);
    await page.waitForSelector('.message');
    // The feed is late: what others did isn't shown yet.
    await page.route('**/socket.io/**', (route) => route.abort());
    let first = true;
    await page.route(`**/api/v1/tickets/${id}`, async (route) => {
      if (first && route.request().method() === 'PATCH') {
        first = false;
        await change(id, { assignee: 'usr_ivan' });
      }
      await route.continue();
    });
    await page.click('.controls .owner');
    await page.click('.palette [role=option] >> text=Assign to me');
    await page.waitForSelector('.controls .problem[role=alert]');
    assert.match(await page.innerText('.controls .problem'), /Somebody has changed this ticket meanwhile/);
    await page.locator('.controls .owner', { hasText: 'usr_ivan' }).waitFor();
    assert.equal((await ticketOf('three')).assignee, 'usr_ivan');
    await page.unroute('**/socket.io/**');
    await page.unroute(`**/api/v1/tickets/${id}`);
  });

  it('fits 320 px with all filters open', async () => {
    const { page, goto } = opened;
    await page.setViewportSize({ width: 320, height: 640 });
    await goto('/?status=all&tag=a-tag-that-nobody-has-and-that-is-long&team=Warehouse');
    await page.waitForSelector('.choices');
    assert.equal(await opened.sideways(), 0);
    const { id } = await ticketOf('one');
    await change(id, { tags: ['a'.repeat(80), 'second'], assignee: 'somebody-with-a-very-long-name-'.repeat(3) });
    await goto(`/t/${id}`);
    await page.waitForSelector('.labels li');
    assert.equal(await opened.sideways(), 0);
    await page.setViewportSize({ width: 1280, height: 800 });
  });
});
