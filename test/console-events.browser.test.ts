import assert from 'node:assert/strict';
import { hasBrowser } from './fakes/browser.ts';
import { openConsole, pushSigned, signedPost } from './fakes/console.ts';
import type { OpenedConsole } from './fakes/console.ts';
import { startReceiver } from './fakes/receiver.ts';
import type { Receiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

interface Ticket {
  readonly id: string;
  readonly number: number;
}

describe('the events in the console in a browser', function () {
  let receiver: Receiver;
  let opened: OpenedConsole;

  before(async function () {
    skipUnless(this, hasBrowser, 'Chromium is not installed (set CHROMIUM to its path)');
    receiver = await startReceiver();
    opened = await openConsole(`
channels:
  - { id: contact, type: form, name: Contact form, spam: { minSeconds: 0, maxLinks: 1 } }
  - { id: intake, type: webhook, name: Shop, auth: { type: standard_webhooks, secret: "${secret}" } }
destinations:
  - { id: crm, type: webhook, name: Our CRM, url: "${receiver.origin}/hooks", secret: "${secret}" }
routes:
  - { when: { channel: intake }, to: [crm] }
`);
    await write('one', 'Where is my parcel?');
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

  const write = (id: string, text = 'hello') => pushSigned(opened.gateway, secret, { id, ...{ text } });
  const entries = () => opened.page.locator('.entry');
  const step = (name: string) => opened.page.locator(`.way section[aria-labelledby=${name}]`);
  const ticketOf = async (id: string): Promise<Ticket> => {
    const { data } = (await opened.gateway.api(`/tickets?q=${id}`)) as { data: Ticket[] };
    assert.ok(data[0]);
    return data[0];
  };
  const list = async (query = '') => {
    await opened.goto(`/events${query}`);
    await entries().first().waitFor();
  };
  /** A post that the form takes for spam. */
  async function spam(name: string): Promise<void> {
    const message = `${name} https://a.example.com https://b.example.com`;
    const response = await fetch(`${opened.gateway.url}/forms/contact`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, email: 'olena@example.com', message }),
    });
    assert.equal(response.status, 200);
  }

  it('shows what became of everything that came in, and finds it again', async () => {
    const { page } = opened;
    await write('found', 'Only once');
    await write('found', 'Only once');
    await spam('Links');
    await opened.goto('/');
    await page.click('.nav a[href="/events"]');
    await page.waitForURL('**/events');
    await entries().nth(3).waitFor();
    assert.equal(await page.title().then((title) => title.replace(/^\(\d+\) /, '')), 'Events · Tributary');
    const all = await entries().allInnerTexts();
    assert.match(all[0]!, /Rejected[^]*Contact form[^]*links/);
    assert.match(all[1]!, /Seen before[^]*Shop[^]*received before/);
    assert.match(all[2]!, /New ticket[^]*Shop[^]*Belonged to no other ticket/);
    assert.match(await page.innerText('.days h2'), /^today$/i);
    assert.match(await page.innerText('.sheet'), /In the last 24 hours \d+ came in/);

    const only = async (count: number, text: string) => {
      await until(async () => (await entries().count()) === count, `${count} of ${text}`);
      assert.match(await entries().first().innerText(), new RegExp(text));
    };
    await page.selectOption('.finder select >> nth=1', 'duplicate');
    await page.waitForURL('**/events?outcome=duplicate');
    await only(1, 'Seen before');
    await page.selectOption('.finder select >> nth=1', '');
    await page.selectOption('.finder select >> nth=0', 'contact');
    await page.waitForURL('**/events?endpoint=contact');
    await only(1, 'Rejected');
    await page.selectOption('.finder select >> nth=0', '');
    await page.selectOption('.finder select >> nth=2', 'hour');
    await page.waitForURL('**/events?since=hour');
    await entries().nth(3).waitFor();
    await page.selectOption('.finder select >> nth=2', 'all');
    const { id, number } = await ticketOf('found');
    for (const [words, count, text] of [
      [`#${number}`, 2, 'Seen before'],
      ['found', 2, 'Seen before'],
      [id, 2, 'Seen before'],
      ['LINKS', 1, 'Rejected'],
    ] as const) {
      await page.fill('#search', words);
      await only(count, text);
    }
    await page.fill('#search', 'no such thing');
    await page.waitForSelector('.sheet .none');
    assert.equal(await page.innerText('.sheet .none'), 'Nothing found.');
    await page.waitForURL('**/events?q=no+such+thing');
  });

  it('shows the whole way of one: request, reading, ticket, deliveries with their tries', async () => {
    const { page } = opened;
    receiver.behave({ status: 422, body: 'No such field: order' });
    await write('way', 'All the way');
    await list('?q=way');
    await entries().first().click();
    await page.waitForURL(/\/events\/evt_\w+\?q=way$/);
    const received = step('received');
    await received.locator('pre').waitFor();
    assert.match(await received.innerText(), /POST \/webhooks\/intake[^]*127\.0\.0\.1 · \d+ bytes/);
    assert.match(await received.locator('pre').innerText(), /"text":"All the way"/);
    await received.locator('summary').first().click();
    assert.match(await received.innerText(), /webhook-signature\s+\[redacted\]/);
    await step('understood').locator('.heading').waitFor();
    assert.match(await step('understood').innerText(), /Message · Customer way[^]*All the way[^]*externalId\s+way/);
    const { number } = await ticketOf('way');
    await step('decided').locator(`a:has-text("#${number}")`).waitFor();
    assert.match(await step('decided').innerText(), /It opened a ticket\.[^]*it belonged to no other/);
    await step('passed-on').locator('.state[data-look=act]').first().waitFor();
    assert.match(await step('passed-on').innerText(), /Set aside[^]*Our CRM · Message of a customer[^]*422/);
    await step('passed-on').locator('summary').first().click();
    await page.waitForURL(/&delivery=tsk_/);
    await page.waitForSelector('.attempts li');
    assert.match(await page.innerText('.attempts'), /Try 1[^]*No such field: order/);
    receiver.behave('ok');
    await page.click('.log .actions button');
    await step('passed-on').locator('.state[data-look=ok]').first().waitFor();
    await step('decided').locator(`a:has-text("#${number}")`).click();
    await page.waitForURL('**/t/*');
    await page.waitForSelector('.message');
  });

  it('is reached from a message, also after its ticket was merged, and from a channel', async () => {
    const { page, gateway } = opened;
    await write('merged', 'Where am I?');
    const [from, into] = [await ticketOf('merged'), await ticketOf('one')];
    await gateway.api(`/tickets/${from.id}/merge`, 'POST', { into: into.id });
    await opened.goto(`/t/${into.id}`);
    const message = page.locator('.message', { hasText: 'Where am I?' });
    await message.locator('summary').last().click();
    await message.locator('a', { hasText: 'The whole way of this message' }).click();
    await page.waitForURL('**/events/msg_*');
    await step('decided').locator(`a:has-text("#${into.number}")`).waitFor();
    assert.match(
      await step('decided').innerText(),
      new RegExp(`#${from.number} [^]*moved to another ticket since:[^]*#${into.number} `),
    );
    await step('passed-on').locator('.log li').first().waitFor();
    await step('others').locator('a', { hasText: 'Everything about this message' }).click();
    await page.waitForURL('**/events?q=msg_*');
    await entries().first().waitFor();
    await opened.goto('/channels/intake');
    await page.locator('[aria-labelledby=events] .log summary').first().click();
    await page.locator('[aria-labelledby=events] .log a', { hasText: 'The whole way' }).first().click();
    await page.waitForURL('**/events/evt_*');
    await step('received').waitFor();
    const note = (await gateway.api(`/tickets/${into.id}/notes`, 'POST', { text: 'a note' })) as { id: string };
    await opened.goto(`/events/${note.id}`);
    await page.waitForSelector('.sheet .empty');
    assert.match(await page.innerText('.sheet .empty'), /it was written here/);
  });

  it('files again what a guard held back, and says what that became', async () => {
    const { page } = opened;
    await spam('Real customer');
    await list('?outcome=rejected');
    await entries().first().click();
    await step('decided').locator('.notice').waitFor();
    assert.match(await step('decided').innerText(), /2 links[^]*If a real customer wrote it, file it again/);
    assert.match(await step('passed-on').innerText(), /No message came of it/);
    await step('understood').locator('.heading').waitFor();
    assert.match(await step('understood').innerText(), /Held back · Form · Real customer/);
    await step('decided').locator('button').click();
    await page.waitForSelector('.said[data-look=ok]');
    assert.match(await page.innerText('.said'), /Filed again: New ticket #\d+/);
    const again = step('others').locator('.entry', { hasText: 'New ticket' });
    await again.waitFor();
    assert.match(await again.innerText(), /filed again/);
    await again.click();
    await step('decided').locator('.chip', { hasText: 'filed again' }).waitFor();
    await step('decided').locator('.to-ticket a').waitFor();
  });

  it('shows what could not be read, and each part of a request by itself', async () => {
    const { page } = opened;
    const parts = [{ id: 'part-1', from: { id: 'u', name: 'Part' }, text: 'fine' }, { text: 5 }];
    await signedPost(opened.gateway, secret, 'parts', JSON.stringify(parts));
    await list('?outcome=quarantined');
    await entries().first().click();
    await step('decided').locator('.notice[data-look=act]').waitFor();
    assert.match(await step('decided').innerText(), /could not be read\. Its bytes are kept/);
    await step('understood').locator('.heading').waitFor();
    assert.equal(await step('understood').locator('.heading').innerText(), 'Unreadable');
    await step('others').locator('.entry').nth(1).waitFor();
    assert.match(await step('others').innerText(), /Part 1[^]*New ticket[^]*Part 2[^]*Unreadable[^]*this one/);
    await step('decided').locator('button').click();
    await page.waitForSelector('.said[data-look=act]');
    assert.match(await page.innerText('.said'), /Filed again: Unreadable/);
    await step('others').locator('.entry').first().click();
    await step('decided').locator('.to-ticket a').waitFor();
  });

  it('goes everywhere with the keyboard alone', async () => {
    const { page } = opened;
    await write('keys');
    await opened.goto('/');
    await opened.pressCyrillic('KeyG', 'п');
    await opened.pressCyrillic('KeyE', 'у');
    await page.waitForURL('**/events');
    await entries().nth(1).waitFor();
    await page.keyboard.press('KeyJ');
    await page.keyboard.press('KeyJ');
    const row = await page.evaluate<string>('document.activeElement.dataset.row');
    assert.equal(row, await entries().nth(1).getAttribute('data-row'));
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/events/${row}`);
    await step('received').waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL('**/events');
    assert.equal(await page.evaluate<string>('document.activeElement.dataset.row'), row, 'back on its row');
    await page.keyboard.press('Slash');
    await page.keyboard.type('keys');
    assert.equal(await page.inputValue('#search'), 'keys');
    await page.waitForURL('**/events?q=keys');
    await until(async () => (await entries().count()) === 1, 'the one that was looked for');
  });

  it('keeps the list still under the pointer and offers what is new', async () => {
    const { page } = opened;
    await list();
    const first = await entries().first().getAttribute('data-row');
    await entries().first().hover();
    await write('still');
    await page.waitForSelector('.pill');
    assert.equal(await page.innerText('.pill'), '1 new ↑');
    assert.equal(await entries().first().getAttribute('data-row'), first);
    await page.click('.pill');
    await page.waitForSelector('.pill', { state: 'detached' });
    assert.match(await entries().first().innerText(), /still/);
  });

  it('offers those who may only look nothing else', async () => {
    const { page } = opened;
    await page.route('**/api/v1/session', async (route) => {
      const response = await route.fetch();
      const json = { ...(await response.json()), scopes: ['tickets:read', 'endpoints:read'] };
      await route.fulfill({ response, json });
    });
    await list('?outcome=rejected');
    await entries().first().click();
    await step('decided').locator('.notice').waitFor();
    assert.equal(await page.locator('.sheet .actions').count(), 0);
    await opened.goto(`/t/${(await ticketOf('one')).id}`);
    await page.click('.message summary >> nth=-1');
    assert.equal(await page.locator('.message a[href^="/events"]').count(), 0);
    await page.unroute('**/api/v1/session');
  });

  it('says that there is no such event', async () => {
    await opened.goto('/events/evt_none');
    await opened.page.waitForSelector('.sheet .empty');
    assert.equal(await opened.page.innerText('.sheet .empty'), 'There is no such event.');
  });

  it('fits 320 px without scrolling sideways', async () => {
    const { page } = opened;
    await page.setViewportSize({ width: 320, height: 640 });
    await list();
    assert.equal(await opened.sideways(), 0);
    const wide = `[...document.querySelectorAll('.sheet, .sheet *')].filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'auto').length`;
    assert.equal(await page.evaluate(wide), 0);
    await entries().last().click();
    await page.waitForSelector('.read');
    for (const summary of await page.locator('.way summary').all())
      if (await summary.isVisible()) await summary.click();
    assert.equal(await opened.sideways(), 0);
    assert.equal(await page.evaluate(wide), 0);
  });

  it('speaks Ukrainian and Russian', async () => {
    const { page } = opened;
    for (const [tag, title, came] of [
      ['uk', 'Події', 'Надійшло'],
      ['ru', 'События', 'Поступило'],
      ['en', 'Events', 'Came in'],
    ] as const) {
      await list();
      await page.selectOption('.top select', tag);
      await page.waitForSelector(`html[lang=${tag}]`);
      assert.equal(await page.innerText('.sheet h1'), title);
      await entries().first().click();
      await page.waitForSelector('#received');
      assert.equal(await page.innerText('#received'), came);
    }
  });
});
